"""Files that are no models to work on, each for a reason of its own. A few would run code if they were unpickled."""

import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto, TensorProto, numpy_helper

MARKER = "pickle-was-executed"


class _Payload:
    """Makes a file where it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return os.mkdir, (str(self.marker),)


def text(path: Path, _sound: Path) -> None:
    path.write_text("This is a README, not a model.\n" * 20, encoding="utf-8")


def empty(path: Path, _sound: Path) -> None:
    path.touch()


def archive(path: Path, _sound: Path) -> None:
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("notes.txt", "nothing of a model")


def raw_pickle(path: Path, _sound: Path) -> None:
    path.write_bytes(pickle.dumps(_Payload(path.parent / MARKER)))


def torch_archive(path: Path, _sound: Path) -> None:
    """Write what torch.save makes: a zip whose `data.pkl` runs on loading."""
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("archive/data.pkl", pickle.dumps(_Payload(path.parent / MARKER)))
        packed.writestr("archive/version", "3\n")


def truncated(path: Path, sound: Path) -> None:
    content = sound.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def external_data(path: Path, sound: Path) -> None:
    model = onnx.load(sound)
    tensor = max(model.graph.initializer, key=lambda one: len(one.raw_data))
    size = len(tensor.raw_data)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", "../secret.bin"), ("offset", "0"), ("length", str(size))):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    (path.parent.parent / "secret.bin").write_bytes(bytes(size))
    _write(model, path)


def not_finite(path: Path, sound: Path) -> None:
    model = onnx.load(sound)
    tensor = max(model.graph.initializer, key=lambda one: len(one.raw_data))
    values = numpy_helper.to_array(tensor).copy()
    values.flat[7] = np.nan
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    _write(model, path)


def custom_operator(path: Path, sound: Path) -> None:
    model = onnx.load(sound)
    model.graph.node[1].domain, model.graph.node[1].op_type = "vendor.secret", "Magic"
    model.opset_import.append(onnx.helper.make_opsetid("vendor.secret", 1))
    _write(model, path)


def future_opset(path: Path, sound: Path) -> None:
    model = onnx.load(sound)
    model.opset_import[0].version = 9999
    _write(model, path)


def _write(model: ModelProto, path: Path) -> None:
    path.write_bytes(model.SerializeToString())
