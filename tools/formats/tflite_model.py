"""TFLite files."""

import hashlib
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from edgewright.state.artifacts import Quantization, TensorSpec
from edgewright.state.errors import Refused
from edgewright.state.evidence import Graph
from edgewright.tools.formats.tflite_admission import admit_tflite, check_tflite
from edgewright.tools.formats.tflite_graph import (
    custom_code,
    data_of,
    dtype_of,
    indices,
    main_signature,
    open_shape_of,
    operator_name,
    scale_of,
    shape_of,
    text,
)
from edgewright.tools.formats.tflite_macs import macs_of
from edgewright.tools.legible import legible
from edgewright.tools.profile.lineage import KEY
from edgewright.tools.runtimes.litert.schema import Model, Operator, Subgraph, Tensor, new_metadata, write
from edgewright.tools.runtimes.litert.schema import read as unpack

_FLOATS = {"float32": "fp32", "float16": "fp16", "bfloat16": "bf16", "float64": "fp64"}


class TfliteModel:
    """A TFLite file in memory; `edgewright.tools.formats.model.Model` says what each part is."""

    def __init__(self, objects: Model) -> None:
        self.objects = objects

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """What it takes."""
        return self._interface("inputs")

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """What it gives."""
        return self._interface("outputs")

    @property
    def precision(self) -> str:
        """`int16x8` or `int8` where activations or weights are such integers, else the type of most parameters."""
        computed = {dtype_of(t) for t in self._tensors(stored=False) if scale_of(t) is not None}
        if "int16" in computed:
            return "int16x8"
        sizes: Counter[str] = Counter()
        for tensor in self._tensors(stored=True):
            sizes[dtype_of(tensor)] += math.prod(shape_of(tensor))
        if computed & {"int8", "uint8"} or any(_is_quantised(t) for t in self._tensors(stored=True)):
            return "int8"
        floats = {name: sizes[dtype] for dtype, name in _FLOATS.items() if sizes[dtype]}
        return max(floats, key=floats.__getitem__) if floats else "fp32"

    @property
    def has_float32_weights(self) -> bool:
        """Whether any stored array is in float32."""
        return any(dtype_of(t) == "float32" and math.prod(shape_of(t)) > 1 for t in self._tensors(stored=True))

    @property
    def lineage(self) -> str | None:
        """What it says it was made from, in a metadata entry of its own."""
        mark = self.notes.get(KEY)
        return None if mark is None else mark.decode("ascii", "replace")

    @property
    def dialect(self) -> str:
        """Format and version in words, with the metadata that the file carries."""
        count = len(self.objects.metadata or [])
        return f"TensorFlow Lite, schema version {self.objects.version}, {count} metadata entries"

    @property
    def notes(self) -> Mapping[str, bytes]:
        """What its maker wrote into it."""
        found = {text(entry.name): self.objects.buffers[entry.buffer].data for entry in self.objects.metadata or []}
        return {name: bytes(bytearray(data)) for name, data in found.items() if data is not None}

    def rows_looked_up(self) -> Mapping[str, int]:
        """Return nothing: tables of TFLite files are not looked for."""
        return {}

    def graph(self) -> Graph:
        """Return what the file says of itself."""
        operators = Counter(self._name(operator) for graph in self.objects.subgraphs for operator in _operators(graph))
        return Graph(
            opset=self.objects.version,
            ir_version=self.objects.version,
            producer=legible(text(self.objects.description)),
            nodes=operators.total(),
            parameters=sum(math.prod(shape_of(t)) for t in self._tensors(stored=True) if _is_parameter(t)),
            macs=macs_of(self.objects),
            operators={legible(name): count for name, count in operators.most_common()},
            inputs=self.inputs,
            outputs=self.outputs,
            stored_bytes={legible(name): size for name, size in self._stored_bytes().most_common()},
        )

    def _stored_bytes(self) -> Counter[str]:
        """Return the bytes of stored tensors by the operator that first reads each; a buffer counts once."""
        sizes: Counter[str] = Counter()
        seen: set[int] = set()
        for graph in self.objects.subgraphs:
            for operator in _operators(graph):
                for tensor in (graph.tensors[index] for index in indices(operator.inputs) if index >= 0):
                    data = data_of(tensor, self.objects)
                    if data is not None and tensor.buffer not in seen:
                        seen.add(tensor.buffer)
                        sizes[self._name(operator)] += len(data)
        return sizes

    def fingerprint(self) -> str:
        """Return a digest of operators, options, tensors and weights; names and metadata do not count."""
        digest = hashlib.sha256()
        for graph in self.objects.subgraphs:
            digest.update(repr((indices(graph.inputs), indices(graph.outputs))).encode())
            for tensor in graph.tensors or []:
                data = data_of(tensor, self.objects)
                digest.update(repr((tensor.type, open_shape_of(tensor), _plain(tensor.quantization))).encode())
                digest.update(b"" if data is None else hashlib.sha256(data.tobytes()).digest())
            for operator in _operators(graph):
                options = (_plain(operator.builtinOptions), _plain(operator.builtinOptions2))
                wires = (indices(operator.inputs), indices(operator.outputs))
                digest.update(repr((self._name(operator), wires, options)).encode())
        return digest.hexdigest()

    def fault(self) -> str | None:
        """Return what makes the file unsound."""
        try:
            check_tflite(self.objects)
        except Refused as refused:
            return refused.refusal.why
        return None

    def mark(self, original_sha256: str) -> None:
        """Write the lineage into a metadata entry with a buffer of its own."""
        kept = [entry for entry in self.objects.metadata or [] if text(entry.name) != KEY]
        self.objects.metadata = kept
        new_metadata(KEY, original_sha256.encode(), self.objects)

    def save(self, path: Path) -> None:
        """Write it, its buffers aligned."""
        path.write_bytes(write(self.objects))

    def _name(self, operator: Operator) -> str:
        code = self.objects.operatorCodes[operator.opcodeIndex]
        return custom_code(code) or operator_name(code)

    def _tensors(self, *, stored: bool) -> Iterator[Tensor]:
        """Yield the tensors that are stored, or those that are computed; a buffer counts once."""
        seen: set[int] = set()
        for graph in self.objects.subgraphs:
            for tensor in graph.tensors or []:
                if (data_of(tensor, self.objects) is not None) is not stored or (stored and tensor.buffer in seen):
                    continue
                seen.add(tensor.buffer)
                yield tensor

    def _interface(self, part: str) -> tuple[TensorSpec, ...]:
        graph = self.objects.subgraphs[0]
        names = self._signature_names(part)
        return tuple(_spec(graph.tensors[index], names.get(index)) for index in indices(getattr(graph, part)))

    def _signature_names(self, part: str) -> dict[int, str]:
        signature = main_signature(self.objects)
        return {} if signature is None else {e.tensorIndex: text(e.name) for e in getattr(signature, part)}


