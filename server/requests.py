"""What each tool may be asked: the arguments, their bounds and their words. Anything else is refused."""

import json
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from edgewright.knowledge.library import LEAST_SCORE
from edgewright.state.artifacts import Device

RunHandle = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$", description="Run handle, from profile_model")]
JobHandle = Annotated[str, Field(pattern=r"^job-[0-9a-f]{16}$", description="Job handle, from an earlier reply")]
Base = Annotated[
    str,
    Field(
        pattern=r"^(current|original|[0-9a-f]{64})$",
        description="What to start from: 'current' (best kept), 'original', or an artifact's sha256",
    ),
]
Key = Annotated[str, Field(max_length=100, description="Same key, same arguments: takes effect once")]
Detail = Annotated[Literal["summary", "full"], Field(description="'full' adds every recorded number")]


class Request(BaseModel):
    """Arguments of one tool. Strict: unknown names and values of another type are refused, not guessed at."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Data(Request):
    """Data with its card in the call, for callers who cannot write files."""

    path: str = Field(max_length=4096, description="Absolute path of the .npz, .csv or .jsonl file, or the folder")
    card: dict[str, object] = Field(description="The data card; see the server's resource edgewright://data-card")


def _opened(value: object) -> object:
    """Return the object inside a JSON string: some clients send structured arguments as text."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


DataArgument = Annotated[Annotated[str, Field(max_length=4096)] | Data, BeforeValidator(_opened)]


class ProfileModel(Request):
    """Arguments of `profile_model`."""

    model_path: str = Field(max_length=4096, description="Absolute path of the model file under an allowed root")
    validation: DataArgument = Field(
        description="Labelled validation set: absolute path (card beside it), or {path, card}"
    )
    metric: str = Field(
        max_length=64,
        description="top-1, top-5, f1, auc, map50, map50-95, miou, rmse, mae, cosine, pearson, spearman, cer, wer, "
        "tag-accuracy, or one the operator installed",
    )
    target_device: Annotated[Device, Field(strict=False, description="What the model is made for")]
    target: str | None = Field(
        None, pattern=r"^[a-z0-9][a-z0-9-]{0,31}$", description="Alias of an enrolled target to measure on"
    )
    calibration: DataArgument | None = Field(
        None, description="Real samples for INT8 ranges, disjoint from validation; same forms"
    )
    accuracy_tolerance: float | None = Field(
        None,
        ge=0,
        lt=1,
        description="Largest relative accuracy drop; default 0.02 (2 %) or the operator's cap if lower",
    )
    latency_target_ms: float | None = Field(None, gt=0, description="Wanted latency in ms, if there is one")
    idempotency_key: Key = ""


Ranges = Literal["best", "minmax", "moving_average", "percentile", "entropy", "mse"]


class Quantize(Request):
    """Arguments of `quantize`."""

    run: RunHandle
    scheme: Literal["fp16", "int8_dynamic", "int8_weight_only", "int8_static", "int8_mixed", "int16x8"] = Field(
        description="ONNX: fp16, int8_dynamic (MatMul, Gemm), int8_static (needs calibration). "
        "int8_mixed: searches the fastest mix of int8 and float32 that passes (the same). "
        "TFLite: fp16, int8_dynamic, int8_weight_only, int8_static and int16x8 (need calibration)"
    )
    base: Base = "current"
    per_channel: bool = Field(True, description="int8: one scale per output channel of each weight")  # noqa: FBT003
    ranges: Ranges = Field(
        "best",
        description="int8_static of ONNX: how activation ranges are chosen; 'best' tries several",
    )
    equalize: bool = Field(False, description="int8_static of ONNX: bring channels to one size across layers first")  # noqa: FBT003
    correct_bias: bool = Field(False, description="int8_static of ONNX: take mean errors out of the biases; minutes")  # noqa: FBT003
    io_dtype: Literal["float32", "int8"] = Field(
        "float32", description="int8_static of TFLite: type of inputs and outputs"
    )
    evaluations: float = Field(6, ge=2, le=1000, description="int8_mixed: budget, in whole evaluations")
    minutes: float = Field(20, gt=0, le=1440, description="int8_mixed: budget of time")
    calibration_samples: int | None = Field(
        None,
        ge=100,
        le=100_000,
        description="int8_static, int8_mixed, int16x8: samples to take ranges from; default 200, Jetson 500",
    )
    idempotency_key: Key = ""


