"""The guards that the phase table names: pure functions of a run and what is asked of it.

Each returns `None` or the refusal with its numbers. A guard looks at evidence, not at the phase: it holds even where
the table is wrong. All it may read is its two arguments.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from edgewright.state import acceptance
from edgewright.state.artifacts import Device, Format
from edgewright.state.asked import Asked
from edgewright.state.baseline_guards import baseline_complete, source_measured
from edgewright.state.errors import Code, Refusal
from edgewright.state.evidence import Benchmark
from edgewright.state.phases import TABLE, Call, Phase, legal_calls
from edgewright.state.policy import is_agreement
from edgewright.state.protocols import BASELINE_RUNS
from edgewright.state.run import Run, Step
from edgewright.state.target_guards import protocol_is_sustained, protocol_long_enough, target_measures
from edgewright.state.verdict import Outcome
from edgewright.state.waivers import Subject, Waiver

FORMAT_OF_DEVICE = MappingProxyType(
    {
        Device.JETSON_ORIN_NANO: Format.TENSORRT,
        Device.RASPBERRY_PI_5: Format.TFLITE,
        Device.RASPBERRY_PI_4: Format.TFLITE,
        Device.CPU_GENERIC: Format.ONNX,
    }
)


Guard = Callable[[Run | None, Asked], Refusal | None]


def idle(run: Run | None, asked: Asked) -> Refusal | None:
    """One thing at a time: nothing else is at work on this run (P2)."""
    if run is None or run.job is None:
        return None
    return Refusal(
        Code.BUSY,
        f"{asked.call} while {run.job.call} is at work",
        f"job {run.job.id} of this run has not ended, and one step is taken at a time",
        f"call get_job(job='{run.job.id}') and wait for it, or cancel_job",
        {"job": run.job.id},
        ("P2",),
    )


def tolerance_within_cap(_run: Run | None, asked: Asked) -> Refusal | None:
    """A call may tighten the operator's tolerance, never loosen it (P3)."""
    cap = asked.policy.tolerance_cap
    if asked.tolerance <= cap:
        return None
    return Refusal(
        Code.TOLERANCE_ABOVE_CAP,
        f"an accuracy tolerance of {asked.tolerance:.2%}",
        f"the operator's configuration caps it at {cap:.2%}",
        f"ask for {cap} or less, or have a person raise `tolerance_cap` in the operator's configuration",
        {"asked": asked.tolerance, "cap": cap},
        ("P3",),
    )


def metric_allowed(_run: Run | None, asked: Asked) -> Refusal | None:
    """A call may only use a metric on the operator's list, and one without labels only where that is allowed (P3)."""
    allowed = asked.policy.metrics
    if is_agreement(asked.metric) and not asked.policy.agreement_as_floor:
        return Refusal(
            Code.METRIC_NOT_ALLOWED,
            f"the metric {asked.metric!r} as the accuracy of a run",
            "it says how far a candidate answers like the original, not how often either is right, and the operator "
            "has not allowed it as a floor",
            "give a labelled validation set and a metric that compares with labels, or have a person set "
            "`agreement_as_floor` in the operator's configuration",
            {"asked": asked.metric},
            ("P3",),
        )
    if not allowed or asked.metric in allowed:
        return None
    return Refusal(
        Code.METRIC_NOT_ALLOWED,
        f"the metric {asked.metric!r}",
        f"the operator allows {', '.join(allowed)}",
        "use one of these, or have a person extend `metrics` in the operator's configuration",
        {"asked": asked.metric, "allowed": list(allowed)},
        ("P3",),
    )


def no_open_candidate(run: Run | None, asked: Asked) -> Refusal | None:
    """A candidate is kept or reverted before anything else begins (P2)."""
    if run is None or run.open_step is None:
        return None
    name = run.open_step.artifact.name
    return Refusal(
        Code.PHASE,
        f"{asked.call} while {name} waits for a decision",
        "one optimisation is benchmarked, validated and decided before the next thing begins",
        f"finish {name}: benchmark, validate and decide(keep), or decide(revert)",
        {"candidate": run.open_step.artifact.sha256},
        ("P2",),
    )