def admit(path: Path) -> TfliteModel:
    """Read a file of unknown origin; see `admit_tflite` for what is refused."""
    return TfliteModel(admit_tflite(path))


def read(path: Path) -> TfliteModel:
    """Return a file that was admitted before, or was made here."""
    return TfliteModel(unpack(path.read_bytes()))


def _spec(tensor: Tensor, name: str | None) -> TensorSpec:
    scale = scale_of(tensor)
    meaning = Quantization(*scale) if scale else None
    return TensorSpec(name or text(tensor.name), dtype_of(tensor), open_shape_of(tensor), meaning)


def _is_quantised(tensor: Tensor) -> bool:
    return dtype_of(tensor) in {"int8", "uint8", "int4", "int2"} and _scales(tensor) > 0


def _is_parameter(tensor: Tensor) -> bool:
    """Whether a stored tensor was learnt: floats, and integers that stand for them; single numbers are constants."""
    return len(shape_of(tensor)) > 0 and (dtype_of(tensor) in _FLOATS or _scales(tensor) > 0)


def _scales(tensor: Tensor) -> int:
    quantization = tensor.quantization
    return 0 if quantization is None or quantization.scale is None else len(quantization.scale)


def _operators(graph: Subgraph) -> list[Operator]:
    return list(graph.operators or [])


def _plain(value: object) -> object:
    """Return generated objects as what they hold."""
    if hasattr(value, "__dict__"):
        return {name: _plain(field) for name, field in vars(value).items()}
    return [_plain(entry) for entry in value] if hasattr(value, "__iter__") and not isinstance(value, bytes) else value
