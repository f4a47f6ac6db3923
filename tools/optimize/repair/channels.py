"""Which tensors of a graph share their channels, so that one factor for each can be moved through them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import prod
from types import MappingProxyType

from onnx import ModelProto, NodeProto, helper

from edgewright.tools.optimize.repair.layers import Layer, Numbers, Weights, layers
from edgewright.tools.profile.graphs import within


@dataclass
class Group:
    """Tensors whose channels must be scaled alike, and what lies around them.

    Attributes:
        makers: Layers whose output channels these are.
        readers: Layers whose input channels these are.
        shifts: Stored tensors that are added to them.
        flat: Whether channels become runs of features on the way.
        spatial: Whether an operator among them works on pictures.
        fixed: Whether something reads or makes them that does not pass a factor through.
    """

    makers: list[Layer] = field(default_factory=list)
    readers: list[Layer] = field(default_factory=list)
    shifts: list[str] = field(default_factory=list)
    flat: bool = False
    spatial: bool = False
    fixed: bool = False


@dataclass(frozen=True)
class Tie:
    """What a node says of the tensors around it: they share their channels.

    Attributes:
        tensors: Those that do.
        shift: A stored tensor that is added to them.
        flat: Whether channels become runs of features here.
        spatial: Whether the node works on pictures.
    """

    tensors: tuple[str, ...]
    shift: str | None = None
    flat: bool = False
    spatial: bool = False


Shapes = Mapping[str, tuple[int | str, ...]]


def channel_groups(model: ModelProto, weights: Weights) -> list[tuple[Group, int]]:
    """Return every group of the main graph that can be scaled, with its number of channels.

    Args:
        model: With inferred shapes; where a shape is unknown, less is found.
        weights: The model's.
    """
    known = {layer.node.output[0]: layer for layer in layers(model, weights)}
    shapes, sets, groups = _shapes(model), _Sets(), dict[str, Group]()
    ties = [None if node.output[0] in known else _tie(node, weights, shapes) for node in model.graph.node]
    for tie in ties:
        if tie is not None:
            sets.join(*tie.tensors)

    def group(name: str) -> Group:
        return groups.setdefault(sets.root(name), Group())

    for node, tie in zip(model.graph.node, ties, strict=True):
        if (layer := known.get(node.output[0])) is not None:
            group(node.input[0]).readers.append(layer)
            group(node.output[0]).makers.append(layer)
        elif tie is not None:
            mine = group(tie.tensors[0])
            mine.flat, mine.spatial = mine.flat or tie.flat, mine.spatial or tie.spatial
            mine.shifts += [tie.shift] if tie.shift is not None else []
        else:
            for name in (*node.input, *node.output):
                group(name).fixed = True
    for name in _seen_outside(model):
        group(name).fixed = True
    return [(each, count) for each in groups.values() if (count := _channels(each, weights))]


class _Sets:
    """Disjoint sets of names."""

    def __init__(self) -> None:
        self._parents: dict[str, str] = {}

    def root(self, name: str) -> str:
        while (parent := self._parents.get(name, name)) != name:
            name = parent
        return name

    def join(self, first: str, *others: str) -> None:
        for other in others:
            self._parents[self.root(other)] = self.root(first)


def _seen_outside(model: ModelProto) -> set[str]:
    """Return what a caller or a subgraph sees, which must stay as it is."""
    subgraphs = [graph for graph in within(model.graph) if graph is not model.graph]
    inner = {name for graph in subgraphs for node in graph.node for name in node.input}
    inner |= {output.name for graph in subgraphs for output in graph.output}
    return inner | {value.name for value in (*model.graph.input, *model.graph.output)}


def _shapes(model: ModelProto) -> Shapes:
    graph = model.graph
    return {
        info.name: tuple(
            dim.dim_value if dim.HasField("dim_value") else dim.dim_param or f"{info.name}?{place}"
            for place, dim in enumerate(info.type.tensor_type.shape.dim)
        )
        for info in (*graph.input, *graph.value_info, *graph.output)
    }


def _tie(node: NodeProto, weights: Weights, shapes: Shapes) -> Tie | None:
    rule = _RULES.get(node.op_type)
    return rule(node, weights, shapes) if rule and len([name for name in node.output if name]) == 1 else None


def _elementwise(node: NodeProto, weights: Weights, _shapes: Shapes) -> Tie | None:
    """One tensor in, one out; what else goes in is stored, such as the slope of a PRelu."""
    if all(weights.stored(name) for name in node.input[1:] if name):
        return Tie((node.input[0], node.output[0]))
    return None


def _pooling(node: NodeProto, _weights: Weights, _shapes: Shapes) -> Tie | None:
    return Tie((node.input[0], node.output[0]), spatial=True)


def _mean(node: NodeProto, weights: Weights, shapes: Shapes) -> Tie | None:
    """The mean over the pixels of a picture."""
    attributes = {each.name: helper.get_attribute_value(each) for each in node.attribute}
    axes = attributes.get("axes", [])
    if len(node.input) > 1 and weights.stored(node.input[1]):
        axes = weights[node.input[1]].tolist()
    rank = len(shapes.get(node.input[0], ()))
    if rank < 3 or not axes or min(axis % rank for axis in axes) < 2:
        return None
    return Tie((node.input[0], node.output[0]), flat=not attributes.get("keepdims", 1), spatial=True)


def _flattening(node: NodeProto, _weights: Weights, shapes: Shapes) -> Tie | None:
    """A picture as one row: everything behind the first dimension in one."""
    before, after = shapes.get(node.input[0], ()), shapes.get(node.output[0], ())
    sizes = [size for size in before[1:] if isinstance(size, int)]
    if len(after) != 2 or len(before) < 2 or len(sizes) + 1 != len(before) or after[1] != prod(sizes):
        return None
    return Tie((node.input[0], node.output[0]), flat=True)


def _sum(node: NodeProto, weights: Weights, shapes: Shapes) -> Tie | None:
    """A stored tensor added to another one, or two of one shape."""
    stored = [name for name in node.input if weights.stored(name)]
    others = [name for name in node.input if not weights.stored(name)]
    if len(stored) == len(others) == 1 and weights.own(stored[0]):
        return Tie((others[0], node.output[0]), shift=stored[0])
    alike = len(others) == 2 and shapes.get(others[0], (1,)) == shapes.get(others[1], (2,))
    return Tie((*others, node.output[0])) if alike else None


def _factor(node: NodeProto, weights: Weights, shapes: Shapes) -> Tie | None:
    """A tensor times a stored one, without growing by that."""
    others = [name for name in node.input if not weights.stored(name)]
    if len(others) != 1 or (node.op_type == "Div" and others[0] != node.input[0]):
        return None
    same = shapes.get(others[0], (1,)) == shapes.get(node.output[0], (2,))
    return Tie((others[0], node.output[0])) if same else None


# f(s x) = s f(x) for every s > 0, channel by channel.
_RULES: Mapping[str, Callable[[NodeProto, Weights, Shapes], Tie | None]] = MappingProxyType(
    dict.fromkeys(("Relu", "LeakyRelu", "PRelu", "Identity"), _elementwise)
    | dict.fromkeys(("MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool"), _pooling)
    | dict.fromkeys(("Flatten", "Reshape", "Squeeze"), _flattening)
    | dict.fromkeys(("Mul", "Div"), _factor)
    | {"ReduceMean": _mean, "Add": _sum}
)


def _channels(group: Group, weights: Weights) -> int:
    """Return how many channels a group has; 0 where it cannot be scaled."""
    if group.fixed or not group.makers or not group.readers or not _one_layout(group):
        return 0
    made = {layer.width(weights, outputs=True) for layer in group.makers}
    read = {layer.width(weights, outputs=False) for layer in group.readers}
    channels = min(made)
    if len(made) > 1 or any(width % channels or (width != channels and not group.flat) for width in read):
        return 0
    biases = [weights[layer.bias] for layer in group.makers if layer.bias is not None]
    behind = {layer.spatial(weights) for layer in group.makers}
    shifts = [weights[name] for name in group.shifts]
    fit = all(bias.shape == (channels,) for bias in biases) and all(_fits(s, channels, behind) for s in shifts)
    return channels if fit else 0


def _one_layout(group: Group) -> bool:
    """Whether channels are the same dimension for all: the second one of pictures, or the last one of rows."""
    made = {layer.is_convolution for layer in group.makers}
    read = {layer.is_convolution for layer in group.readers}
    if made == {True}:
        return group.flat or read == {True}
    return made == read == {False} and not (group.flat or group.spatial)


def _fits(shift: Numbers, channels: int, behind: set[int]) -> bool:
    """Whether a stored tensor has one number for each channel, and as many ones behind as there are pixels' sizes."""
    place = -1 - min(behind)
    return len(behind) == 1 and shift.size == channels and shift.ndim >= -place and shift.shape[place] == channels
