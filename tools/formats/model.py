"""The one shape that every model file takes here, and the table of formats. A new format is a module and a row."""

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from edgewright.state.artifacts import Format, TensorSpec
from edgewright.state.evidence import Graph
from edgewright.tools.profile.framework import Framework
from edgewright.tools.runtimes.grid import require


class Described(Protocol):
    """What a model says of itself, whoever read it."""

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """What it takes."""

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """What it gives."""

    @property
    def precision(self) -> str:
        """`fp32`, `fp16`, `int8`, ...: what it mostly computes with."""

    @property
    def lineage(self) -> str | None:
        """SHA-256 of the original that it says it was made from (P3)."""

    @property
    def dialect(self) -> str:
        """Format and version in words."""

    @property
    def notes(self) -> Mapping[str, bytes]:
        """What its maker wrote into it beside the model, by name."""

    def rows_looked_up(self) -> Mapping[str, int]:
        """Return the inputs whose numbers choose rows of a stored table, and how many rows it has."""

    def graph(self) -> Graph:
        """Return what the file says of itself."""


class Model(Described, Protocol):
    """A model file in memory."""

    @property
    def has_float32_weights(self) -> bool:
        """Whether any stored array, single numbers aside, is in float32."""

    def fingerprint(self) -> str:
        """Return a digest of what it computes, whatever its values are called."""

    def fault(self) -> str | None:
        """Return what makes the file unsound, as a clause, or nothing."""

    def mark(self, original_sha256: str) -> None:
        """Write the SHA-256 of the original into it, in place of any earlier mark."""

    def save(self, path: Path) -> None:
        """Write it."""


MODULES = MappingProxyType(
    {
        Format.ONNX: "edgewright.tools.formats.onnx_model",
        Format.TFLITE: "edgewright.tools.formats.tflite_model",
    }
)
FORMATS = MappingProxyType(
    {
        Framework.ONNX: Format.ONNX,
        Framework.TFLITE: Format.TFLITE,
        Framework.KERAS: Format.TENSORFLOW,
        Framework.HDF5: Format.TENSORFLOW,
        Framework.PT2: Format.PYTORCH,
    }
)
"""What a file turned out to be to the format that it is worked on in."""


def admit(path: Path, model_format: Format) -> Model:
    """Read a file of unknown origin and return it if it may be worked on.

    Raises:
        Refused: Every reason against it, each with its own code; MISSING_EXTRA where what runs the format is missing.
    """
    require(model_format)
    admit_file: Callable[[Path], Model] = import_module(MODULES[model_format]).admit
    return admit_file(path)


def read(path: Path, model_format: Format) -> Model:
    """Return a file that was admitted before, or was made here."""
    read_file: Callable[[Path], Model] = import_module(MODULES[model_format]).read
    return read_file(path)
