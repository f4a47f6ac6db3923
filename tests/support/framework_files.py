"""Files of frameworks as they lie on disk, written without the framework: good ones, and hostile ones of each kind.

Layouts: keras.io, "Serialization & saving" (a zip of metadata.json, config.json, model.weights.h5); PyTorch's
torch/export/pt2_archive/constants.py and torch/_export/serde/schema.py. Payloads only create the file `marker`.
"""

import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

Json = dict[str, Any]


def touch(marker: Path) -> str:
    """Return Python that creates the marker."""
    return f"__import__('pathlib').Path({str(marker)!r}).touch()"


class Payload:
    """Unpickles into `open(marker, "w")`."""

    def __init__(self, marker: Path) -> None:
        self.marker = str(marker)

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (self.marker, "w")


def write_zip(path: Path, members: dict[str, bytes | str]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def layer(class_name: str, module: str = "keras.layers", **config: object) -> Json:
    return {"module": module, "class_name": class_name, "config": {"name": "d", **config}, "registered_name": None}


def keras_config(*layers: Json) -> Json:
    first = {"module": "keras.layers", "class_name": "InputLayer", "config": {"name": "image"}, "registered_name": None}
    config = {"name": "net", "layers": [first, *layers]}
    return {"module": "keras", "class_name": "Sequential", "config": config, "registered_name": None}


def keras_members(*layers: Json, config: bytes | str | None = None) -> dict[str, bytes | str]:
    return {
        "metadata.json": json.dumps({"keras_version": "3.15.1"}),
        "config.json": json.dumps(keras_config(*(layers or (layer("Dense", units=2),)))) if config is None else config,
        "model.weights.h5": b"\x89HDF\r\n\x1a\n",
    }


def hostile_keras(marker: Path) -> dict[str, dict[str, bytes | str]]:
    """Return members of archives that run code or read files in some version of Keras, or break its reader."""
    body = {"class_name": "__lambda__", "config": {"code": "4wEAAAA="}}
    builtin = {"class_name": "function", "config": "enable_unsafe_deserialization", "registered_name": "function"}
    deep = "[" * 100_000 + "]" * 100_000
    return {
        "a Lambda": keras_members(layer("Lambda", function=body)),
        "a Lambda of a named function": keras_members(layer("Lambda", function="relu")),
        "builtins.open": keras_members(layer("open", "builtins", file=str(marker), mode="w")),
        "os.system": keras_members(layer("system", "os", command=f"touch '{marker}'")),
        "the switch of safe mode": keras_members({"module": "keras.config", **builtin}),
        "a vocabulary of another file": keras_members(layer("StringLookup", vocabulary="/etc/passwd")),
        "a wrapped torch module": keras_members(layer("TorchModuleWrapper", module={"class_name": "__bytes__"})),
        "a SavedModel inside": keras_members(layer("TFSMLayer", filepath="/tmp")),
        "a name that climbs": keras_members(layer("Dense", units=2) | {"config": {"name": "../../x", "units": 2}}),
        "a class of an installed package": keras_members(layer("Popen", "subprocess", args=["touch", str(marker)])),
        "a member that climbs": keras_members() | {"../EXECUTED": "x"},
        "another member": keras_members() | {"payload.py": "x"},
        "an empty configuration": keras_members(config=b""),
        "a deep configuration": keras_members(config=deep),
        "a configuration that is a list": keras_members(config="[]"),
    }


def program() -> Json:
    """Return what `models/model.json` says of a module with one operator."""
    node = {
        "target": "torch.ops.aten.relu.default",
        "inputs": [{"name": "self", "arg": {"as_tensor": {"name": "x"}}, "kind": 1}],
        "outputs": [{"as_tensor": {"name": "relu"}}],
        "metadata": {"stack_trace": "anything", "torch_fn": "relu_1;builtin_function_or_method.relu"},
        "name": "relu",
    }
    size = {"as_expr": {"expr_str": "Mul(Integer(2), Symbol('s0', positive=True, integer=True))", "hint": None}}
    tree = (
        '[1, {"type": "builtins.tuple", "context": "null", "children_spec": [{"type": null, "context": null, '
        '"children_spec": []}]}]'
    )
    signature = {"in_spec": tree, "out_spec": tree, "forward_arg_names": ["x"]}
    values = {"x": {"dtype": 7, "sizes": [size]}, "relu": {"dtype": 7, "sizes": [size]}}
    graph = {"inputs": [{"as_tensor": {"name": "x"}}], "nodes": [node], "tensor_values": values}
    return {
        "graph_module": {"graph": graph, "module_call_graph": [{"fqn": "", "signature": signature}]},
        "range_constraints": {"s0": {"min_val": 1, "max_val": 8}},
        "guards_code": [],
    }


def pt2_members(change: Callable[[Json], object] = lambda _: None, **added: bytes | str) -> dict[str, bytes | str]:
    said = program()
    change(said)
    return {
        "net/archive_format": "pt2",
        "net/models/model.json": json.dumps(said),
        "net/data/weights/model_weights_config.json": json.dumps({"config": {}}),
        "net/data/sample_inputs/model.pt": b"",
    } | {name.replace("__", "/"): content for name, content in added.items()}


def hostile_pt2(marker: Path) -> dict[str, dict[str, bytes | str]]:
    """Return members of archives that make some part of PyTorch run code, or that hold some."""
    code = touch(marker)

    def node(**changes: object) -> Callable[[Json], object]:
        return lambda said: said["graph_module"]["graph"]["nodes"][0].update(changes)

    def size(text: str) -> Callable[[Json], object]:
        def change(said: Json) -> None:
            said["graph_module"]["graph"]["tensor_values"]["x"]["sizes"][0]["as_expr"]["expr_str"] = text

        return change

    def signature(**changes: object) -> Callable[[Json], object]:
        return lambda said: said["graph_module"]["module_call_graph"][0]["signature"].update(changes)

    def value_called(name: str) -> Callable[[Json], object]:
        return lambda said: said["graph_module"]["graph"]["inputs"][0]["as_tensor"].update(name=name)

    pickled = json.dumps({"config": {"w": {"path_name": "weight_0", "use_pickle": True}}})
    enumeration = '[1, {"type": "builtins.dict", "context": "[{\\"__enum__\\": true, \\"fqn\\": \\"os:x\\"}]"}]'
    weights = {"net/data/weights/model_weights_config.json": pickled}
    return {
        "weights to unpickle": pt2_members() | weights,
        "a native library": pt2_members() | {"net/data/aotinductor/model/payload.so": b"\x7fELF"},
        "an operator that is none": pt2_members(node(target="torch.os.system")),
        "an operator of Python's": pt2_members(node(target="_operator.call")),
        "an operator that calls methods": pt2_members(node(target="_operator.methodcaller")),
        "an extension's operator": pt2_members(node(target="#inductor:x")),
        "conditions in Python": pt2_members(lambda said: said.update(guards_code=[f"{code} or True"])),
        "a size in Python": pt2_members(size(code)),
        "a size by attributes": pt2_members(size("Integer(1).__class__.__base__")),
        "a size that parses again": pt2_members(size("sympify('1')")),
        "a range in Python": pt2_members(lambda said: said.update(range_constraints={code: {"min_val": 1}})),
        "an argument's default in Python": pt2_members(signature(forward_arg_names=[f"x={code}"])),
        "a value called in Python": pt2_members(value_called(f"x={code}")),
        "an enumeration to import": pt2_members(signature(in_spec=enumeration)),
        "two programs": pt2_members() | {"net/models/other.json": "{}"},
        "no program": {"net/archive_format": "pt2"},
        "a member that climbs": pt2_members() | {"net/../../x": b""},
    }


def pickles(marker: Path) -> dict[str, bytes]:
    """Return files that run code when they are unpickled, by what they are called."""
    payload = Payload(marker)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("net/data.pkl", pickle.dumps(payload, 2))
        archive.writestr("net/version", "3")
    scripted = io.BytesIO()
    with zipfile.ZipFile(scripted, "w") as archive:
        archive.writestr("net/data.pkl", pickle.dumps(payload, 2))
        archive.writestr("net/constants.pkl", pickle.dumps(payload, 2))
        archive.writestr("net/code/__torch__.py", "x")
    return {
        "payload.pt": stream.getvalue(),
        "scripted.pt": scripted.getvalue(),
        "raw.pth": pickle.dumps(payload, 2),
        "pytorch_model.bin": pickle.dumps(payload, 2),
    }
