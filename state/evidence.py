"""What the server measured, where and how. Frozen: a measurement is written once and never corrected."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from edgewright.state.artifacts import Artifact, TensorSpec
from edgewright.state.causes import Cause
from edgewright.state.conditions import Conditions
from edgewright.state.drift import RESOLUTION, Drift
from edgewright.state.paired import Paired
from edgewright.state.protocols import BASELINE_RUNS, Protocol


class Label(StrEnum):
    """Where a number was taken; it travels with the number wherever the number goes."""

    TARGET = "Measured on target"
    HOST = "Host Estimate (not target hardware)"
    EMULATED = "Emulated ARM64 on host (not target hardware)"
    EMULATED_HALF = "Emulated float16 on host (not target hardware)"
    UNIDENTIFIED = "Remote machine (unidentified board)"


@dataclass(frozen=True)
class Environment:
    """The machine and the software under a measurement. What could not be read is `unknown`, never guessed.

    Attributes:
        label: Where the number was taken.
        machine: Architecture, such as `x86_64`.
        cpu: The processor's name.
        logical_cores: Processors that the process may use.
        memory_bytes: Physical memory.
        kernel: Operating system and version.
        os_release: Distribution, and on a Jetson the release of Jetson Linux.
        python: Version of the interpreter.
        runtime: What executed the model, such as `onnxruntime`.
        runtime_version: Its version.
        threads: Intra-operator threads that the runtime was given.
        governor: Frequency governor.
        clock_mhz: Clock of the first core at the start.
        vnni: Whether the processor multiplies 8-bit integers without saturating (x86 only, else unknown).
        load_1min: Load average at the start.
        boot_id: Identifies this boot of this machine.
        sandbox: How the process was confined.
        target: Alias of the enrolled target; empty on the host.
        board: Model, as the firmware's device tree names it.
        module: Part number of a Jetson's module.
        virtualisation: What was seen of a hypervisor or an emulator; `none` only where hardware identifies itself.
        power_mode: A Jetson's power mode by name.
        clocks_locked: `yes` where every clock's lowest and highest were the same, else `no`.
        turbo: Whether the processor might exceed its nominal clock: `on` or `off`.
        core_voltage: Volts of the processor's core.
        cpu_pressure: Percent of the 10 s before in which some task waited for a processor.
        throttled_now: Names of what held the device back at the start; `None` where it does not say.
        throttled_since_boot: Names of what had held it back since it was started; `None` where it does not say.
    """

    label: Label
    machine: str
    cpu: str
    logical_cores: int
    memory_bytes: int
    kernel: str
    python: str
    runtime: str
    runtime_version: str
    threads: int
    governor: str = "unknown"
    clock_mhz: str = "unknown"
    vnni: str = "unknown"
    load_1min: float | None = None
    boot_id: str = "unknown"
    sandbox: str = "none"
    target: str = ""
    os_release: str = "unknown"
    board: str = "unknown"
    module: str = "unknown"
    virtualisation: str = "unknown"
    power_mode: str = "unknown"
    clocks_locked: str = "unknown"
    turbo: str = "unknown"
    core_voltage: str = "unknown"
    cpu_pressure: float | None = None
    throttled_now: tuple[str, ...] | None = None
    throttled_since_boot: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Latency:
    """Times of single inferences of one artifact.

    Attributes:
        artifact: SHA-256 of the model file.
        protocol: How it was timed.
        environment: Where it was timed.
        batch: Samples per inference.
        runs: Timed runs after the warm-up.
        warmup_runs: Untimed runs before them.
        mean_ms: Arithmetic mean.
        std_ms: Standard deviation.
        percentiles_ms: Percentile to value; only those that `runs` can carry.
        withheld: Percentile to the sentence that says why it is not printed.
        first_ms: The first inference after loading.
        load_ms: From the file to a session that can run.
        samples: SHA-256 of the raw times in the store (NumPy, int64 nanoseconds, shape (runs,)).
        conditions: What the device went through, one a process; none in records from before it was looked at.
        spread: Coefficient of variation within single samples, the slowest percent of runs set aside.
        steady: Whether times were steady at the end of the warm-up, in every process.
        drift: How times changed over the measurement, where it was a sustained one.
    """

    artifact: str
    protocol: Protocol
    environment: Environment
    batch: int
    runs: int
    warmup_runs: int
    mean_ms: float
    std_ms: float
    percentiles_ms: Mapping[int, float]
    withheld: Mapping[int, str]
    first_ms: float
    load_ms: float
    samples: str
    conditions: tuple[Conditions, ...] = ()
    spread: float | None = None
    steady: bool | None = None
    drift: Drift | None = None

    @property
    def throughput_per_s(self) -> float:
        """Samples a second that the mean latency amounts to."""
        return 1000.0 * self.batch / self.mean_ms


@dataclass(frozen=True)
class Memory:
    """Peak memory of a process that loads one artifact and runs it.

    Attributes:
        artifact: SHA-256 of the model file.
        peak_bytes: High-water mark of the resident set.
        empty_runtime_bytes: The same for a process that only imported the runtime.
        environment: Where it was taken.
    """

    artifact: str
    peak_bytes: int
    empty_runtime_bytes: int
    environment: Environment

    @property
    def above_runtime_bytes(self) -> int:
        """What the model itself takes, beyond a process that only imported the runtime."""
        return max(0, self.peak_bytes - self.empty_runtime_bytes)


class Direction(StrEnum):
    """Whether more of a metric is better."""

    HIGHER = "higher"
    LOWER = "lower"


@dataclass(frozen=True)
class Accuracy:
    """A task metric of one artifact on one dataset.

    Attributes:
        artifact: SHA-256 of the model file.
        metric: Name of the metric.
        direction: Whether more is better.
        value: The metric over all samples.
        n: Samples.
        dataset: Digest of the dataset (content, labels and card).
        preprocessing: Digest of the preprocessing alone.
        per_class: Class to metric, where the metric has classes.
        agreement: How far the artifact agrees with the model that the run's floor comes from: the share of samples on
            which both give the same class, mAP50 with its boxes as the truth, the share of equal pixels or characters,
            or the mean cosine of the outputs, by what the answers are. `None` for that model itself.
        outputs: SHA-256 of the stored outputs that the value was computed from.
        environment: Where the outputs were computed.
        paired: The comparison with what the run's floor comes from, sample by sample, where the metric allows one.
        unit: Of the value; empty where it is a pure number or the metric does not say.
        per_sample: SHA-256 of the stored contributions of the samples, a float64 .npy of shape (n, 2): numerator and
            denominator of a ratio of sums that the value is a growing function of. `None` where there are none.
    """

    artifact: str
    metric: str
    direction: Direction
    value: float
    n: int
    dataset: str
    preprocessing: str
    environment: Environment
    outputs: str
    per_class: Mapping[str, float] = field(default_factory=dict)
    agreement: float | None = None
    paired: Paired | None = None
    unit: str = ""
    per_sample: str | None = None


@dataclass(frozen=True)
class Ratio:
    """Candidate time over baseline time with its interval; below 1 the candidate is faster."""

    median: float
    low: float
    high: float
    confidence: float

    @property
    def faster(self) -> bool:
        """Whether the interval shows that the candidate is faster, by more than one file differs from itself."""
        return self.high < 1 - RESOLUTION

    @property
    def slower(self) -> bool:
        """Whether the interval shows that the candidate is slower, by more than one file differs from itself."""
        return self.low > 1 + RESOLUTION


@dataclass(frozen=True)
class Benchmark:
    """Baseline and candidate timed in turn in the same processes.

    Attributes:
        candidate: The candidate's times.
        baseline: The times of the run's original in the same processes.
        ratio: Candidate over baseline.
        candidate_memory: Peak memory of the candidate.
        valid: Whether the numbers may be used.
        findings: What made them invalid, or what to know about them.
        causes: Why the candidate is not faster, where it is not.
        conclusion: What to ship instead, where no cause can be mended; otherwise empty.
    """

    candidate: Latency
    baseline: Latency
    ratio: Ratio
    candidate_memory: Memory
    valid: bool
    findings: tuple[str, ...] = ()
    causes: tuple[Cause, ...] = ()
    conclusion: str = ""


@dataclass(frozen=True)
class Sustained:
    """One artifact timed alone under the `sustained` protocol.

    Attributes:
        latency: Its times.
        valid: Whether the numbers may be used.
        findings: What made them invalid, or what to know about them.
    """

    latency: Latency
    valid: bool
    findings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Operator:
    """Time that the runtime spent in one kind of operator, from its own profiler.

    Attributes:
        op_type: Such as `Conv`.
        calls: Executions per inference.
        mean_ms: Milliseconds per inference, all calls together.
        share: Part of the profiled time, 0 to 1.
    """

    op_type: str
    calls: float
    mean_ms: float
    share: float


@dataclass(frozen=True)
class Graph:
    """What a model file says of itself.

    Attributes:
        opset: Version of the default operator set.
        ir_version: Version of the file format.
        producer: Tool that wrote it, as the file claims.
        nodes: Nodes, subgraphs included.
        parameters: Trained numbers, those in Constant nodes and subgraphs included.
        macs: Multiply-accumulates of one inference of one sample; `None` where shapes are unknown.
        operators: Operator type to count.
        inputs: What it takes.
        outputs: What it gives.
        stored_bytes: Operator type to the bytes of the file that its stored tensors take; each counts once, for the
            first operator that reads it. Empty in records from before it was looked at.
    """

    opset: int
    ir_version: int
    producer: str
    nodes: int
    parameters: int
    macs: int | None
    operators: Mapping[str, int]
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    stored_bytes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Dataset:
    """A decoded dataset in the store.

    Attributes:
        digest: Of content, labels and card together.
        preprocessing: Digest of what the card says is done to a sample.
        n: Samples.
        card: The data card as given, for the package.
        arrays: Array name to SHA-256 of its file in the store; the index of how they belong together is `index`.
        index: SHA-256 of the JSON index in the store.
        classes: Class to number of samples, where labels are classes.
        echo: One decoded sample in words: shape, dtype, range, labels.
    """

    digest: str
    preprocessing: str
    n: int
    card: Mapping[str, object]
    arrays: Mapping[str, str]
    index: str
    classes: Mapping[str, int] = field(default_factory=dict)
    echo: tuple[str, ...] = ()


@dataclass(frozen=True)
class Check:
    """One item of the pre-flight list.

    Attributes:
        item: What was looked at.
        status: `ok`, `warning`.
        detail: What was found.
    """

    item: str
    status: str
    detail: str


@dataclass(frozen=True)
class Baseline:
    """Everything measured of the unmodified model before anything is done to it.

    Attributes:
        graph: What the file says.
        latency: Its times.
        memory: Its memory.
        accuracy: Its metric on the validation set.
        reference: The metric that the floor is computed from. That of `accuracy`, unless the model descends from an
            earlier run's original: then that original's, measured on the same data.
        hot_spots: Operators by time.
    """

    graph: Graph
    latency: Latency
    memory: Memory
    accuracy: Accuracy
    reference: Accuracy
    hot_spots: tuple[Operator, ...] = ()

    @property
    def missing(self) -> list[str]:
        """What P1 asks for and this baseline lacks."""
        measured = {
            f"latency from {BASELINE_RUNS}+ runs (there are {self.latency.runs})": self.latency.runs >= BASELINE_RUNS,
            "peak memory": self.memory.peak_bytes > 0,
            "accuracy": self.accuracy.n > 0 and self.reference.n > 0,
        }
        return [what for what, there in measured.items() if not there]


@dataclass(frozen=True)
class Twin:
    """The first float32 conversion of a source that no device runs, proven equal to it.

    It stands for the original wherever something has to be run on a device. The floor stays the original's.

    Attributes:
        artifact: The conversion; its parent is the original.
        accuracy: Its metric on the validation set, with its agreement with the original.
        findings: What its making showed.
    """

    artifact: Artifact
    accuracy: Accuracy
    findings: tuple[str, ...] = ()
