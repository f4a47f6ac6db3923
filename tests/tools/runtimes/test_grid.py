"""Which runtimes there are is a question that costs no import of any."""

import subprocess
import sys

import pytest

from edgewright.state.artifacts import Format
from edgewright.state.errors import Code, Refused
from edgewright.tools.runtimes import grid


def test_asking_imports_no_runtime() -> None:
    script = (
        "import sys; from edgewright.tools.runtimes import grid; [grid.version_of(r) for r in grid.RUNTIMES];"
        "heavy = {'onnx', 'onnxruntime', 'ai_edge_litert', 'numpy', 'torch', 'tensorflow', 'pydantic'};"
        "heavy &= set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    path = [entry for entry in sys.path if entry]
    code = f"import sys; sys.path[:0] = {path!r}; {script}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_onnx_runtime_is_there_with_its_version() -> None:
    import onnxruntime

    entry = grid.require(Format.ONNX)
    assert entry.name == "onnxruntime"
    assert grid.version_of(entry) == onnxruntime.__version__


@pytest.mark.promise("P8")
def test_a_missing_runtime_is_refused_with_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grid.util, "find_spec", lambda _module: None)
    with pytest.raises(Refused) as caught:
        grid.require(Format.ONNX)
    refusal = caught.value.refusal
    assert refusal.code is Code.MISSING_EXTRA
    assert refusal.facts["install"] == "pip install onnxruntime"
    assert str(refusal.facts["install"]) in refusal.do
    assert grid.missing() == {"onnxruntime": "pip install onnxruntime", "litert": "pip install 'edgewright[tflite]'"}


@pytest.mark.promise("P8")
def test_litert_is_there_with_its_version_and_an_extra_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib.metadata import version

    entry = grid.require(Format.TFLITE)
    assert (entry.name, grid.version_of(entry)) == ("litert", version("ai-edge-litert"))
    monkeypatch.setattr(grid.util, "find_spec", lambda _module: None)
    with pytest.raises(Refused) as caught:
        grid.require(Format.TFLITE)
    assert caught.value.refusal.code is Code.MISSING_EXTRA
    assert caught.value.refusal.do == "have the operator run: pip install 'edgewright[tflite]'"


@pytest.mark.promise("P8")
@pytest.mark.parametrize("model_format", sorted(set(Format) - {entry.format for entry in grid.RUNTIMES}))
def test_a_format_that_this_version_does_not_run_is_no_missing_extra(model_format: Format) -> None:
    with pytest.raises(Refused) as caught:
        grid.require(model_format)
    assert caught.value.refusal.code is Code.MODEL_UNSUPPORTED
    assert "onnx" in caught.value.refusal.why


def test_a_module_that_no_package_claims_is_installed_in_an_unknown_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grid.util, "find_spec", lambda _module: object())
    entry = grid.Runtime("x", "X", "x", ("no-such-distribution",), Format.ONNX, "")
    assert grid.version_of(entry) == "unknown"
