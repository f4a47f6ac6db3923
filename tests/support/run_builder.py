"""Honest events of an imagined run, for tests that need a past and no model.

Every function returns a valid thing; a test breaks exactly one premise by `changes` or with `dataclasses.replace`.
"""

import hashlib
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta

from edgewright.state.artifacts import Artifact, Device, Format, Recipe, TensorSpec
from edgewright.state.asked import Asked
from edgewright.state.errors import Code, Refusal
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
from edgewright.state.evidence import (
    Accuracy,
    Baseline,
    Benchmark,
    Check,
    Conditions,
    Dataset,
    Direction,
    Environment,
    Graph,
    Label,
    Latency,
    Memory,
    Operator,
    Ratio,
    Sustained,
    Twin,
)
from edgewright.state.phases import Call, Phase
from edgewright.state.policy import Level, Policy
from edgewright.state.protocols import PROTOCOLS, ProtocolName
from edgewright.state.run import Run, Step, fold
from edgewright.state.sensitivity import GroupSensitivity, Sensitivity
from edgewright.state.verdict import floor_of
from edgewright.state.waivers import AccuracyLoss, Waiver

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
BASELINE_VALUE = 0.9
PASSING = 0.89
FAILING = 0.8


def digest(word: str) -> str:
    """Return the SHA-256 that stands for a file called `word`."""
    return hashlib.sha256(word.encode()).hexdigest()


def environment() -> Environment:
    return Environment(
        label=Label.HOST,
        machine="x86_64",
        cpu="Imagined CPU",
        logical_cores=2,
        memory_bytes=8 << 30,
        kernel="Linux 6.18",
        python="3.11.7",
        runtime="onnxruntime",
        runtime_version="1.30.0",
        threads=1,
        load_1min=0.25,
    )


