"""What every reader of data returns: a number of samples, their labels, and a way to read them in bounded memory."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from edgewright.tools.probe.columns import Column

Array = NDArray[Any]  # element types are known only once the data is read
Block = Mapping[str, Array]
"""Array name to some samples stacked, shape (k, ...); pictures as uint8 of shape (k, height, width, 1 or 3)."""
Mark = Callable[[int, tuple[int, int]], Array]
"""Called with a sample's number and its picture's height and width; returns what is marked in it, in its own pixels:
boxes, float64 of shape (k, 6), or a mask, uint8 of shape (height, width). Raises `Refused` (DATA_INVALID)."""

BLOCK_BYTES = 16 << 20


@dataclass(frozen=True)
class Part:
    """Some samples that were not decoded yet. Parts are independent: any number may be decoded at a time.

    Attributes:
        first: Number of the first of them.
        read: Returns the file that they are decoded from; nothing where decoding it costs no more than reading it.
        decode: Returns the samples; raises `Refused` (DATA_INVALID) where the content is damaged.
    """

    first: int
    read: Callable[[], bytes]
    decode: Callable[[bytes], Block]


def parts_of(blocks: Iterator[Block]) -> Iterator[Part]:
    """Yield blocks as parts, as far as whoever asks has come."""
    first = 0
    for block in blocks:
        yield Part(first, lambda: b"", lambda _nothing, block=block: block)  # type: ignore[misc]
        first += len(next(iter(block.values())))


@dataclass(frozen=True)
class Samples:
    """Data opened for reading.

    Attributes:
        n: Samples, at least one.
        labels: Class numbers (int64, shape (n,)), other numbers of shape (n, ...) or ragged, or nothing.
        classes: Names of the classes, where the data or its card names them.
        parts: Yields all samples in order; raises `Refused` (DATA_INVALID) where content is damaged.
        notes: What the caller should know of the reading, such as files left out.
        mark: Instead of `labels`, where they lie in the picture and move with it.
    """

    n: int
    labels: Column | None
    classes: tuple[str, ...] | None
    parts: Callable[[], Iterator[Part]]
    notes: tuple[str, ...] = ()
    mark: Mark | None = None
