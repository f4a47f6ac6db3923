"""What a worker is told to do, and what it answers. An order is complete in itself: a worker cannot read the ledger."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from edgewright.state.artifacts import Ancestor, Artifact, Device, Format, deployed_as
from edgewright.state.events import (
    AccuracyRecorded,
    BenchmarkRecorded,
    CandidateMade,
    Evidence,
    Packaged,
    Profiled,
    SensitivityAnalysed,
    SourceProfiled,
    SustainedRecorded,
    TwinMade,
)
from edgewright.state.evidence import Accuracy, Dataset
from edgewright.state.protocols import Protocol


@dataclass(frozen=True)
class DataSource:
    """Data as a caller names it: a path, and the card where it was given in the call."""

    path: str
    card: Mapping[str, object] | None = None


@dataclass(frozen=True)
class ProfileOrder:
    """Import the model and the data, check them, and measure the baseline.

    Attributes:
        model_path: As the caller named it, under one of `roots`.
        roots: Folders that the operator allows; nothing else may be read as input.
        validation: The set that accuracy is measured on.
        calibration: The set that INT8 ranges are taken from.
        metric: Name of the metric.
        tolerance: The tolerance asked for; an inherited one can only be stricter.
        latency_target_ms: What the caller hopes for, if anything.
        target_device: What the model is made for.
        protocol: How to time.
        threads: Intra-operator threads.
        least_validation: The operator's least number of validation samples.
        ancestors: SHA-256 of every artifact that earlier runs made, and what each descends from.
        originals: SHA-256 of every original that earlier runs began from.
    """

    model_path: str
    roots: tuple[str, ...]
    validation: DataSource
    calibration: DataSource | None
    metric: str
    tolerance: float
    latency_target_ms: float | None
    target_device: Device
    protocol: Protocol
    threads: int
    least_validation: int
    ancestors: Mapping[str, Ancestor] = field(default_factory=dict)
    originals: Mapping[str, Ancestor] = field(default_factory=dict)


@dataclass(frozen=True)
class Original:
    """The caller's own file, which must be the same before and after every step."""

    path: str
    sha256: str


@dataclass(frozen=True)
class SearchTerms:
    """What a search for a candidate goes by.

    Attributes:
        metric: The run's.
        tolerance: The run's largest relative drop.
        threads: Intra-operator threads.
        rejected: What failed its verdict in this run: the groups that each such candidate had in 8 bits.
    """

    metric: str
    tolerance: float
    threads: int
    rejected: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class QuantizeOrder:
    """Make a quantised candidate.

    Attributes:
        base: The artifact to start from.
        original: The caller's file, to be checked.
        model_name: First part of the candidate's name.
        scheme: One of those that `deployed_as` offers.
        parameters: Options of the scheme, validated.
        calibration: The calibration set, where the scheme needs one.
        calibration_samples: How many of its samples to use; as many as is usual where it is not said.
        validation: The validation set, for the comparison of outputs.
        target_device: Decides what is written into the file.
        lineage: SHA-256 of the run's original, written into the candidate.
        statistics: SHA-256 of the calibration statistics that earlier steps of the run kept.
        accepted: What is wrong with the calibration set and was accepted by a person, word for word.
        terms: What a search goes by, where the scheme is one.
    """

    base: Artifact
    original: Original
    model_name: str
    scheme: str
    parameters: Mapping[str, object]
    calibration: Dataset | None
    calibration_samples: int | None
    validation: Dataset
    target_device: Device
    lineage: str
    statistics: tuple[str, ...] = ()
    accepted: str = ""
    terms: SearchTerms | None = None

    @property
    def deployed_as(self) -> Format:
        """The format that the candidate ends up in on the device, whose rules it follows."""
        return deployed_as(self.base.format, self.target_device)


@dataclass(frozen=True)
class AnalyzeOrder:
    """Find out what 8 bits cost and save in each part of a model.

    Attributes:
        step: What would be quantised, from which data, for which device.
    """

    step: QuantizeOrder

    @property
    def original(self) -> Original:
        """The caller's file, to be checked."""
        return self.step.original


