"""The scripts of a package, as this installation has them: what runs there is what ran here."""

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType

from edgewright.state.artifacts import Format
from edgewright.state.files import write_whole

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


def scripts_of(model_format: Format) -> Mapping[str, bytes]:
    """Return file name to content of the scripts that run a model of a format."""
    sources = {**SHIPPED, "runner.py": RUNNERS[model_format]}
    return {name: files(package).joinpath(source).read_bytes() for name, (package, source) in sources.items()}


def write_scripts(model_format: Format, folder: Path) -> None:
    """Write them into a folder."""
    for name, content in scripts_of(model_format).items():
        write_whole(folder / name, content)
