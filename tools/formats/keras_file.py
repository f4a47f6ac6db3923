"""Whether a Keras file may be loaded: what its configuration would make Keras do is read here, without Keras.

Keras's safe mode is a second barrier and confinement a third; this one is ours, and says what to do instead. Classes
that run code or read files: keras.io, "Serialization & saving", and the advisories CVE-2024-3660, CVE-2025-1550,
CVE-2025-9905, CVE-2025-9906, CVE-2025-12058, CVE-2025-49655 and CVE-2026-1462.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from edgewright.state.errors import Code
from edgewright.tools.formats.archive import open_archive, read_json, refuse
from edgewright.tools.legible import legible

MEMBERS = re.compile(r"metadata\.json|config\.json|model\.weights\.h5|assets/[^/].*")
# What a configuration may name, by the module that it says it is from.
MODULES = re.compile(r"keras(\.(src\.)?[a-z_0-9.]+)?|builtins")
# Plain values that Keras writes as objects of Python's own.
BUILTINS = frozenset({"dict", "list", "tuple", "set", "bool", "int", "float", "str", "NoneType", "slice"})
RUNS_CODE = frozenset(
    {"Lambda", "__lambda__", "__bytes__", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer", "function"}
)
READS_FILES = frozenset({"StringLookup", "IntegerLookup", "TextVectorization"})
NAMES = re.compile(r"[^/\\\x00-\x1f]{1,200}")
HDF5_HEAD = b"\x89HDF\r\n\x1a\n"
HDF5_NAMES = re.compile(rb'"class_name"\s*:\s*"([^"]{0,100})"')
_INSTEAD = "replace the layer by Keras's own layers, or by operations of keras.ops, and save the model again"


def admit(path: Path) -> None:
    """Refuse a file that would make Keras run code, or read other files.

    Raises:
        Refused: MODEL_UNSUPPORTED or MODEL_INVALID, with its reason.
    """
    with path.open("rb") as stream:
        head = stream.read(len(HDF5_HEAD))
    if head == HDF5_HEAD:
        _check_hdf5(path)
        return
    with open_archive(path) as archive:
        for name in archive.namelist():
            if not MEMBERS.fullmatch(name) and not name.endswith("/"):
                refuse(f"its archive holds '{legible(name)}', which no Keras archive does")
        read_json(archive, "metadata.json")
        config = read_json(archive, "config.json")
    if not isinstance(config, Mapping):
        refuse("its config.json describes no model")
    for entry in _objects(config):
        _check_object(entry)


def _objects(config: Any) -> Iterator[Mapping[str, Any]]:  # noqa: ANN401  (JSON)
    """Yield every object of a configuration that names a class."""
    pending = [config]
    while pending:
        entry = pending.pop()
        if isinstance(entry, Mapping):
            if "class_name" in entry:
                yield entry
            pending += entry.values()
        elif isinstance(entry, list):
            pending += entry


def _check_object(entry: Mapping[str, Any]) -> None:
    name, module = entry["class_name"], entry.get("module")
    shown = legible(f"{module}.{name}")
    config = entry.get("config")
    if name in RUNS_CODE and not _is_plain_function(entry):
        refuse(f"its part '{shown}' runs code that the file brings", _INSTEAD, Code.MODEL_UNSUPPORTED, part=shown)
    if name in READS_FILES and isinstance(config, Mapping) and isinstance(config.get("vocabulary"), str):
        refuse(f"its part '{shown}' reads another file", "store the vocabulary in the layer", Code.MODEL_UNSUPPORTED)
    if not isinstance(name, str) or not (module is None or isinstance(module, str)):
        refuse("its configuration names a class that is no text")
    if module is not None and not MODULES.fullmatch(module):
        refuse(f"its part '{shown}' is none of Keras's own", _INSTEAD, Code.MODEL_UNSUPPORTED, part=shown)
    if module == "builtins" and name not in BUILTINS:
        refuse(f"its part '{shown}' is none of Keras's own", _INSTEAD, Code.MODEL_UNSUPPORTED, part=shown)
    if isinstance(config, Mapping) and not NAMES.fullmatch(str(config.get("name", "layer"))):
        refuse(f"a part '{shown}' is called '{legible(str(config['name']))}', which is no name of a layer")


def _is_plain_function(entry: Mapping[str, Any]) -> bool:
    """Whether an object names one of Keras's own functions, as activations and initialisers are written."""
    return (
        entry["class_name"] == "function"
        and entry.get("config") not in {"enable_unsafe_deserialization", None}
        and re.fullmatch(
            r"keras\.(src\.)?(activations|initializers|losses|metrics|ops)(\.[a-z_0-9.]+)?", str(entry.get("module"))
        )
        is not None
    )


def _check_hdf5(path: Path) -> None:
    """Look for classes in the text of an HDF5 file; its attributes lie there as they are."""
    for found in HDF5_NAMES.finditer(path.read_bytes()):
        name = found.group(1).decode("utf-8", "replace")
        if name in RUNS_CODE - {"function"}:
            refuse(f"its part '{legible(name)}' runs code that the file brings", _INSTEAD, Code.MODEL_UNSUPPORTED)
        if name in READS_FILES:
            refuse(
                f"its part '{legible(name)}' may read another file",
                "save the model in the format .keras, with its vocabulary in the layer",
                Code.MODEL_UNSUPPORTED,
            )