def candidate_open(run: Run | None, asked: Asked) -> Refusal | None:
    """There is a candidate to work on (P2)."""
    if run is not None and run.open_step is not None:
        return None
    return Refusal(
        Code.EVIDENCE_MISSING,
        f"{asked.call} without a candidate",
        "no step has made one since the last decision",
        "call quantize or convert first",
        {},
        ("P2",),
    )


def base_known(run: Run | None, asked: Asked) -> Refusal | None:
    """A step starts from the original, the current best, or an artifact of this run (P3, P5)."""
    if run is None or asked.base in {"current", "original"} or run.artifact(asked.base):
        return None
    known = [step.artifact.sha256 for step in run.steps]
    return Refusal(
        Code.UNKNOWN_ARTIFACT,
        f"base {asked.base!r}",
        f"this run made {len(known)} artifact(s) and none has that digest",
        "use 'current', 'original', or the sha256 of an artifact listed by get_state(detail='full')",
        {"known": known},
        ("P3",),
    )


def calibration_present(run: Run | None, asked: Asked) -> Refusal | None:
    """Static INT8 takes its ranges from real data or not at all (P7)."""
    if not asked.needs_calibration or run is None or (run.profiled and run.profiled.calibration):
        return None
    return Refusal(
        Code.CALIBRATION_MISSING,
        f"{asked.call} with static INT8 and no calibration set",
        "the run was profiled without one, and ranges are never taken from invented data",
        "start a run with profile_model(..., calibration=...): real samples that are not in the validation set; "
        "or use a scheme without calibration (fp16, int8_dynamic)",
        {},
        ("P7",),
    )


def benchmark_valid(run: Run | None, asked: Asked) -> Refusal | None:
    """Accuracy is looked at once valid times of the candidate are recorded (P2, P10)."""
    step = run.open_step if run else None
    if step and step.benchmark and step.benchmark.valid and step.benchmark.candidate.runs >= BASELINE_RUNS:
        return None
    return Refusal(
        Code.EVIDENCE_MISSING,
        f"{asked.call} without a valid benchmark of the candidate",
        _flaw(step.benchmark if step else None),
        "call benchmark first",
        {},
        ("P2", "P10"),
    )


def _flaw(benchmark: Benchmark | None) -> str:
    if benchmark is None:
        return "no benchmark of it is recorded"
    runs = f"its benchmark has {benchmark.candidate.runs} timed runs, and {BASELINE_RUNS} or more are needed"
    return "; ".join(benchmark.findings) or runs


def candidate_passes(run: Run | None, asked: Asked) -> Refusal | None:
    """Only a candidate within the tolerance, or one that a person accepted as it is, may be kept (P3)."""
    if run is None or run.open_step is None:
        return None
    return _unproven(run, run.open_step, asked, "keeping")


def shipped(run: Run, asked: Asked) -> Step | None:
    """Return what `package` ships: the best kept step that is proven now and fits the device.

    Where nothing was kept it is the original, as a step that changes nothing. Where something was kept and nothing of
    it may ship, it is the best, so that the guards say why not. A kept step that is slower than the original still
    ships before it: keeping it was a decision, for its size.
    """
    if run.profiled is None:
        return None
    if not run.kept:
        return Step(run.profiled.runnable, (), accuracy=run.profiled.runnable_accuracy)
    may_ship = (s for s in run.ranked if not _unproven(run, s, asked, "packaging") and not _misfit(run, s, asked))
    return next(may_ship, run.ranked[0])


def shipped_is_proven(run: Run | None, asked: Asked) -> Refusal | None:
    """What is packaged has its own passing verdict on the run's own yardstick; the original has it too (P3, P9)."""
    step = shipped(run, asked) if run else None
    return _unproven(run, step, asked, "packaging") if run and step else None


