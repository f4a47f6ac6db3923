"""Fewer bits for ONNX files from which a Jetson builds its engine: every precision is written into the graph.

TensorRT 10 takes types from the graph where it is asked to, 11 and TensorRT-RTX always do (NVIDIA TensorRT
documentation, "Strongly Typed Networks"): one file serves them all, and no flag of the builder changes what it
computes. The integers are symmetric S8S8 between explicit conversions; all other operators compute in float16, but for
those that it cannot hold.
"""

import math
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from types import MappingProxyType

import onnx
from onnx import ModelProto, TensorProto, shape_inference
from pydantic import Field

from edgewright.state.errors import Code, Refused
from edgewright.tools.legible import legible
from edgewright.tools.optimize import onnx_mixed, onnx_schemes
from edgewright.tools.optimize.calibrating import watched
from edgewright.tools.optimize.half_range import out_of_range
from edgewright.tools.optimize.halving import halved
from edgewright.tools.optimize.onnx_base import LIBRARIES, prepared_base
from edgewright.tools.optimize.scheme import Parameters, Scheme
from edgewright.tools.optimize.step import Step
from edgewright.tools.optimize.topology import put_in_order
from edgewright.tools.optimize.upgrade import name_nodes, normalised, with_opset
from edgewright.tools.orders import QuantizeOrder
from edgewright.tools.profile.graphs import opset_of
from edgewright.tools.runtimes.onnxruntime.tensorrt_graph import PRODUCTS, left_out
from edgewright.tools.targets.target import Places
from edgewright.tools.workspace import Workspace

# Enough to see what values a model computes with; range statistics need more, since they count how often.
WATCHED_SAMPLES = 500
# From here on QuantizeLinear and DequantizeLinear take float16 (onnx, Operators.md).
HALF_INTEGERS_OPSET = 19
SHOWN = 6


class StaticParameters(onnx_schemes.StaticParameters):
    """Options of `int8_static`.

    Attributes:
        exclude: Operators that stay out of 8 bits, each by its name or that of one of its outputs.
    """

    exclude: tuple[str, ...] = Field((), strict=False)  # an order travels as JSON, which has lists alone


class Half(Scheme):
    """Float32 numbers in float16, where it holds them."""

    option = "fp16"
    optimization = "cast"
    precision = "fp16"

    def __init__(self, order: QuantizeOrder, workspace: Workspace, _places: Places) -> None:
        super().__init__(order, Parameters, LIBRARIES)
        self._watched = watched(order, workspace, WATCHED_SAMPLES)

    def run(self, source: Path, made: Path) -> tuple[str, ...]:
        """Convert everything but inputs, outputs, and what does not fit."""
        base = onnx.load(prepared_base(source))
        feeds, count = self._watched
        kept = out_of_range(base, feeds, source.parent)
        self.parameters = {**self.parameters, "kept_in_float32": list(kept), "samples_watched": count}
        if not _write_half(base, kept, made):
            raise Refused.because(
                Code.NOTHING_CHANGED,
                f"quantizing this base by {self.option}",
                "none of its weights can be stored in float16: they lie in subgraphs, or float16 cannot hold them",
                "choose another scheme, or convert the model as it is",
                kept=dict(kept),
            )
        return (_looked(count), *_kept(base, kept))


class Static(onnx_schemes.Static):
    """8-bit weights and activations with ranges from calibration samples; float16 around them, where it holds."""

    options = StaticParameters
    candidate = "a TensorRT candidate"

    def __init__(self, order: QuantizeOrder, workspace: Workspace, places: Places) -> None:
        super().__init__(order, workspace, places)
        self._rest = _Rest(order, workspace)
        self._narrow: tuple[str, ...] = ()

    def run(self, source: Path, made: Path) -> tuple[str, ...]:
        """Calibrate and quantise, then have the rest in float16."""
        self._rest.raise_opset(source)
        said = super().run(source, made)
        return (*said, *self._narrow, *self._rest.write(self, source, made))

    def _kept(self, prepared: Path) -> Collection[str]:
        """Return what was asked to stay out of 8 bits, and note what stays out by itself."""
        model = onnx.load(prepared)
        ops = {node.name: node.op_type for node in model.graph.node}
        narrow = [f"{legible(name)}: {why}" for name, why in left_out(model).items() if ops[name] in PRODUCTS]
        self._narrow = (f"left out of 8 bits: {_some(narrow)}",) if narrow else ()
        return _named(model, self.parameters["exclude"])


