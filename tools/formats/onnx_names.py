"""Other names for what an ONNX graph takes and gives, with nothing else changed."""

from collections.abc import Mapping

from onnx import GraphProto, ModelProto

from edgewright.tools.profile.graphs import graphs, nodes


def rename(model: ModelProto, names: Mapping[str, str]) -> None:
    """Rename inputs and outputs of the graph wherever they are used; a value that has a wanted name makes way.

    Args:
        model: Changed in place.
        names: Old name to new one.
    """
    wanted = set(names.values())
    values = {name for node in nodes(model) for name in (*node.input, *node.output)}
    in_the_way = {name: f"{name}_inner" for name in values & wanted if name not in names}
    change = {**in_the_way, **names}
    for node in nodes(model):
        for side in (node.input, node.output):
            side[:] = [change.get(name, name) for name in side]
    for graph in (graph for graph in graphs(model) if isinstance(graph, GraphProto)):
        for entries in (graph.input, graph.output, graph.value_info, graph.initializer):
            for entry in entries:
                entry.name = change.get(entry.name, entry.name)
