"""Whether a PyTorch exported program may be loaded: everything in it that PyTorch would resolve, parse or unpickle.

`torch.export.load` resolves operators by their names and parses expressions with SymPy, which evaluates them as Python
(torch/_export/serde/serialize.py of 2.13); the module of a program executes its `guards_code` as it stands in the file,
and code that the names of values and arguments are written into (torch/export/_unlift.py, torch/fx/graph.py). So names,
operators and expressions are held to lists here, and code and pickles are refused.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from edgewright.state.errors import Code
from edgewright.tools.formats.archive import open_archive, read_json, refuse
from edgewright.tools.legible import legible

# The layout of an archive (torch/export/pt2_archive/constants.py), without what holds native code.
MEMBERS = re.compile(
    r"[^/]+/(archive_format|archive_version|byteorder|version|\.data/(version|serialization_id|alignment)"
    r"|models/[^/]+\.json|data/weights/[^/]+|data/constants/[^/]+|data/sample_inputs/[^/]+\.pt|extra/[^/]+)/?"
)
CONFIGS = re.compile(r"[^/]+/data/(weights|constants)/[^/]+_config\.json")
PROGRAMS = re.compile(r"[^/]+/models/[^/]+\.json")
OPERATORS = re.compile(
    r"torch\.ops\.(aten|prims|prim|quantized_decomposed)\.[A-Za-z_0-9]+(\.[A-Za-z_0-9]+)?"
    r"|_operator\.(getitem|add|sub|mul|floordiv|truediv|mod|neg|pow|eq|ne|lt|le|gt|ge|and_|or_|not_)"
    r"|math\.(ceil|floor|trunc|sqrt)"
    r"|torch\.(_sym_sqrt|sym_(float|int|ite|max|min|not|sum))"
)
# What `sympy.srepr` writes for a size: calls of these, numbers and symbols.
SYMBOL = re.compile(r"Symbol\('[a-z]{1,3}[0-9]{1,9}'(, (positive|nonnegative|integer|real|finite)=(True|False))*\)")
SIZE = re.compile(r"[a-z]{1,3}[0-9]{1,9}")
FUNCTIONS = frozenset(
    {"Integer", "Float", "Rational", "Mul", "Add", "Pow", "Min", "Max", "Mod", "PythonMod", "FloorDiv", "CeilDiv"}
    | {"CleanDiv", "CeilToInt", "FloorToInt", "ModularIndexing", "Where", "PowByNatural", "ToFloat", "precision"}
    | {"Equality", "Unequality", "GreaterThan", "LessThan", "StrictGreaterThan", "StrictLessThan", "And", "Or", "Not"}
)
ARITHMETIC = re.compile(r"(?:[A-Za-z0-9_+\-*(), =]|(?<=[0-9])\.(?=[0-9]))*")
NAME = re.compile(r"(?!__)[A-Za-z_][A-Za-z0-9_.]{0,400}")
# What a treespec may be made of (torch/utils/_pytree.py); an enumeration would be imported by its name.
TREES = re.compile(r'"(builtins\.(tuple|list|dict)|collections\.OrderedDict)"')
TREE_TEXT = re.compile(r'(?:(?!__)[A-Za-z0-9_\[\]{}:, "\\])*')

_INSTEAD = (
    "export a module of PyTorch's own operators: torch.export.save(torch.export.export(model, (example,)), 'model.pt2')"
)


def admit(path: Path) -> None:
    """Refuse a file that would make PyTorch run code that the file brings.

    Raises:
        Refused: MODEL_UNSUPPORTED or MODEL_INVALID, with its reason.
    """
    with open_archive(path) as archive:
        for name in archive.namelist():
            if not MEMBERS.fullmatch(name):
                refuse(f"its archive holds '{legible(name)}', which is no part of a program", _INSTEAD, member=name)
        _check_configs(archive)
        programs = [name for name in archive.namelist() if PROGRAMS.fullmatch(name)]
        if len(programs) != 1:
            refuse(f"its archive holds {len(programs)} programs, and one is needed", _INSTEAD)
        program = read_json(archive, programs[0])
    for place, key, value in _entries(program):
        _check_entry(place, key, value)


def _check_configs(archive: ZipFile) -> None:
    for name in archive.namelist():
        if CONFIGS.fullmatch(name):
            for _, key, value in _entries(read_json(archive, name)):
                if key == "use_pickle" and value is not False:
                    refuse(
                        "it asks for weights to be unpickled, and unpickling runs code that the file brings",
                        _INSTEAD,
                        Code.MODEL_UNSUPPORTED,
                    )


def _entries(content: Any) -> Iterator[tuple[str, str, Any]]:  # noqa: ANN401  (JSON)
    """Yield (name of the object it lies in, key, value) for everything in a program, but for what only describes it."""
    pending: list[tuple[str, Any]] = [("", content)]
    while pending:
        place, entry = pending.pop()
        if isinstance(entry, Mapping):
            for key, value in entry.items():
                yield place, key, value
                if key != "metadata":
                    pending.append((key, value))
        elif isinstance(entry, list):
            pending += [(place, inner) for inner in entry]


def _check_entry(place: str, key: str, value: Any) -> None:  # noqa: ANN401  (JSON)
    if key in {"target", "as_operator"} and isinstance(value, str) and not OPERATORS.fullmatch(value):
        refuse(f"it calls '{legible(value)}', which is no operator of PyTorch's own", _INSTEAD, Code.MODEL_UNSUPPORTED)
    if key == "expr_str" and not _is_arithmetic(str(value)):
        refuse(f"a size in it is '{legible(str(value))}', which is more than arithmetic", _INSTEAD)
    if key in {"as_custom_obj", "custom_obj"} and value:
        refuse("it holds an object of a class that the file names", _INSTEAD, Code.MODEL_UNSUPPORTED)
    if (key == "name" or key.endswith("_name")) and isinstance(value, str) and value and not NAME.fullmatch(value):
        refuse(f"a value in it is called '{legible(value)}', which is no plain name", _INSTEAD)
    if place in {"tensor_values", "sym_int_values", "sym_bool_values", "sym_float_values"} and not NAME.fullmatch(key):
        refuse(f"a value in it is called '{legible(key)}', which is no plain name", _INSTEAD)
    if place == "range_constraints" and not SIZE.fullmatch(key):
        refuse(f"a size in it is '{legible(key)}', which is more than arithmetic", _INSTEAD)
    if key in {"in_spec", "out_spec"} and isinstance(value, str):
        _check_tree(value)
    if key == "forward_arg_names" and not all(NAME.fullmatch(str(name)) for name in value or ()):
        refuse("an argument of it is called what is no plain name", _INSTEAD)
    if key == "guards_code" and value:
        refuse("it brings conditions of its own as Python code", _INSTEAD, Code.MODEL_UNSUPPORTED)


def _is_arithmetic(text: str) -> bool:
    """Whether an expression is made of numbers, symbols and known functions alone."""
    bare = SYMBOL.sub("1", text)
    names = re.findall(r"[A-Za-z_][A-Za-z0-9_]*", bare)
    return ARITHMETIC.fullmatch(bare) is not None and all(n in FUNCTIONS or SIZE.fullmatch(n) for n in names)


def _check_tree(text: str) -> None:
    if TREE_TEXT.fullmatch(TREES.sub("", text)) is None:
        refuse("its arguments are packed into a type of the file's own", _INSTEAD, Code.MODEL_UNSUPPORTED)
