"""What can happen to a run. The ledger stores these; `edgewright.state.run` folds them.

Each event is complete in itself and never changes. One that moves the run names the fact of the phase table.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from edgewright.state.artifacts import Artifact, Device
from edgewright.state.errors import Refusal
from edgewright.state.evidence import (
    Accuracy,
    Baseline,
    Benchmark,
    Check,
    Dataset,
    Graph,
    Latency,
    Memory,
    Operator,
    Sustained,
    Twin,
)
from edgewright.state.phases import Call, Fact
from edgewright.state.policy import Policy
from edgewright.state.protocols import BASELINE_RUNS
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
        twin: What stands for the original on a device, where no device runs the original itself.
    """

    original: Artifact
    root: Artifact
    validation: Dataset
    calibration: Dataset | None
    baseline: Baseline
    checks: tuple[Check, ...]
    tolerance: float
    inherited_from: str | None
    twin: Twin | None = None

    @property
    def fact(self) -> Fact | None:
        """The fact, if nothing is missing."""
        return None if self.baseline.missing else Fact.BASELINE_COMPLETE

    @property
    def runnable(self) -> Artifact:
        """What is timed as the baseline, and what steps start from: the original, or its twin."""
        return self.twin.artifact if self.twin else self.original

    @property
    def runnable_accuracy(self) -> Accuracy:
        """The metric of `runnable`."""
        return self.twin.accuracy if self.twin else self.baseline.accuracy


@dataclass(frozen=True)
class TwinMade:
    """The first float32 conversion of a source was made, proven equal, and measured where the run measures.

    Attributes:
        twin: The conversion.
        latency: Its times.
        memory: Its peak memory.
        hot_spots: Its operators by time.
    """

    twin: Twin
    latency: Latency
    memory: Memory
    hot_spots: tuple[Operator, ...] = ()

    @property
    def fact(self) -> Fact | None:
        """The fact, if nothing is missing."""
        measured = self.latency.runs >= BASELINE_RUNS and self.memory.peak_bytes > 0 and self.twin.accuracy.n > 0
        return Fact.BASELINE_COMPLETE if measured else None


@dataclass(frozen=True)
class SourceProfiled:
    """A model that no device runs was imported; its accuracy was measured in its own framework, and nothing else is.

    The baseline is complete once its twin is measured (`TwinMade`). Attributes as those of `Profiled` and `Baseline`.
    """

    original: Artifact
    root: Artifact
    validation: Dataset
    calibration: Dataset | None
    graph: Graph
    accuracy: Accuracy
    reference: Accuracy
    checks: tuple[Check, ...]
    tolerance: float
    inherited_from: str | None

    def completed(self, made: TwinMade) -> Profiled:
        """Return the profile that this and the measurements of the twin amount to."""
        return self.timed(made.latency, made.memory, made.hot_spots, made.twin)

    def timed(
        self, latency: Latency, memory: Memory, hot_spots: tuple[Operator, ...], twin: Twin | None = None
    ) -> Profiled:
        """Return the profile that this and measurements on the device amount to, of the model itself or its twin."""
        return Profiled(
            original=self.original,
            root=self.root,
            validation=self.validation,
            calibration=self.calibration,
            baseline=Baseline(self.graph, latency, memory, self.accuracy, self.reference, hot_spots),
            checks=self.checks,
            tolerance=self.tolerance,
            inherited_from=self.inherited_from,
            twin=twin,
        )


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
    | SourceProfiled
    | TwinMade
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
    Profiled
    | SourceProfiled
    | TwinMade
    | SensitivityAnalysed
    | CandidateMade
    | BenchmarkRecorded
    | SustainedRecorded
    | AccuracyRecorded
    | Packaged
)
"""The events that a worker's finished job amounts to."""
