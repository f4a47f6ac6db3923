"""A run as its events add up to it. Folding checks each move against the phase table, so an illegal past is noticed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import reduce

from edgewright.state.artifacts import Artifact, Device
from edgewright.state.asked import Today
from edgewright.state.errors import Code, CorruptLedger, Refusal
from edgewright.state.events import (
    AccuracyRecorded,
    BenchmarkRecorded,
    CallRefused,
    CandidateMade,
    Event,
    JobEnded,
    JobOutcome,
    JobStarted,
    Kept,
    Packaged,
    Profiled,
    Reverted,
    SensitivityAnalysed,
    SourceProfiled,
    Started,
    SustainedRecorded,
    TwinMade,
    WaiverGranted,
)
from edgewright.state.evidence import Accuracy, Benchmark, Label, Latency, Sustained
from edgewright.state.phases import Phase, advance
from edgewright.state.policy import Rule, stricter
from edgewright.state.sensitivity import Sensitivity
from edgewright.state.verdict import Verdict, better, judge
from edgewright.state.waivers import UnfitCalibration, Waiver


@dataclass(frozen=True)
class Step:
    """One optimisation from its making to the decision on it.

    Attributes:
        artifact: The candidate.
        findings: What its making showed.
        benchmark: Its times beside the baseline's, once taken.
        accuracy: Its metric, once measured.
        kept: The decision, once taken.
        waiver: The acceptance that it was kept by, where it was.
    """

    artifact: Artifact
    findings: tuple[str, ...]
    benchmark: Benchmark | None = None
    accuracy: Accuracy | None = None
    kept: bool | None = None
    waiver: Waiver | None = None

    def time_ratio(self) -> float:
        """Return the candidate's time over the baseline's; 1 where it was not taken."""
        return self.benchmark.ratio.median if self.benchmark else 1.0


@dataclass(frozen=True)
class Job:
    """The work in progress."""

    id: str
    call: str
    arguments: Mapping[str, object]


@dataclass(frozen=True)
class TurnedDown:
    """Work that was refused or broke, and why."""

    job: Job
    refusal: Refusal


@dataclass(frozen=True)
class Run:
    """One model on its way to one device.

    Attributes:
        id: Handle of the run.
        version: Number of events folded.
        phase: Where it stands.
        started: What was asked for.
        source: A model that no device runs, measured in its own framework; its twin completes the baseline.
        profiled: Original, data and baseline, once measured.
        steps: Every decided step in order.
        open_step: The candidate that waits for benchmark, validation or decision.
        waivers: Acceptances that a person gave and nothing has used up yet.
        accepted: Every acceptance ever given, used up or not; none is given twice.
        packages: Packages written.
        sustained: Valid long runs over what would ship, in order.
        sensitivities: What 8 bits cost and save in the parts of a model, the latest last.
        job: The work in progress, if any.
        turned_down: Work that was refused or broke, in order.
        trouble: Why the last job ended without evidence, if it did.
        last_action: The last thing that changed the run.
        today: What holds now, for whoever is shown the run; no part of the record.
    """

    id: str
    version: int
    phase: Phase
    started: Started
    source: SourceProfiled | None = None
    profiled: Profiled | None = None
    steps: tuple[Step, ...] = ()
    open_step: Step | None = None
    waivers: tuple[Waiver, ...] = ()
    accepted: tuple[Waiver, ...] = ()
    packages: tuple[Packaged, ...] = ()
    sustained: tuple[Sustained, ...] = ()
    sensitivities: tuple[Sensitivity, ...] = ()
    job: Job | None = None
    turned_down: tuple[TurnedDown, ...] = ()
    trouble: Refusal | None = None
    last_action: str = "started"
    today: Today | None = None

    @property
    def tolerance(self) -> float:
        """The tolerance in force: the strictest of what was asked for, allowed and inherited."""
        bounds = [self.started.accuracy_tolerance, self.started.policy.tolerance_cap]
        return min([*bounds, self.profiled.tolerance] if self.profiled else bounds)

    @property
    def enrolled_at_start(self) -> Mapping[str, Device]:
        """The run's own target, as it was enrolled when the run began; for whoever cannot ask what is enrolled now."""
        return {self.started.target: self.started.target_device} if self.started.target else {}

    @property
    def now(self) -> Today:
        """What holds now, as far as it is known; otherwise what held when the run began."""
        return self.today or Today(self.started.policy, self.enrolled_at_start)

    @property
    def kept(self) -> tuple[Step, ...]:
        """The steps that were kept, in order."""
        return tuple(step for step in self.steps if step.kept)

    def tells(self, latency: Latency) -> bool:
        """Return whether times speak of the run's device (P6).

        A host's say nothing of a Raspberry Pi or a Jetson, and an emulator's nothing of anything.
        """
        label = latency.environment.label
        if self.started.target_device is Device.CPU_GENERIC:
            return label is not Label.EMULATED
        return label is Label.TARGET

    @property
    def ranked(self) -> tuple[Step, ...]:
        """The kept steps, the best first.

        By time against the baseline, each ratio taken in the same processes. Where those times do not speak of the
        device they decide nothing: the latest decision to keep counts.
        """
        if all(step.benchmark is None or self.tells(step.benchmark.candidate) for step in self.kept):
            return tuple(sorted(self.kept, key=Step.time_ratio))
        return self.kept[::-1]

    @property
    def best(self) -> Step | None:
        """The best kept step; `None` where the original is the best there is."""
        return next(iter(self.ranked), None)

    @property
    def current(self) -> Artifact | None:
        """What the next step starts from: the best kept artifact, or the unmodified original.

        What `package` ships is `edgewright.state.guards.shipped`: it also has to fit the device and be proven today.
        """
        if self.best is not None:
            return self.best.artifact
        return self.profiled.runnable if self.profiled else None

    def verdict_of(self, step: Step, rule: Rule = Rule.POINT) -> Verdict | None:
        """Return the verdict on a step, or `None` while its accuracy is unmeasured.

        Args:
            step: The step.
            rule: The operator's of now; a stricter one of the run's start, or of today, holds.
        """
        return self.judged(step.accuracy, rule) if step.accuracy else None

    def judged(self, accuracy: Accuracy, rule: Rule = Rule.POINT) -> Verdict | None:
        """Return the verdict on a measurement; see `verdict_of`. `None` while there is no baseline."""
        if self.profiled is None:
            return None
        strictest = stricter(rule, stricter(self.started.policy.rule, self.now.policy.rule))
        return judge(self.profiled.baseline.reference, accuracy, self.tolerance, strictest)

    def artifact(self, sha256: str) -> Artifact | None:
        """Return the artifact of this run with that digest."""
        steps = (*self.steps, self.open_step) if self.open_step else self.steps
        known = [step.artifact for step in steps]
        if self.profiled:
            known += [self.profiled.original, self.profiled.runnable]
        return next((artifact for artifact in known if artifact.sha256 == sha256), None)


