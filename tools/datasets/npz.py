"""The arrays of an .npz file: a ZIP archive of files in NumPy's format."""

import os
import zipfile
import zlib
from types import TracebackType
from typing import IO, ClassVar

from edgewright.tools.datasets.arrays import Arrays
from edgewright.tools.datasets.entry import Opened
from edgewright.tools.legible import legible

# Deflate reaches 1032:1 on zeros; real samples stay below 50:1. Only large arrays are worth the suspicion.
BOMB_BYTES, BOMB_RATIO = 1 << 30, 200

_DAMAGED: tuple[type[Exception], ...] = (
    *Arrays.damaged,
    zipfile.BadZipFile,
    zlib.error,
    RuntimeError,
    NotImplementedError,
)
_NO_ARCHIVE: tuple[type[Exception], ...] = (*_DAMAGED, ValueError)


class NpzFile(Arrays):
    """An open .npz file."""

    save: ClassVar[str] = "numpy.savez"
    damaged: ClassVar[tuple[type[Exception], ...]] = _DAMAGED

    def __init__(self, data: Opened) -> None:
        """Open the archive; `data` must stay open as long as this is read.

        Raises:
            Refused: DATA_INVALID, if it is no archive.
        """
        self.path = legible(data.path, 300)
        self._file = os.fdopen(os.dup(data.descriptor), "rb")
        try:
            self._archive = zipfile.ZipFile(self._file)
        except _NO_ARCHIVE as error:
            self._file.close()
            self.refuse(f"it is not a readable .npz archive ({legible(str(error))})", "save it again with numpy.savez")
        self.names = tuple(name.removesuffix(".npy") for name in self._archive.namelist() if name.endswith(".npy"))

    def __enter__(self) -> "NpzFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._archive.close()
        self._file.close()

    def _stream(self, name: str) -> IO[bytes]:
        self.require(name)
        member = self._archive.getinfo(f"{name}.npy")
        if member.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            self.refuse("it is packed by a method that numpy never uses", "save it again with numpy.savez_compressed")
        if member.file_size > BOMB_BYTES and member.file_size > BOMB_RATIO * member.compress_size:
            self.refuse(
                f"the array '{legible(name)}' unpacks from {member.compress_size} to {member.file_size} bytes, more "
                f"than {BOMB_RATIO}-fold",
                "real samples do not pack so well: look at them; save with numpy.savez if they are what you mean",
                packed_bytes=member.compress_size,
                unpacked_bytes=member.file_size,
            )
        try:
            return self._archive.open(member)
        except self.damaged as error:
            self.refuse_damage(name, error)

    def _size_bytes(self, name: str) -> int:
        return self._archive.getinfo(f"{name}.npy").file_size
