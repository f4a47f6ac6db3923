"""A run that begins from a model that no device runs: what its baseline is, and where its floor comes from."""

from dataclasses import replace

import pytest
import run_builder as build

from edgewright.state.artifacts import Device
from edgewright.state.errors import Code, CorruptLedger
from edgewright.state.events import Event, Kept
from edgewright.state.guards import refusal_for, shipped
from edgewright.state.phases import Call, Phase
from edgewright.state.run import Run, apply, fold

TWIN = build.twin().twin.artifact


def run_of(*events: Event) -> Run:
    return fold("run", (build.started(), *events))


@pytest.mark.promise("P1")
def test_a_source_is_not_optimised_before_its_twin_was_timed() -> None:
    run = run_of(build.source())
    assert run.phase is Phase.PROFILE
    for call in set(Call) - {Call.PROFILE_MODEL, Call.CONVERT}:
        refusal = refusal_for(run, build.asked(call))
        assert refusal is not None
        assert refusal.code is Code.PHASE
    assert refusal_for(run, build.asked(Call.CONVERT)) is None


@pytest.mark.promise("P1")
def test_a_twin_with_too_few_runs_completes_no_baseline() -> None:
    assert run_of(build.source(), build.twin(runs=99)).phase is Phase.PROFILE
    assert run_of(build.source(), build.twin(runs=100)).phase is Phase.OPTIMIZE


@pytest.mark.promise("P1")
@pytest.mark.parametrize("past", [(), (build.profiled(),)])
def test_a_model_that_is_no_source_is_not_converted_before_its_baseline(past: tuple[Event, ...]) -> None:
    run = replace(run_of(*past), phase=Phase.PROFILE)
    refusal = refusal_for(run, build.asked(Call.CONVERT))
    assert refusal is not None
    assert (refusal.code, refusal.promises) == (Code.EVIDENCE_MISSING, ("P1",))


@pytest.mark.promise("P3")
def test_the_floor_is_the_sources_though_its_twin_is_timed() -> None:
    run = run_of(build.source(), build.twin(value=0.885))
    assert run.profiled is not None
    assert run.profiled.baseline.reference.artifact == build.SOURCE.sha256
    assert run.profiled.baseline.latency.artifact == TWIN.sha256
    step = shipped(run, build.asked(Call.PACKAGE))
    assert step is not None
    verdict = run.verdict_of(step)
    assert verdict is not None
    assert (verdict.baseline, verdict.value) == (build.BASELINE_VALUE, 0.885)


@pytest.mark.promise("P3", "P8")
def test_what_ships_where_nothing_was_kept_is_the_twin_and_never_the_source() -> None:
    run = run_of(build.source(), build.twin())
    step = shipped(run, build.asked(Call.PACKAGE))
    assert step is not None
    assert (step.artifact, run.current) == (TWIN, TWIN)
    lossy = run_of(build.source(), build.twin(value=0.8))
    refusal = refusal_for(lossy, build.asked(Call.PACKAGE))
    assert refusal is not None
    assert refusal.code is Code.ACCURACY_BELOW_FLOOR


@pytest.mark.promise("P8")
def test_a_twin_of_another_format_than_the_devices_is_not_packaged() -> None:
    run = replace(run_of(build.source(), build.twin()), started=build.started(target_device=Device.RASPBERRY_PI_5))
    refusal = refusal_for(run, build.asked(Call.PACKAGE))
    assert refusal is not None
    assert refusal.code is Code.FORMAT_DEVICE


def test_both_files_belong_to_the_run_and_steps_go_on_from_the_twin() -> None:
    run = run_of(build.source(), build.twin())
    assert run.artifact(build.SOURCE.sha256) == build.SOURCE
    assert run.artifact(TWIN.sha256) == TWIN
    of = build.digest("candidate")
    for event in (build.candidate(parent=TWIN), build.benchmarked(of), build.validated(of), Kept(of)):
        run = apply(run, event)
    assert run.phase is Phase.OPTIMIZE


def test_a_twin_of_another_source_is_no_evidence() -> None:
    stranger = build.twin(build.artifact("stranger"))
    with pytest.raises(CorruptLedger):
        run_of(build.source(), stranger)
    with pytest.raises(CorruptLedger):
        run_of(build.twin())
    with pytest.raises(CorruptLedger):
        run_of(build.source(), build.twin(), build.twin())
