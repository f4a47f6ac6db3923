from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from probe_models import (
    FEW_RUNS,
    keep_model,
    keep_regular,
    new_workspace,
    product,
    quantised,
)

from edgewright.state.artifacts import Artifact, Device
from edgewright.state.drift import RESOLUTION
from edgewright.state.evidence import Benchmark, Dataset
from edgewright.state.protocols import Protocol
from edgewright.tools.benchmark.compare import compare
from edgewright.tools.orders import BenchmarkOrder, Original
from edgewright.tools.targets.answer import Facts, ProbeAnswer
from edgewright.tools.targets.host import Host
from edgewright.tools.targets.request import ProbeRequest
from edgewright.tools.workspace import Progress, Workspace

RNG = np.random.default_rng(31)
WIDE = 256
LONG = replace(FEW_RUNS, warmup_runs=50, runs=1500, processes=3)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return new_workspace(tmp_path)


def data(workspace: Workspace) -> Dataset:
    return keep_regular(workspace, {"x": RNG.standard_normal((20, WIDE)).astype(np.float32)})


def matmul(workspace: Workspace, inside: int) -> Artifact:
    return keep_model(product("n", WIDE, inside), workspace, f"inside-{inside}.onnx")


def compared(
    baseline: Artifact, candidate: Artifact, workspace: Workspace, protocol: Protocol = LONG, target: Host | None = None
) -> Benchmark:
    order = BenchmarkOrder(
        baseline, candidate, Original("", ""), data(workspace), protocol, threads=1, target_device=Device.CPU_GENERIC
    )
    return compare(order, workspace, target)


@pytest.mark.promise("P10")
def test_a_model_against_itself_shows_no_difference(workspace: Workspace) -> None:
    model = matmul(workspace, 300)
    benchmark = compared(model, model, workspace)
    assert benchmark.ratio.low <= 1 + RESOLUTION
    assert benchmark.ratio.high >= 1 - RESOLUTION
    assert benchmark.valid
    assert any(finding.startswith("No difference shown: ") for finding in benchmark.findings)


def test_a_model_with_ten_times_the_work_is_slower_and_the_other_way_round_faster(workspace: Workspace) -> None:
    small, large = matmul(workspace, 400), matmul(workspace, 4000)
    slower = compared(small, large, workspace)
    assert slower.ratio.low > 2
    assert any(finding.startswith("The candidate is slower: ") for finding in slower.findings)
    assert slower.causes
    faster = compared(large, small, workspace)
    assert faster.ratio.high < 0.5
    assert not any("slower" in finding or "No difference" in finding for finding in faster.findings)
    assert (faster.causes, faster.conclusion) == ((), "")


@pytest.mark.promise("P10")
def test_both_are_timed_equally_often_in_the_same_processes_and_both_raw_times_are_kept(workspace: Workspace) -> None:
    benchmark = compared(
        matmul(workspace, 8), matmul(workspace, 16), workspace, replace(FEW_RUNS, runs=60, processes=2)
    )
    assert benchmark.candidate.runs == benchmark.baseline.runs == 120
    assert benchmark.candidate.samples != benchmark.baseline.samples
    for latency in (benchmark.candidate, benchmark.baseline):
        assert np.load(workspace.path_of(latency.samples)).shape == (120,)
    assert benchmark.candidate.environment == benchmark.baseline.environment
    assert benchmark.candidate_memory.artifact == benchmark.candidate.artifact
    assert benchmark.valid


@pytest.mark.promise("P1")
def test_fewer_than_a_hundred_runs_are_not_a_benchmark(workspace: Workspace) -> None:
    model = matmul(workspace, 8)
    benchmark = compared(model, model, workspace, replace(FEW_RUNS, runs=98))
    assert not benchmark.valid
    assert "The candidate was timed 98 times; 100 are the least." in benchmark.findings


def test_a_quantised_model_that_gains_nothing_says_why_and_what_to_do(workspace: Workspace) -> None:
    float_model = product("n", WIDE, 8)
    baseline = keep_model(float_model, workspace, "float.onnx")
    candidate = keep_model(quantised(float_model, "h"), workspace, "int8.onnx", "int8")
    benchmark = compared(baseline, candidate, workspace)
    cause = next(cause for cause in benchmark.causes if cause.name == "left_in_float")
    assert cause.sentence.startswith("2 of the baseline's 2 convolutions, matrix products and recurrences were left")
    assert cause.remedy
    # A cause that can be mended is no reason to give INT8 up.
    assert benchmark.conclusion == ""


class Recording(Host):
    """A host that writes down in which order each process was told to load the models."""

    def __init__(self) -> None:
        super().__init__()
        self.orders: list[list[str]] = []

    def run(
        self, request: ProbeRequest[Facts], workspace: Workspace, progress: Progress | None = None
    ) -> ProbeAnswer[Facts]:
        self.orders.append(list(request.models))
        return super().run(request, workspace, progress)


def test_every_other_process_loads_the_models_in_reverse(workspace: Workspace) -> None:
    target = Recording()
    compared(matmul(workspace, 400), matmul(workspace, 8), workspace, replace(FEW_RUNS, processes=3, runs=40), target)
    there, back = ["baseline", "candidate"], ["candidate", "baseline"]
    assert target.orders[:3] == [there, back, there]
