import math

import numpy as np
import pytest

from edgewright.state.protocols import LEAST_RUNS
from edgewright.tools.benchmark.statistics import Times, ratio_interval, summarise


def correlated(rng: np.random.Generator, runs: int, processes: int) -> list[Times]:
    """Noise that neighbours share (AR(1), 0.8) under the skewed noise of single runs, as beside other work."""
    series = []
    for _ in range(processes):
        level, levels = 0.0, []
        for step in rng.standard_normal(runs).tolist():
            level = 0.8 * level + step
            levels.append(level)
        series.append((1_000_000 + 3000 * np.array(levels) + rng.exponential(20_000, runs)).astype(np.int64))
    return series


@pytest.mark.promise("P10")
@pytest.mark.parametrize("percentile", [50, 90, 95, 99])
def test_a_percentile_is_printed_from_its_least_number_of_runs_on_and_not_before(percentile: int) -> None:
    least = LEAST_RUNS[percentile]
    times = np.arange(1, least + 1, dtype=np.int64) * 1_000_000
    assert percentile in summarise(times).percentiles_ms
    assert percentile not in summarise(times).withheld
    short = summarise(times[:-1])
    assert percentile not in short.percentiles_ms
    assert short.withheld[percentile] == (
        f"P{percentile} needs {least} runs to be known with 99 % confidence; there are {least - 1}."
    )


def test_figures_are_those_of_the_times() -> None:
    summary = summarise(np.array([1, 2, 3, 4] * 5, dtype=np.int64) * 1_000_000)
    assert (summary.runs, summary.mean_ms, summary.percentiles_ms) == (20, 2.5, {50: 2.5})
    assert summary.std_ms == pytest.approx(math.sqrt(25 / 19))
    assert summarise(np.array([7], dtype=np.int64)).std_ms == 0.0


@pytest.mark.promise("P10")
@pytest.mark.parametrize(("processes", "true_ratio"), [(3, 1.0), (1, 0.9)])
def test_the_interval_holds_the_true_ratio_nearly_always_even_where_neighbouring_times_are_alike(
    processes: int, true_ratio: float
) -> None:
    rng = np.random.default_rng(3)
    held = 0
    for trial in range(40):
        baseline = correlated(rng, 300, processes)
        candidate = [np.asarray(times * true_ratio, np.int64) for times in correlated(rng, 300, processes)]
        ratio = ratio_interval(candidate, baseline, trial)
        held += ratio.low <= true_ratio <= ratio.high
        assert ratio.low <= ratio.median <= ratio.high
    assert held >= 36


def test_a_disturbance_that_hits_both_models_cancels() -> None:
    rng = np.random.default_rng(4)
    disturbance = np.repeat(rng.uniform(1.0, 2.0, 20), 50)
    baseline = (1_000_000 * disturbance * rng.uniform(0.99, 1.01, 1000)).astype(np.int64)
    candidate = (800_000 * disturbance * rng.uniform(0.99, 1.01, 1000)).astype(np.int64)
    ratio = ratio_interval([candidate], [baseline], 0)
    assert ratio.median == pytest.approx(0.8, abs=0.01)
    assert ratio.high - ratio.low < 0.04


def test_processes_that_disagree_widen_the_interval() -> None:
    rng = np.random.default_rng(6)
    flat = [np.asarray(rng.normal(1e6, 1e3, 500), np.int64) for _ in range(3)]
    shifted = [np.asarray(times * factor, np.int64) for times, factor in zip(flat, (0.97, 1.0, 1.03), strict=True)]
    ratio = ratio_interval(shifted, flat, 0)
    assert ratio.low < 0.98
    assert ratio.high > 1.02


@pytest.mark.promise("P10")
def test_the_interval_of_three_processes_that_differ_by_a_percent_holds_the_true_ratio_nearly_always() -> None:
    rng = np.random.default_rng(10)
    held = 0
    for trial in range(60):
        baseline = [np.asarray(rng.normal(1e6, 1e4, 200), np.int64) for _ in range(3)]
        effects = np.exp(rng.normal(0, 0.01, 3))
        candidate = [np.asarray(rng.normal(1e6, 1e4, 200) * effect, np.int64) for effect in effects]
        ratio = ratio_interval(candidate, baseline, trial)
        held += ratio.low <= 1 <= ratio.high
    assert held >= 54


def test_one_process_has_the_interval_of_its_own_times_alone() -> None:
    times = [np.asarray(np.random.default_rng(11).normal(1e6, 1e4, 500), np.int64)]
    ratio = ratio_interval(times, times, 0)
    assert (ratio.low, ratio.median, ratio.high) == (1.0, 1.0, 1.0)


def test_equal_seeds_give_equal_intervals_and_the_number_of_runs_does_not_cost_time_or_precision() -> None:
    rng = np.random.default_rng(8)
    baseline = [np.asarray(rng.normal(1e6, 1e5, 200_000), np.int64)]
    candidate = [np.asarray(rng.normal(5e5, 1e5, 200_000), np.int64)]
    ratio = ratio_interval(candidate, baseline, 1)
    assert ratio == ratio_interval(candidate, baseline, 1)
    assert ratio.low == pytest.approx(0.5, abs=0.003)
    assert ratio.high == pytest.approx(0.5, abs=0.003)


@pytest.mark.promise("P10")
def test_times_that_were_not_taken_in_turn_have_no_ratio() -> None:
    one, two = np.ones(200, np.int64), np.ones(201, np.int64)
    for candidate, baseline in (([one], [two]), ([one, one], [one]), ([], [])):
        with pytest.raises(ValueError, match="not timed in turn"):
            ratio_interval(candidate, baseline, 0)