def format_fits_device(run: Run | None, asked: Asked) -> Refusal | None:
    """The format that is shipped is the one that the device runs (P8)."""
    step = shipped(run, asked) if run else None
    return _misfit(run, step, asked) if run and step else None


def sustained_on_target(run: Run | None, asked: Asked) -> Refusal | None:
    """What ships for an enrolled target was run there for minutes on end, so that heat had its say (P6)."""
    step = shipped(run, asked) if run else None
    subject = acceptance.not_sustained(run, step) if run and step else None
    if run is None or step is None or subject is None or accepted(run, subject, asked):
        return None
    return Refusal(
        Code.SUSTAINED_MISSING,
        f"packaging {step.artifact.name} for {subject.target}",
        "no sustained run of it is recorded there, so nobody knows what heat does to its latency",
        "call benchmark(protocol='sustained') first; it takes some minutes",
        {"artifact": step.artifact.sha256, "target": subject.target},
        ("P6",),
    )


_WAY_TO_FORMAT = MappingProxyType(
    {
        Format.TFLITE: "call convert(format='tflite', base='original') and keep what it makes, or profile the model "
        "for cpu-generic",
        Format.TENSORRT: "call convert(format='tensorrt') on what was kept, keep its result and package that",
        Format.ONNX: "profile the .onnx file of the model, or this one for raspberry-pi-5",
    }
)


def _misfit(run: Run, step: Step, asked: Asked) -> Refusal | None:
    device, have = run.started.target_device, step.artifact.format
    want = FORMAT_OF_DEVICE[device]
    subject = acceptance.other_format(run, step.artifact, want)
    if subject is None or accepted(run, subject, asked):
        return None
    return Refusal(
        Code.FORMAT_DEVICE,
        f"packaging for {device} a file of the format {have}",
        f"{device} runs {want}",
        acceptance.GRAPH_WITH_DEVICE if step.artifact.awaits_engine else _WAY_TO_FORMAT[want],
        {"format": str(have), "wanted": str(want), "device": str(device)},
        ("P8",),
    )


_WAYS_OUT = MappingProxyType(
    {
        "keeping": "call decide(revert) and try a milder step: another scheme or calibration method, more or broader "
        "calibration data, or a different base",
        "packaging": "make and keep a candidate that passes, or profile the original model in a new run",
    }
)


def _unproven(run: Run, step: Step, asked: Asked, doing: str) -> Refusal | None:
    """Return why a step may not be kept or packaged: unmeasured, measured otherwise, or below the floor."""
    verdict, measured = run.verdict_of(step, asked.policy.rule), step.accuracy
    if verdict is None or measured is None or run.profiled is None:
        return _unmeasured(step, doing, "its accuracy has not been measured", "P3")
    reference = run.profiled.baseline.reference
    yardsticks = [(a.metric, a.dataset, a.preprocessing, a.n) for a in (reference, measured)]
    if measured.artifact != step.artifact.sha256 or yardsticks[0] != yardsticks[1]:
        why = "its accuracy was not measured with the metric, data and preprocessing of the baseline"
        return _unmeasured(step, doing, why, "P9")
    loss = acceptance.accuracy_loss(run, step, asked.policy.rule)
    if loss is None or accepted(run, loss, asked, step):
        return None
    short = _shortfalls(run, loss, asked, step)
    more = f", or profile in a new run with about {verdict.deciding_n} validation samples" if verdict.deciding_n else ""
    do = _WAYS_OUT[doing] + (more if verdict.outcome is Outcome.UNDECIDED else "")
    return Refusal(
        Code.WAIVER_INSUFFICIENT if short else Code.ACCURACY_BELOW_FLOOR,
        f"{doing} {step.artifact.name}",
        f"{verdict.sentence}{short}",
        f"{do}; or a person runs `edgewright approve {run.id}`" if short else do,
        verdict.numbers,
        ("P3",),
    )


def accepted(run: Run, subject: Subject, asked: Asked, step: Step | None = None) -> Waiver | None:
    """Return the acceptance by which exactly this counts now; `None` where a person has not given one."""
    waivers = acceptance.given(run, subject, step)
    return acceptance.in_force(waivers, least=asked.policy.least_level, now=asked.now)


