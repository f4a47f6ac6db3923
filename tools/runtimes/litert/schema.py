"""TFLite files as objects: the generated reader and writer of TensorFlow Lite's `schema.fbs`, made safe to use.

The reader trusts a file; what it may be given is decided in `read`. What the objects say is trusted by nobody yet:
`edgewright.tools.formats.tflite_admission` checks that.
"""

import struct
from collections.abc import Iterator
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

IDENTIFIER = b"TFL3"
# Buffers are aligned to this (`force_align: 16` in schema.fbs); the generated writer forgets it, and kernels on ARM
# read weights in vectors.
ALIGNMENT_BYTES = 16
# The least that any table takes in a file: its offset to a vtable.
LEAST_TABLE_BYTES = 4

BUILTIN_NAMES = {number: name for name, number in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
CASTS = frozenset({schema.BuiltinOperator.QUANTIZE, schema.BuiltinOperator.DEQUANTIZE})
TYPE_NAMES = {number: name for name, number in vars(schema.TensorType).items() if not name.startswith("_")}

# ModelT and its parts are generated without types; these names say at least which part is meant.
Model = Any
Subgraph = Any
Tensor = Any
Operator = Any
OperatorCode = Any
Signature = Any
Builder = Any


class DamagedFile(ValueError):
    """Raised for bytes that are no TFLite model: offsets lead out of the file, or tables are shared."""


def read(content: bytes) -> Model:
    """Return the objects in a file.

    No writer shares a table, so a file has no more of them than room for them. A file that says otherwise would unpack
    into far more memory than it takes on disk.

    Raises:
        DamagedFile: An offset leads out of the file, or there are more tables than the file can hold.
    """
    try:
        lazy = schema.Model.GetRootAs(content, 0)
        if sum(_counts(lazy)) <= len(content) // LEAST_TABLE_BYTES:
            return schema.ModelT.InitFromObj(lazy)
    except (struct.error, ValueError, IndexError, TypeError, AttributeError, OverflowError) as error:
        raise DamagedFile("an offset inside it leads nowhere") from error
    raise DamagedFile("it names more tables than a file of its size can hold")


def write(model: Model) -> bytes:
    """Return a file with these objects, its buffers aligned."""
    model.buffers = [_AlignedBuffer(buffer) for buffer in model.buffers]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())


def new_metadata(name: str, content: bytes, model: Model) -> None:
    """Add a metadata entry with a buffer of its own."""
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = np.frombuffer(content, np.uint8)
    entry.name, entry.buffer = name.encode(), len(model.buffers)
    model.buffers = [*model.buffers, buffer]
    model.metadata = [*(model.metadata or []), entry]


def new_signature(key: str, model: Model) -> None:
    """Add a signature of the main graph, its inputs and outputs called as the graph calls them."""
    graph, signature = model.subgraphs[0], schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = key.encode(), 0
    signature.inputs = [_named(graph, index) for index in graph.inputs]
    signature.outputs = [_named(graph, index) for index in graph.outputs]
    model.signatureDefs = [*(model.signatureDefs or []), signature]


def _named(graph: Subgraph, index: int) -> Signature:
    entry = schema.TensorMapT()
    entry.name, entry.tensorIndex = graph.tensors[index].name, int(index)
    return entry


def _counts(lazy: Model) -> Iterator[int]:
    yield lazy.SubgraphsLength()
    yield lazy.OperatorCodesLength()
    yield lazy.BuffersLength()
    yield lazy.MetadataLength()
    yield lazy.SignatureDefsLength()
    for number in range(lazy.SignatureDefsLength()):
        signature = lazy.SignatureDefs(number)
        yield signature.InputsLength()
        yield signature.OutputsLength()
    for number in range(lazy.SubgraphsLength()):
        graph = lazy.Subgraphs(number)
        yield graph.TensorsLength()
        yield graph.OperatorsLength()
    yield from _data(lazy)


def _data(lazy: Model) -> Iterator[int]:
    """Yield what buffers hold, in tables' worth: two that overlap cannot both fit."""
    for number in range(lazy.BuffersLength()):
        yield lazy.Buffers(number).DataLength() // LEAST_TABLE_BYTES


class _AlignedBuffer(schema.BufferT):  # type: ignore[misc]  # generated without types
    """A buffer whose data begins where `schema.fbs` wants it."""

    def __init__(self, buffer: schema.BufferT) -> None:
        super().__init__(buffer.data, buffer.offset, buffer.size)

    def Pack(self, builder: Builder) -> int:  # noqa: N802  (the generated name)
        """Write it; return where."""
        data = None
        if self.data is not None:
            content = np.asarray(self.data, np.uint8).tobytes()
            builder.StartVector(1, len(content), ALIGNMENT_BYTES)
            builder.head = builder.head - len(content)
            builder.Bytes[builder.head : builder.head + len(content)] = content
            data = builder.EndVector()
        schema.BufferStart(builder)
        if data is not None:
            schema.BufferAddData(builder, data)
        schema.BufferAddOffset(builder, self.offset)
        schema.BufferAddSize(builder, self.size)
        end: int = schema.BufferEnd(builder)
        return end