def artifact(word: str, parent: Artifact | None = None, **changes: object) -> Artifact:
    made = Artifact(
        sha256=digest(word),
        name=f"toy_{word}.onnx",
        format=Format.ONNX,
        precision="int8" if parent else "fp32",
        size_bytes=1000 if parent else 4000,
        parent=parent.sha256 if parent else None,
        recipe=Recipe("quantize", "int8_static", {"samples": 100}, {"onnx": "1.23"}) if parent else Recipe("original"),
        inputs=(TensorSpec("image", "float32", (None, 1, 28, 28)),),
        outputs=(TensorSpec("logits", "float32", (None, 10)),),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


ORIGINAL = artifact("original")


def latency(of: str, mean_ms: float = 2.0, runs: int = 130) -> Latency:
    return Latency(
        artifact=of,
        protocol=PROTOCOLS[ProtocolName.QUICK],
        environment=environment(),
        batch=1,
        runs=runs,
        warmup_runs=10,
        mean_ms=mean_ms,
        std_ms=0.1,
        percentiles_ms={50: mean_ms, 95: mean_ms * 1.2},
        withheld={99: "needs 662 runs"},
        first_ms=mean_ms * 3,
        load_ms=20.0,
        samples=digest(f"times of {of}"),
        conditions=(Conditions(samples=10, duration_s=1.0, throttled=(), foreign_cores=0.02),),
    )


def memory(of: str, peak_bytes: int = 60 << 20) -> Memory:
    return Memory(of, peak_bytes, 40 << 20, environment())


def accuracy(of: str, value: float = BASELINE_VALUE, **changes: object) -> Accuracy:
    measured = Accuracy(
        artifact=of,
        metric="top1",
        direction=Direction.HIGHER,
        value=value,
        n=1000,
        dataset=digest("validation"),
        preprocessing=digest("preprocessing"),
        environment=environment(),
        outputs=digest(f"outputs of {of}"),
        per_class={"0": value, "1": value},
        agreement=0.99,
    )
    return replace(measured, **changes)  # type: ignore[arg-type]


def dataset(word: str, n: int = 1000) -> Dataset:
    return Dataset(
        digest=digest(word),
        preprocessing=digest("preprocessing"),
        n=n,
        card={"version": 1, "mean": [0.5], "labels": {"file": "labels.npy"}},
        arrays={"image": digest(f"{word} images")},
        index=digest(f"{word} index"),
        classes={"0": n // 2, "1": n - n // 2},
        echo=("image: float32 (1, 28, 28) from 0 to 1",),
    )


def baseline(original: Artifact, value: float = BASELINE_VALUE, reference: Accuracy | None = None) -> Baseline:
    measured = accuracy(original.sha256, value, agreement=None)
    return Baseline(
        graph=Graph(21, 10, "imagined", 3, 1000, 5000, {"Conv": 1}, original.inputs, original.outputs),
        latency=latency(original.sha256),
        memory=memory(original.sha256),
        accuracy=measured,
        reference=reference or measured,
        hot_spots=(Operator("Conv", 1.0, 1.5, 0.75),),
    )


def started(**changes: object) -> Started:
    asked = Started("/models/toy.onnx", "toy", Device.CPU_GENERIC, None, "top1", 0.02, 1.5, Policy())
    return replace(asked, **changes)  # type: ignore[arg-type]


def profiled(original: Artifact = ORIGINAL, **changes: object) -> Profiled:
    found = Profiled(
        original=original,
        root=original,
        validation=dataset("validation"),
        calibration=dataset("calibration", 200),
        baseline=baseline(original),
        checks=(Check("model", "ok", "loads"),),
        tolerance=0.02,
        inherited_from=None,
    )
    return replace(found, **changes)  # type: ignore[arg-type]


SOURCE = artifact("source", format=Format.TENSORFLOW)


def source(**changes: object) -> SourceProfiled:
    """Return what is known of a Keras model before its first conversion."""
    measured = accuracy(SOURCE.sha256, BASELINE_VALUE, agreement=None)
    found = SourceProfiled(
        original=SOURCE,
        root=SOURCE,
        validation=dataset("validation"),
        calibration=dataset("calibration", 200),
        graph=Graph(0, 0, "Keras", 3, 1000, None, {"Dense": 1}, SOURCE.inputs, SOURCE.outputs),
        accuracy=measured,
        reference=measured,
        checks=(Check("model", "ok", "loads"),),
        tolerance=0.02,
        inherited_from=None,
    )
    return replace(found, **changes)  # type: ignore[arg-type]


def twin(parent: Artifact = SOURCE, *, runs: int = 130, value: float = BASELINE_VALUE) -> TwinMade:
    """Return the first conversion of a source, measured."""
    made = artifact("twin", parent)
    measured = latency(made.sha256, runs=runs)
    return TwinMade(Twin(made, accuracy(made.sha256, value), ("converted",)), measured, memory(made.sha256))


def inherited(original: Artifact, value: float, root: Artifact = ORIGINAL) -> Profiled:
    """Return the profile of a model that an earlier run made from `root`, whose floor it inherits."""
    measured = baseline(original, value, reference=accuracy(root.sha256))
    return profiled(original, root=root, baseline=measured, inherited_from="earlier")


def candidate(word: str = "candidate", parent: Artifact = ORIGINAL, **changes: object) -> CandidateMade:
    return CandidateMade(artifact(word, parent, **changes), ("3 nodes quantised",))


def benchmarked(of: str, ratio: float = 0.8, *, valid: bool = True, runs: int = 130) -> BenchmarkRecorded:
    times = latency(of, 2.0 * ratio, runs), latency(ORIGINAL.sha256, 2.0, runs)
    spread = Ratio(ratio, ratio - 0.05, ratio + 0.05, 0.95)
    findings = () if valid else ("the clock changed during the run",)
    return BenchmarkRecorded(Benchmark(*times, spread, memory(of), valid, findings))


def validated(of: str, value: float = PASSING, **changes: object) -> AccuracyRecorded:
    return AccuracyRecorded(accuracy(of, value, **changes), ())


def packaged(of: str) -> Packaged:
    return Packaged(of, "/packages/toy", digest("manifest"), ("ran 10 samples",))


def job_started(call: Call, job: str = "job") -> JobStarted:
    return JobStarted(job, call, {"run": "run", "scheme": "int8_static"})


def job_ended(outcome: JobOutcome = JobOutcome.DONE, job: str = "job") -> JobEnded:
    return JobEnded(job, outcome, 1.5, "landlock", None if outcome is JobOutcome.DONE else refusal())


def refusal(**facts: object) -> Refusal:
    return Refusal(Code.WORKER_CRASHED, "the work", "its process ended", "call again", facts, ("P11",))


def waiver(step: Step, found: Profiled, **changes: object) -> Waiver:
    """Return a person's acceptance of exactly the measured accuracy of a step; changes may be its subject's too."""
    measured, reference = step.accuracy, found.baseline.reference
    assert measured is not None
    loss = AccuracyLoss(
        artifact=measured.artifact,
        reference=reference.artifact,
        dataset=measured.dataset,
        metric=measured.metric,
        floor=floor_of(reference, found.tolerance),
        value=measured.value,
        n=measured.n,
    )
    given = Waiver(
        run="run",
        subject=loss,
        level=Level.OUT_OF_BAND,
        approver="A. Person",
        reason="good enough for the demo",
        issued=(NOW - timedelta(hours=1)).isoformat(),
        expires=(NOW + timedelta(days=1)).isoformat(),
        nonce=digest("nonce"),
    )
    return altered(given, **changes)


def altered(given: Waiver, **changes: object) -> Waiver:
    """Return an acceptance with other fields, its subject's among them."""
    bound = {field.name for field in fields(given.subject)}
    subject = replace(given.subject, **{name: value for name, value in changes.items() if name in bound})  # type: ignore[arg-type]
    free = {name: value for name, value in changes.items() if name not in bound}
    return replace(given, subject=subject, **free)  # type: ignore[arg-type]


def waived(run: Run, **changes: object) -> WaiverGranted:
    """Return the event of a person accepting the open candidate of a run as it was measured."""
    assert run.open_step is not None
    assert run.profiled is not None
    return WaiverGranted(waiver(run.open_step, run.profiled, **changes))


def sustained(of: str, *, valid: bool = True) -> SustainedRecorded:
    timed = replace(latency(of), protocol=PROTOCOLS[ProtocolName.SUSTAINED])
    return SustainedRecorded(Sustained(timed, valid))


def analysed(of: str = "") -> SensitivityAnalysed:
    group = GroupSensitivity("conv", "Conv", 2, 0.01, 0.02, 0.1, 4.0, 0, 3.0)
    return SensitivityAnalysed(
        Sensitivity(
            artifact=of or digest("original"),
            calibration=digest("calibration"),
            uniform_error=0.02,
            uniform_share=0.6,
            groups=(group,),
            samples=32,
            computed="as 8 bits are defined",
            timed=str(Label.HOST),
        )
    )


def asked(call: Call, **changes: object) -> Asked:
    """Return a question that asks for nothing unusual; a benchmark is of the kind that each of its phases knows."""
    device, protocol = Device.CPU_GENERIC, ProtocolName.SUSTAINED
    request = Asked(call, Policy(), NOW, tolerance=0.02, metric="top1", device=device, protocol=protocol)
    return replace(request, **changes)  # type: ignore[arg-type]


def past(phase: Phase, value: float = PASSING) -> tuple[Event, ...]:
    """Return the shortest honest past of a run in `phase`; in VALIDATE its candidate measured `value`."""
    of = digest("candidate")
    events: dict[Phase, tuple[Event, ...]] = {
        Phase.PROFILE: (started(),),
        Phase.OPTIMIZE: (profiled(),),
        Phase.BENCHMARK: (candidate(),),
        Phase.VALIDATE: (benchmarked(of), validated(of, value)),
        Phase.PACKAGE: (Kept(of), packaged(of)),
    }
    order = list(events)
    return tuple(event for earlier in order[: order.index(phase) + 1] for event in events[earlier])


def run_in(phase: Phase, value: float = PASSING) -> Run:
    """Return the run of the shortest honest past that ends in `phase`."""
    return fold("run", past(phase, value))


def source_past() -> tuple[Event, ...]:
    """Return a legal past of a run that begins from a framework's own file."""
    return (
        started(),
        job_started(Call.PROFILE_MODEL, "job-1"),
        source(),
        job_ended(job="job-1"),
        job_started(Call.CONVERT, "job-2"),
        twin(),
        job_ended(job="job-2"),
    )


def one_of_each() -> tuple[Event, ...]:
    """Return a legal past in which every kind of event happens."""
    of, other = digest("candidate"), digest("second")
    open_run = fold("run", past(Phase.VALIDATE, FAILING))
    return (
        started(target="bench", latency_target_ms=None),
        job_started(Call.PROFILE_MODEL, "job-1"),
        profiled(),
        job_ended(job="job-1"),
        analysed(),
        CallRefused("package", refusal(drop=0.1, tried=[1, 2], note=None)),
        candidate(),
        benchmarked(of, valid=False),
        benchmarked(of),
        validated(of, FAILING),
        waived(open_run),
        Kept(of, digest("nonce")),
        candidate("second"),
        Reverted(other),
        sustained(of),
        packaged(of),
        job_started(Call.CONVERT, "job-2"),
        job_ended(JobOutcome.FAILED, "job-2"),
    )