def fold(run: str, events: Iterable[Event]) -> Run:
    """Return what the events of a run add up to.

    Raises:
        CorruptLedger: If the first event does not start a run, or an event moves it as the phase table forbids.
    """
    stream = iter(events)
    first = next(stream, None)
    if not isinstance(first, Started):
        raise CorruptLedger(f"Run {run} does not begin with its start but with {type(first).__name__}.")
    return reduce(apply, stream, Run(id=run, version=1, phase=Phase.PROFILE, started=first))


def apply(run: Run, event: Event) -> Run:
    """Return the run after one more event.

    Raises:
        CorruptLedger: If the phase table knows no such move.
    """
    run = replace(run, version=run.version + 1)
    if (fact := getattr(event, "fact", None)) is not None:
        phase = advance(run.phase, fact)
        if phase is None:
            raise CorruptLedger(f"Run {run.id}: {fact} cannot happen in {run.phase}.")
        run = replace(run, phase=phase, last_action=str(fact), trouble=None)
    return _absorb(run, event)


def _absorb(run: Run, event: Event) -> Run:
    """Write the event's content into the run."""
    match event:
        case JobStarted() | JobEnded():
            return _absorb_job(run, event)
        case Profiled() | SourceProfiled() | TwinMade():
            return _absorb_profile(run, event)
        case CandidateMade():
            calibration = event.artifact.recipe.parameters.get("calibration")
            return replace(_spent(run, calibration), open_step=Step(event.artifact, event.findings))
        case WaiverGranted():
            return _absorb_waiver(run, event.waiver)
        case Packaged():
            return replace(_spent(run, event.artifact), packages=(*run.packages, event))
        case SensitivityAnalysed() | SustainedRecorded():
            return _absorb_finding(run, event)
        case CallRefused():
            return run
        case Started():
            raise CorruptLedger(f"Run {run.id} starts twice.")
        case _:
            return _absorb_step(run, event)


def _absorb_finding(run: Run, event: SensitivityAnalysed | SustainedRecorded) -> Run:
    """Write what was found out beside the steps, or why a long run's times may not be used."""
    if isinstance(event, SensitivityAnalysed):
        return replace(run, sensitivities=(*run.sensitivities, event.sensitivity))
    if not event.sustained.valid:
        return replace(run, trouble=_unusable("the sustained run", event.sustained.findings))
    return replace(run, sustained=(*run.sustained, event.sustained))


def _absorb_profile(run: Run, event: Profiled | SourceProfiled | TwinMade) -> Run:
    """Write the baseline into the run; of a source, what is known of it, and then what completes it."""
    if isinstance(event, Profiled):
        return replace(run, profiled=event)
    if isinstance(event, SourceProfiled):
        return replace(run, source=event)
    source, twin = run.source, event.twin
    if source is None or run.profiled is not None or twin.artifact.parent != source.original.sha256:
        raise CorruptLedger(f"Run {run.id}: a conversion completes the baseline of a source that is not the run's.")
    return replace(run, profiled=source.completed(event))


