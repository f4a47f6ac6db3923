"""A candidate beside another model on the same samples: the difference of their values, and how sure it is.

Both answer the same samples, so what one sample adds to both cancels out: the interval of the difference is far
narrower than those of the two values (Dietterich, "Approximate Statistical Tests for Comparing Supervised
Classification Learning Algorithms", 1998).
"""

from collections.abc import Callable
from math import comb, copysign, inf, isclose, sqrt

import numpy as np
from numpy.typing import NDArray

from edgewright.state.paired import Paired

Contributions = NDArray[np.float64]
"""What each sample adds, shape (n, 2): numerator and denominator of a ratio of sums that the metric's value is, or
whose root it is."""

CONFIDENCE = 0.95
# The quantile of the normal distribution that leaves 2.5 % above it.
NORMAL = 1.959963984540054
RESAMPLES = 2000
SEED = 11
# Sample numbers drawn at a time: 8 MiB.
_BLOCK = 1 << 20


def compare(reference: str, before: Contributions, after: Contributions, value: float) -> Paired | None:
    """Compare two models by what each sample adds to their values.

    Answers that are right or wrong are compared by Tango's interval for the difference of paired proportions and
    McNemar's exact test, everything else by the bootstrap over samples.

    Args:
        reference: SHA-256 of the model to compare with.
        before: Its contributions.
        after: The candidate's.
        value: The candidate's value, which tells whether it is the ratio or its root.

    Returns:
        `None` where the value is neither, or the contributions are of another number of samples.
    """
    form = next((form for form in (_ratio, _root) if isclose(float(form(after)), value, rel_tol=1e-6)), None)
    if form is None or before.shape != after.shape:
        return None
    if form is _ratio and (before[:, 1] == 1).all() and np.isin(np.stack((before, after)), (0, 1)).all():
        return _of_answers(reference, before[:, 0] > 0, after[:, 0] > 0)
    low, high = _bootstrap(before, after, form)
    difference = float(form(after) - form(before))
    method = f"percentiles of {RESAMPLES} bootstrap resamples of the samples"
    return Paired(reference, difference, min(low, difference), max(high, difference), CONFIDENCE, method)


def _of_answers(reference: str, before: NDArray[np.bool_], after: NDArray[np.bool_]) -> Paired:
    n, gained, lost = len(before), int((after & ~before).sum()), int((before & ~after).sum())
    low, high = tango(gained, lost, n)
    return Paired(
        reference,
        (gained - lost) / n,
        low,
        high,
        CONFIDENCE,
        "Tango's score interval of paired proportions",
        gained,
        lost,
        mcnemar(gained, lost),
    )


def mcnemar(gained: int, lost: int) -> float:
    """Return the p-value of McNemar's exact test: gains and losses as throws of a fair coin, two-sided."""
    n = gained + lost
    tail = sum(comb(n, k) for k in range(min(gained, lost) + 1))
    return min(1.0, 2 * tail / (1 << n))


def tango(gained: int, lost: int, n: int) -> tuple[float, float]:
    """Return the 95 % score interval of the difference of two paired proportions, (gained - lost) / n.

    Unlike Wald's it has a width where nothing was gained or lost (Tango, "Equivalence test and confidence interval for
    the difference in proportions for the paired-sample design", Statistics in Medicine 17, 1998).
    """

    def score(delta: float) -> float:
        a = 2 * n
        b = -gained - lost + (2 * n - gained + lost) * delta
        c = -lost * delta * (1 - delta)
        share = (sqrt(max(b * b - 4 * a * c, 0)) - b) / (2 * a)
        variance = n * (2 * share + delta * (1 - delta))
        above = gained - lost - n * delta
        return above / sqrt(variance) if variance > 0 else copysign(inf, above)

    difference = (gained - lost) / n
    return (
        _crossing(lambda delta: score(delta) - NORMAL, -1.0, difference),
        _crossing(lambda delta: score(delta) + NORMAL, difference, 1.0),
    )


def _crossing(falling: Callable[[float], float], low: float, high: float) -> float:
    """Return where a falling function crosses zero, by halving; 60 times is more than double precision needs."""
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if falling(middle) > 0 else (low, middle)
    return (low + high) / 2


def _bootstrap(
    before: Contributions, after: Contributions, form: Callable[[Contributions], NDArray[np.float64]]
) -> tuple[float, float]:
    """Return the 95 % percentile interval of the difference (Efron and Tibshirani, 1993, chapter 13)."""
    n, random = len(before), np.random.default_rng(SEED)
    both = np.concatenate((before, after), axis=1)
    differences: list[NDArray[np.float64]] = []
    done = 0
    while done < RESAMPLES:
        count = min(RESAMPLES - done, max(1, _BLOCK // n))
        rows = random.integers(0, n, (count, n))
        sums = np.stack([column[rows].sum(axis=1) for column in both.T], axis=-1)
        differences.append(form(sums[:, None, 2:]) - form(sums[:, None, :2]))
        done += count
    edges = (100 * (1 - CONFIDENCE) / 2, 100 * (1 + CONFIDENCE) / 2)
    low, high = np.nanpercentile(np.concatenate(differences), edges)
    return float(low), float(high)


def _ratio(contributions: Contributions) -> NDArray[np.float64]:
    sums = contributions.sum(axis=-2)
    # A resample may hold nothing that counts; it says nothing.
    ratios = np.full(sums.shape[:-1], np.nan)
    np.divide(sums[..., 0], sums[..., 1], out=ratios, where=sums[..., 1] != 0)
    return ratios


def _root(contributions: Contributions) -> NDArray[np.float64]:
    return np.sqrt(_ratio(contributions))
