"""What every reader of data returns: a number of samples, their labels, and a way to read them in bounded memory."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]  # element types are known only once the data is read
Block = Mapping[str, Array]
"""Array name to some samples stacked, shape (k, ...); pictures as uint8 of shape (k, height, width, 1 or 3)."""

BLOCK_BYTES = 16 << 20


@dataclass(frozen=True)
class Samples:
    """Data opened for reading.

    Attributes:
        n: Samples, at least one.
        labels: Class numbers (int64, shape (n,)), other numbers of shape (n, ...), or nothing.
        classes: Names of the classes, where the data or its card names them.
        blocks: Yields all samples in order; raises `Refused` (DATA_INVALID) where content is damaged.
        notes: What the caller should know of the reading, such as files left out.
    """

    n: int
    labels: Array | None
    classes: tuple[str, ...] | None
    blocks: Callable[[], Iterator[Block]]
    notes: tuple[str, ...] = ()
