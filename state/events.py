"""What can happen to a run. The ledger stores these; `edgewright.state.run` folds them.

Each event is complete in itself and never changes. One that moves the run names the fact of the phase table.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from edgewright.state.artifacts import Artifact, Device
from edgewright.state.errors import Refusal
from edgewright.state.evidence import Accuracy, Baseline, Benchmark, Check, Dataset, Sustained
from edgewright.state.phases import Call, Fact
from edgewright.state.policy import Policy
from edgewright.state.sensitivity import Sensitivity
from edgewright.state.waivers import Waiver


@dataclass(frozen=True)
class Started:
    """A person or agent asked for a run; nothing is known of the model yet.

    Attributes:
        model_path: The original file as named by the caller, absolute.
        model_name: First part of the name of everything made in this run.
        target_device: What the model is made for.
        target: Alias of the enrolled target to measure on, if any.
        target_mark: Tells its machine from another that is given the alias later.
        metric: Name of the metric.
        accuracy_tolerance: Largest relative drop that passes.
        latency_target_ms: What the caller hopes for, if anything.
        policy: The operator's bounds at this moment.
    """

    model_path: str
    model_name: str
    target_device: Device
    target: str | None
    metric: str
    accuracy_tolerance: float
    latency_target_ms: float | None
    policy: Policy
    target_mark: str = ""


@dataclass(frozen=True)
class JobStarted:
    """A call passed the door and its work began in a process of its own."""

    job: str
    call: Call
    arguments: Mapping[str, object]


class JobOutcome(StrEnum):
    """How a job ended."""

    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class JobEnded:
    """The work came to an end; what it found is in the event beside this one."""

    job: str
    outcome: JobOutcome
    seconds: float
    sandbox: str
    refusal: Refusal | None = None


@dataclass(frozen=True)
class Profiled:
    """The unmodified model was imported and measured.

    Attributes:
        original: The imported copy.
        validation: The set that every accuracy of the run is measured on.
        calibration: The set that INT8 ranges are taken from.
        baseline: The measurements.
        checks: The pre-flight list.
        tolerance: The tolerance in force: the run's, or a stricter inherited one.
        root: The model that the floor comes from: `original` itself, or the original of the earlier run that made it.
        inherited_from: That earlier run, if there is one.
    """

    original: Artifact
    root: Artifact
    validation: Dataset
    calibration: Dataset | None
    baseline: Baseline
    checks: tuple[Check, ...]
    tolerance: float
    inherited_from: str | None

    @property
    def fact(self) -> Fact | None:
        """The fact, if nothing is missing."""
        return None if self.baseline.missing else Fact.BASELINE_COMPLETE


@dataclass(frozen=True)
class SensitivityAnalysed:
    """It was found out what 8 bits cost and save in each part of a model. Moves nothing."""

    sensitivity: Sensitivity
    fact = Fact.SENSITIVITY_ANALYSED


@dataclass(frozen=True)
class CandidateMade:
    """A step made a new artifact from an earlier one."""

    artifact: Artifact
    findings: tuple[str, ...]
    fact = Fact.CANDIDATE_MADE


@dataclass(frozen=True)
class BenchmarkRecorded:
    """Baseline and candidate were timed in turn. Moves the run only when the benchmark is valid."""

    benchmark: Benchmark

    @property
    def fact(self) -> Fact | None:
        """The fact, if the numbers may be used."""
        return Fact.BENCHMARK_VALID if self.benchmark.valid else None


@dataclass(frozen=True)
class SustainedRecorded:
    """What would ship was timed for minutes on end. Says nothing where the numbers may not be used."""

    sustained: Sustained

    @property
    def fact(self) -> Fact | None:
        """The fact, if the numbers may be used."""
        return Fact.SUSTAINED_MEASURED if self.sustained.valid else None


@dataclass(frozen=True)
class AccuracyRecorded:
    """The candidate's accuracy was measured; the verdict follows from it."""

    accuracy: Accuracy
    findings: tuple[str, ...]
    fact = Fact.ACCURACY_MEASURED


@dataclass(frozen=True)
class Kept:
    """The candidate became part of what may be shipped.

    Attributes:
        artifact: The candidate.
        waiver: Nonce of the acceptance that this uses up; empty where it passed.
    """

    artifact: str
    waiver: str = ""
    fact = Fact.KEPT


@dataclass(frozen=True)
class Reverted:
    """The candidate was put aside; its evidence stays."""

    artifact: str
    fact = Fact.REVERTED


@dataclass(frozen=True)
class Packaged:
    """A package was written and ran.

    Attributes:
        artifact: What was shipped.
        folder: Name of the package's folder below the state folder's `packages`.
        manifest: SHA-256 of its manifest.
        verified: What the run of the package showed.
    """

    artifact: str
    folder: str
    manifest: str
    verified: tuple[str, ...]
    fact = Fact.PACKAGED


@dataclass(frozen=True)
class WaiverGranted:
    """A person accepted something that is refused otherwise."""

    waiver: Waiver
    fact = Fact.WAIVER_GRANTED


@dataclass(frozen=True)
class CallRefused:
    """A call was refused. The run is as it was."""

    call: str
    refusal: Refusal


Event = (
    Started
    | JobStarted
    | JobEnded
    | Profiled
    | SensitivityAnalysed
    | CandidateMade
    | BenchmarkRecorded
    | SustainedRecorded
    | AccuracyRecorded
    | Kept
    | Reverted
    | Packaged
    | WaiverGranted
    | CallRefused
)

Evidence = (
    Profiled | SensitivityAnalysed | CandidateMade | BenchmarkRecorded | SustainedRecorded | AccuracyRecorded | Packaged
)
"""The events that a worker's finished job amounts to."""
