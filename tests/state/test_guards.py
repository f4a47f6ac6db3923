"""Each guard alone: an honest run in which exactly one premise is broken, in a phase whose table allows the call."""

from dataclasses import replace

import pytest
import run_builder as build
from premises import (
    BENCH,
    CANDIDATE,
    EVERY_ROW,
    ORIGINAL,
    PREMISES,
    Premise,
    assert_speaks,
    timed_by,
    with_profile,
    with_step,
)

from edgewright.state.artifacts import Device, Format, Recipe
from edgewright.state.asked import Asked
from edgewright.state.errors import Code
from edgewright.state.guards import FORMAT_OF_DEVICE, GUARDS, refusal_for
from edgewright.state.paired import Paired
from edgewright.state.phases import START, TABLE, Call, Phase
from edgewright.state.policy import Policy, Rule
from edgewright.state.protocols import PROTOCOLS, ProtocolName
from edgewright.state.run import apply, fold

CASES = [(premise, phase, call) for premise in PREMISES for phase, call in premise.rows]
IDS = [f"{call} in {phase} where {premise.name}" for premise, phase, call in CASES]
SILENT = "the benchmark has 99 runs"  # held by a test of its own below
SPEAKING = [case for case in CASES if case[0].name != SILENT]


@pytest.mark.parametrize(("phase", "call"), EVERY_ROW)
def test_an_honest_run_passes_every_guard(phase: Phase, call: Call) -> None:
    assert refusal_for(build.run_in(phase), build.asked(call, needs_calibration=True)) is None


@pytest.mark.promise("P1", "P2", "P3", "P7", "P8", "P9", "P10")
@pytest.mark.parametrize(("premise", "phase", "call"), CASES, ids=IDS)
def test_a_broken_premise_is_refused_by_its_own_guard(premise: Premise, phase: Phase, call: Call) -> None:
    run, asked = premise.breaking(build.run_in(phase)), build.asked(call, **premise.asking)
    refusal = refusal_for(run, asked)
    assert refusal is not None
    assert refusal.code is premise.code
    assert repr(refusal) == repr(GUARDS[premise.guard](run, asked))


@pytest.mark.promise("P1", "P2", "P3")
@pytest.mark.parametrize("premise", PREMISES, ids=lambda premise: premise.name)
def test_a_guard_reads_the_evidence_and_not_the_phase(premise: Premise) -> None:
    phase, call = premise.rows[0]
    run, asked = premise.breaking(build.run_in(phase)), build.asked(call, **premise.asking)
    found = {repr(GUARDS[premise.guard](replace(run, phase=other), asked)) for other in Phase}
    assert len(found) == 1
    assert found != {"None"}


@pytest.mark.promise("P12")
@pytest.mark.parametrize(("premise", "phase", "call"), SPEAKING)
def test_a_guards_refusal_has_three_clauses_a_promise_and_no_full_stop(
    premise: Premise, phase: Phase, call: Call
) -> None:
    refusal = refusal_for(premise.breaking(build.run_in(phase)), build.asked(call, **premise.asking))
    assert refusal is not None
    assert_speaks(refusal)


@pytest.mark.promise("P6")
@pytest.mark.parametrize("beside", [True, False], ids=["beside the baseline", "alone"])
def test_what_lasted_on_its_target_is_packaged(*, beside: bool) -> None:
    run = replace(build.run_in(Phase.OPTIMIZE), started=build.started(target="bench"))
    asked = build.asked(Call.PACKAGE, enrolled=BENCH)
    if beside:
        timed = replace(build.latency(CANDIDATE.sha256), protocol=PROTOCOLS[ProtocolName.SUSTAINED])
        run = with_step(benchmark=timed_by(candidate=timed))(run)
    else:
        run = apply(run, build.sustained(ORIGINAL))
    assert refusal_for(run, asked) is None


@pytest.mark.parametrize("base", ["current", "original", build.ORIGINAL.sha256, CANDIDATE.sha256])
@pytest.mark.parametrize("call", [Call.QUANTIZE, Call.CONVERT])
def test_a_step_may_start_from_what_the_run_knows(base: str, call: Call) -> None:
    assert refusal_for(build.run_in(Phase.PACKAGE), build.asked(call, base=base)) is None