def _shortfalls(run: Run, subject: Subject, asked: Asked, step: Step) -> str:
    """Return why the acceptances that were given of exactly this are not enough, as the end of a clause."""
    least, now = asked.policy.least_level, asked.now
    short = [waiver.shortfall(least=least, now=now) for waiver in acceptance.given(run, subject, step)]
    return f"; waiver insufficient: {'; '.join(filter(None, short))}" if short else ""


def acceptable(run: Run, asked: Asked) -> tuple[Subject, ...]:
    """Return what a person could accept of this run now, and nobody has yet."""
    step = run.open_step or shipped(run, asked)
    if step is None:
        return ()
    found: list[Subject | None] = [acceptance.accuracy_loss(run, step, asked.policy.rule)]
    if run.open_step is None:
        device = run.started.target_device
        wrong = acceptance.other_format(run, step.artifact, FORMAT_OF_DEVICE[device])
        found = [acceptance.unfit_calibration(run), wrong, *found, acceptance.not_sustained(run, step)]
    return tuple(
        subject
        for subject in found
        if subject and asked.kind in {"", subject.kind} and not accepted(run, subject, asked, step)
    )


def something_to_accept(run: Run | None, asked: Asked) -> Refusal | None:
    """A person accepts what was measured and refused, never anything in advance (P3)."""
    if run is None or acceptable(run, asked):
        return None
    return Refusal(
        Code.NOTHING_TO_ACCEPT,
        f"{asked.call}{f' of kind {asked.kind}' if asked.kind else ''}",
        "nothing that a person could accept is refused on this run now, or it was accepted already",
        "go on with the workflow; where a verdict fails, or a calibration set or a format is refused, call it then",
        {"kind": asked.kind},
        ("P3",),
    )


def _unmeasured(step: Step, doing: str, why: str, promise: str) -> Refusal:
    do = "call validate on this candidate first" if doing == "keeping" else _WAYS_OUT[doing]
    facts = {"artifact": step.artifact.sha256}
    return Refusal(Code.EVIDENCE_MISSING, f"{doing} {step.artifact.name}", why, do, facts, (promise,))


GUARDS: Mapping[str, Guard] = MappingProxyType(
    {
        guard.__name__: guard
        for guard in (
            idle,
            tolerance_within_cap,
            metric_allowed,
            target_measures,
            protocol_long_enough,
            protocol_is_sustained,
            baseline_complete,
            source_measured,
            no_open_candidate,
            candidate_open,
            base_known,
            calibration_present,
            benchmark_valid,
            candidate_passes,
            shipped_is_proven,
            format_fits_device,
            sustained_on_target,
            something_to_accept,
        )
    }
)


def refusal_for(run: Run, asked: Asked) -> Refusal | None:
    """Return why a call on a run is refused now, or `None` where it is legal: the table first, then its guards."""
    row = TABLE[run.phase].get(asked.call)
    if row is None:
        legal = ", ".join(legal_calls(run.phase))
        return Refusal(
            Code.PHASE,
            f"{asked.call} in phase {run.phase}",
            _reason_by_phase(run.phase, asked.call),
            f"legal here: {legal}",
            {"phase": str(run.phase), "legal": [str(call) for call in legal_calls(run.phase)]},
            ("P1",) if run.phase is Phase.PROFILE else ("P2",),
        )
    return first_refusal(row.guards, run, asked)


def first_refusal(names: tuple[str, ...], run: Run | None, asked: Asked) -> Refusal | None:
    """Return the refusal of the first of these guards that refuses."""
    return next((refusal for name in names if (refusal := GUARDS[name](run, asked))), None)


def _reason_by_phase(phase: Phase, call: Call) -> str:
    phases = [str(other) for other, rows in TABLE.items() if call in rows]
    return f"{call} belongs to {' and '.join(phases)}; the run is in {phase}"