class AnalyzeSensitivity(Request):
    """Arguments of `analyze_sensitivity`."""

    run: RunHandle
    base: Base = "original"
    calibration_samples: int | None = Field(None, ge=100, le=100_000, description="Samples to take ranges from")
    idempotency_key: Key = ""


Operation = Literal["simplify", "optimize_graph", "opset"]


class Convert(Request):
    """Arguments of `convert`."""

    run: RunHandle
    format: Literal["onnx", "tflite", "tensorrt"] = Field(
        "onnx", description="Format of the result; tensorrt: checked for a Jetson"
    )
    operations: list[Operation] | None = Field(
        None,
        min_length=1,
        max_length=3,
        description="Within onnx: simplify (fold, onnxsim; the default), optimize_graph (fuse offline), opset (change "
        "version). None where the format changes",
    )
    opset: int | None = Field(
        None, ge=7, le=99, description="Wanted opset, with operation 'opset' or from another format to onnx"
    )
    base: Base = "current"
    idempotency_key: Key = ""


class Benchmark(Request):
    """Arguments of `benchmark`."""

    run: RunHandle
    protocol: Literal["quick", "standard", "sustained"] | None = Field(
        None,
        description="quick (seconds; host only), standard (3 processes, 10 s each), sustained (300 s); default: "
        "operator's, on a target standard. Without a candidate only sustained: it times what would ship",
    )
    idempotency_key: Key = ""


class Validate(Request):
    """Arguments of `validate`."""

    run: RunHandle
    on_target: bool = Field(False, description="Compute on the run's target with its own kernels; that result counts")  # noqa: FBT003
    idempotency_key: Key = ""


class Decide(Request):
    """Arguments of `decide`."""

    run: RunHandle
    decision: Literal["keep", "revert"] = Field(description="keep needs a PASS verdict; revert is always possible")
    idempotency_key: Key = ""


class AcceptTradeoff(Request):
    """Arguments of `accept_tradeoff`. What a person decides is none of them."""

    run: RunHandle
    kind: Literal["accuracy", "calibration", "format", "sustained"] | None = Field(
        None, description="What to ask about, where more than one thing is refused; default: the first"
    )
    idempotency_key: Key = ""


class Report(Request):
    """Arguments of `report`."""

    run: RunHandle
    format: Literal["markdown", "json", "html"] = Field(
        "markdown", description="html: one file that opens offline; the reply says where it lies"
    )


class Package(Request):
    """Arguments of `package`."""

    run: RunHandle
    idempotency_key: Key = ""


class GetState(Request):
    """Arguments of `get_state`."""

    run: RunHandle | None = None
    detail: Detail = "summary"


class GetJob(Request):
    """Arguments of `get_job`."""

    job: JobHandle
    wait_seconds: float = Field(20, ge=0, le=45, description="How long to wait for the job's end, in seconds")


class CancelJob(Request):
    """Arguments of `cancel_job`."""

    job: JobHandle


class SearchKnowledge(Request):
    """Arguments of `search_knowledge`."""

    query: str = Field(min_length=1, max_length=1000, description="A question or keywords")
    collection: str | None = Field(None, max_length=32, description="edge_ai, python, or the user's own; default: all")
    n_results: int = Field(5, ge=1, le=20, description="At most so many notes")
    min_score: float = Field(LEAST_SCORE, ge=0, le=1, description="Leave out weaker matches")


class SearchCodeExamples(Request):
    """Arguments of `search_code_examples`."""

    query: str = Field(min_length=1, max_length=1000, description="What the code should do")
    language: str | None = Field(None, max_length=32, description="Such as python; default: any")
    n_results: int = Field(5, ge=1, le=20, description="At most so many examples")
