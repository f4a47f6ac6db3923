"""The order of nodes: ONNX wants every node behind those whose outputs it reads."""

from collections.abc import Iterator

from onnx import GraphProto, NodeProto


def put_in_order(graph: GraphProto) -> None:
    """Move nodes of a graph without cycles behind those that they read from, otherwise keeping their order."""
    producers = {name: index for index, node in enumerate(graph.node) for name in node.output}
    ordered: list[int] = []
    placed: set[int] = set()
    for start in range(len(graph.node)):
        pending = [start]
        while pending:
            index = pending[-1]
            missing = [
                producers[name]
                for name in reads(graph.node[index])
                if name in producers and producers[name] not in placed and producers[name] != index
            ]
            if missing and index not in placed:
                pending.extend(reversed(missing))
                continue
            pending.pop()
            if index not in placed:
                placed.add(index)
                ordered.append(index)
    nodes = [NodeProto.FromString(graph.node[index].SerializeToString()) for index in ordered]
    del graph.node[:]
    graph.node.extend(nodes)


def reads(node: NodeProto) -> Iterator[str]:
    """Yield the names that a node reads, its subgraphs included."""
    pending = [node]
    while pending:
        current = pending.pop()
        yield from (name for name in current.input if name)
        for attribute in current.attribute:
            for graph in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])):
                yield from (output.name for output in graph.output)
                pending.extend(graph.node)
