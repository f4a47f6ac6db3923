"""What is kept of one tensor's values while samples pass: extremes and a histogram that grows with them.

Bin widths are powers of two, so a value's bin follows exactly from the value, and two bins of one width are exactly one
bin of the next. The histogram of all samples is therefore the same in whatever order and grouping they came, from a
single pass, without knowing the extremes first.
"""

from dataclasses import dataclass, field
from math import frexp, ldexp

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]

# At least half of them lie within the extremes, so a bin is at most 1/1024 of the largest magnitude.
BINS = 4096
_HALF = BINS // 2
# Values are counted in blocks that stay in the processor's cache: 128 KiB each.
_BLOCK = 1 << 15
# A tensor of nothing but zeros has bins, too.
_LEAST_EXPONENT = -100


def _no_counts() -> Counts:
    return np.zeros(BINS, np.int64)


@dataclass
class Histogram:
    """The values of one tensor so far.

    Attributes:
        counts: Values in each bin, shape (BINS,); bin i holds those from (i - BINS / 2) widths up to the next.
        exponent: The bins reach from -(2 ** exponent) to 2 ** exponent.
        low: Smallest value.
        high: Largest value.
        low_sum: Sum of the smallest value of every chunk.
        high_sum: Sum of the largest value of every chunk.
        chunks: Chunks seen.
    """

    counts: Counts = field(default_factory=_no_counts)
    exponent: int = _LEAST_EXPONENT
    low: float = np.inf
    high: float = -np.inf
    low_sum: float = 0.0
    high_sum: float = 0.0
    chunks: int = 0

    @property
    def width(self) -> float:
        """Width of a bin."""
        return ldexp(1.0, self.exponent) / _HALF

    @property
    def edges(self) -> NDArray[np.float64]:
        """The borders of the bins, shape (BINS + 1,)."""
        return np.asarray((np.arange(BINS + 1) - _HALF) * self.width, np.float64)

    @property
    def finite(self) -> bool:
        """Whether every value so far was a number."""
        return bool(np.isfinite(self.low_sum) and np.isfinite(self.high_sum))

    def add(self, values: NDArray[np.float32]) -> None:
        """Count one chunk: all values of a tensor for one inference. NaN and infinity show in `finite`."""
        if values.size == 0:
            return
        low, high = float(values.min()), float(values.max())
        self.low, self.high = min(self.low, low), max(self.high, high)
        self.low_sum, self.high_sum = self.low_sum + low, self.high_sum + high
        self.chunks += 1
        if self.finite:
            self._widen(frexp(max(-low, high))[1])
            self._count(values.ravel())

    def _widen(self, exponent: int) -> None:
        """Merge neighbouring bins until they reach to 2 ** exponent; after log2(BINS) merges two bins hold it all."""
        for _ in range(min(exponent - self.exponent, _HALF.bit_length())):
            merged = self.counts.reshape(_HALF, 2).sum(axis=1)
            self.counts = np.pad(merged, _HALF // 2)
        self.exponent = max(self.exponent, exponent)

    def _count(self, values: NDArray[np.float32]) -> None:
        scale = np.float32(1.0 / self.width)
        scaled = np.empty(min(_BLOCK, values.size), np.float32)
        for start in range(0, values.size, _BLOCK):
            block = values[start : start + _BLOCK]
            places = np.multiply(block, scale, out=scaled[: block.size])
            bins = np.floor(places, out=places).astype(np.int32)
            bins += _HALF
            self.counts += np.bincount(bins, minlength=BINS)
