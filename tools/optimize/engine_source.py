"""An ONNX graph that a Jetson can build its engine from: taken by NVIDIA's own parser and builder, its shapes settled.

The engine itself is built on the device, since it runs on no other (P8). What is made here is the graph as it was, with
what was found out about it.
"""

import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import onnx

from edgewright.state.artifacts import ENGINE_SOURCE, Artifact, TensorSpec
from edgewright.state.errors import Code, Refused
from edgewright.state.evidence import Dataset
from edgewright.tools.datasets.prepared import open_dataset
from edgewright.tools.formats.model import Model
from edgewright.tools.legible import clause, legible
from edgewright.tools.optimize.comparison import OutputComparison
from edgewright.tools.probe.columns import Column
from edgewright.tools.probe.tensorrt_builder import Fault, Options, Unbuildable
from edgewright.tools.runtimes.tensorrt.examine import (
    ARCHITECTURE,
    DISTRIBUTION,
    OF_AN_ORIN,
    Examined,
    examine,
    library_version,
)
from edgewright.tools.workspace import Workspace

# Where the file itself says what it was found fit for.
MARK = "edgewright.tensorrt"
SHOWN = 8

Shapes = Mapping[str, Sequence[int]]


class EngineSource:
    """A check by TensorRT-RTX; the file that comes out computes what its base computes."""

    call = "convert"
    option = ENGINE_SOURCE
    optimization = "tensorrt"

    def __init__(self, base: Artifact, validation: Dataset, workspace: Workspace) -> None:
        """Settle the shapes that the engine is built for.

        Raises:
            Refused: MISSING_EXTRA; or DYNAMIC_SHAPES, where the graph leaves a size open and the samples differ in it.
        """
        self.tools: Mapping[str, str] = {"onnx": version("onnx"), DISTRIBUTION: library_version()}
        columns = open_dataset(validation, workspace).inputs
        self._shapes = {spec.name: shape_of(spec, columns[spec.name]) for spec in base.inputs if None in spec.shape}
        self.parameters: Mapping[str, object] = {
            "shapes": {name: list(shape) for name, shape in self._shapes.items()},
            "workspace_mib": Options().workspace_mib,
            "built_ahead_for": ARCHITECTURE,
        }

    def requires(self, model: Model) -> None:
        """Any admitted model will do; what the parser takes, it says itself."""

    def run(self, source: Path, made: Path) -> tuple[str, ...]:
        """Have the graph examined and write it with the mark."""
        try:
            examined = examine(source, self._shapes)
        except Unbuildable as unbuildable:
            raise _refused(unbuildable) from unbuildable
        model = onnx.load(source, load_external_data=False)
        onnx.helper.set_model_props(
            model, {**{entry.key: entry.value for entry in model.metadata_props}, MARK: self._mark(examined)}
        )
        onnx.save(model, made)
        return (
            f"NVIDIA's parser and builder (TensorRT-RTX {examined.library_version}) take the graph: {examined.layers} "
            f"layers, built ahead of time for compute capability {ARCHITECTURE} ({examined.engine_bytes} bytes) and "
            f"thrown away",
            f"no proof for an Orin, which is {OF_AN_ORIN}, nor for another version of TensorRT",
            "engine not built: an engine runs only on the kind of device that it was built on",
            *(f"input '{legible(name)}' is built for {_sizes(shape)} alone" for name, shape in self._shapes.items()),
        )

    def ensures(self, comparison: tuple[OutputComparison, ...]) -> tuple[str, ...]:
        """Nothing was changed; the comparison says so."""
        del comparison
        return ()

    def _mark(self, examined: Examined) -> str:
        return json.dumps({**self.parameters, DISTRIBUTION: examined.library_version}, sort_keys=True)


def shape_of(spec: TensorSpec, column: Column) -> tuple[int, ...]:
    """Return the one shape that an input is built for: a batch of one, and otherwise the size of every sample.

    Raises:
        Refused: DYNAMIC_SHAPES.
    """
    batched = len(spec.shape) == column.rank + 1
    sizes = spec.shape[1:] if batched else spec.shape
    lowest, highest = (bound(axis=0).tolist() for bound in (column.shapes.min, column.shapes.max))
    for axis, (size, low, high) in enumerate(zip(sizes, lowest, highest, strict=True)):
        if size is None and low != high:
            place = axis + batched
            raise Refused.because(
                Code.DYNAMIC_SHAPES,
                "converting this model to TensorRT",
                f"it leaves dimension {place} of input '{legible(spec.name)}' open, the samples reach from {low} to "
                f"{high} there, and an engine is built for sizes that are known",
                "export the model with fixed sizes, or give data of one size",
                "P8",
                input=spec.name,
                dimension=place,
                low=low,
                high=high,
            )
    return ((spec.shape[0] or 1,) if batched else ()) + tuple(
        low if size is None else size for size, low in zip(sizes, lowest, strict=True)
    )


def _sizes(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))


def _refused(unbuildable: Unbuildable) -> Refused:
    faults = unbuildable.faults
    named = [_sentence(fault) for fault in faults]
    why = "; ".join(named[:SHOWN]) + (f"; and {len(named) - SHOWN} more" if len(named) > SHOWN else "")
    return Refused.because(
        Code.MODEL_UNSUPPORTED,
        "converting this model to TensorRT",
        f"NVIDIA's parser does not take it: {why}" if faults else f"NVIDIA's builder gave up: {clause(unbuildable)}",
        "quantize from base='original' with fp16 or int8_static, whose files are written for TensorRT; replace the "
        "operators named, or ship for cpu-generic",
        "P8",
        nodes=[
            {"node": legible(f.node), "operator": legible(f.operator), "code": f.code, "reason": legible(f.reason, 300)}
            for f in faults
        ],
    )


def _sentence(fault: Fault) -> str:
    return f"{legible(fault.operator)} '{legible(fault.node)}' ({fault.code}: {legible(fault.reason, 200)})"
