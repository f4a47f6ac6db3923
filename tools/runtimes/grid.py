"""Which runtimes there are, which are installed here, and the line that installs a missing one.

Standard library only, and nothing of a runtime is imported: the server asks these questions.
"""

from dataclasses import dataclass
from importlib import metadata, util

from edgewright.state.artifacts import Format
from edgewright.state.errors import Code, Refused


@dataclass(frozen=True)
class Runtime:
    """Something that executes models.

    Attributes:
        name: What Edgewright calls it.
        title: What its makers call it.
        module: The Python module whose presence means that it is installed.
        distributions: Names under which packages bring that module.
        formats: What it executes.
        extra: The extra of Edgewright that installs it, empty for what is always there.
    """

    name: str
    title: str
    module: str
    distributions: tuple[str, ...]
    formats: tuple[Format, ...]
    extra: str

    @property
    def install_line(self) -> str:
        """The command that installs it."""
        return f"pip install 'edgewright[{self.extra}]'" if self.extra else "pip install edgewright"


RUNTIMES = (
    Runtime("onnxruntime", "ONNX Runtime", "onnxruntime", ("onnxruntime", "onnxruntime-gpu"), (Format.ONNX,), ""),
    Runtime("litert", "LiteRT", "ai_edge_litert", ("ai-edge-litert",), (Format.TFLITE,), "tflite"),
    Runtime("tensorrt", "TensorRT", "tensorrt", ("tensorrt",), (Format.TENSORRT,), "jetson"),
    Runtime("tensorrt-rtx", "TensorRT for RTX", "tensorrt_rtx", ("tensorrt-rtx",), (Format.TENSORRT,), "tensorrt"),
    Runtime("torch", "PyTorch", "torch", ("torch",), (Format.PYTORCH,), "torch"),
    Runtime(
        "keras",
        "Keras on TensorFlow",
        "tensorflow",
        ("tensorflow", "tensorflow-cpu"),
        (Format.TENSORFLOW,),
        "tensorflow",
    ),
)


def runtime(name: str) -> Runtime:
    """Return the runtime of this name.

    Raises:
        KeyError: There is none.
    """
    return {entry.name: entry for entry in RUNTIMES}[name]


def version_of(entry: Runtime) -> str | None:
    """Return the installed version, `unknown` where no package claims the module, `None` where it is not installed."""
    if util.find_spec(entry.module) is None:
        return None
    for distribution in entry.distributions:
        try:
            return metadata.version(distribution)
        except metadata.PackageNotFoundError:
            continue
    return "unknown"


def executing(model_format: Format) -> tuple[Runtime, ...]:
    """Return the runtimes that execute a format, installed or not."""
    return tuple(entry for entry in RUNTIMES if model_format in entry.formats)


def require(model_format: Format) -> Runtime:
    """Return an installed runtime that executes a format.

    Raises:
        Refused: MISSING_EXTRA, with the line that installs one.
    """
    known = executing(model_format)
    for entry in known:
        if version_of(entry) is not None:
            return entry
    raise Refused.because(
        Code.MISSING_EXTRA,
        f"to run a model of the format {model_format}",
        f"{' or '.join(entry.title for entry in known)} is not installed",
        f"have the operator run: {known[0].install_line}",
        "P8",
        format=str(model_format),
        install=known[0].install_line,
    )