class Mixed(onnx_mixed.Mixed):
    """8 bits where they pay and do no harm, by a search; float16 elsewhere, where it holds."""

    candidate = Static.candidate

    def __init__(self, order: QuantizeOrder, workspace: Workspace, places: Places) -> None:
        super().__init__(order, workspace, places)
        self._rest = _Rest(order, workspace)

    def run(self, source: Path, made: Path) -> tuple[str, ...]:
        """Search, then have the rest in float16."""
        self._rest.raise_opset(source)
        return (*super().run(source, made), *self._rest.write(self, source, made))


class _Rest:
    """What is not computed in 8 bits: float16, where it holds and the file's operator set has it."""

    def __init__(self, order: QuantizeOrder, workspace: Workspace) -> None:
        self._watched = watched(order, workspace, WATCHED_SAMPLES)
        self._float32 = ""

    def raise_opset(self, source: Path) -> None:
        """Have the base in an operator set in which integers are made from float16, where it can be."""
        model = normalised(onnx.load(source, load_external_data=False))
        try:
            onnx.save(with_opset(model, max(HALF_INTEGERS_OPSET, opset_of(model))), source)
        except Refused as refused:
            self._float32 = f"the other operators stay in float32: {refused.refusal.why}"

    def write(self, scheme: Scheme, source: Path, made: Path) -> tuple[str, ...]:
        """Write the quantised file anew; return findings."""
        if self._float32:
            return (self._float32,)
        base, quantised = onnx.load(source.with_name("prepared.onnx")), onnx.load(made)
        name_nodes(quantised)
        feeds, count = self._watched
        kept = {**out_of_range(base, feeds, source.parent), **out_of_range(quantised, None, source.parent)}
        scheme.parameters = {**scheme.parameters, "kept_in_float32": list(kept), "samples_watched": count}
        _write_half(quantised, kept, made)
        return (_looked(count), *_kept(quantised, kept))


SCHEMES: Mapping[str, Callable[[QuantizeOrder, Workspace, Places], Step]] = MappingProxyType(
    {scheme.option: scheme for scheme in (Half, Static, Mixed)}
)


def _write_half(model: ModelProto, kept: Mapping[str, str], made: Path) -> bool:
    """Write the model in float16; return whether any of its stored arrays is."""
    put_in_order(model.graph)
    half = halved(shape_inference.infer_shapes(model), kept)
    onnx.save(half, made)
    return any(
        tensor.data_type == TensorProto.FLOAT16 and math.prod(tensor.dims) > 1 for tensor in half.graph.initializer
    )


def _looked(count: int) -> str:
    if count:
        return f"the values of {count} calibration samples were looked at for what float16 cannot hold"
    return (
        "there are no calibration samples to find operators that overflow in float16 with; stored values were looked "
        "at, and validate computes float16 as such"
    )


def _kept(model: ModelProto, kept: Mapping[str, str]) -> tuple[str, ...]:
    total = len(model.graph.node)
    if not kept:
        return (f"none of the {total} operators is one that float16 cannot hold",)
    named = [f"{legible(name)}: {legible(why, 200)}" for name, why in kept.items()]
    return (f"{len(kept)} of {total} operators stay in float32: {_some(named)}",)


def _some(named: list[str]) -> str:
    return "; ".join(named[:SHOWN]) + (f"; and {len(named) - SHOWN} more" if len(named) > SHOWN else "")


def _named(model: ModelProto, wanted: object) -> tuple[str, ...]:
    """Return the names of the nodes that are meant by their own names or those of their outputs."""
    by_name = {name: node.name for node in model.graph.node for name in (*node.output, node.name)}
    chosen = wanted if isinstance(wanted, tuple | list) else ()
    unknown = [str(name) for name in chosen if name not in by_name]
    if unknown:
        raise Refused.because(
            Code.INVALID_ARGUMENT,
            f"leaving '{legible(unknown[0])}' out of 8 bits",
            "no operator of the base has that name, nor an output of that name",
            "name operators of the base or their output tensors",
            unknown=unknown,
        )
    return tuple(dict.fromkeys(by_name[name] for name in chosen))
