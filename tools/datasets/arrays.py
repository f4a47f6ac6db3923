"""Arrays in NumPy's own format, read block by block through open descriptors: a file each, or an archive of them.

Nothing is believed: no pickles, no header that claims other than what the file holds, no memory before a claim was
compared with the file. Files are read and never mapped: one that is cut short meanwhile is damaged, not a crash.
Format: NEP 1, and numpy.lib.format.
"""

import io
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, ClassVar, NoReturn

import numpy as np
from numpy.lib import format as npy

from edgewright.state.errors import Code, Refused
from edgewright.tools.datasets.samples import Array
from edgewright.tools.legible import legible

HEADER_LIMIT_BYTES = 10_000
MOST_LABEL_BYTES = 1 << 30

# Version 3.0 differs in the names of structured types only, which are no samples.
_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


@dataclass(frozen=True)
class ArrayHeader:
    """What an array says of itself, after it was compared with what its file holds.

    Attributes:
        name: Name of the array.
        shape: Its shape.
        dtype: Its element type.
        fortran: Whether its first axis runs fastest.
        header_bytes: Where its values begin.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    fortran: bool
    header_bytes: int

    def __str__(self) -> str:
        shape = ", ".join(map(str, self.shape))
        return f"{legible(self.name, 60)} {self.dtype} ({shape})"


class Arrays(ABC):
    """Named arrays, open.

    Attributes:
        path: What the caller named, for messages.
        names: The arrays.
        save: How such data is saved, for messages.
        damaged: What reading them raises where they are damaged.
    """

    path: str
    names: tuple[str, ...]
    save: ClassVar[str]
    damaged: ClassVar[tuple[type[Exception], ...]] = (OSError, EOFError)

    @abstractmethod
    def _stream(self, name: str) -> IO[bytes]:
        """Return the file of an array, at its start."""

    @abstractmethod
    def _size_bytes(self, name: str) -> int:
        """Return the size of the file of an array, unpacked."""

    def refuse(self, why: str, do: str, **facts: object) -> NoReturn:
        """Refuse the file.

        Raises:
            Refused: DATA_INVALID.
        """
        raise Refused.because(Code.DATA_INVALID, f"the data {self.path}", why, do, **facts)

    def header(self, name: str) -> ArrayHeader:
        """Return what an array says of itself.

        Raises:
            Refused: DATA_INVALID, if it is missing, damaged, an object array, or claims another size than it has.
        """
        with self._stream(name) as stream:
            return self._read_header(name, stream)

    def rows(self, header: ArrayHeader, counts: Iterator[int]) -> Iterator[Array]:
        """Yield an array's rows in order, as many at a time as `counts` says: shape (count, ...).

        Raises:
            Refused: DATA_INVALID, where its file is damaged.
        """
        row_shape = header.shape[1:]
        row_bytes = math.prod(row_shape) * header.dtype.itemsize
        with self._stream(header.name) as stream:
            self._read(stream, header.name, header.header_bytes)
            for count in counts:
                content = self._read(stream, header.name, count * row_bytes)
                yield np.frombuffer(content, header.dtype).reshape(count, *row_shape)

    def whole(self, header: ArrayHeader) -> Array:
        """Return a small array.

        Raises:
            Refused: DATA_INVALID, where it is damaged or too large to be what it should.
        """
        size_bytes = math.prod(header.shape) * header.dtype.itemsize
        if size_bytes > MOST_LABEL_BYTES:
            self.refuse(f"the array {header} is far larger than labels or shapes are", "name the right array")
        with self._stream(header.name) as stream:
            self._read(stream, header.name, header.header_bytes)
            flat = np.frombuffer(self._read(stream, header.name, size_bytes), header.dtype)
        return flat.reshape(header.shape, order="F" if header.fortran else "C")

    def require(self, name: str) -> None:
        """Refuse a name that no array has.

        Raises:
            Refused: DATA_INVALID, with the names that are there.
        """
        if name not in self.names:
            shown = ", ".join(legible(known, 60) for known in self.names[:20]) or "none"
            self.refuse(f"it has no array '{legible(name)}'; its arrays are {shown}", "name one of them in the card")

    def refuse_damage(self, name: str, error: Exception) -> NoReturn:
        """Refuse an array that cannot be read.

        Raises:
            Refused: DATA_INVALID.
        """
        self.refuse(f"the array '{legible(name)}' is damaged ({legible(str(error))})", "copy or save the file again")

    def _read(self, stream: IO[bytes], name: str, size_bytes: int) -> bytes:
        try:
            content = stream.read(size_bytes)
        except self.damaged as error:
            self.refuse_damage(name, error)
        if len(content) != size_bytes:
            self.refuse_damage(name, EOFError("its values end too early"))
        return content

    def _read_header(self, name: str, stream: IO[bytes]) -> ArrayHeader:
        head = io.BytesIO(self._read_some(stream, name))
        try:
            version = npy.read_magic(head)
            read = _HEADERS[version]
            shape, fortran, dtype = read(head, max_header_size=HEADER_LIMIT_BYTES)
        except (ValueError, TypeError, RecursionError, MemoryError, KeyError, SyntaxError) as error:
            why = f"the array '{legible(name)}' has no readable header ({legible(str(error).splitlines()[0])})"
            self.refuse(why, f"save it again with {self.save}")
        header = ArrayHeader(name, shape, dtype, bool(fortran) and len(shape) > 1, head.tell())
        if dtype.hasobject:
            self.refuse(
                f"the array {header} holds Python objects, and reading them would run code",
                f"save plain arrays; samples of different shapes go into '{legible(name)}' (all flattened) and "
                f"'{legible(name)}.shapes' (int64, one row a sample)",
            )
        self._check_size(header)
        return header

    def _read_some(self, stream: IO[bytes], name: str) -> bytes:
        try:
            return stream.read(HEADER_LIMIT_BYTES + 12)
        except self.damaged as error:
            self.refuse_damage(name, error)

    def _check_size(self, header: ArrayHeader) -> None:
        held = self._size_bytes(header.name) - header.header_bytes
        claimed = math.prod(header.shape) * header.dtype.itemsize
        if min(header.shape, default=0) < 0 or claimed != held:
            self.refuse(
                f"the array {header} claims {claimed} bytes of values, and its file holds {held}",
                f"save it again with {self.save}",
                claimed_bytes=claimed,
                held_bytes=held,
            )
