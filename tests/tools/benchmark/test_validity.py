"""Disturbed times from a device do not count; a host's are told and an emulator's mean nothing anyway.

The device is this host under another label, and its disturbances are written over what the real probe measured.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from probe_models import FEW_RUNS, keep_model, keep_regular, new_workspace, product
from run_builder import latency

from edgewright.state.artifacts import Device
from edgewright.state.conditions import Conditions
from edgewright.state.evidence import Benchmark, Label
from edgewright.tools.benchmark.attempts import ATTEMPTS
from edgewright.tools.benchmark.compare import OTHERWISE, compare
from edgewright.tools.benchmark.statistics import Times, spread
from edgewright.tools.benchmark.validity import AGAIN, MOST_SPREAD, disturbed, impossible, noise
from edgewright.tools.orders import BenchmarkOrder, Original
from edgewright.tools.targets.answer import Facts, LatencyFacts, ProbeAnswer
from edgewright.tools.targets.host import Host
from edgewright.tools.targets.request import LATENCY, ProbeRequest
from edgewright.tools.workspace import Progress, Workspace

RUNS = 100


class Labelled(Host):
    """This host under another label; its times are even, or as uneven as `disturb` makes those of an attempt.

    Only the first attempt runs the probe; the ones after it write other times over its answer.
    """

    def __init__(self, label: Label, disturb: Callable[[int, Times], Times] = lambda _, times: times) -> None:
        super().__init__()
        self._label, self._disturb = label, disturb
        self.attempts = 0
        self._answers: dict[str, ProbeAnswer[Any]] = {}

    def run(
        self, request: ProbeRequest[Facts], workspace: Workspace, progress: Progress | None = None
    ) -> ProbeAnswer[Facts]:
        if request.task.name not in self._answers:
            self._answers[request.task.name] = super().run(request, workspace, progress)
        answer = self._answers[request.task.name]
        models = dict(answer.models)
        if request.task.name == LATENCY.name:
            self.attempts += 1
            for name, facts in answer.models.items():
                assert isinstance(facts, LatencyFacts)
                even = np.full(facts.runs, 100_000 if name == "baseline" else 50_000, dtype=np.int64)
                np.save(answer.folder / facts.times, self._disturb(self.attempts, even))
                calm = facts.conditions.model_copy(update={"foreign_cores": 0.0})
                models[name] = facts.model_copy(update={"conditions": calm})
        relabelled = {n: replace(e, label=self._label) for n, e in answer.environments.items()}
        return ProbeAnswer(models, relabelled, answer.folder)


def uneven(_: int, times: Times) -> Times:
    return times + 20_000 * (np.arange(len(times)) // 12 % 2)


def uneven_at_first(attempt: int, times: Times) -> Times:
    return uneven(attempt, times) if attempt < 3 else times


def benchmark(folder: Path, target: Labelled) -> Benchmark:
    workspace = new_workspace(folder)
    data = keep_regular(workspace, {"x": np.random.default_rng(3).standard_normal((12, 8)).astype(np.float32)})
    models = keep_model(product("n"), workspace), keep_model(product("n", inside=8), workspace, "half.onnx")
    protocol, device = replace(FEW_RUNS, runs=RUNS), Device.RASPBERRY_PI_5
    order = BenchmarkOrder(*models, Original("", ""), data, protocol, threads=1, target_device=device)
    return compare(order, workspace, target)


@pytest.mark.promise("P10")
def test_excessive_spread_on_a_device_is_tried_again_three_times_and_then_invalid_with_its_ways_out(
    tmp_path: Path,
) -> None:
    target = Labelled(Label.TARGET, uneven)
    found = benchmark(tmp_path, target)
    assert not found.valid
    assert target.attempts == ATTEMPTS == 4
    for number in range(1, ATTEMPTS + 1):
        told = f"Attempt {number} of 4 was not valid. The times of the baseline vary by "
        assert any(finding.startswith(told) for finding in found.findings)
    assert f"{AGAIN}{OTHERWISE}." in found.findings
    assert found.causes == ()


@pytest.mark.promise("P10")
def test_an_attempt_that_succeeds_counts_and_the_ones_before_it_are_told(tmp_path: Path) -> None:
    target = Labelled(Label.TARGET, uneven_at_first)
    found = benchmark(tmp_path, target)
    assert found.valid
    assert target.attempts == 3
    assert found.ratio.median == pytest.approx(0.5)
    told = [finding for finding in found.findings if finding.startswith("Attempt ")]
    assert [sentence[:12] for sentence in told] == ["Attempt 1 of", "Attempt 2 of"]
    assert not any(finding.startswith(AGAIN) for finding in found.findings)


@pytest.mark.promise("P6", "P10")
def test_noise_under_an_emulator_is_told_and_invalidates_nothing(tmp_path: Path) -> None:
    target = Labelled(Label.EMULATED, lambda _, times: times + 80_000 * (np.arange(len(times)) // 12 % 2))
    found = benchmark(tmp_path, target)
    assert found.valid
    assert target.attempts == 1
    assert any("calm is below 25%" in finding for finding in found.findings)


@pytest.mark.promise("P10")
@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"throttled": ("throttled",), "throttled_after_s": 12.0}, "held back"),
        ({"foreign_cores": 1.5}, "Other programs kept 1.50 processors busy"),
        ({"temperature_slope_c_per_min": 9.0, "temperature_end_c": 70.0}, "still heating up"),
    ],
)
def test_what_a_device_went_through_makes_its_times_invalid_and_is_told_once_for_both_models(
    changed: dict[str, object], reason: str
) -> None:
    seen = replace(Conditions(100, 10.0, foreign_cores=0.0), **changed)  # type: ignore[arg-type]
    for label, invalid in (
        (Label.TARGET, True),
        (Label.UNIDENTIFIED, True),
        (Label.HOST, False),
        (Label.EMULATED, False),
    ):
        taken = replace(latency("a"), conditions=(seen,), spread=0.01)
        taken = replace(taken, environment=replace(taken.environment, label=label))
        found = disturbed({"baseline": taken, "candidate": taken})
        assert len(found) == int(invalid)
        assert all(reason in sentence for sentence in found)


def test_a_host_that_is_not_calm_says_how_much_other_work_ran() -> None:
    taken = replace(latency("a"), spread=0.4, conditions=(Conditions(10, 1.0, foreign_cores=1.9),))
    (sentence,) = noise({"candidate": taken, "baseline": replace(taken, spread=0.31)})
    assert sentence == (
        "The times vary around their mean by 40% (candidate) and 31% (baseline), calm is below 25%: other work kept "
        "1.9 processors busy. The interval is wider for it."
    )
    assert noise({"candidate": replace(taken, spread=0.2)}) == ()


@pytest.mark.promise("P1", "P10")
def test_times_that_are_too_few_or_impossible_are_invalid_anywhere() -> None:
    good, bad = np.ones(100, np.int64), np.array([5] * 98 + [0, -3])
    assert impossible({"baseline": [good], "candidate": [good[:50], good[50:]]}) == ()
    assert impossible({"baseline": [good[:99]], "candidate": [bad]}) == (
        "The baseline was timed 99 times; 100 are the least.",
        "The clock went back or stood still during 2 runs of the candidate.",
    )


def test_samples_that_differ_in_size_are_no_spread_and_one_interrupt_is_none_either() -> None:
    samples = np.arange(400) % 4
    rng = np.random.default_rng(7)
    times = (1_000_000 * (1 + samples) * rng.normal(1, 0.01, 400)).astype(np.int64)
    assert spread(times, samples) < MOST_SPREAD < np.std(times) / np.mean(times)
    times[200] *= 50
    assert spread(times, samples) < MOST_SPREAD
    disturbed_times = times * np.where(np.arange(400) < 100, 1.5, 1.0)
    assert spread(disturbed_times.astype(np.int64), samples) > MOST_SPREAD
