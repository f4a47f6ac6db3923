"""Model files as the run knows them: named by their SHA-256, with parent and recipe."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Format(StrEnum):
    """File formats of models."""

    ONNX = "onnx"
    TFLITE = "tflite"
    TENSORRT = "tensorrt"
    PYTORCH = "pytorch"
    TENSORFLOW = "tensorflow"


class Device(StrEnum):
    """Devices that a run can aim at."""

    JETSON_ORIN_NANO = "jetson-orin-nano"
    RASPBERRY_PI_5 = "raspberry-pi-5"
    RASPBERRY_PI_4 = "raspberry-pi-4"
    CPU_GENERIC = "cpu-generic"


def deployed_as(model_format: Format, device: Device) -> Format:
    """Return the format that a file ends up in on a device: a Jetson builds a TensorRT engine from an ONNX file."""
    if (model_format, device) == (Format.ONNX, Device.JETSON_ORIN_NANO):
        return Format.TENSORRT
    return model_format


ENGINE_SOURCE = "tensorrt"
"""The conversion, as a recipe names it, whose ONNX file was found fit to build a TensorRT engine from."""


@dataclass(frozen=True)
class Quantization:
    """What an integer stands for: the real number `(integer - zero_point) * scale`."""

    scale: float
    zero_point: int

    def __str__(self) -> str:
        sign = "-" if self.zero_point >= 0 else "+"
        return f"each stands for (integer {sign} {abs(self.zero_point)}) * {self.scale:.6g}"


@dataclass(frozen=True)
class TensorSpec:
    """One input or output of a model.

    Attributes:
        name: As the graph calls it.
        dtype: NumPy's name of the element type, such as `float32`.
        shape: One entry a dimension; `None` where the graph leaves the size open.
        quantization: Where integers stand for real numbers, which ones.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]
    quantization: Quantization | None = None

    @property
    def meaning(self) -> "TensorSpec":
        """The tensor in real numbers: what stays the same however a step stores it."""
        return self if self.quantization is None else TensorSpec(self.name, "float32", self.shape)


@dataclass(frozen=True)
class Recipe:
    """How an artifact was made from its parent.

    Attributes:
        step: `original`, or the call that made it: `quantize`, `convert`, `prune`.
        option: The scheme or conversion, such as `int8_static`.
        parameters: Everything that has to be said to make it again.
        tools: Versions of the libraries that did the work.
    """

    step: str
    option: str = ""
    parameters: Mapping[str, object] = field(default_factory=dict)
    tools: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Artifact:
    """A model file in the store.

    Attributes:
        sha256: Its name in the store.
        name: Its name for people, `{model}_{optimization}_{precision}.{ext}`.
        format: File format.
        precision: `fp32`, `fp16`, `int8`, ...
        size_bytes: Size of the file.
        parent: SHA-256 of the artifact it was made from; `None` for an original.
        recipe: How it was made.
        inputs: What it takes.
        outputs: What it gives.
    """

    sha256: str
    name: str
    format: Format
    precision: str
    size_bytes: int
    parent: str | None
    recipe: Recipe
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    @property
    def awaits_engine(self) -> bool:
        """Whether this is a graph that a Jetson builds its engine from, and not the engine."""
        return self.format is Format.ONNX and self.recipe.option == ENGINE_SOURCE


@dataclass(frozen=True)
class Ancestor:
    """What a known artifact descends from, and how much the run that made it was allowed to lose.

    Attributes:
        run: The run that made the artifact.
        original: The model that the floor comes from.
        tolerance: The tolerance in force in that run.
    """

    run: str
    original: Artifact
    tolerance: float
