"""Honest runs in which exactly one premise is broken, and the guard that looks after each."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import run_builder as build

from edgewright.state.artifacts import Device
from edgewright.state.errors import Code, Refusal
from edgewright.state.evidence import Baseline, Benchmark
from edgewright.state.phases import Call, Phase
from edgewright.state.protocols import ProtocolName
from edgewright.state.run import Run, Step, apply

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
        kept = run.best or Step(CANDIDATE, (), timed_by(), build.accuracy(CANDIDATE.sha256, build.PASSING), kept=True)
        return replace(run, steps=(replace(kept, **changes),))  # type: ignore[arg-type]

    return breaking


def with_accuracy(value: float = build.PASSING, of: str = CANDIDATE.sha256, **changes: object) -> Breaking:
    return with_step(accuracy=build.accuracy(of, value, **changes))


def timed_by(**changes: object) -> Benchmark:
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


def assert_speaks(refusal: Refusal) -> None:
    """Look for the three clauses, none of them a sentence, and the promise."""
    for clause in (refusal.what, refusal.why, refusal.do):
        assert clause.strip()
        assert not clause.endswith(".")
    assert refusal.promises
