"""Which part of a tensor's values 8 bits should cover: five ways to choose it from a histogram."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from edgewright.tools.optimize.calibrate.histogram import BINS, Histogram

Range = tuple[float, float]

# Drops the outermost 0.01 % of the values; 99.99 is among the percentiles that Wu et al. recommend ("Integer
# Quantization for Deep Learning Inference", 2020, section 5).
PERCENTILE = 99.99
# Levels that the entropy method fits magnitudes to (Migacz, "8-bit Inference with TensorRT", GTC 2017).
LEVELS = 128
# The share of values that a range must hold: what is beyond it shall be outliers. Without this a tensor whose values
# crowd far from zero would be cut where the crowd begins, since one full bin looks like itself however much it holds.
LEAST_KEPT = 0.99
# A bin that is empty in one distribution only would make the divergence infinite.
SMOOTHING = 1e-4
# Steps between two 8-bit integers at the ends of their range.
STEPS = 255
# Ranges that the error is computed for, from 1/64 of the extremes to all of them, on each side.
SHRINKS = np.arange(1, 65) / 64


def minmax(histogram: Histogram) -> Range:
    """Return the extremes: nothing is cut off."""
    return histogram.low, histogram.high


def moving_average(histogram: Histogram) -> Range:
    """Return the mean over all chunks of each chunk's extremes.

    ONNX Runtime's `CalibMovingAverage` does the same; it does not depend on the order of the chunks.
    """
    return histogram.low_sum / histogram.chunks, histogram.high_sum / histogram.chunks


def percentile(histogram: Histogram) -> Range:
    """Return the range without the outermost 0.01 % of the values, half of it on each side, to the borders of bins."""
    below = np.cumsum(histogram.counts)
    cut = (100 - PERCENTILE) / 200 * below[-1]
    left = int(np.searchsorted(below, cut))
    right = int(np.searchsorted(below, below[-1] - cut))
    edges = histogram.edges
    return _within(histogram, float(edges[left]), float(edges[right + 1]))


def entropy(histogram: Histogram) -> Range:
    """Return the symmetric range whose 128 levels lose least information on the magnitudes (Migacz, GTC 2017).

    For every candidate the magnitudes beyond it are put into its outermost bin, the bins are merged into 128 levels and
    spread out again over those that were occupied; the range with the least Kullback-Leibler divergence between both is
    taken. Ranges that cut off more than 1 % of the values are not candidates.
    """
    half = BINS // 2
    magnitudes = (histogram.counts[half:] + histogram.counts[:half][::-1]).astype(np.float64)
    sizes = np.arange(LEVELS, half + 1)
    kept = np.cumsum(magnitudes)[sizes - 1]
    sizes = sizes[kept >= LEAST_KEPT * magnitudes.sum()]
    best = int(sizes[np.argmin(divergences(magnitudes, sizes))]) * histogram.width
    return _within(histogram, -best, best)


def divergences(magnitudes: NDArray[np.float64], sizes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the divergence of each candidate of `entropy`.

    Within a level the spread-out distribution is constant, so the sum over bins of p log(p / q) is a sum over levels
    of prefix sums: all candidates together cost `len(sizes)` x 128 look-ups instead of as many passes over the bins.

    Args:
        magnitudes: Values in each bin from zero on, shape (BINS / 2,).
        sizes: Bins that each candidate keeps, 128 or more, shape (candidates,).

    Returns:
        Shape (candidates,).
    """
    total = magnitudes.sum()
    below, used = _prefix(magnitudes), _prefix(magnitudes > 0)
    information = _prefix(_x_log_x(magnitudes / total))
    borders = -(-np.arange(LEVELS + 1) * sizes[:, None] // LEVELS)
    mass, bins = np.diff(below[borders], axis=1), np.diff(used[borders], axis=1)
    kept, last = below[sizes], magnitudes[sizes - 1]
    beyond = total - kept
    # The last bin takes what lies beyond, and counts as occupied by that.
    bins[:, -1] += (last == 0) & (beyond > 0)
    spread = np.maximum(mass / (np.maximum(bins, 1) * kept[:, None]), SMOOTHING / sizes[:, None])
    reference = mass / total
    reference[:, -1] += beyond / total
    own = information[sizes] - _x_log_x(last / total) + _x_log_x((last + beyond) / total)
    return np.asarray(own - (reference * np.log(spread)).sum(axis=1))


def mse(histogram: Histogram, *, symmetric: bool) -> Range:
    """Return the range with the least mean squared error of rounding and clipping to 8 bits.

    Rounding to steps of s costs s^2 / 12 a value on average, clipping the squared distance (Banner, Nahshan and Soudry,
    "Post training 4-bit quantization of convolutional networks for rapid-deployment", NeurIPS 2019, section 3; here
    with the values seen in place of a fitted distribution). Zero is always exact and costs nothing.

    Args:
        histogram: The values.
        symmetric: Whether the range has to be as wide on either side of zero.
    """
    low, high = min(histogram.low, 0.0), max(histogram.high, 0.0)
    if symmetric:
        highs = SHRINKS * max(-low, high)
        lows = -highs
    else:
        lows, highs = (part.ravel() for part in np.meshgrid(SHRINKS * low, SHRINKS * high))
    centers = histogram.edges[:-1] + histogram.width / 2
    sums = [_prefix(histogram.counts * centers**power) for power in (0, 1, 2)]
    from_left, from_right = (np.clip(_bin_of(histogram, ends), 0, BINS) for ends in (lows, highs))
    inside = sums[0][from_right] - sums[0][from_left] - histogram.counts[BINS // 2]
    clipped = _squares(sums, np.zeros_like(from_left), from_left, lows)
    clipped += _squares(sums, from_right, np.full_like(from_right, BINS), highs)
    best = int(np.argmin(clipped + np.maximum(inside, 0) * ((highs - lows) / STEPS) ** 2 / 12))
    return _within(histogram, float(lows[best]), float(highs[best]))


def _bin_of(histogram: Histogram, ends: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.rint(ends / histogram.width).astype(np.int64) + BINS // 2


def _squares(
    sums: list[NDArray[np.float64]], start: NDArray[np.int64], stop: NDArray[np.int64], end: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the squared distances to `end` of the values in bins from `start` to `stop`, added up."""
    count, first, second = (prefix[stop] - prefix[start] for prefix in sums)
    return np.maximum(second - 2 * end * first + end**2 * count, 0)


METHODS: Mapping[str, Callable[[Histogram], Range]] = MappingProxyType(
    {"minmax": minmax, "moving_average": moving_average, "percentile": percentile, "entropy": entropy}
)


def choose(histogram: Histogram, method: str, *, symmetric: bool) -> Range:
    """Return a tensor's range by one of `METHODS` or by `mse`."""
    return mse(histogram, symmetric=symmetric) if method == "mse" else METHODS[method](histogram)


def _within(histogram: Histogram, low: float, high: float) -> Range:
    return max(low, histogram.low), min(high, histogram.high)


def _prefix(values: NDArray[np.generic]) -> NDArray[np.float64]:
    return np.concatenate(([0.0], np.cumsum(values, dtype=np.float64)))


def _x_log_x(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values * np.log(np.where(values > 0, values, 1.0))