@dataclass(frozen=True)
class ConvertOrder:
    """Rewrite the model without changing what it computes.

    Attributes:
        base: The artifact to start from.
        original: The caller's file, to be checked.
        model_name: First part of the candidate's name.
        format: Format of the candidate.
        operations: Such as `simplify`, `optimize_graph`, `opset`, in the order given; none where the format changes.
        opset: Wanted version, where `opset` is among the operations or ONNX is made of another format.
        validation: Real samples for the comparison with the base.
        target_device: What the model is made for.
        lineage: SHA-256 of the run's original, written into the candidate.
    """

    base: Artifact
    original: Original
    model_name: str
    format: Format
    operations: tuple[str, ...]
    opset: int | None
    validation: Dataset
    target_device: Device
    lineage: str


@dataclass(frozen=True)
class TwinOrder:
    """Make the first float32 conversion of a source, prove it equal, and measure it as the baseline.

    Attributes:
        conversion: How; its base is the source.
        reference: What the floor comes from.
        protocol: How to time.
        threads: Intra-operator threads.
    """

    conversion: ConvertOrder
    reference: Accuracy
    protocol: Protocol
    threads: int

    @property
    def original(self) -> Original:
        """The caller's file, to be checked."""
        return self.conversion.original


@dataclass(frozen=True)
class BenchmarkOrder:
    """Time baseline and candidate in turn.

    Attributes:
        baseline: The run's original.
        candidate: What is compared with it.
        original: The caller's file, to be checked.
        validation: Real samples to run on.
        protocol: How to time.
        threads: Intra-operator threads.
        target_device: What the model is made for; times of another machine advise nothing about it.
    """

    baseline: Artifact
    candidate: Artifact
    original: Original
    validation: Dataset
    protocol: Protocol
    threads: int
    target_device: Device


@dataclass(frozen=True)
class SustainOrder:
    """Time what would ship for minutes, as long as heat needs to show."""

    artifact: Artifact
    original: Original
    validation: Dataset
    protocol: Protocol
    threads: int


@dataclass(frozen=True)
class ValidateOrder:
    """Measure the candidate's accuracy on the same data as the baseline's.

    Attributes:
        candidate: The open candidate.
        original: The caller's file, to be checked.
        validation: The run's validation set.
        baseline: The original's accuracy.
        threads: Intra-operator threads.
        target_device: What the model is made for; where it computes in float16, so must whatever stands in for it.
        on_target: Whether to run on the device's own kernels.
        earlier: The candidate's accuracy as measured before, if it was.
        reference: What the run's floor comes from, for the comparison sample by sample.
    """

    candidate: Artifact
    original: Original
    validation: Dataset
    baseline: Accuracy
    threads: int
    reference: Accuracy
    target_device: Device
    on_target: bool = False
    earlier: Accuracy | None = None


@dataclass(frozen=True)
class PackageOrder:
    """Write the package of one artifact and verify it by running it.

    Attributes:
        artifact: What is shipped.
        original: The caller's file, to be checked.
        validation: Smoke samples and preprocessing come from it.
        statement: Everything the manifest says that only the ledger knows, ready as JSON.
        report: The report in Markdown.
        created: When the package was asked for and the guards granted it, ISO 8601 with zone.
        folder_name: Name of the package's folder.
    """

    artifact: Artifact
    original: Original
    validation: Dataset
    statement: Mapping[str, object]
    report: str
    created: str
    folder_name: str


@dataclass(frozen=True)
class Done:
    """What a worker found.

    Attributes:
        evidence: The event that it amounts to.
        package: Folder of a finished package inside the job's folder, where there is one.
    """

    evidence: Evidence
    package: str | None = None


Order = (
    ProfileOrder
    | TwinOrder
    | AnalyzeOrder
    | QuantizeOrder
    | ConvertOrder
    | BenchmarkOrder
    | SustainOrder
    | ValidateOrder
    | PackageOrder
)

EVIDENCE_OF: Mapping[type[Order], tuple[type[Evidence], ...]] = MappingProxyType(
    {
        ProfileOrder: (Profiled, SourceProfiled),
        TwinOrder: (TwinMade,),
        AnalyzeOrder: (SensitivityAnalysed,),
        QuantizeOrder: (CandidateMade,),
        ConvertOrder: (CandidateMade,),
        BenchmarkOrder: (BenchmarkRecorded,),
        SustainOrder: (SustainedRecorded,),
        ValidateOrder: (AccuracyRecorded,),
        PackageOrder: (Packaged,),
    }
)
"""What the work behind each order can amount to; anything else is no worker's to say."""
