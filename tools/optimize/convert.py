"""Rewriting a model without changing what it computes: simplify, fold, move to another operator set."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import onnx
import onnxsim
from onnx import ModelProto

from edgewright.state.artifacts import Format, deployed_as
from edgewright.state.errors import Code, Refused
from edgewright.tools.formats.model import Model
from edgewright.tools.optimize.comparison import OutputComparison, require_same_outputs
from edgewright.tools.optimize.engine_source import EngineSource
from edgewright.tools.optimize.fingerprint import fingerprint
from edgewright.tools.optimize.roads import ROADS, Crossing
from edgewright.tools.optimize.step import Made, make
from edgewright.tools.optimize.upgrade import normalised, with_opset
from edgewright.tools.orders import ConvertOrder
from edgewright.tools.runtimes.onnxruntime.graph import optimize_graph
from edgewright.tools.targets.emulated import place_of_accuracy
from edgewright.tools.targets.target import Target
from edgewright.tools.toolchains.table import NO_TOOLCHAINS, Toolchains
from edgewright.tools.workspace import Workspace

OPERATIONS = ("simplify", "optimize_graph", "opset")
# From the format of a base to that of the result, beside the roads between frameworks.
OFFERED = ((Format.ONNX, Format.ONNX), (Format.ONNX, Format.TENSORRT))


def convert(order: ConvertOrder, workspace: Workspace, target: Target, toolchains: Toolchains = NO_TOOLCHAINS) -> Made:
    """Make a candidate by rewriting the base, or by taking it to another format.

    Raises:
        Refused: SCHEME_NOT_OFFERED, INVALID_ARGUMENT, NOTHING_CHANGED, CONVERSION_DIVERGED, MODEL_UNSUPPORTED or
            MODEL_INVALID.
        CorruptArtifact: The base is not what its digest says.
    """
    if (order.base.format, order.format) in ROADS:
        return make(Crossing(order, workspace, toolchains), order, workspace, target)
    _check_offered(order)
    target = place_of_accuracy(order.target_device, target)
    if order.format is Format.TENSORRT:
        step = EngineSource(order.base, order.validation, workspace)
        # What comes out is still the graph, and no engine.
        return make(step, replace(order, format=order.base.format), workspace, target, changes=False)
    return make(Rewriting(order.operations, order.opset), order, workspace, target)


def _check_offered(order: ConvertOrder) -> None:
    if (order.base.format, order.format) not in OFFERED:
        roads = [*OFFERED, *ROADS]
        offered = [f"{start} to {end}" for start, end in roads if start is order.base.format] or ["no such file"]
        raise Refused.because(
            Code.SCHEME_NOT_OFFERED,
            f"converting {order.base.format} to {order.format}",
            f"this version converts {' and '.join(offered)}",
            "call quantize, which works on ONNX and TFLite alike; or convert the model with its own framework and "
            "profile the result",
            "P8",
            format=str(order.format),
            base=str(order.base.format),
            offered=offered,
        )
    if order.format is Format.TENSORRT:
        _check_engine_source(order)
        return
    unknown = [name for name in order.operations if name not in OPERATIONS]
    if unknown or not order.operations:
        raise Refused.because(
            Code.SCHEME_NOT_OFFERED,
            f"converting by {', '.join(unknown) or 'no operation'}",
            f"offered are {', '.join(OPERATIONS)}",
            "name at least one of those",
            operations=list(order.operations),
            offered=list(OPERATIONS),
        )
    newest = onnx.defs.onnx_opset_version()
    wanted = order.opset
    if ("opset" in order.operations) != (wanted is not None) or (wanted is not None and not 7 <= wanted <= newest):
        raise Refused.because(
            Code.INVALID_ARGUMENT,
            f"converting by {', '.join(order.operations)} with opset {wanted}",
            f"the operation opset takes a version from 7 to {newest}, and no other operation takes one",
            f"give both or neither, for example operations ['opset'] and opset {min(17, newest)}",
            opset=wanted,
            newest=newest,
        )


def _check_engine_source(order: ConvertOrder) -> None:
    if deployed_as(order.base.format, order.target_device) is not Format.TENSORRT:
        raise Refused.because(
            Code.FORMAT_DEVICE,
            f"converting to {order.format} for {order.target_device}",
            "TensorRT engines run on NVIDIA's processors alone",
            "convert without `format`, or profile the model for jetson-orin-nano",
            "P8",
            device=str(order.target_device),
        )
    if order.operations:
        raise Refused.because(
            Code.INVALID_ARGUMENT,
            f"converting to {order.format} by {', '.join(order.operations)}",
            "the graph is checked as it is; rewriting it is a step of its own",
            "leave `operations` out; call convert with them and without `format` first",
            "P2",
            operations=list(order.operations),
        )


class Rewriting:
    """Some operations in the order given, each checked for having done anything."""

    call = "convert"

    def __init__(self, operations: tuple[str, ...], opset: int | None) -> None:
        self.option = "+".join(operations)
        self.optimization = "-".join(f"opset{opset}" if name == "opset" else name for name in operations)
        self.parameters: Mapping[str, object] = {"operations": list(operations), "opset": opset}
        self.tools: Mapping[str, str] = {name: version(name) for name in ("onnx", "onnxsim", "onnxruntime")}
        self._operations = operations
        self._opset = opset

    def requires(self, model: Model) -> None:
        """Any admitted model will do."""

    def run(self, source: Path, made: Path) -> tuple[str, ...]:
        """Apply the operations one after the other."""
        rewrite: Mapping[str, Callable[[ModelProto], ModelProto]] = {
            "simplify": _simplified,
            "optimize_graph": lambda model: _optimized(model, made.parent),
            "opset": lambda model: with_opset(model, self._opset or 0),
        }
        shutil.copyfile(source, made)
        findings: tuple[str, ...] = ()
        for name in self._operations:
            before = onnx.load(made, load_external_data=False)
            after = rewrite[name](normalised(before))
            if fingerprint(after) == fingerprint(before):
                findings += (f"{name} changed nothing",)
                continue
            findings += (f"{name}: {len(before.graph.node)} nodes became {len(after.graph.node)}",)
            onnx.save(after, made)
        return findings

    def ensures(self, comparison: tuple[OutputComparison, ...]) -> tuple[str, ...]:
        """Refuse a rewriting that changed the outputs."""
        require_same_outputs(self.option, comparison, self._ladder())
        return ()

    def _ladder(self) -> str:
        """What is left to try, in the order in which it usually helps."""
        rungs = [f"convert with {name} alone" for name in OPERATIONS if self._operations != (name,)]
        return "; or ".join([*rungs, "export the model again without dynamic operators"])


def _simplified(model: ModelProto) -> ModelProto:
    simplified: ModelProto = onnxsim.simplify(model)[0]
    return simplified


def _optimized(model: ModelProto, folder: Path) -> ModelProto:
    source, target = folder / "before.onnx", folder / "after.onnx"
    onnx.save(model, source)
    optimize_graph(source, target)
    return onnx.load(target, load_external_data=False)
