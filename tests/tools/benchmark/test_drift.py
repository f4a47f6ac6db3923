"""Whether times drift is decided by a test of order, and its size and the moment of throttling are told."""

from dataclasses import replace
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from probe_models import FEW_RUNS, keep_model, keep_regular, new_workspace, product
from run_builder import latency

from edgewright.state.conditions import Conditions
from edgewright.state.drift import SIGNIFICANCE, Drift
from edgewright.state.protocols import ProtocolName
from edgewright.tools.benchmark.drift import WINDOWS, drift_of, mann_kendall
from edgewright.tools.benchmark.measure import measure_latency, with_drift
from edgewright.tools.targets.host import Host

RUNS = 4000


def drift(times_ns: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]") -> Drift | None:
    times = times_ns.astype(np.int64)
    return drift_of(times, np.cumsum(times) / 1e9)


def noisy(seed: int, runs: int = RUNS) -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]]":
    rng = np.random.default_rng(seed)
    return 1e6 * rng.normal(1, 0.03, runs) + rng.exponential(5e4, runs)


@pytest.mark.promise("P6", "P10")
def test_a_slow_rise_is_a_drift_and_its_size_is_told() -> None:
    found = drift(noisy(1) * np.linspace(1.0, 1.2, RUNS))
    assert found is not None
    assert found.shown
    assert [trend.percentile for trend in found.trends] == [50, 95]
    assert all(trend.drifts and trend.change == pytest.approx(0.16, abs=0.04) for trend in found.trends)
    assert len(found.trends[0].values_ms) == WINDOWS
    assert found.sentence.startswith("Times drifted over 10 windows of 0.")
    assert "P50 rose by +1" in found.sentence


@pytest.mark.promise("P10")
def test_steady_times_show_no_drift_nearly_always() -> None:
    shown = [found.shown for seed in range(40) if (found := drift(noisy(seed))) is not None]
    assert len(shown) == 40
    assert sum(shown) <= 2


def test_a_trend_below_what_one_file_differs_from_itself_is_none() -> None:
    found = drift(np.linspace(1e6, 1.004e6, RUNS))
    assert found is not None
    assert found.trends[0].p_value < SIGNIFICANCE
    assert not found.shown
    assert found.sentence.startswith("No drift shown over ")


def test_one_disturbed_window_is_no_drift() -> None:
    times = noisy(2)
    times[-RUNS // 12 :] *= 3
    found = drift(times)
    assert found is not None
    assert not found.shown


def test_windows_with_too_few_runs_carry_no_percentile() -> None:
    few = drift(noisy(3, runs=400))
    assert few is not None
    assert [trend.percentile for trend in few.trends] == [50]
    assert drift(noisy(3, runs=60)) is None


def test_the_p_value_is_the_share_of_all_orders_that_are_as_clear() -> None:
    def inversions(values: tuple[float, ...]) -> int:
        return sum(a > b for i, a in enumerate(values) for b in values[i + 1 :])

    orders = list(permutations((1.0, 2.0, 3.0, 4.0, 5.0)))
    for values in orders:
        rarer = min(inversions(values), 10 - inversions(values))
        as_clear = sum(min(inversions(order), 10 - inversions(order)) <= rarer for order in orders)
        assert mann_kendall(values) == pytest.approx(min(1.0, as_clear / len(orders)), abs=1e-12)
    assert mann_kendall((1.0,) * 6) == 1.0


@pytest.mark.promise("P6")
def test_the_moment_of_throttling_is_told_with_the_drift() -> None:
    seen = Conditions(100, 10.0, throttled=("throttled",), throttled_after_s=123.4)
    times = noisy(4).astype(np.int64)
    found = with_drift({"model": replace(latency("a"), conditions=(seen,))}, {"model": (times,)})["model"]
    assert found.drift is not None
    assert found.drift.throttled_after_s == 123.4
    assert found.drift.sentence.endswith("Throttling began after 123 s.")


@pytest.mark.promise("P10")
def test_a_sustained_measurement_has_a_drift_its_spread_and_whether_its_warm_up_settled(tmp_path: Path) -> None:
    workspace = new_workspace(tmp_path)
    data = keep_regular(workspace, {"x": np.ones((4, 8), np.float32)})
    protocol = replace(FEW_RUNS, name=ProtocolName.SUSTAINED, duration_s=1.0)
    found = measure_latency(keep_model(product("n"), workspace), data, protocol, 1, workspace, target=Host())
    assert found.drift is not None
    assert found.drift.window_s == pytest.approx(0.1, rel=0.5)
    assert found.spread is not None
    assert found.steady is not None
