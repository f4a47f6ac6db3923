"""Which framework wrote a model file, told from its content: a name proves nothing, and nothing is loaded to find out.

Signatures: PyTorch's archive and pickle layouts (torch/serialization.py), the Keras v3 archive (keras.io, saving),
HDF5 (File Format Specification, superblock), TensorFlow Lite's FlatBuffers identifier (schema.fbs), TensorRT's plan
header as engine files carry it, safetensors (its README), ONNX (onnx.proto).
"""

import json
import pickle
import struct
import zipfile
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import NoReturn

from edgewright.state.errors import Code, Refused

HEAD_BYTES = 4096
# A safetensors header longer than this is refused by its own library.
_SAFETENSORS_HEADER_BYTES = 100_000_000

# ModelProto's fields and their wire types (onnx.proto): 0 varint, 2 length-delimited.
_MODEL_FIELDS = {1: 0, 2: 2, 3: 2, 4: 2, 5: 0, 6: 2, 7: 2, 8: 2, 14: 2, 20: 2, 25: 2, 26: 2}
_GRAPH_FIELD = 7
_VARINT_BYTES = 10
# Wire type to the size of its value, where that is fixed.
_WIRE_BYTES = {0: 0, 1: 8, 2: 0, 5: 4}


class Framework(StrEnum):
    """What a file turned out to be, in words for the caller."""

    ONNX = "an ONNX model"
    ONNX_TRUNCATED = "an ONNX model that was cut off"
    PYTORCH = "a PyTorch file (pickled weights or module)"
    TORCHSCRIPT = "a TorchScript archive"
    PT2 = "a PyTorch exported program (.pt2)"
    PICKLE = "a Python pickle"
    KERAS = "a Keras archive (.keras)"
    HDF5 = "an HDF5 file, as old Keras versions write"
    SAVED_MODEL = "a TensorFlow SavedModel folder"
    TFLITE = "a TensorFlow Lite model"
    TENSORRT = "a TensorRT engine"
    SAFETENSORS = "a safetensors file (weights without a graph)"
    ORT = "an ONNX Runtime .ort file"
    ARCHIVE = "a zip archive"
    TEXT = "text"
    PROTOBUF = "a protobuf message without an ONNX graph"
    EMPTY = "an empty file"
    UNKNOWN = "of no known model format"


_SIGNATURES = (
    (0, b"\x89HDF\r\n\x1a\n", Framework.HDF5),
    (4, b"TFL3", Framework.TFLITE),
    (4, b"ORTM", Framework.ORT),
    (0, b"ptrt", Framework.TENSORRT),
    (0, b"ftrt", Framework.TENSORRT),
)


_PROGRAM = (
    "load it where you trust it and save it as an exported program: torch.export.save(torch.export.export(model, "
    "(example,)), 'model.pt2'); pickles are never loaded here, since loading one runs code"
)
_EXPORT = {
    Framework.PYTORCH: _PROGRAM,
    Framework.TORCHSCRIPT: "export the module it was scripted from: torch.export.save(torch.export.export(model, "
    "(example,)), 'model.pt2'); there is no safe way to load TorchScript",
    Framework.PICKLE: _PROGRAM,
    Framework.SAVED_MODEL: "load it in Keras and save it as .keras, convert it with python -m tf2onnx.convert "
    "--saved-model, or for a Raspberry Pi with tf.lite.TFLiteConverter.from_saved_model",
    Framework.TENSORRT: "give the ONNX file that the engine was built from; an engine is native code of one device",
    Framework.SAFETENSORS: "load the weights into the model's own code and save the whole as an exported program "
    "(torch.export.save): weights alone cannot be run",
    Framework.ORT: "give the .onnx file that it was made from",
}

# What engines are called. A name proves nothing, but it says what the caller believes to have.
_ENGINE_NAMES = frozenset({".engine", ".plan", ".trt"})


def refuse_framework(framework: Framework, path: Path, suffix: str = "") -> NoReturn:
    """Refuse a file of a framework that no run begins from.

    Args:
        framework: What it is.
        path: Where its copy lies.
        suffix: Of the name that the caller gave it.

    Raises:
        Refused: MODEL_UNSUPPORTED with the way out, MODEL_INVALID or MODEL_FORMAT_UNKNOWN.
    """
    facts = {"framework": framework.name.lower(), "size_bytes": path.stat().st_size}
    if framework in _EXPORT:
        code, why, do = (
            Code.MODEL_UNSUPPORTED,
            f"{framework}, and only ONNX, TFLite, Keras and .pt2 are taken",
            _EXPORT[framework],
        )
    elif framework is Framework.UNKNOWN and suffix.lower() in _ENGINE_NAMES:
        code, do = Code.MODEL_UNSUPPORTED, _EXPORT[Framework.TENSORRT]
        why = f"{framework}: it is named like a TensorRT engine and is none"
    elif framework in {Framework.EMPTY, Framework.ONNX_TRUNCATED, Framework.PROTOBUF}:
        code, why, do = Code.MODEL_INVALID, str(framework), "copy or export the file again"
    else:
        code, why, do = (
            Code.MODEL_FORMAT_UNKNOWN,
            str(framework),
            "give the path of an .onnx, .tflite, .keras, .h5 or .pt2 file",
        )
    raise Refused.because(code, "this model", f"the file is {why}", do, **facts)


