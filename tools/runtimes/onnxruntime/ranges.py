"""What part of a histogram an 8-bit range should cover, where the extremes would waste it on outliers."""

import numpy as np
from numpy.typing import NDArray

Histogram = NDArray[np.int64]
Range = tuple[float, float]

BINS = 2048
# Drops the outermost 0.01 % of the values; 99.99 is among the percentiles that Wu et al. recommend ("Integer
# Quantization for Deep Learning Inference", 2020, section 5).
PERCENTILE = 99.99
# Levels that the entropy method fits a range to, as in Migacz, "8-bit Inference with TensorRT", GTC 2017.
LEVELS = 128
# The share of values that a range must hold: what is beyond it shall be outliers. Without this a tensor whose values
# crowd far from zero would be cut where the crowd begins, since one full bin looks like itself however much it holds.
LEAST_KEPT = 0.99
# A bin that is empty in one distribution only would make the divergence infinite.
SMOOTHING = 1e-4


def percentile_range(histogram: Histogram, bound: float) -> Range:
    """Return the range without the outermost 0.01 % of the values, half of it on each side.

    Args:
        histogram: Shape (BINS,), over equal bins from -bound to bound.
        bound: Largest magnitude seen.
    """
    edges = np.linspace(-bound, bound, BINS + 1)
    share = np.cumsum(histogram) / histogram.sum()
    cut = (100 - PERCENTILE) / 200
    left = int(np.searchsorted(share, cut))
    right = int(np.searchsorted(share, 1 - cut))
    return float(edges[left]), float(edges[min(right, BINS - 1) + 1])


def entropy_range(histogram: Histogram, bound: float) -> Range:
    """Return the symmetric range whose 128 levels lose least information on the values (Migacz, GTC 2017).

    For every candidate range the values beyond it are put into its outermost bins, the bins are merged into 128 levels
    and spread out again; the range with the least Kullback-Leibler divergence between both is taken. Ranges that cut
    off more than 1 % of the values are not candidates.

    Args:
        histogram: Shape (BINS,), over equal bins from -bound to bound.
        bound: Largest magnitude seen.
    """
    center = BINS // 2
    below = np.concatenate(([0], np.cumsum(histogram)))
    divergences = {
        half: _divergence(
            histogram[center - half : center + half],
            int(below[center - half]),
            int(below[-1] - below[center + half]),
        )
        for half in range(LEVELS // 2, center + 1)
        if below[center + half] - below[center - half] >= LEAST_KEPT * below[-1]
    }
    best = min(divergences, key=divergences.__getitem__) / center * bound
    return -best, best


def levels_of(bins: int) -> NDArray[np.int64]:
    """Return the level that each of so many bins is merged into: shape (bins,). All take equally many, or one more."""
    return np.arange(bins) * LEVELS // bins


def _divergence(kept: Histogram, left: int, right: int) -> float:
    reference = kept.astype(np.float64)
    reference[0] += left
    reference[-1] += right
    occupied = reference > 0
    level = levels_of(kept.size)
    values = np.bincount(level, kept, LEVELS)
    bins = np.bincount(level, occupied, LEVELS)
    spread = np.where(occupied, (values / np.maximum(bins, 1))[level], 0)
    p, q = _smoothed(reference), _smoothed(spread)
    return float(np.sum(p * np.log(p / q)))


def _smoothed(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    smoothed = np.maximum(counts / counts.sum(), SMOOTHING / counts.size)
    return np.asarray(smoothed / smoothed.sum())
