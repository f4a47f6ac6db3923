"""Whether two sets of samples lie in one range: tells pixels of 0 to 255 from pixels of 0 to 1."""

from dataclasses import dataclass

import numpy as np

from edgewright.tools.probe.columns import Column

# Sets of one origin differ by a few per cent. Forgetting a scale of 1/255, or a mean and standard deviation as of
# ImageNet (width 1 against 4.7), is above this.
MOST_RATIO = 3.0
# In widths of the wider set. Forgetting to subtract a mean of 104 from pixels is 0.4.
MOST_SHIFT = 1 / 3
SAMPLES, VALUES_A_SAMPLE = 256, 4096


@dataclass(frozen=True)
class _Range:
    low: float
    high: float

    @property
    def width(self) -> float:
        return self.high - self.low

    def differs(self, other: "_Range") -> bool:
        wider, narrower = max(self.width, other.width), min(self.width, other.width)
        shift = abs(self.low + self.high - other.low - other.high) / 2
        return wider > MOST_RATIO * narrower or shift > MOST_SHIFT * wider

    def __str__(self) -> str:
        return f"{self.low:.4g} to {self.high:.4g}"


def wrong_range(column: Column, reference: Column) -> str | None:
    """Return how the values of a column differ in range from those of a reference; nothing where they do not.

    Both the middle 98 % and the extremes have to differ: a mask of mostly zeros moves the one, an outlier the other.

    Args:
        column: Samples to judge.
        reference: Samples of the same input, prepared in the same way.
    """
    values, expected = _values(column), _values(reference)
    middle, wanted = _quantiles(values, 0.01), _quantiles(expected, 0.01)
    if not (middle.differs(wanted) and _quantiles(values, 0.0).differs(_quantiles(expected, 0.0))):
        return None
    return f"lies in {middle} (middle 98 % of the values), and the validation set in {wanted}"


def _quantiles(values: "np.ndarray[tuple[int], np.dtype[np.float64]]", tail: float) -> _Range:
    low, high = np.quantile(values, (tail, 1 - tail))
    return _Range(float(low), float(high))


def _values(column: Column) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    rows = np.unique(np.linspace(0, len(column) - 1, SAMPLES).astype(np.int64))
    samples = (column[int(row)].ravel() for row in rows)
    return np.concatenate([sample[:: 1 + len(sample) // VALUES_A_SAMPLE] for sample in samples]).astype(np.float64)
