"""What a confined worker and its courier say to each other, a JSON line a message.

The worker cannot connect to anything; the courier can, and does one thing: it carries files named by digest to the one
target of its job, has our own probe run there, and brings the answer back.
"""

from pydantic import BaseModel, ConfigDict

from edgewright.tools.targets.answer import ProgressNote


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Errand(_Message):
    """One run of the probe on the target.

    Attributes:
        request: The probe's request; files by digest, and `folder` the name of the answer's folder.
        folder: That name.
        files: Digest of each file to path below the worker's folder; empty for a file of the store.
        threads: Intra-operator threads.
    """

    request: dict[str, object]
    folder: str
    files: dict[str, str]
    threads: int


class Carried(_Message):
    """What the courier says: progress, or how the errand ended.

    Attributes:
        progress: How far the probe is; anything else comes with the end alone.
        answer: Folder with what the probe left.
        status: Exit status of the probe, or why it was ended.
        log: The end of what it printed.
        refusal: Why there is no answer, encoded.
        trouble: The same, where nobody asked for it.
    """

    progress: ProgressNote | None = None
    answer: str = ""
    status: int | str = 0
    log: str = ""
    refusal: str = ""
    trouble: str = ""
