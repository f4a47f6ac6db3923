"""ONNX files."""

from collections.abc import Mapping
from pathlib import Path

import onnx
from onnx import ModelProto, checker

from edgewright.state.artifacts import TensorSpec
from edgewright.state.evidence import Graph
from edgewright.tools.legible import clause
from edgewright.tools.optimize.fingerprint import fingerprint
from edgewright.tools.profile.admission import admit_onnx
from edgewright.tools.profile.graphs import opset_of
from edgewright.tools.profile.inspect import has_float32_weights, inputs_of, inspect_model, outputs_of, precision_of
from edgewright.tools.profile.lineage import lineage_of, stamp
from edgewright.tools.profile.tables import rows_looked_up


class OnnxModel:
    """An ONNX file in memory; `edgewright.tools.formats.model.Model` says what each part is."""

    def __init__(self, proto: ModelProto) -> None:
        self.proto = proto

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """What it takes."""
        return inputs_of(self.proto)

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """What it gives."""
        return outputs_of(self.proto)

    @property
    def precision(self) -> str:
        """What it mostly computes with."""
        return precision_of(self.proto)

    @property
    def has_float32_weights(self) -> bool:
        """Whether any stored array is in float32."""
        return has_float32_weights(self.proto)

    @property
    def lineage(self) -> str | None:
        """What it says it was made from."""
        return lineage_of(self.proto)

    @property
    def dialect(self) -> str:
        """Format and version in words."""
        return f"ONNX, opset {opset_of(self.proto)}"

    @property
    def notes(self) -> Mapping[str, bytes]:
        """What its maker wrote into it."""
        return {entry.key: entry.value.encode() for entry in self.proto.metadata_props}

    def rows_looked_up(self) -> Mapping[str, int]:
        """Return the inputs that choose rows of a table, as words do."""
        return rows_looked_up(self.proto)

    def graph(self) -> Graph:
        """Return what the file says of itself."""
        return inspect_model(self.proto)

    def fingerprint(self) -> str:
        """Return a digest of what it computes."""
        return fingerprint(self.proto)

    def fault(self) -> str | None:
        """Return what makes the file unsound."""
        try:
            checker.check_model(self.proto)
        except (checker.ValidationError, ValueError) as error:
            return f"onnx.checker rejects the result: {clause(error)}"
        return None

    def mark(self, original_sha256: str) -> None:
        """Write the lineage into it."""
        stamp(self.proto, original_sha256)

    def save(self, path: Path) -> None:
        """Write it."""
        onnx.save(self.proto, path)


def admit(path: Path) -> OnnxModel:
    """Read a file of unknown origin; see `admit_onnx` for what is refused."""
    return OnnxModel(admit_onnx(path))


def read(path: Path) -> OnnxModel:
    """Return a file that was admitted before, or was made here."""
    return OnnxModel(onnx.load(path, load_external_data=False))
