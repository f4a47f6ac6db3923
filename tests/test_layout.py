"""The four top-level folders are the sub-packages of `edgewright`, and nothing else is."""

import ast
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PARTS = ["knowledge", "server", "state", "tools"]
LINES_AT_MOST = 400


@pytest.mark.parametrize("part", PARTS)
def test_folder_imports_as_its_package(part: str) -> None:
    module = import_module(f"edgewright.{part}")
    assert module.__file__ is not None
    assert Path(module.__file__).resolve().parent == ROOT / part


def test_import_root_links_every_part_and_only_those() -> None:
    assert sorted(path.name for path in (ROOT / ".src" / "edgewright").iterdir()) == PARTS


@pytest.mark.parametrize("path", sorted(p for part in PARTS for p in (ROOT / part).rglob("*.py")), ids=str)
def test_every_module_says_what_it_is_for_and_stays_small(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(source)), "a module begins with a sentence of purpose"
    assert len(source.splitlines()) <= LINES_AT_MOST


def test_runtimes_are_imported_only_where_they_belong() -> None:
    runtimes = {"onnxruntime", "torch", "tensorflow", "keras", "ai_edge_litert", "tensorrt"}
    runtimes |= {"tensorrt_rtx", "tensorrt_rtx_bindings"}
    allowed = (ROOT / "tools" / "runtimes", ROOT / "tools" / "probe", ROOT / "tools" / "toolchains" / "inside")
    guilty = [
        str(path.relative_to(ROOT))
        for part in PARTS
        for path in (ROOT / part).rglob("*.py")
        if not any(path.is_relative_to(folder) for folder in allowed)
        if _imports(path) & runtimes
    ]
    # The package's script runs on its own, far from here.
    assert [path for path in guilty if not path.startswith("tools/package/")] == []


def _imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found
