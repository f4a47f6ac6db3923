"""Ranges for 8 bits: each method against the same method with every value at hand."""

import numpy as np
import pytest

from edgewright.tools.optimize.calibrate.histogram import BINS, Histogram
from edgewright.tools.optimize.calibrate.ranges import (
    LEAST_KEPT,
    LEVELS,
    METHODS,
    PERCENTILE,
    SHRINKS,
    SMOOTHING,
    STEPS,
    choose,
    divergences,
    entropy,
    moving_average,
    mse,
    percentile,
)

EVERY = (*METHODS, "mse")


def histogram(*chunks: np.ndarray) -> Histogram:
    found = Histogram()
    for chunk in chunks:
        found.add(chunk.astype(np.float32))
    return found


def shapes() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    bell = rng.normal(0, 1, 40_000)
    return {
        "bell": bell,
        "rectified": np.maximum(bell, 0),
        "tailed": np.concatenate([rng.normal(0, 0.5, 40_000), [-30, -20, 25, 30]]),
        "one-sided": rng.exponential(1, 40_000) ** 1.5,
        "shifted": rng.normal(-3, 0.2, 40_000),
        "flat": rng.uniform(-8, 8, 40_000),
    }


@pytest.fixture(params=sorted(shapes()))
def values(request: pytest.FixtureRequest) -> np.ndarray:
    return shapes()[request.param].astype(np.float32)


def test_the_percentile_is_that_of_all_values_within_a_bin(values: np.ndarray) -> None:
    found = histogram(values)
    low, high = percentile(found)
    cut = (100 - PERCENTILE) / 2
    exact = np.percentile(values, [cut, 100 - cut], method="inverted_cdf")
    assert abs(low - exact[0]) <= found.width
    assert abs(high - exact[1]) <= found.width


def slow_divergence(magnitudes: np.ndarray, size: int) -> float:
    """Migacz's algorithm as he tells it, for one candidate."""
    reference = magnitudes[:size].copy()
    reference[-1] += magnitudes[size:].sum()
    spread = np.zeros(size)
    level = np.arange(size) * LEVELS // size
    for number in range(LEVELS):
        own = level == number
        used = own & (reference > 0)
        if used.any():
            spread[used] = magnitudes[:size][own].sum() / used.sum()
    p, q = reference / reference.sum(), np.maximum(spread / spread.sum(), SMOOTHING / size)
    return float(np.sum(p[p > 0] * np.log(p[p > 0] / q[p > 0])))


def test_all_divergences_at_once_are_those_of_one_after_another(values: np.ndarray) -> None:
    counts = histogram(values).counts
    magnitudes = (counts[BINS // 2 :] + counts[: BINS // 2][::-1]).astype(float)
    sizes = np.array([size for size in (128, 129, 500, 1023, 1777, 2047, 2048) if magnitudes[:size].any()])
    slow = [slow_divergence(magnitudes, size) for size in sizes]
    assert divergences(magnitudes, sizes) == pytest.approx(slow, abs=1e-9)


def rounding_error(values: np.ndarray, low: float, high: float) -> float:
    """What 8 bits between these ends make of the values, squared."""
    step = (high - low) / STEPS
    zero = np.round(-low / step)
    rounded = (np.clip(np.round(values / step) + zero, 0, STEPS) - zero) * step
    return float(((rounded - values) ** 2).mean())


@pytest.mark.parametrize("symmetric", [False, True])
def test_no_other_candidate_has_a_clearly_smaller_error(values: np.ndarray, symmetric: object) -> None:
    found = histogram(values)
    low, high = mse(found, symmetric=bool(symmetric))
    ends = (min(found.low, 0.0), max(found.high, 0.0))
    if symmetric:
        low, high = -max(-low, high), max(-low, high)
        candidates = [(-shrink * max(-ends[0], ends[1]), shrink * max(-ends[0], ends[1])) for shrink in SHRINKS]
    else:
        candidates = [(one * ends[0], other * ends[1]) for one in SHRINKS[::6] for other in SHRINKS[::6]]
        low, high = min(low, 0.0), max(high, 0.0)
    least = min(rounding_error(values, *each) for each in candidates if each[1] > each[0])
    assert rounding_error(values, low, high) <= 1.15 * least


def test_the_moving_average_is_the_mean_of_each_chunks_extremes() -> None:
    parts = [np.array([-1.0, 2.0]), np.array([-3.0, 8.0])]
    assert moving_average(histogram(*parts)) == (-2.0, 5.0)


def test_a_long_thin_tail_is_cut_and_a_full_range_is_not() -> None:
    tailed, flat = histogram(shapes()["tailed"]), histogram(shapes()["flat"])
    for method in ("percentile", "entropy"):
        assert choose(tailed, method, symmetric=False)[1] < 0.5 * tailed.high
        assert choose(flat, method, symmetric=False)[1] > 0.9 * flat.high


@pytest.mark.parametrize("center", [7.5, -7.5, 0.01])
def test_entropy_never_cuts_off_more_than_a_hundredth_of_the_values(center: float) -> None:
    values = np.concatenate([np.random.default_rng(1).normal(center, 0.05, 500), [0.0]])
    low, high = entropy(histogram(values))
    assert ((values >= low) & (values <= high)).mean() >= LEAST_KEPT


@pytest.mark.parametrize("method", EVERY)
def test_no_range_leaves_the_extremes(method: str, values: np.ndarray) -> None:
    low, high = choose(histogram(values), method, symmetric=False)
    assert values.min() <= low <= high <= values.max()


@pytest.mark.parametrize("method", EVERY)
@pytest.mark.parametrize("value", [0.0, 1e-30, -5.0])
def test_a_constant_has_a_range(method: str, value: float) -> None:
    assert choose(histogram(np.full(9, value)), method, symmetric=False) == pytest.approx((value, value), abs=5)