def framework_of(path: Path) -> Framework:
    """Return what the file or folder at `path` is. Reads headers only."""
    if path.is_dir():
        return Framework.SAVED_MODEL if (path / "saved_model.pb").is_file() else Framework.UNKNOWN
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    if not head:
        return Framework.EMPTY
    for offset, signature, framework in _SIGNATURES:
        if head[offset : offset + len(signature)] == signature:
            return framework
    if head.startswith(b"PK\x03\x04"):
        return _archive(path)
    if _is_pickle(head):
        return Framework.PYTORCH if b"torch" in head or b"l\xfc\x9cF\xf9 j\xa8P\x19" in head else Framework.PICKLE
    if _is_safetensors(head):
        return Framework.SAFETENSORS
    onnx = _onnx(path)
    if onnx is not None:
        return onnx
    return Framework.TEXT if _is_text(head) else Framework.UNKNOWN


def _archive(path: Path) -> Framework:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, OSError):
        return Framework.ARCHIVE
    inner = {name.partition("/")[2] for name in names}
    if "model.weights.h5" in names and "config.json" in names:
        return Framework.KERAS
    if "archive_format" in inner or any(name.startswith("models/") for name in inner):
        return Framework.PT2
    if "constants.pkl" in inner:
        return Framework.TORCHSCRIPT
    return Framework.PYTORCH if "data.pkl" in inner else Framework.ARCHIVE


def _is_pickle(head: bytes) -> bool:
    return head[0] == pickle.PROTO[0] and len(head) > 1 and 2 <= head[1] <= pickle.HIGHEST_PROTOCOL


def _is_safetensors(head: bytes) -> bool:
    if len(head) < 9 or head[8:9] != b"{":
        return False
    (length,) = struct.unpack("<Q", head[:8])
    if not 2 <= length <= _SAFETENSORS_HEADER_BYTES:
        return False
    try:
        return length > HEAD_BYTES - 8 or isinstance(json.loads(head[8 : 8 + length]), dict)
    except ValueError:
        return False


def _is_text(head: bytes) -> bool:
    try:
        text = head[: HEAD_BYTES - 4].decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < min(len(head), HEAD_BYTES - 4) - 4:
            return False
        text = head[: error.start].decode("utf-8")
    return all(character.isprintable() or character in "\t\r\n\f" for character in text)


def _onnx(path: Path) -> Framework | None:
    """Judge by the outermost fields of a protobuf message, skipping their content, whether it is a ModelProto."""
    size_bytes = path.stat().st_size
    seen: set[int] = set()
    for field, wire_type, end in _fields(path, size_bytes):
        if _MODEL_FIELDS.get(field, wire_type) != wire_type:
            return None
        if end > size_bytes:
            return Framework.ONNX_TRUNCATED if seen & {1, 8} and field in _MODEL_FIELDS else None
        seen.add(field)
    if _GRAPH_FIELD in seen:
        return Framework.ONNX
    return Framework.PROTOBUF if 1 in seen else None


def _fields(path: Path, size_bytes: int) -> Iterator[tuple[int, int, int]]:
    """Yield (number, wire type, end offset) of the outermost fields; a field that cannot be read ends past the file.

    Encoding: protobuf.dev, "Encoding", message structure.
    """
    beyond = size_bytes + 1
    offset = 0
    with path.open("rb") as stream:
        while offset < size_bytes:
            stream.seek(offset)
            data = stream.read(2 * _VARINT_BYTES)
            key, used = _varint(data)
            value, more = _varint(data[used:])
            wire_type = key & 7
            if used == 0 or wire_type not in _WIRE_BYTES:
                yield key >> 3, wire_type, beyond
                return
            offset += used + (more or beyond if wire_type in {0, 2} else _WIRE_BYTES[wire_type])
            offset += value if wire_type == 2 else 0
            yield key >> 3, wire_type, offset


def _varint(data: bytes) -> tuple[int, int]:
    """Return (value, bytes used) of the varint at the start of `data`; no bytes used where there is none."""
    value = 0
    for index, byte in enumerate(data[:_VARINT_BYTES]):
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, index + 1
    return 0, 0