def _absorb_job(run: Run, event: JobStarted | JobEnded) -> Run:
    """Write the beginning or the end of the one job that a run can have."""
    if isinstance(event, JobStarted):
        if run.job is not None:
            raise CorruptLedger(f"Run {run.id}: job {event.job} starts beside {run.job.id}.")
        return replace(run, job=Job(event.job, str(event.call), event.arguments), trouble=None)
    if run.job is None or run.job.id != event.job:
        raise CorruptLedger(f"Run {run.id}: job {event.job} ends, which is not at work.")
    if event.outcome is JobOutcome.DONE:
        return replace(run, job=None)
    turned_down = run.turned_down
    if event.refusal is not None and event.outcome is not JobOutcome.CANCELLED:
        turned_down = (*turned_down, TurnedDown(run.job, event.refusal))
    trouble = None if event.outcome is JobOutcome.CANCELLED else event.refusal
    return replace(run, job=None, turned_down=turned_down, trouble=trouble)


def _absorb_waiver(run: Run, waiver: Waiver) -> Run:
    """Write an acceptance into the run; one of another run, or one that came before, is none."""
    if waiver.run != run.id or waiver.nonce in {earlier.nonce for earlier in run.accepted}:
        raise CorruptLedger(f"Run {run.id}: the acceptance {waiver.nonce} was given for {waiver.run}, or before.")
    return replace(run, waivers=(*run.waivers, waiver), accepted=(*run.accepted, waiver))


def _spent(run: Run, digest: object) -> Run:
    """Return the run without the acceptances of what has now happened to this artifact or calibration set."""
    left = []
    for waiver in run.waivers:
        subject = waiver.subject
        about = subject.calibration if isinstance(subject, UnfitCalibration) else subject.artifact
        if about != digest:
            left.append(waiver)
    return replace(run, waivers=tuple(left))


def _absorb_step(run: Run, event: BenchmarkRecorded | AccuracyRecorded | Kept | Reverted) -> Run:
    """Write what concerns the open candidate into it."""
    step = run.open_step
    if step is None or step.artifact.sha256 != _subject(event):
        raise CorruptLedger(f"Run {run.id}: {type(event).__name__} is not about the open candidate.")
    match event:
        case BenchmarkRecorded():
            if step.benchmark is not None and step.benchmark.valid:
                raise CorruptLedger(f"Run {run.id}: a valid benchmark is not replaced.")
            taken = event.benchmark
            trouble = None if taken.valid else _unusable(f"the benchmark of {step.artifact.name}", taken.findings)
            return replace(run, open_step=replace(step, benchmark=taken), trouble=trouble)
        case AccuracyRecorded():
            findings = (*step.findings, *event.findings)
            counts = _counts(_judged(run, step), event.accuracy)
            return replace(run, open_step=replace(step, accuracy=counts, findings=findings))
        case Kept():
            used = next((waiver for waiver in run.waivers if waiver.nonce == event.waiver), None)
            if event.waiver and used is None:
                raise CorruptLedger(f"Run {run.id}: kept by the acceptance {event.waiver}, which is not there.")
            kept = replace(step, kept=True, waiver=used)
            return replace(_spent(run, event.artifact), steps=(*run.steps, kept), open_step=None)
        case Reverted():
            reverted = replace(step, kept=False)
            return replace(_spent(run, event.artifact), steps=(*run.steps, reverted), open_step=None)


def _unusable(what: str, findings: tuple[str, ...]) -> Refusal:
    """Return what stands in the way where times were taken and may not be used."""
    do = "have a person see to what the reason names, and call benchmark again"
    return Refusal(Code.TARGET_DISTURBED, what, " ".join(findings).rstrip("."), do, {}, ("P10",))


def _judged(run: Run, step: Step) -> Accuracy | None:
    """Return what counts so far of this candidate, also where it was reverted and made again, byte for byte."""
    same = (one.accuracy for one in reversed(run.steps) if one.artifact.sha256 == step.artifact.sha256)
    return step.accuracy or next(same, None)


def _counts(before: Accuracy | None, now: Accuracy) -> Accuracy:
    """Return which of two measurements of one candidate counts.

    What the device's own kernels computed counts before what a host's or an emulator's did. Otherwise the worse of the
    two: a verdict cannot be drawn again until it pleases.
    """
    if before is None:
        return now
    targets = [_on_hardware(accuracy) for accuracy in (before, now)]
    if targets[0] != targets[1]:
        return before if targets[0] else now
    return before if better(before, now) is now else now


def _on_hardware(accuracy: Accuracy) -> bool:
    return bool(accuracy.environment.target) and accuracy.environment.label is not Label.EMULATED


def _subject(event: BenchmarkRecorded | AccuracyRecorded | Kept | Reverted) -> str:
    """Return the digest of the artifact that the event is about."""
    match event:
        case BenchmarkRecorded():
            return event.benchmark.candidate.artifact
        case AccuracyRecorded():
            return event.accuracy.artifact
        case _:
            return event.artifact