def test_a_step_without_calibration_needs_no_calibration_set() -> None:
    run = with_profile(calibration=None)(build.run_in(Phase.OPTIMIZE))
    assert refusal_for(run, build.asked(Call.QUANTIZE, needs_calibration=False)) is None


@pytest.mark.promise("P8")
@pytest.mark.parametrize("device", Device)
@pytest.mark.parametrize("form", Format)
def test_exactly_the_devices_own_format_is_packaged(device: Device, form: Format) -> None:
    fits = {
        Device.JETSON_ORIN_NANO: Format.TENSORRT,
        Device.RASPBERRY_PI_5: Format.TFLITE,
        Device.RASPBERRY_PI_4: Format.TFLITE,
        Device.CPU_GENERIC: Format.ONNX,
    }
    run = with_step(artifact=replace(CANDIDATE, format=form))(build.run_in(Phase.OPTIMIZE))
    run = replace(run, started=build.started(target_device=device))
    refusal = refusal_for(run, build.asked(Call.PACKAGE))
    assert (refusal is None) is (fits[device] is form)
    assert dict(FORMAT_OF_DEVICE) == fits


@pytest.mark.promise("P12")
def test_a_benchmark_of_too_few_runs_is_refused_with_their_number() -> None:
    run = with_step(benchmark=build.benchmarked(CANDIDATE.sha256, runs=99).benchmark)(build.run_in(Phase.VALIDATE))
    refusal = refusal_for(run, build.asked(Call.VALIDATE))
    assert refusal is not None
    assert "99" in refusal.why


def test_every_guard_that_the_table_names_exists_and_every_guard_is_named() -> None:
    rows = [START, *(row for rows in TABLE.values() for row in rows.values())]
    named = {guard for row in rows for guard in row.guards}
    assert named == set(GUARDS)


@pytest.mark.promise("P3")
@pytest.mark.parametrize(
    ("rule", "interval", "kept"),
    [
        (Rule.POINT, (-0.05, 0.05), True),
        (Rule.POINT, None, True),
        (Rule.CONFIDENT, (-0.05, 0.05), False),
        (Rule.CONFIDENT, (-0.05, -0.04), False),
        (Rule.CONFIDENT, None, False),
        (Rule.CONFIDENT, (-0.001, 0.001), True),
    ],
)
def test_the_operators_rule_decides_whether_the_value_or_its_interval_counts(
    rule: Rule, interval: tuple[float, float] | None, kept: object
) -> None:
    made = build.candidate()
    digest = made.artifact.sha256
    paired = Paired(build.ORIGINAL.sha256, 0.0, *interval, 0.95, "for the test") if interval else None
    validated = build.validated(digest, build.BASELINE_VALUE, paired=paired)
    # The rule of the run's start and the rule of now: the stricter one holds.
    for at_start, now in ((rule, rule), (rule, Rule.POINT), (Rule.POINT, rule)):
        started = build.started(policy=Policy(rule=at_start))
        run = fold("run", [started, build.profiled(), made, build.benchmarked(digest), validated])
        asked = Asked(Call.KEEP, Policy(rule=now), build.NOW)
        refusal = refusal_for(run, asked)
        assert (refusal is None) is kept
        assert refusal is None or refusal.code is Code.ACCURACY_BELOW_FLOOR
        assert refusal_for(apply(run, build.waived(run)), asked) is None


@pytest.mark.promise("P6", "P8")
@pytest.mark.parametrize(
    ("device", "target", "fits"),
    [
        (Device.JETSON_ORIN_NANO, None, True),
        (Device.JETSON_ORIN_NANO, "nano", False),  # where the device is at hand, its engine is built
        (Device.RASPBERRY_PI_5, None, False),
    ],
)
def test_a_graph_that_awaits_its_engine_ships_for_a_jetson_that_nobody_enrolled(
    device: Device, target: str | None, fits: object
) -> None:
    graph = replace(CANDIDATE, recipe=Recipe("convert", "tensorrt"))
    run = with_step(artifact=graph)(build.run_in(Phase.OPTIMIZE))
    run = replace(run, started=build.started(target_device=device, target=target))
    refusal = refusal_for(run, build.asked(Call.PACKAGE, enrolled={"nano": device} if target else {}))
    assert (refusal is None) is fits
    assert refusal is None or refusal.code is Code.FORMAT_DEVICE
