"""What is made of decoded samples, several blocks at a time: what the model takes, digests, and figures of pictures.

Nothing here touches a file: decoding and arithmetic of one block know of no other.
"""

import hashlib
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from edgewright.tools.datasets.card import Card, ImageInput
from edgewright.tools.datasets.neighbours import neighbour_correlation
from edgewright.tools.datasets.samples import Array, Block
from edgewright.tools.datasets.transform import transform

# Decoders and NumPy let go of the interpreter while they work; more threads than this wait for the disk.
MOST_THREADS = 8
# Parts of a picture whose means tell whether another may be the same.
BANDS = 64

Given = TypeVar("Given")
Made = TypeVar("Made")


@dataclass(frozen=True)
class Rows:
    """Some samples, prepared.

    Attributes:
        inputs: Model input to the samples, shape (k, ...); nothing where one of them is not finite.
        contents: SHA-256 of each as decoded: uint8, shape (k, 32).
        sizes: Height and width of each picture as decoded, int64, shape (k, 2); 0 where there is none.
        neighbours: Correlation of neighbouring pixels of each picture: float32, shape (k,); NaN where there is none.
        bands: Means of each picture's bands: float32, shape (k, `BANDS`); NaN where there is none.
        finite: Whether each holds neither NaN nor infinity: bool, shape (k,).
        key: SHA-256 of the file that they were decoded from; empty where there is none.
        raw: The samples as decoded, where somebody still looks at them.
    """

    inputs: Block
    contents: NDArray[np.uint8]
    sizes: NDArray[np.int64]
    neighbours: NDArray[np.float32]
    bands: NDArray[np.float32]
    finite: NDArray[np.bool_]
    key: bytes = b""
    raw: Block | None = None

    def __len__(self) -> int:
        return len(self.contents)


def rows_of(block: Block, card: Card, first: int, key: bytes = b"") -> Rows:
    """Return what is made of a block of samples.

    Args:
        block: The samples as decoded.
        card: What is done to them.
        first: Number of the first, for messages.
        key: SHA-256 of the file that they come from.

    Raises:
        Refused: DATA_INVALID or DATA_MISMATCH, where a sample is not what the card says.
    """
    k = len(next(iter(block.values())))
    finite = np.ones(k, bool)
    for array in block.values():
        if array.dtype.kind == "f":
            finite &= np.isfinite(array.reshape(k, -1)).all(axis=1)
    inputs = {name: transform(block[entry.array], entry, first) for name, entry in card.inputs.items() if finite.all()}
    sizes, neighbours = np.zeros((k, 2), np.int64), np.full(k, np.nan, np.float32)
    bands = np.full((k, BANDS), np.nan, np.float32)
    picture = picture_of(card)
    if picture is not None:
        pixels = block[picture.array]
        sizes[:] = pixels.shape[1:3]
        neighbours, bands = neighbour_correlation(pixels), _bands(pixels)
    contents = _contents([block[card.inputs[name].array] for name in sorted(card.inputs)])
    return Rows(inputs, contents, sizes, neighbours, bands, finite, key, block)


def picture_of(card: Card) -> ImageInput | None:
    """Return the first input that takes a picture."""
    return next((entry for entry in card.inputs.values() if isinstance(entry, ImageInput)), None)


def in_order(work: Callable[[Given], Made], given: Iterable[Given]) -> Generator[Made, None, None]:
    """Do some work on each of many things, on all processors, and yield what comes of each in their order.

    No more is under way than the processors need, so memory does not grow with the number of things.
    """
    threads = min(MOST_THREADS, len(os.sched_getaffinity(0)))
    pool = ThreadPoolExecutor(threads)
    waiting: deque[Future[Made]] = deque()
    try:
        for one in given:
            waiting.append(pool.submit(work, one))
            if len(waiting) > 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _contents(arrays: Sequence[Array]) -> NDArray[np.uint8]:
    """Return the SHA-256 of each sample: shape and values of its arrays as they came; uint8, shape (k, 32).

    Values count, not how they are stored: a copy as another element type is the same sample.
    """
    digests = [hashlib.sha256() for _ in arrays[0]]
    for array in arrays:
        head = f"{array.shape[1:]}".encode()
        for digest, row in zip(digests, array, strict=True):
            digest.update(head)
            digest.update(_canonical(row).data)
    return np.frombuffer(b"".join(digest.digest() for digest in digests), np.uint8).reshape(-1, 32)


def _canonical(row: Array) -> Array:
    """Return values in one form: bytes where all are whole numbers from 0 to 255, as pixels are, else float64."""
    if row.dtype != np.uint8 and row.size and row.min() >= 0 and row.max() <= 255:
        small = row.astype(np.uint8)
        row = small if (small == row).all() else row
    return np.ascontiguousarray(row, np.uint8 if row.dtype == np.uint8 else np.float64)


def _bands(pixels: Array) -> NDArray[np.float32]:
    """Return the means of equal parts of each picture, row by row from its top; shape (k, `BANDS`)."""
    flat = pixels.reshape(len(pixels), -1)
    starts = np.arange(BANDS) * flat.shape[1] // BANDS
    sums = np.add.reduceat(flat, starts, axis=1, dtype=np.float64)
    means: NDArray[np.float32] = (sums / np.maximum(1, np.diff(starts, append=flat.shape[1]))).astype(np.float32)
    return means
