"""Which operators of a model float16 cannot hold: found by running it in float32 and looking at every value."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, numpy_helper

from edgewright.tools.optimize.topology import reads
from edgewright.tools.profile.graphs import within
from edgewright.tools.runtimes.onnxruntime.activations import Feeds, stream

# IEEE 754 binary16.
LARGEST = 65504.0
# Samples that nobody has seen yet reach beyond those that were looked at.
HEADROOM = 2.0
# Rounding a normal number costs 2^-11 of it at most, 0.05 %. More than 1 % of a tensor's root mean square is lost only
# where its numbers lie below the smallest normal one, 2^-14.
LOST = 0.01


@dataclass
class Rounding:
    """What float16 makes of a tensor's values, seen so far."""

    headroom: float
    peak: float = 0.0
    lost: float = 0.0
    kept: float = 0.0

    def add(self, values: NDArray[np.generic]) -> None:
        """Look at more of them. Infinities stay what they are in float16, as masks are meant to."""
        numbers = np.asarray(values, np.float32)
        numbers = numbers[np.isfinite(numbers)]
        if not numbers.size:
            return
        self.peak = max(self.peak, float(np.abs(numbers).max()))
        if not self.overflows:
            wide = numbers.astype(np.float64)
            self.lost += float(((wide - numbers.astype(np.float16)) ** 2).sum())
            self.kept += float((wide**2).sum())

    @property
    def overflows(self) -> bool:
        """Whether values are beyond what float16 can hold, or so near that the next sample's may be."""
        return self.peak * self.headroom > LARGEST

    @property
    def reason(self) -> str:
        """Why float16 will not do, as a clause; empty where it will."""
        if self.overflows:
            return f"reaches {self.peak:.4g}, and float16 ends at {LARGEST:g}"
        share = (self.lost / self.kept) ** 0.5 if self.kept else 0.0
        return f"is so small that float16 loses {100 * share:.2g} % of it" if share > LOST else ""


def out_of_range(model: ModelProto, feeds: Feeds | None, folder: Path) -> Mapping[str, str]:
    """Return the operators that have to stay in float32, each with the reason.

    An operator is one where any float32 value that it reads or gives does not fit: a value that overflows must be
    neither written nor read in float16. Values inside subgraphs are not looked at; stored ones are, there too.

    Args:
        model: In float32, with inferred types and a name for every node; it is not changed.
        feeds: Gives the samples to run it on; without, stored values alone are looked at.
        folder: Where the model with more outputs may be written.

    Returns:
        Names of nodes of the main graph, in its order.
    """
    found: dict[str, Rounding] = {}
    for graph in within(model.graph):
        for tensor in getattr(graph, "initializer", ()):
            if tensor.data_type == TensorProto.FLOAT:
                found.setdefault(tensor.name, Rounding(1.0)).add(numpy_helper.to_array(tensor))
    if feeds is not None:
        values = tuple(_floats(model))
        stream(model, values, feeds, folder, lambda name, seen: found.setdefault(name, Rounding(HEADROOM)).add(seen))
    reasons = {name: rounding.reason for name, rounding in found.items() if rounding.reason}
    unfit = ((node, _first(node, reasons)) for node in model.graph.node)
    return {node.name: reason for node, reason in unfit if reason}


def _floats(model: ModelProto) -> Iterator[str]:
    """Yield the float32 values of the main graph, those that are stored excepted."""
    stored = {tensor.name for tensor in model.graph.initializer}
    seen = set(stored)
    for info in (*model.graph.input, *model.graph.value_info, *model.graph.output):
        if info.type.tensor_type.elem_type == TensorProto.FLOAT and info.name not in seen:
            seen.add(info.name)
            yield info.name


def _first(node: NodeProto, reasons: Mapping[str, str]) -> str:
    return next((f"{name} {reasons[name]}" for name in (*reads(node), *node.output) if name in reasons), "")
