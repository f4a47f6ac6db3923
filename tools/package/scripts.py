"""The scripts of a package, as this installation has them: what runs there is what ran here."""

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType

from edgewright.state.artifacts import Format
from edgewright.state.files import write_whole
from edgewright.tools.package.engine import BUILDER

# File name in a package to where its source lies: shipped as they are.
SHIPPED = MappingProxyType(
    {
        "inference.py": ("edgewright.tools.package.shipped", "inference.py"),
        "preprocessing.py": ("edgewright.tools.datasets", "preprocessing.py"),
        "quantization.py": ("edgewright.tools.probe", "quantization.py"),
    }
)
RUNNERS = MappingProxyType(
    {
        Format.ONNX: ("edgewright.tools.package.shipped", "onnxruntime_runner.py"),
        Format.TFLITE: ("edgewright.tools.probe", "litert_runner.py"),
    }
)
"""What executes a model of each format; shipped as `runner.py`."""


ENGINE = MappingProxyType(
    {
        BUILDER: ("edgewright.tools.package.shipped", BUILDER),
        "tensorrt_builder.py": ("edgewright.tools.probe", "tensorrt_builder.py"),
        "tensorrt_runner.py": ("edgewright.tools.probe", "tensorrt_runner.py"),
        "cuda_memory.py": ("edgewright.tools.probe", "cuda_memory.py"),
    }
)
"""What builds an engine from a model on a Jetson, and runs it there."""


def scripts_of(model_format: Format, *, engine: bool = False) -> Mapping[str, bytes]:
    """Return file name to content of the scripts that run a model of a format, and of those that build its engine."""
    sources = {**SHIPPED, "runner.py": RUNNERS[model_format], **(ENGINE if engine else {})}
    return {name: files(package).joinpath(source).read_bytes() for name, (package, source) in sources.items()}


def write_scripts(model_format: Format, folder: Path, *, engine: bool = False) -> None:
    """Write them into a folder."""
    for name, content in scripts_of(model_format, engine=engine).items():
        write_whole(folder / name, content)
