"""How times changed over a long measurement: percentiles in windows of time, and whether they show a trend."""

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from edgewright.state.drift import Drift, Trend
from edgewright.state.protocols import LEAST_RUNS
from edgewright.tools.benchmark.statistics import NS_PER_MS, Times

# The test below is exact for any number. Ten are enough to find a steady rise (the least p-value is 2 / 10!), and each
# stays long beside the bursts of other work, so that neighbours are not alike for that reason alone.
WINDOWS = 10
PERCENTILES = (50, 95)
NS_PER_S = 1e9


def drift_of(times_ns: Times, moments_s: NDArray[np.float64]) -> Drift | None:
    """Return how times changed, or `None` where no percentile has runs enough in every window.

    The trend is tested by Mann and Kendall (Mann, "Nonparametric tests against trend", Econometrica 13 (1945)) and its
    size is that of the line by Sen ("Estimates of the regression coefficient based on Kendall's tau", JASA 63 (1968)).
    Both ask only for the order of windows, so that one disturbed window decides nothing.

    Args:
        times_ns: Nanoseconds of one process's runs in order, shape (runs,).
        moments_s: Seconds since the first timed run at which each of them ended, shape (runs,).
    """
    edges = np.linspace(0, moments_s[-1], WINDOWS + 1)[1:-1]
    windows = np.split(times_ns, np.searchsorted(moments_s, edges))
    least = min(map(len, windows))
    trends = tuple(_trend(windows, percentile) for percentile in PERCENTILES if least >= LEAST_RUNS[percentile])
    return Drift(float(moments_s[-1]) / WINDOWS, trends) if trends else None


def _trend(windows: list[Times], percentile: int) -> Trend:
    values_ms = tuple(float(np.percentile(window, percentile)) / NS_PER_MS for window in windows)
    slopes = [(values_ms[j] - values_ms[i]) / (j - i) for i, j in combinations(range(len(values_ms)), 2)]
    change = float(np.median(slopes)) * (len(values_ms) - 1) / float(np.median(values_ms))
    return Trend(percentile, values_ms, change, mann_kendall(values_ms))


def mann_kendall(values: tuple[float, ...]) -> float:
    """Return the exact two-sided p-value of Mann and Kendall's test that `values` come in no particular order."""
    pairs = list(combinations(values, 2))
    rising, falling = (sum(a < b for a, b in pairs), sum(a > b for a, b in pairs))
    # Equal values speak for neither side: counted as the rarer one they make the test more careful.
    rarer = len(pairs) - max(rising, falling)
    # Of all orders of k + 1 values, those with s inversions: each of the 0 to k places of the last adds as many.
    orders = np.ones(1)
    for count in range(2, len(values) + 1):
        orders = np.convolve(orders, np.ones(count))
    return min(1.0, float(2 * orders[: rarer + 1].sum() / orders.sum()))
