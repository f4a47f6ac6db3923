from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onnx_models import branch_net, conv_net
from probe_models import (
    FEW_RUNS,
    keep_model,
    keep_regular,
    new_workspace,
    product,
)

from edgewright.state.evidence import Dataset, Label, Memory
from edgewright.tools.benchmark.measure import measure_latency, measure_memory, measure_operators
from edgewright.tools.targets.host import Host
from edgewright.tools.workspace import Workspace

RNG = np.random.default_rng(21)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return new_workspace(tmp_path)


def vectors(workspace: Workspace, n: int = 12) -> Dataset:
    return keep_regular(workspace, {"x": RNG.standard_normal((n, 8)).astype(np.float32)})


@pytest.mark.promise("P10")
def test_raw_times_of_all_processes_are_kept_and_give_the_printed_figures(workspace: Workspace) -> None:
    artifact, protocol = keep_model(product("n"), workspace), replace(FEW_RUNS, runs=70, processes=2)
    latency = measure_latency(artifact, vectors(workspace), protocol, 1, workspace, target=Host())
    times = np.load(workspace.path_of(latency.samples))
    assert (times.dtype, times.shape, latency.runs, latency.warmup_runs) == (np.int64, (140,), 140, 8)
    assert times.min() > 0
    assert latency.mean_ms == pytest.approx(times.mean() / 1e6)
    assert latency.percentiles_ms[95] == pytest.approx(np.percentile(times, 95) / 1e6)
    assert list(latency.percentiles_ms) == [50, 90, 95]
    assert list(latency.withheld) == [99]
    assert (latency.artifact, latency.protocol, latency.batch) == (artifact.sha256, protocol, 1)
    assert latency.first_ms > 0
    assert latency.load_ms > 0
    assert len(latency.conditions) == protocol.processes
    assert all(conditions.duration_s * 1000 > latency.mean_ms for conditions in latency.conditions)


@pytest.mark.promise("P6")
@pytest.mark.promise("P10")
def test_a_short_run_prints_no_high_percentile_and_is_labelled(workspace: Workspace) -> None:
    artifact = keep_model(product("n"), workspace)
    latency = measure_latency(artifact, vectors(workspace), FEW_RUNS, 1, workspace, target=Host())
    assert list(latency.percentiles_ms) == [50]
    assert list(latency.withheld) == [90, 95, 99]
    assert latency.environment.label is Label.HOST


def test_a_fixed_batch_is_timed_as_a_whole_and_says_so(workspace: Workspace) -> None:
    artifact = keep_model(product(4), workspace)
    latency = measure_latency(artifact, vectors(workspace, 6), FEW_RUNS, 1, workspace, target=Host())
    assert latency.batch == 4
    assert latency.throughput_per_s == pytest.approx(4000 / latency.mean_ms)


def test_memory_grows_with_the_model_and_not_with_the_dataset(workspace: Workspace) -> None:
    small = keep_model(product("n"), workspace, "small.onnx")
    large = keep_model(product("n", inside=1 << 20), workspace, "large.onnx")  # 44 MB of weights
    few, many = vectors(workspace), vectors(workspace, 2_000_000)  # 64 MB of samples
    low, high = (measure_memory(artifact, few, 1, workspace, Host()) for artifact in (small, large))
    assert above_runtime(high) - above_runtime(low) > 40 << 20
    assert low.empty_runtime_bytes > 10 << 20
    wide = measure_memory(small, many, 1, workspace, Host())
    assert above_runtime(wide) - above_runtime(low) < 16 << 20


def test_operators_are_named_counted_and_add_up(workspace: Workspace) -> None:
    data = keep_regular(workspace, {"image": RNG.random((5, 3, 16, 16), dtype=np.float32)})
    operators = measure_operators(keep_model(conv_net(), workspace), data, 1, workspace, Host())
    calls = {operator.op_type: operator.calls for operator in operators}
    assert sum(count for op_type, count in calls.items() if "Conv" in op_type) == 2
    assert sum(operator.share for operator in operators) == pytest.approx(1)
    assert [operator.mean_ms for operator in operators] == sorted((o.mean_ms for o in operators), reverse=True)
    assert not list(workspace.folder.rglob("trace*"))


def test_operators_inside_a_branch_are_counted_once(workspace: Workspace) -> None:
    data = keep_regular(workspace, {"x": np.ones((3, 4), np.float32)})
    operators = measure_operators(keep_model(branch_net(), workspace), data, 1, workspace, Host())
    calls = {operator.op_type: operator.calls for operator in operators}
    assert (calls["If"], calls["MatMul"]) == (1, 1)
    assert all(operator.mean_ms >= 0 for operator in operators)


def test_progress_only_grows(tmp_path: Path) -> None:
    seen: list[float] = []
    workspace = new_workspace(tmp_path)
    reporting = Workspace(workspace.folder, workspace.objects, lambda done, total, _: seen.append(done / total))
    artifact, data = keep_model(product("n"), reporting), vectors(reporting)
    protocol = replace(FEW_RUNS, duration_s=0.5, processes=2)
    measure_latency(artifact, data, protocol, 1, reporting, target=Host())
    assert seen == sorted(seen)
    assert len(seen) > 1
    assert 0 <= seen[0] <= seen[-1] <= 1


def above_runtime(memory: Memory) -> int:
    """Return what the model itself cost."""
    return memory.peak_bytes - memory.empty_runtime_bytes
