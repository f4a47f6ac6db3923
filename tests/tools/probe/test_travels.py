"""What makes the probe run on a device that has Python 3.9, NumPy, one runtime and nothing of Edgewright."""

import ast
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from edgewright.tools import probe
from edgewright.tools.targets.bundle import write_bundle

SOURCES = sorted(Path(probe.__file__).parent.glob("*.py"))
ITSELF = "edgewright.tools.probe"
RUNTIMES_OF = {
    "onnxruntime_session": {"onnxruntime"},
    "litert_runner": {"ai_edge_litert", "tflite_runtime"},
    "keras_session": {"keras", "tensorflow"},
    "torch_session": {"torch"},
    "tensorrt_session": {"tensorrt"},
}


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_every_module_is_python_3_9(source: Path) -> None:
    ast.parse(source.read_text(encoding="utf-8"), feature_version=(3, 9))


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_every_module_needs_the_standard_library_numpy_and_its_runtime_only(source: Path) -> None:
    allowed = {"numpy", *sys.stdlib_module_names, *RUNTIMES_OF.get(source.stem, ())}
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        for name in names:
            assert name.split(".")[0] in allowed or name == ITSELF or name.startswith(f"{ITSELF}.")


def test_annotations_are_not_evaluated_where_python_3_9_could_not() -> None:
    for source in SOURCES:
        text = source.read_text(encoding="utf-8")
        assert "from __future__ import annotations" in text or " -> " not in text


def test_equal_sources_give_an_equal_file(tmp_path: Path) -> None:
    write_bundle(tmp_path / "one")
    write_bundle(tmp_path / "two")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_the_file_holds_the_probe_and_nothing_else(tmp_path: Path) -> None:
    write_bundle(tmp_path / "probe.pyz")
    with zipfile.ZipFile(tmp_path / "probe.pyz") as archive:
        names = set(archive.namelist())
    inside = {f"edgewright/tools/probe/{path.name}" for path in SOURCES if path.name != "__main__.py"}
    assert names == {"__main__.py", "edgewright/__init__.py", "edgewright/tools/__init__.py", *inside}


def test_the_file_runs_alone_and_names_what_it_lacks(tmp_path: Path) -> None:
    write_bundle(tmp_path / "probe.pyz")
    model = {"name": "m", "path": "nowhere", "runtime": "abacus", "threads": 1}
    request = {"task": "memory", "folder": str(tmp_path), "models": [model], "index": {}, "objects": {}, "samples": 1}
    (tmp_path / "request.json").write_text(json.dumps(request), encoding="utf-8")
    ended = subprocess.run(
        [sys.executable, "-I", str(tmp_path / "probe.pyz"), str(tmp_path / "request.json"), str(os.getpid())],
        check=True,
        capture_output=True,
        text=True,
    )
    assert (ended.stdout, ended.stderr) == ("", "")
    assert json.loads((tmp_path / "answer.json").read_text(encoding="utf-8")) == {
        "version": 1,
        "error": {
            "kind": "load",
            "message": "this probe knows the runtimes keras, litert, onnxruntime, tensorrt, torch, not abacus",
            "model": None,
        },
    }


def test_telemetry_is_off_before_the_runtime_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY", raising=False)
    seen = "import sys, os, importlib.abc\n"
    seen += "class Watch(importlib.abc.MetaPathFinder):\n"
    seen += "    def find_spec(self, name, path, target=None):\n"
    seen += "        if name == 'onnxruntime': print(os.environ.get('ORT_DISABLE_TELEMETRY'))\n"
    seen += "sys.meta_path.insert(0, Watch())\n"
    seen += "from edgewright.tools.probe.session import runtime\n"
    seen += "runtime('onnxruntime')\n"
    ended = subprocess.run([sys.executable, "-c", seen], check=True, capture_output=True, text=True)
    assert ended.stdout.strip() == "1"
