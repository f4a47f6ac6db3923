"""Files named by their SHA-256. A file appears whole or not at all, and is never written again."""

import errno
import os
import re
import stat
from pathlib import Path

from edgewright.state.errors import Code, CorruptArtifact, Refused
from edgewright.state.files import file_sha256, sync_folder


class Store:
    """A folder of immutable files.

    Attributes:
        folder: Where the files lie, as `sha256/aa/aabb...`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, sha256: str) -> Path:
        """Return where the file of this digest lies, or would lie.

        Raises:
            CorruptArtifact: If it is no digest.
        """
        if not re.fullmatch("[0-9a-f]{64}", sha256):
            raise CorruptArtifact(f"{sha256!r} is no SHA-256.")
        return self.folder / "sha256" / sha256[:2] / sha256

    def adopt(self, source: Path, sha256: str) -> None:
        """Move a finished file of the same file system into the store.

        Doing it twice, or in two processes at once, is doing it once.

        Raises:
            CorruptArtifact: If there is no plain file of that digest.
            Refused: With DISK_FULL, where there is no room.
        """
        final = self.path(sha256)
        if final.exists() and file_sha256(final) == sha256:
            return
        try:
            self._move(source, final, sha256)
        except FileNotFoundError:
            if not final.exists():  # else somebody else has just moved it there
                raise CorruptArtifact(f"{source.name}, announced as {sha256}, is not there.") from None
        except OSError as error:
            if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
                raise
            raise Refused.because(
                Code.DISK_FULL,
                f"storing {source.name}",
                "the state folder's disk is full",
                "free space on that disk and call again; nothing was changed",
                "P11",
            ) from error

    def _move(self, source: Path, final: Path, sha256: str) -> None:
        if not stat.S_ISREG(source.lstat().st_mode):
            raise CorruptArtifact(f"{source.name} is not a plain file.")
        if file_sha256(source) != sha256:
            raise CorruptArtifact(f"{source.name} does not have the digest it was announced with ({sha256}).")
        final.parent.mkdir(parents=True, exist_ok=True)
        source.chmod(0o444)
        with source.open("rb") as stream:
            os.fsync(stream.fileno())
        source.replace(final)
        for folder in (final.parent, final.parent.parent, self.folder):
            sync_folder(folder)

    def verify(self, sha256: str) -> Path:
        """Return the path of a stored file after hashing it.

        Raises:
            CorruptArtifact: If it is missing or no longer has its digest.
        """
        path = self.path(sha256)
        if not path.exists():
            raise CorruptArtifact(f"The store has no file {sha256}.")
        if file_sha256(path) != sha256:
            raise CorruptArtifact(f"The stored file {sha256} was changed on disk; it is not used.")
        return path
