"""Models that only their own framework runs: admitted by what their file holds, described by the framework itself.

They have no `Model` in memory here: no framework enters this process.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import MappingProxyType

from edgewright.state.artifacts import Artifact, Format, Recipe, TensorSpec
from edgewright.state.errors import Code
from edgewright.state.evidence import Graph
from edgewright.tools.formats.archive import refuse
from edgewright.tools.legible import is_plain, legible
from edgewright.tools.targets.answer import DescriptionFacts, PortFacts
from edgewright.tools.targets.request import DESCRIPTION, ProbeRequest
from edgewright.tools.targets.target import Target
from edgewright.tools.workspace import Workspace

ADMISSIONS = MappingProxyType(
    {
        Format.TENSORFLOW: "edgewright.tools.formats.keras_file",
        Format.PYTORCH: "edgewright.tools.formats.pt2_file",
    }
)
_PRECISIONS = MappingProxyType({"float32": "fp32", "float16": "fp16", "bfloat16": "bf16", "float64": "fp64"})


@dataclass(frozen=True)
class Source:
    """A model of a framework; what it says of itself, as `edgewright.tools.formats.model.Model` has it.

    Attributes:
        inputs: What it takes.
        outputs: What it gives.
        precision: Type of most trained numbers.
        dialect: Format and version in words.
        parameters: Trained numbers.
        operators: Kind of layer or operator to count.
        lineage: Nothing: Edgewright makes no such files.
        notes: Nothing: what its maker wrote down is the framework's to read.
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    precision: str
    dialect: str
    parameters: int
    operators: dict[str, int]
    lineage: str | None = None
    notes: Mapping[str, bytes] = field(default_factory=dict)

    def rows_looked_up(self) -> Mapping[str, int]:
        """Return nothing: what an input is used for is the framework's to know."""
        return {}

    def graph(self) -> Graph:
        """Return what the framework says of the model."""
        return Graph(
            opset=0,
            ir_version=0,
            producer=self.dialect,
            nodes=sum(self.operators.values()),
            parameters=self.parameters,
            macs=None,
            operators=self.operators,
            inputs=self.inputs,
            outputs=self.outputs,
        )


def admit_source(
    path: Path, *, digest: str, name: str, model_format: Format, workspace: Workspace, host: Target
) -> Source:
    """Look at a file of unknown origin, then have its framework load it and say what it is.

    Args:
        path: The imported copy.
        digest: Its SHA-256.
        name: What the caller calls it.
        model_format: A format of `ADMISSIONS`.
        workspace: Where the copy is kept.
        host: Where the framework is.

    Raises:
        Refused: Every reason against it; MISSING_EXTRA where its toolchain is not installed.
        WorkerFailed: The framework died of it.
    """
    admit: Callable[[Path], None] = import_module(ADMISSIONS[model_format]).admit
    admit(path)
    workspace.keep(path)
    size_bytes = path.stat().st_size
    unknown = Artifact(digest, name, model_format, "unknown", size_bytes, None, Recipe("original"), (), ())
    request = ProbeRequest(DESCRIPTION, {"model": unknown}, None, 1, 0)
    said: DescriptionFacts = host.run(request, workspace).models["model"]
    return Source(
        inputs=tuple(_spec(port) for port in said.inputs),
        outputs=tuple(_spec(port) for port in said.outputs),
        precision=_PRECISIONS.get(said.weights, legible(said.weights)),
        dialect=legible(said.dialect),
        parameters=said.parameters,
        operators={legible(kind): count for kind, count in said.operators.items()},
    )


def _spec(port: PortFacts) -> TensorSpec:
    if not port.name or not is_plain(port.name, 300):
        refuse(
            f"an input or output is called '{legible(port.name)}', which cannot be shown safely",
            "rename it to visible characters and save the model again",
            Code.MODEL_UNSUPPORTED,
        )
    return TensorSpec(port.name, port.dtype, port.shape)
