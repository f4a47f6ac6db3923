"""A graph for a Jetson before NVIDIA's own parser and builder: what they take, what they refuse, and how it is said."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnx_models as models
import pytest
from onnx import ModelProto
from onnx.helper import make_node as node
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_dynamic, quantize_static
from optimize_bench import Bench, BenchOf, dataset_of, figure_of

from edgewright.state.artifacts import Device, Format
from edgewright.state.errors import Code, Refusal, Refused
from edgewright.tools import extras
from edgewright.tools.formats.onnx_model import read
from edgewright.tools.optimize.engine_source import MARK
from edgewright.tools.probe.tensorrt_builder import Unbuildable
from edgewright.tools.runtimes.tensorrt.examine import examine

BATCH = {"image": (1, 3, 16, 16)}


@pytest.fixture
def jetson(bench_of: BenchOf) -> Callable[[ModelProto], Bench]:
    return lambda model: replace(bench_of(model, 0), device=Device.JETSON_ORIN_NANO)


def refusal_of(bench: Bench, *operations: str) -> Refusal:
    with pytest.raises(Refused) as caught:
        bench.convert(*operations, to=Format.TENSORRT)
    return caught.value.refusal


@pytest.mark.promise("P6", "P8")
def test_a_graph_that_is_taken_becomes_a_file_that_computes_the_same_and_says_what_was_found(
    jetson: Callable[[ModelProto], Bench],
) -> None:
    bench = jetson(models.conv_net())
    made = bench.convert(to=Format.TENSORRT)
    path = bench.workspace.path_of(made.artifact.sha256)
    assert made.artifact.name == "My-net_tensorrt_fp32.onnx"
    assert made.artifact.awaits_engine
    assert not bench.base.awaits_engine
    assert figure_of(made, "cosine") == 1.0
    assert read(path).fingerprint() == read(bench.workspace.path_of(bench.base.sha256)).fingerprint()
    said = " ".join(made.findings)
    assert "engine not built" in said
    assert "no proof for an Orin, which is 8.7" in said
    assert made.artifact.recipe.parameters["shapes"] == {"image": [1, 3, 16, 16]}
    mark = next(entry.value for entry in onnx.load(path).metadata_props if entry.key == MARK)
    assert json.loads(mark)["built_ahead_for"] == "8.6"


class Samples(CalibrationDataReader):
    """A few random pictures: the files are for a parser, and nobody asks them anything."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self._feeds = iter([{"image": rng.standard_normal((1, 3, 16, 16)).astype(np.float32)} for _ in range(3)])

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._feeds, None)


def usual(kind: str, source: Path, made: Path) -> None:
    """Quantise a file as ONNX Runtime does where nothing is said."""
    if kind == "dynamic":
        quantize_dynamic(source, made)
    else:
        quantize_static(source, made, Samples(), quant_format=QuantFormat[kind])


@pytest.mark.promise("P8", "P12")
@pytest.mark.parametrize(
    ("kind", "operator", "reason"),
    [
        ("QDQ", "DequantizeLinear", "input has type Int32"),
        ("QOperator", "QuantizeLinear", "Non-zero zero point is not supported"),
        ("dynamic", "ConvInteger", "no such operator"),
    ],
)
def test_what_onnx_runtime_quantises_by_default_is_refused_with_node_and_reason(
    kind: str, operator: str, reason: str, jetson: Callable[[ModelProto], Bench], tmp_path: Path
) -> None:
    onnx.save(models.conv_net(), tmp_path / "float.onnx")
    usual(kind, tmp_path / "float.onnx", tmp_path / "made.onnx")
    bench = jetson(onnx.load(tmp_path / "made.onnx"))
    refusal = refusal_of(bench)
    assert refusal.code is Code.MODEL_UNSUPPORTED
    assert operator in refusal.why
    assert reason in refusal.why
    found = refusal.facts["nodes"]
    assert isinstance(found, list)
    assert any(fault["operator"] == operator and fault["node"] for fault in found)


def test_operators_that_tensorrt_lacks_are_listed_all_of_them(jetson: Callable[[ModelProto], Bench]) -> None:
    odd = models.model(
        [
            node("Relu", ["x"], ["r"]),
            node("Unique", ["r"], ["u"], "repeats"),
            node("Size", ["u"], ["size"]),
            node("Cast", ["size"], ["count"], to=1),
            node("Add", ["r", "count"], ["y"]),
        ],
        [models.value("x", models.F, ["n", 4])],
        [models.value("y", models.F, ["n", 4])],
    )
    refusal = refusal_of(jetson(odd))
    assert refusal.code is Code.MODEL_UNSUPPORTED
    assert "Unique 'repeats'" in refusal.why


@pytest.mark.promise("P8")
def test_sizes_that_samples_do_not_agree_on_are_refused_and_others_are_built_for(
    jetson: Callable[[ModelProto], Bench],
) -> None:
    bench = jetson(models.recogniser())
    folder, rng = bench.original.parent, np.random.default_rng(0)
    one = bench.convert(to=Format.TENSORRT)  # every sample of the bench is one column wide
    assert one.artifact.recipe.parameters["shapes"] == {"line": [1, 3, 32, 1]}
    shapes = np.array([(3, 32, width) for width in (16, 24, 40)])
    lines = {"line": rng.standard_normal(shapes.prod(axis=1).sum()).astype(np.float32), "line.shapes": shapes}
    refusal = refusal_of(replace(bench, validation=dataset_of(lines, folder, "ragged", bench.workspace)))
    assert refusal.code is Code.DYNAMIC_SHAPES
    assert "dimension 3 of input 'line' open, the samples reach from 16 to 40" in refusal.why


@pytest.mark.promise("P8")
@pytest.mark.parametrize("device", [Device.CPU_GENERIC, Device.RASPBERRY_PI_5])
def test_no_other_device_runs_an_engine(device: Device, bench_of: BenchOf) -> None:
    refusal = refusal_of(replace(bench_of(models.mlp()), device=device))
    assert (refusal.code, refusal.promises) == (Code.FORMAT_DEVICE, ("P8",))


def test_rewriting_and_checking_are_two_steps(jetson: Callable[[ModelProto], Bench]) -> None:
    assert refusal_of(jetson(models.mlp()), "simplify").code is Code.INVALID_ARGUMENT


def test_a_missing_builder_is_named_with_the_line_that_installs_it(
    jetson: Callable[[ModelProto], Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(_name: str) -> None:
        raise ModuleNotFoundError(name="tensorrt_rtx_bindings")

    monkeypatch.setattr(extras, "import_module", missing)
    refusal = refusal_of(jetson(models.mlp()))
    assert refusal.code is Code.MISSING_EXTRA
    assert refusal.facts["install"] == "pip install 'edgewright[tensorrt]'"


def test_a_builder_that_does_not_come_to_an_end_is_ended(tmp_path: Path) -> None:
    onnx.save(models.conv_net(), tmp_path / "net.onnx")
    with pytest.raises(Unbuildable, match="did not come to an end"):
        examine(tmp_path / "net.onnx", BATCH, limit_s=0.01)


@pytest.mark.parametrize("content", [b"", b"\x00" * 64, bytes(range(256)) * 8])
def test_bytes_that_are_no_graph_are_refused_and_crash_nothing(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(content)
    with pytest.raises(Unbuildable):
        examine(tmp_path / "net.onnx", {})


def test_an_open_size_without_a_shape_is_refused_by_name(tmp_path: Path) -> None:
    onnx.save(models.conv_net(), tmp_path / "net.onnx")
    with pytest.raises(Unbuildable, match="image has an open size"):
        examine(tmp_path / "net.onnx", {})
