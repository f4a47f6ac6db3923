"""Each guard alone: an honest run in which exactly one premise is broken, in a phase whose table allows the call."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest
import run_builder as build

from edgewright.state.artifacts import Device, Format
from edgewright.state.asked import Asked
from edgewright.state.errors import Code, Refusal
from edgewright.state.evidence import Baseline, Benchmark
from edgewright.state.guards import FORMAT_OF_DEVICE, GUARDS, first_refusal, refusal_for
from edgewright.state.paired import Paired
from edgewright.state.phases import START, TABLE, Call, Phase
from edgewright.state.policy import Policy, Rule
from edgewright.state.protocols import PROTOCOLS, ProtocolName
from edgewright.state.run import Run, Step, apply, fold

Breaking = Callable[[Run], Run]
CANDIDATE = build.artifact("candidate", build.ORIGINAL)

STEP_ROWS = tuple((phase, call) for phase in (Phase.OPTIMIZE, Phase.PACKAGE) for call in (Call.QUANTIZE, Call.CONVERT))
PACKAGE_ROWS = tuple((phase, Call.PACKAGE) for phase in (Phase.OPTIMIZE, Phase.PACKAGE))
SUSTAIN_ROWS = tuple((phase, Call.BENCHMARK) for phase in (Phase.OPTIMIZE, Phase.PACKAGE))
CANDIDATE_ROWS = (
    (Phase.BENCHMARK, Call.BENCHMARK),
    (Phase.BENCHMARK, Call.REVERT),
    (Phase.VALIDATE, Call.VALIDATE),
    (Phase.VALIDATE, Call.KEEP),
    (Phase.VALIDATE, Call.REVERT),
)
EVERY_ROW = (*STEP_ROWS, *SUSTAIN_ROWS, *PACKAGE_ROWS, *CANDIDATE_ROWS)


@dataclass(frozen=True)
class Premise:
    """One way to break a premise, the guard that looks after it, and the rows that must not be passed then."""

    name: str
    guard: str
    code: Code
    rows: tuple[tuple[Phase, Call], ...]
    breaking: Breaking = lambda run: run
    asking: dict[str, object] = field(default_factory=dict)


def with_baseline(**changes: object) -> Breaking:
    def breaking(run: Run) -> Run:
        assert run.profiled
        baseline: Baseline = replace(run.profiled.baseline, **changes)  # type: ignore[arg-type]
        return replace(run, profiled=replace(run.profiled, baseline=baseline))

    return breaking


def with_profile(**changes: object) -> Breaking:
    def breaking(run: Run) -> Run:
        assert run.profiled
        return replace(run, profiled=replace(run.profiled, **changes))  # type: ignore[arg-type]

    return breaking


def with_step(**changes: object) -> Breaking:
    """Change the step that the call is about: the open one, or else the one that would be shipped."""

    def breaking(run: Run) -> Run:
        if run.open_step:
            return replace(run, open_step=replace(run.open_step, **changes))  # type: ignore[arg-type]
        kept = run.best or Step(CANDIDATE, (), _benchmark(), build.accuracy(CANDIDATE.sha256, build.PASSING), kept=True)
        return replace(run, steps=(replace(kept, **changes),))  # type: ignore[arg-type]

    return breaking


def with_accuracy(value: float = build.PASSING, of: str = CANDIDATE.sha256, **changes: object) -> Breaking:
    return with_step(accuracy=build.accuracy(of, value, **changes))


def _benchmark(**changes: object) -> Benchmark:
    made: Benchmark = replace(build.benchmarked(CANDIDATE.sha256).benchmark, **changes)  # type: ignore[arg-type]
    return made


def unproven(guard: str, rows: tuple[tuple[Phase, Call], ...]) -> tuple[Premise, ...]:
    """Return the ways in which an accuracy does not prove a step."""
    below, missing = Code.ACCURACY_BELOW_FLOOR, Code.EVIDENCE_MISSING
    return (
        Premise("the accuracy is below the floor", guard, below, rows, with_accuracy(build.FAILING)),
        Premise("the accuracy is just below the floor", guard, below, rows, with_accuracy(0.8819)),
        Premise("the accuracy is not a number", guard, below, rows, with_accuracy(float("nan"))),
        Premise("the accuracy is unmeasured", guard, missing, rows, with_step(accuracy=None)),
        Premise("the accuracy is another file's", guard, missing, rows, with_accuracy(of=build.digest("other"))),
        Premise("the metric is another", guard, missing, rows, with_accuracy(metric="top5")),
        Premise("the data are others", guard, missing, rows, with_accuracy(dataset=build.digest("easier"))),
        Premise("the preprocessing is another", guard, missing, rows, with_accuracy(preprocessing=build.digest("p"))),
        Premise("the samples are fewer", guard, missing, rows, with_accuracy(n=999)),
    )


FAR = build.artifact("made by an earlier run")
AFTER_BASELINE = (*STEP_ROWS, *SUSTAIN_ROWS, *PACKAGE_ROWS)
TIMING_ROWS = ((Phase.BENCHMARK, Call.BENCHMARK), *SUSTAIN_ROWS)
MEASURED_ROWS = (*TIMING_ROWS, *PACKAGE_ROWS)
BENCH = {"bench": Device.CPU_GENERIC}
PROVEN_ROWS = ((Phase.VALIDATE, Call.KEEP),)
TIMED_ROWS = ((Phase.VALIDATE, Call.VALIDATE), (Phase.VALIDATE, Call.KEEP))
QUANTIZE_ROWS = tuple(row for row in STEP_ROWS if row[1] is Call.QUANTIZE)
MISSING, ORIGINAL = Code.EVIDENCE_MISSING, build.ORIGINAL.sha256
PREMISES = (
    Premise("a job is at work", "idle", Code.BUSY, EVERY_ROW, lambda run: apply(run, build.job_started(Call.CONVERT))),
    Premise("there is no baseline", "baseline_complete", MISSING, AFTER_BASELINE, lambda r: replace(r, profiled=None)),
    Premise(
        "the latency has 99 runs",
        "baseline_complete",
        MISSING,
        AFTER_BASELINE,
        with_baseline(latency=build.latency(ORIGINAL, runs=99)),
    ),
    Premise(
        "the memory is unmeasured",
        "baseline_complete",
        MISSING,
        AFTER_BASELINE,
        with_baseline(memory=build.memory(ORIGINAL, 0)),
    ),
    Premise(
        "the baseline accuracy has no samples",
        "baseline_complete",
        MISSING,
        AFTER_BASELINE,
        with_baseline(accuracy=build.accuracy(ORIGINAL, n=0)),
    ),
    Premise(
        "the reference has no samples",
        "baseline_complete",
        MISSING,
        AFTER_BASELINE,
        with_baseline(reference=build.accuracy(ORIGINAL, n=0)),
    ),
    Premise(
        "a candidate waits",
        "no_open_candidate",
        Code.PHASE,
        AFTER_BASELINE,
        lambda run: replace(run, open_step=Step(build.artifact("waiting", build.ORIGINAL), ())),
    ),
    Premise(
        "there is no candidate", "candidate_open", MISSING, CANDIDATE_ROWS, lambda run: replace(run, open_step=None)
    ),
    Premise(
        "the base is no artifact of the run",
        "base_known",
        Code.UNKNOWN_ARTIFACT,
        STEP_ROWS,
        asking={"base": build.digest("foreign")},
    ),
    Premise(
        "there is no calibration set",
        "calibration_present",
        Code.CALIBRATION_MISSING,
        QUANTIZE_ROWS,
        with_profile(calibration=None),
        {"needs_calibration": True},
    ),
    Premise("there is no benchmark", "benchmark_valid", MISSING, TIMED_ROWS, with_step(benchmark=None)),
    Premise(
        "the benchmark is invalid",
        "benchmark_valid",
        MISSING,
        TIMED_ROWS,
        with_step(benchmark=build.benchmarked(CANDIDATE.sha256, valid=False).benchmark),
    ),
    Premise(
        "the benchmark has 99 runs",
        "benchmark_valid",
        MISSING,
        TIMED_ROWS,
        with_step(benchmark=build.benchmarked(CANDIDATE.sha256, runs=99).benchmark),
    ),
    Premise(
        "a target is enrolled for the device and the run has none",
        "target_measures",
        Code.TARGET_REQUIRED,
        MEASURED_ROWS,
        asking={"enrolled": BENCH},
    ),
    Premise(
        "the run's target is enrolled no more",
        "target_measures",
        Code.UNKNOWN_TARGET,
        MEASURED_ROWS,
        lambda run: replace(run, started=build.started(target="bench")),
    ),
    Premise(
        "the run's target is another device",
        "target_measures",
        Code.TARGET_WRONG_MACHINE,
        MEASURED_ROWS,
        lambda run: replace(run, started=build.started(target="bench")),
        {"enrolled": {"bench": Device.RASPBERRY_PI_5}},
    ),
    Premise(
        "a target is timed in a hurry",
        "protocol_long_enough",
        Code.PROTOCOL_TOO_SHORT,
        TIMING_ROWS[:1],
        lambda run: replace(run, started=build.started(target="bench")),
        {"enrolled": BENCH, "protocol": ProtocolName.QUICK},
    ),
    Premise(
        "there is no candidate to time in a hurry",
        "protocol_is_sustained",
        MISSING,
        SUSTAIN_ROWS,
        asking={"protocol": ProtocolName.STANDARD},
    ),
    Premise(
        "what ships for a target did not last there",
        "sustained_on_target",
        Code.SUSTAINED_MISSING,
        PACKAGE_ROWS,
        lambda run: replace(run, started=build.started(target="bench")),
        {"enrolled": BENCH},
    ),
    *unproven("candidate_passes", PROVEN_ROWS),
    *unproven("shipped_is_proven", PACKAGE_ROWS),
    Premise(
        "the unmodified model is below an inherited floor",
        "shipped_is_proven",
        Code.ACCURACY_BELOW_FLOOR,
        PACKAGE_ROWS,
        lambda run: replace(run, steps=(), profiled=build.inherited(FAR, 0.87)),
    ),
    Premise(
        "the device runs another format",
        "format_fits_device",
        Code.FORMAT_DEVICE,
        PACKAGE_ROWS,
        lambda run: replace(run, started=build.started(target_device=Device.JETSON_ORIN_NANO)),
    ),
)
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
    _assert_speaks(refusal)


def _assert_speaks(refusal: Refusal) -> None:
    for clause in (refusal.what, refusal.why, refusal.do):
        assert clause.strip()
        assert not clause.endswith(".")
    assert refusal.promises


@pytest.mark.promise("P3")
@pytest.mark.parametrize("tolerance", [0.0200001, 0.05, 1.0, float("inf"), float("nan")])
def test_a_tolerance_above_the_operators_cap_starts_no_run(tolerance: float) -> None:
    refusal = first_refusal(START.guards, None, build.asked(Call.PROFILE_MODEL, tolerance=tolerance))
    assert refusal is not None
    assert refusal.code is Code.TOLERANCE_ABOVE_CAP
    _assert_speaks(refusal)


@pytest.mark.promise("P3")
@pytest.mark.parametrize("tolerance", [0.02, 0.0199, 0.0])
def test_a_tolerance_at_or_below_the_cap_may_start_a_run(tolerance: float) -> None:
    assert first_refusal(START.guards, None, build.asked(Call.PROFILE_MODEL, tolerance=tolerance)) is None


@pytest.mark.promise("P3")
@pytest.mark.parametrize("cap", [0.0, 0.01])
def test_the_cap_is_the_operators_of_now(cap: float) -> None:
    asked = build.asked(Call.PROFILE_MODEL, policy=Policy(tolerance_cap=cap))
    refusal = first_refusal(START.guards, None, asked)
    assert refusal is not None
    assert refusal.facts == {"asked": 0.02, "cap": cap}


@pytest.mark.promise("P3")
def test_a_metric_outside_the_operators_list_starts_no_run() -> None:
    asked = build.asked(Call.PROFILE_MODEL, policy=Policy(metrics=("f1", "map")), metric="top1")
    refusal = first_refusal(START.guards, None, asked)
    assert refusal is not None
    assert refusal.code is Code.METRIC_NOT_ALLOWED
    assert refusal.facts["allowed"] == ["f1", "map"]
    _assert_speaks(refusal)


@pytest.mark.promise("P3")
def test_a_metric_on_the_list_and_any_metric_without_a_list_may_start_a_run() -> None:
    for policy in (Policy(metrics=("f1", "top1")), Policy()):
        assert first_refusal(START.guards, None, build.asked(Call.PROFILE_MODEL, policy=policy)) is None


@pytest.mark.promise("P6")
def test_a_run_is_not_started_for_a_device_whose_target_is_left_out_or_is_another() -> None:
    codes = {None: Code.TARGET_REQUIRED, "nobody": Code.UNKNOWN_TARGET, "pi": Code.TARGET_WRONG_MACHINE, "bench": None}
    for target, code in codes.items():
        asked = build.asked(Call.PROFILE_MODEL, target=target, enrolled={**BENCH, "pi": Device.RASPBERRY_PI_5})
        refusal = first_refusal(START.guards, None, asked)
        assert (refusal.code if refusal else None) is code


@pytest.mark.promise("P6")
@pytest.mark.parametrize("beside", [True, False], ids=["beside the baseline", "alone"])
def test_what_lasted_on_its_target_is_packaged(*, beside: bool) -> None:
    run = replace(build.run_in(Phase.OPTIMIZE), started=build.started(target="bench"))
    asked = build.asked(Call.PACKAGE, enrolled=BENCH)
    if beside:
        timed = replace(build.latency(CANDIDATE.sha256), protocol=PROTOCOLS[ProtocolName.SUSTAINED])
        run = with_step(benchmark=_benchmark(candidate=timed))(run)
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
