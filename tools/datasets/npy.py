"""The arrays of .npy files: those of one folder, or one alone."""

import io
import os
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import PurePosixPath
from types import TracebackType
from typing import IO, TYPE_CHECKING, ClassVar

from edgewright.tools.datasets.arrays import Arrays
from edgewright.tools.datasets.entry import Opened, list_folder
from edgewright.tools.legible import legible

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

SUFFIX = ".npy"
# Each is open while they are read.
MOST_ARRAYS = 100


class NpyFiles(Arrays):
    """Open .npy files; an array has the name of its file."""

    save: ClassVar[str] = "numpy.save"

    def __init__(self, data: Opened) -> None:
        """Take a folder of .npy files or one such file; `data` must stay open as long as they are read.

        Raises:
            Refused: What a file's path is refused for.
        """
        self.path = legible(data.path, 300)
        self._open = ExitStack()
        self._files: Mapping[str, Opened]
        if data.is_folder:
            named = [name for name in list_folder(data).files if name.endswith(SUFFIX)]
            if len(named) > MOST_ARRAYS:
                self.refuse(f"it holds {len(named)} arrays, and {MOST_ARRAYS} are the most", "give each input one")
            opened = {name: self._open.enter_context(data.open_file(name)) for name in named}
            self._files = {name.removesuffix(SUFFIX): file for name, file in opened.items()}
        else:
            self._files = {PurePosixPath(data.path).stem: data}
        self.names = tuple(self._files)

    def __enter__(self) -> "NpyFiles":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def _stream(self, name: str) -> IO[bytes]:
        self.require(name)
        return io.BufferedReader(_Stream(self._files[name].descriptor))

    def _size_bytes(self, name: str) -> int:
        return self._files[name].size_bytes


class _Stream(io.RawIOBase):
    """A file from its start, with a place of its own: copies of a descriptor would share one."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._place = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        count = os.preadv(self._descriptor, [buffer], self._place)
        self._place += count
        return count


def holds_arrays(folder: Opened) -> bool:
    """Whether a folder holds .npy files and, a data card aside, nothing else."""
    listing = list_folder(folder)
    files = [name for name in listing.files if name != "card.json"]
    return bool(files) and not listing.folders and all(name.endswith(SUFFIX) for name in files)
