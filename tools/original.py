"""The caller's own file, which nothing here may change (P5): the sandbox prevents it, and this notices it."""

import os
import stat
from pathlib import Path

from edgewright.state.errors import Code, Refused
from edgewright.state.files import file_sha256
from edgewright.tools.orders import Original


def check_original(original: Original) -> None:
    """Refuse to go on with an original that is not the file it was.

    Raises:
        Refused: ORIGINAL_CHANGED.
    """
    path = Path(original.path)
    found = _digest(path)
    if found != original.sha256:
        raise Refused.because(
            Code.ORIGINAL_CHANGED,
            "going on with this run",
            f"the original {path.name} had the SHA-256 {original.sha256} when the run began and now is {found}",
            "put the original back as it was, or profile the changed file as a new run",
            "P5",
            expected=original.sha256,
            found=found,
        )


def _digest(path: Path) -> str:
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):  # a FIFO put in its place would hold the job for ever
            return "no regular file"
        return file_sha256(path)
    except OSError as error:
        return f"unreadable ({error.strerror})"
