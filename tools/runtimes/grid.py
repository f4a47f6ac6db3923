"""Which runtimes this version knows, which of them are installed, and the line that installs a missing one.

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
        format: What it executes.
        install_line: The command that installs it.
        is_core: Whether every installation has it; otherwise it comes with an extra.
        toolchain: The environment of its own that it lives in; empty where it lives in the one that runs Edgewright.
    """

    name: str
    title: str
    module: str
    distributions: tuple[str, ...]
    format: Format
    install_line: str
    is_core: bool = True
    toolchain: str = ""


RUNTIMES = (
    Runtime(
        "onnxruntime",
        "ONNX Runtime",
        "onnxruntime",
        ("onnxruntime", "onnxruntime-gpu"),
        Format.ONNX,
        "pip install onnxruntime",
    ),
    Runtime(
        "litert",
        "LiteRT",
        "ai_edge_litert",
        ("ai-edge-litert", "ai-edge-litert-nightly"),
        Format.TFLITE,
        "pip install 'edgewright[tflite]'",
        is_core=False,
    ),
    Runtime(
        "keras",
        "Keras",
        "keras",
        ("keras",),
        Format.TENSORFLOW,
        "edgewright toolchain install keras",
        is_core=False,
        toolchain="keras",
    ),
    Runtime(
        "torch",
        "PyTorch",
        "torch",
        ("torch",),
        Format.PYTORCH,
        "edgewright toolchain install torch",
        is_core=False,
        toolchain="torch",
    ),
)


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


def missing() -> dict[str, str]:
    """Return the runtimes that this environment lacks, each with the line that installs it."""
    return {entry.name: entry.install_line for entry in RUNTIMES if not entry.toolchain and version_of(entry) is None}


def require(model_format: Format) -> Runtime:
    """Return an installed runtime that executes a format. Whether a toolchain is there, the place knows that has it.

    Raises:
        Refused: MODEL_UNSUPPORTED where this version knows none, MISSING_EXTRA with the line that installs it where it
            is not there.
    """
    known = [entry for entry in RUNTIMES if entry.format is model_format]
    if not known:
        raise Refused.because(
            Code.MODEL_UNSUPPORTED,
            f"running a model of the format {model_format}",
            f"the formats that this version runs are {', '.join(entry.format for entry in RUNTIMES)}",
            "convert it to one of those",
            "P8",
            format=str(model_format),
        )
    for entry in known:
        if entry.toolchain or version_of(entry) is not None:
            return entry
    raise Refused.because(
        Code.MISSING_EXTRA,
        f"running a model of the format {model_format}",
        f"{' or '.join(entry.title for entry in known)} is not installed",
        f"have the operator run: {known[0].install_line}",
        "P8",
        format=str(model_format),
        install=known[0].install_line,
    )
