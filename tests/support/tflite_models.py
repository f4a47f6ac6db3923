"""TFLite files made object by object: a small sound one without a signature, and changes that make it unsound."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgewright.tools.runtimes.litert.schema import write

# The generated classes have no types.
Part = Any
Change = Callable[[Part], None]
FEATURES, CLASSES = 12, 4


def dense_net() -> Part:
    """Return FULLY_CONNECTED, 12 -> 4, with an open batch and nothing that names its interface but the graph."""
    weights = np.random.default_rng(3).standard_normal((CLASSES, FEATURES)).astype(np.float32)
    model, graph = schema.ModelT(), schema.SubGraphT()
    model.version, model.description = 3, b"made by a test"
    model.buffers = [schema.BufferT(), schema.BufferT()]
    model.buffers[1].data = np.frombuffer(weights.tobytes(), np.uint8)
    graph.tensors = [
        tensor(b"x", [1, FEATURES], signature=[-1, FEATURES]),
        tensor(b"w", [CLASSES, FEATURES], 1),
        tensor(b"y", [1, CLASSES], signature=[-1, CLASSES]),
    ]
    graph.inputs, graph.outputs, graph.name = [0], [2], b"main"
    graph.operators = [operator(0, [0, 1, -1], [2], schema.FullyConnectedOptionsT(), "FullyConnectedOptions")]
    model.operatorCodes, model.subgraphs = [code("FULLY_CONNECTED")], [graph]
    return model


def tensor(name: bytes, shape: list[int], buffer: int = 0, *, signature: list[int] | None = None) -> Part:
    made = schema.TensorT()
    made.name, made.shape, made.buffer, made.shapeSignature = name, shape, buffer, signature
    made.type = schema.TensorType.FLOAT32
    return made


def code(name: str) -> Part:
    made = schema.OperatorCodeT()
    made.builtinCode = getattr(schema.BuiltinOperator, name)
    made.deprecatedBuiltinCode, made.version = min(made.builtinCode, 127), 1
    return made


def operator(opcode: int, inputs: list[int], outputs: list[int], options: Part, kind: str) -> Part:
    made = schema.OperatorT()
    made.opcodeIndex, made.inputs, made.outputs = opcode, inputs, outputs
    made.builtinOptions, made.builtinOptionsType = options, getattr(schema.BuiltinOptions, kind)
    return made


def save(model: Part, path: Path) -> Path:
    path.write_bytes(write(model))
    return path


def changed(change: Change, path: Path) -> Path:
    model = dense_net()
    change(model)
    return save(model, path)


def _set(pick: Callable[[Any], Any], **fields: object) -> Change:
    def change(model: Part) -> None:
        for name, value in fields.items():
            setattr(pick(model), name, value)

    return change


def _model(**fields: object) -> Change:
    return _set(lambda model: model, **fields)


def _graph(**fields: object) -> Change:
    return _set(lambda model: model.subgraphs[0], **fields)


def _operator(**fields: object) -> Change:
    return _set(lambda model: model.subgraphs[0].operators[0], **fields)


def _tensor(number: int, **fields: object) -> Change:
    return _set(lambda model: model.subgraphs[0].tensors[number], **fields)


def _code(**fields: object) -> Change:
    return _set(lambda model: model.operatorCodes[0], **fields)


def _metadata(buffer: int) -> Change:
    entry = schema.MetadataT()
    entry.name, entry.buffer = b"min_runtime_version", buffer
    return _model(metadata=[entry])


def _quantised(scale: list[float], zero_point: list[int], axis: int = 0) -> Change:
    def change(model: Part) -> None:
        parameters, weights = schema.QuantizationParametersT(), model.subgraphs[0].tensors[1]
        parameters.scale, parameters.zeroPoint, parameters.quantizedDimension = scale, zero_point, axis
        weights.type, weights.quantization = schema.TensorType.INT8, parameters
        model.buffers[1].data = np.zeros(CLASSES * FEATURES, np.uint8)

    return change


def _custom(name: bytes) -> Change:
    return _code(builtinCode=schema.BuiltinOperator.CUSTOM, deprecatedBuiltinCode=32, customCode=name)


def _huge_input(model: Part) -> None:
    _tensor(0, shape=[1 << 30, FEATURES])(model)


def _not_finite(model: Part) -> None:
    weights = np.frombuffer(model.buffers[1].data.tobytes(), np.float32).copy()
    weights[7] = np.nan
    model.buffers[1].data = weights.view(np.uint8)


def _loop(condition: int, body: int) -> Change:
    def change(model: Part) -> None:
        options = schema.WhileOptionsT()
        options.condSubgraphIndex, options.bodySubgraphIndex = condition, body
        model.operatorCodes.append(code("WHILE"))
        model.subgraphs[0].operators.append(operator(1, [2], [2], options, "WhileOptions"))

    return change


def _call_once(model: Part) -> None:
    options = schema.CallOnceOptionsT()
    options.initSubgraphIndex = 5
    model.operatorCodes.append(code("CALL_ONCE"))
    model.subgraphs[0].operators.append(operator(1, [], [], options, "CallOnceOptions"))


def _sparse(model: Part) -> None:
    sparsity, dimension = schema.SparsityParametersT(), schema.DimensionMetadataT()
    dimension.format = 1
    sparsity.traversalOrder, sparsity.blockMap, sparsity.dimMetadata = [0, 1, 9], [4], [dimension]
    model.subgraphs[0].tensors[1].sparsity = sparsity


def _signature_outside(model: Part) -> None:
    signature, entry = schema.SignatureDefT(), schema.TensorMapT()
    entry.name, entry.tensorIndex = b"x", 77
    signature.signatureKey, signature.inputs, signature.subgraphIndex = b"serving_default", [entry], 0
    model.signatureDefs = [signature]


def gather_outside(model: Part) -> None:
    """Read beyond a tensor; only the kernel, while it runs, can see that."""
    place = schema.BufferT()
    place.data = np.frombuffer(np.array([2**30], np.int32).tobytes(), np.uint8)
    model.buffers.append(place)
    index = tensor(b"i", [1], 2)
    index.type = schema.TensorType.INT32
    options = schema.GatherOptionsT()
    options.axis = 1
    model.operatorCodes = [code("GATHER")]
    model.subgraphs[0].tensors.append(index)
    model.subgraphs[0].operators = [operator(0, [0, 3], [2], options, "GatherOptions")]


def weights_as_text(model: Part) -> None:
    """Call the weights strings; only the kernel, while it prepares, minds."""
    model.subgraphs[0].tensors[1].type = schema.TensorType.STRING


UNSOUND: dict[str, tuple[Change, str, str]] = {
    "a tensor's buffer outside": (_tensor(1, buffer=12345), "MODEL_INVALID", "buffer 12345"),
    "an operator's input outside": (_operator(inputs=[0, 9999, -1]), "MODEL_INVALID", "tensor 9999"),
    "an operator's negative input": (_operator(inputs=[0, -7, -1]), "MODEL_INVALID", "tensor -7"),
    "an operator without inputs": (_operator(inputs=[]), "MODEL_INVALID", "no inputs"),
    "an operator that writes an input": (_operator(outputs=[0]), "MODEL_INVALID", "writes over"),
    "an operator that writes weights": (_operator(outputs=[1]), "MODEL_INVALID", "writes over"),
    "an operator code outside": (_operator(opcodeIndex=77), "MODEL_INVALID", "operator code 77"),
    "an output outside": (_graph(outputs=[55]), "MODEL_INVALID", "tensor 55"),
    "no outputs": (_graph(outputs=[]), "MODEL_INVALID", "no outputs"),
    "no subgraphs": (_model(subgraphs=[]), "MODEL_INVALID", "no subgraphs"),
    "no buffers": (_model(buffers=[]), "MODEL_INVALID", "no buffers"),
    "a version of the future": (_model(version=99), "MODEL_UNSUPPORTED", "version is 99"),
    "metadata far outside": (_metadata(0xFFFFFFF0), "MODEL_INVALID", "buffer 4294967280"),
    "metadata outside": (_metadata(1000), "MODEL_INVALID", "buffer 1000"),
    "a signature outside": (_signature_outside, "MODEL_INVALID", "tensor 77"),
    "a shape that lies": (_tensor(1, shape=[1 << 20, 1 << 20]), "MODEL_UNSUPPORTED", "bytes, more than"),
    "weights that are too few": (_tensor(1, shape=[CLASSES, 99]), "MODEL_INVALID", "asks for 1584"),
    "a huge input": (_huge_input, "MODEL_UNSUPPORTED", "bytes, more than"),
    "a negative size": (_tensor(0, shape=[-1, FEATURES]), "MODEL_INVALID", "negative size -1"),
    "an unknown element type": (_tensor(1, type=99), "MODEL_INVALID", "element type 99"),
    "an unknown builtin": (_code(builtinCode=30000), "MODEL_UNSUPPORTED", "number 30000"),
    "a custom operator": (_custom(b"EvilOp"), "MODEL_UNSUPPORTED", "custom operator 'EvilOp'"),
    "a TensorFlow operator": (_custom(b"FlexErf"), "MODEL_UNSUPPORTED", "TensorFlow operator 'FlexErf'"),
    "an operator that draws its answer": (
        _code(builtinCode=schema.BuiltinOperator.RANDOM_UNIFORM, deprecatedBuiltinCode=127),
        "MODEL_UNSUPPORTED",
        "RANDOM_UNIFORM draws random numbers",
    ),
    "a scale of zero": (_quantised([0.0], [0]), "MODEL_INVALID", "no positive number"),
    "a zero point outside": (_quantised([0.1], [300]), "MODEL_INVALID", "outside -128 to 127"),
    "a quantised axis outside": (_quantised([0.1] * 3, [0] * 3, 9), "MODEL_INVALID", "along its dimension 9"),
    "sparse weights": (_sparse, "MODEL_UNSUPPORTED", "stored sparsely"),
    "a loop of itself": (_loop(0, 0), "MODEL_UNSUPPORTED", "calls itself"),
    "a loop of nothing": (_loop(8, 9), "MODEL_INVALID", "subgraph"),
    "a call of nothing": (_call_once, "MODEL_INVALID", "subgraph 5"),
    "weights that are not finite": (_not_finite, "MODEL_NOT_FINITE", "1 are NaN"),
    "a name that hides": (_tensor(0, name="x\u202ey".encode()), "MODEL_UNSUPPORTED", "cannot be shown safely"),
}


def broken_containers() -> dict[str, bytes]:
    """Return files that are cut off, or whose offsets lead out of them, or that name one table many times."""
    sound = write(dense_net())
    return {
        "a root outside": b"\xff\xff\xff\x7fTFL3" + sound[8:],
        "a header alone": sound[:8],
        "half a file": sound[: len(sound) // 2],
        "one table many times": many_times_the_same(),
    }


def many_times_the_same() -> bytes:
    """Return a file of some kilobytes whose 2 000 subgraphs are one, each with 2 000 operators that are one."""
    builder = flatbuffers.Builder()
    one = operator(0, [], [], None, "NONE").Pack(builder)
    schema.SubGraphStartOperatorsVector(builder, 2000)
    for _ in range(2000):
        builder.PrependUOffsetTRelative(one)
    operators = builder.EndVector()
    schema.SubGraphStart(builder)
    schema.SubGraphAddOperators(builder, operators)
    graph = schema.SubGraphEnd(builder)
    schema.ModelStartSubgraphsVector(builder, 2000)
    for _ in range(2000):
        builder.PrependUOffsetTRelative(graph)
    graphs = builder.EndVector()
    schema.ModelStart(builder)
    schema.ModelAddVersion(builder, 3)
    schema.ModelAddSubgraphs(builder, graphs)
    builder.Finish(schema.ModelEnd(builder), b"TFL3")
    return bytes(builder.Output())


def weights_offset(content: bytes, number: int) -> int:
    """Return where the data of a buffer begins in a file."""
    buffer = schema.Model.GetRootAs(content, 0).Buffers(number)
    return int(buffer._tab.Vector(buffer._tab.Offset(4)))
