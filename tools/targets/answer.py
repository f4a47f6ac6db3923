"""What a target answers. It comes from outside, so it is validated here, and files in it are plain names."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt

from edgewright.state.evidence import Environment

Facts = TypeVar("Facts")

FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
Finite = Annotated[float, Field(allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class ConditionFacts(_Answer):
    """What the device went through while the models were timed; see `edgewright.state.evidence.Conditions`."""

    samples: NonNegativeInt
    duration_s: NonNegative
    temperature_start_c: Finite | None
    temperature_end_c: Finite | None
    temperature_max_c: Finite | None
    temperature_slope_c_per_min: Finite | None
    clock_min_mhz: NonNegative | None
    clock_max_mhz: NonNegative | None
    clock_limit_mhz: NonNegative | None
    gpu_clock_min_mhz: NonNegative | None
    gpu_clock_max_mhz: NonNegative | None
    power_mw: NonNegative | None
    rail: str | None
    throttled: Annotated[tuple[str, ...], Field(strict=False)] | None
    throttled_after_s: NonNegative | None
    foreign_cores: NonNegative | None


class LatencyFacts(_Answer):
    """Times of one model in one process.

    `times` is a NumPy file of int64 nanoseconds, shape (runs,); run k was over prepared inference k modulo `feeds`.
    """

    times: FileName
    runs: PositiveInt
    warmup_runs: NonNegativeInt
    steady: bool
    feeds: PositiveInt
    first_ns: NonNegativeInt
    load_ns: NonNegativeInt
    batch: PositiveInt
    conditions: ConditionFacts


class ColumnFiles(_Answer):
    """One output over all samples: the entry of an index with file names where digests will be."""

    kind: Literal["regular", "ragged"]
    dtype: str
    values: FileName
    shapes: FileName | None = None


class OutputFacts(_Answer):
    """What one model answered to every sample."""

    outputs: dict[str, ColumnFiles]
    n: PositiveInt
    batch: PositiveInt
    non_finite_samples: NonNegativeInt


class MemoryFacts(_Answer):
    """High-water marks of one process, before and after it loaded and ran one model."""

    peak_bytes: PositiveInt
    empty_runtime_bytes: PositiveInt


class OperatorRow(_Answer):
    """One operator type over all profiled inferences, its subgraphs excluded."""

    op_type: str
    calls: PositiveInt
    total_ns: NonNegativeInt


class OperatorFacts(_Answer):
    """Operators of one model by time."""

    runs: PositiveInt
    operators: tuple[OperatorRow, ...] = Field(strict=False)


class PortFacts(_Answer):
    """An input or output as a framework declares it; `None` where a size is open."""

    name: str
    dtype: str
    shape: Annotated[tuple[NonNegativeInt | None, ...], Field(strict=False)]


class DescriptionFacts(_Answer):
    """What a framework says of a model that it has loaded."""

    inputs: Annotated[tuple[PortFacts, ...], Field(strict=False)]
    outputs: Annotated[tuple[PortFacts, ...], Field(strict=False)]
    parameters: NonNegativeInt
    operators: dict[str, PositiveInt]
    weights: str
    dialect: str


class MachineFacts(_Answer):
    """The machine as the probe found it."""

    machine: str
    cpu: str
    logical_cores: PositiveInt
    memory_bytes: NonNegativeInt
    kernel: str
    python: str
    governor: str
    clock_mhz: str
    vnni: str
    load_1min: float | None
    boot_id: str
    runtimes: dict[str, str]
    os_release: str = "unknown"
    board: str = "unknown"
    module: str = "unknown"
    virtualisation: str = "unknown"
    power_mode: str = "unknown"
    clocks_locked: str = "unknown"
    turbo: str = "unknown"
    core_voltage: str = "unknown"
    cpu_pressure: Finite | None = None
    throttled_now: tuple[str, ...] | None = None
    throttled_since_boot: tuple[str, ...] | None = None


class ProbeFailure(_Answer):
    """Why there are no facts, where the model or the data is the reason."""

    kind: Literal["missing", "load", "input", "run", "output", "memory", "disk"]
    message: str
    model: str | None = None


class ProgressNote(_Answer):
    """How far the probe is."""

    done: NonNegativeInt
    total: PositiveInt
    message: str


class ErrorDocument(_Answer):
    """An answer file that holds an error."""

    version: Literal[1]
    error: ProbeFailure


class FactsDocument(_Answer):
    """An answer file that holds facts; those about the models are validated by what their task answers."""

    version: Literal[1]
    environment: MachineFacts
    models: dict[str, dict[str, object]]


@dataclass(frozen=True)
class ProbeAnswer(Generic[Facts]):
    """Facts about every model of a request, and where they were found.

    Attributes:
        models: Name in the request to what was found.
        environments: Name in the request to machine, runtime and label.
        folder: Where the files lie that the facts name.
    """

    models: Mapping[str, Facts]
    environments: Mapping[str, Environment]
    folder: Path
