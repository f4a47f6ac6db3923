"""Fewer bits for TFLite files: accuracy, interface and the 200 samples of P7, on the demo's model and its real data."""

import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import tflite_models as models
from optimize_bench import Bench, dataset_of, figure_of
from tflite_bench import artifact_of, build_tflite_bench

from edgewright.state.artifacts import Artifact
from edgewright.state.errors import Code, Refusal, Refused
from edgewright.tools.benchmark.outputs import open_outputs, run_outputs
from edgewright.tools.formats import tflite_model
from edgewright.tools.formats.tflite_graph import operator_outputs
from edgewright.tools.optimize.step import Made
from edgewright.tools.validate.accuracy import measure_accuracy


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return build_tflite_bench(tmp_path_factory.mktemp("bench"))


@pytest.fixture(scope="module")
def make(bench: Bench) -> Callable[..., Made]:
    """Make a candidate once a module, however many tests look at it."""

    @cache
    def made(scheme: str, **parameters: object) -> Made:
        return bench.quantize(scheme, samples=200, **parameters)

    return made


@pytest.fixture(scope="module")
def top1(bench: Bench) -> Callable[[Artifact], float]:
    known: dict[str, float] = {}

    def measured(artifact: Artifact) -> float:
        if artifact.sha256 not in known:
            where = bench.workspace, bench.target
            known[artifact.sha256] = measure_accuracy(artifact, bench.validation, "top-1", *where, threads=1).value
        return known[artifact.sha256]

    return measured


def refused(call: Callable[[], object]) -> Refusal:
    with pytest.raises(Refused) as caught:
        call()
    return caught.value.refusal


def outputs_of(bench: Bench, artifact: Artifact) -> np.ndarray:
    outputs = run_outputs(artifact, bench.validation, 1, bench.workspace, bench.target)
    return open_outputs(outputs, bench.workspace)["logits"].batch(0, bench.validation.n)


# Scheme to the file's name, precision, allowed loss of top-1, and how many times smaller it is at least.
SCHEMES = {
    "fp16": ("My-net_cast_fp16.tflite", "fp16", 0.001, 1.8),
    "int8_dynamic": ("My-net_dynamic_int8.tflite", "int8", 0.01, 3),
    "int8_weight_only": ("My-net_weight-only_int8.tflite", "int8", 0.01, 3),
    "int8_static": ("My-net_static_int8.tflite", "int8", 0.01, 2.8),
    "int16x8": ("My-net_static_int16x8.tflite", "int16x8", 0.01, 2.7),
}


@pytest.mark.promise("P3", "P9")
@pytest.mark.parametrize("scheme", SCHEMES)
def test_each_scheme_keeps_interface_and_accuracy_and_is_smaller(
    scheme: str, bench: Bench, make: Callable[..., Made], top1: Callable[[Artifact], float]
) -> None:
    name, precision, loss, smaller = SCHEMES[scheme]
    made = make(scheme)
    artifact = made.artifact
    assert (artifact.name, artifact.precision) == (name, precision)
    assert (artifact.inputs, artifact.outputs) == (bench.base.inputs, bench.base.outputs)
    assert bench.base.size_bytes / artifact.size_bytes > smaller
    assert top1(artifact) >= top1(bench.base) - loss
    assert figure_of(made, "cosine") > 0.999
    model = tflite_model.admit(bench.workspace.path_of(artifact.sha256))
    assert model.lineage == bench.base.sha256


def test_a_recipe_says_everything_needed_to_make_the_file_again(bench: Bench, make: Callable[..., Made]) -> None:
    made = make("int8_static")
    assert made.artifact.recipe.parameters == {
        "exclude": (),
        "per_channel": True,
        "io_dtype": "float32",
        "calibration_samples": 200,
        "calibration": bench.calibration.digest,
    }
    assert set(made.artifact.recipe.tools) == {"ai-edge-litert", "ai-edge-quantizer"}
    assert bench.quantize("int8_static", samples=200).artifact.sha256 == made.artifact.sha256


@pytest.mark.promise("P9")
def test_integer_inputs_and_outputs_give_what_float_ones_give(bench: Bench, make: Callable[..., Made]) -> None:
    made = make("int8_static", io_dtype="int8")
    assert [spec.dtype for spec in (*made.artifact.inputs, *made.artifact.outputs)] == ["int8", "int8"]
    assert [spec.meaning for spec in made.artifact.inputs] == list(bench.base.inputs)
    # The same integers inside: the runtime's own QUANTIZE and DEQUANTIZE do what is done here outside.
    np.testing.assert_array_equal(outputs_of(bench, made.artifact), outputs_of(bench, make("int8_static").artifact))
    assert any("input 'image' is int8" in finding for finding in made.findings)


def test_one_scale_per_tensor_stores_fewer_scales(bench: Bench, make: Callable[..., Made]) -> None:
    def scales(made: Made) -> int:
        objects = tflite_model.read(bench.workspace.path_of(made.artifact.sha256)).objects
        found = [t.quantization.scale for t in objects.subgraphs[0].tensors if t.quantization is not None]
        return max(len(scale) for scale in found if scale is not None)

    assert scales(make("int8_static")) == 72
    assert scales(make("int8_static", per_channel=False)) == 1


def test_an_operator_that_is_left_out_stays_in_float32(bench: Bench, make: Callable[..., Made]) -> None:
    base = tflite_model.read(bench.workspace.path_of(bench.base.sha256))
    first = operator_outputs(base.objects)[0][0]
    made = make("int8_static", exclude=(first,))
    objects = tflite_model.read(bench.workspace.path_of(made.artifact.sha256)).objects
    graph = objects.subgraphs[0]
    convolution = next(
        o for o, outputs in zip(graph.operators, operator_outputs(objects), strict=True) if first in outputs
    )
    assert {graph.tensors[number].type for number in convolution.inputs} == {0}
    assert made.findings[0] == "13 of 14 operators compute in 8 bits"


def test_leaving_out_what_is_not_there_is_refused(bench: Bench) -> None:
    refusal = refused(lambda: bench.quantize("int8_static", samples=200, exclude=["nowhere"]))
    assert refusal.code is Code.INVALID_ARGUMENT


@pytest.mark.promise("P7")
@pytest.mark.parametrize("scheme", ["int8_static", "int16x8"])
def test_fixed_ranges_need_200_real_samples(scheme: str, bench: Bench) -> None:
    assert refused(lambda: replace(bench, calibration=None).quantize(scheme)).code is Code.CALIBRATION_MISSING
    asked = refused(lambda: bench.quantize(scheme, samples=199))
    assert asked.code is Code.INVALID_ARGUMENT
    assert "a TFLite candidate needs at least 200" in asked.why
    overlapping = refused(lambda: replace(bench, calibration=bench.validation).quantize(scheme, samples=200))
    assert overlapping.code is Code.CALIBRATION_UNFIT


@pytest.mark.promise("P7")
def test_199_samples_are_too_few_for_tflite(tmp_path: Path) -> None:
    few = build_tflite_bench(tmp_path, validation=200, calibration=199)
    refusal = refused(lambda: few.quantize("int8_static", samples=200))
    assert refusal.code is Code.CALIBRATION_UNFIT
    assert "199 different samples, and at least 200" in refusal.why


@pytest.mark.parametrize(
    ("scheme", "parameters"),
    [
        ("int8_mixed", {}),
        ("fp16", {"per_channel": True}),
        ("int8_static", {"io_dtype": "uint8"}),
        ("int8_static", {"calibration_method": "entropy"}),
        ("int16x8", {"io_dtype": "int8"}),
    ],
)
def test_what_tflite_does_not_offer_is_refused_with_what_it_does(
    scheme: str, parameters: dict[str, object], bench: Bench
) -> None:
    refusal = refused(lambda: bench.quantize(scheme, samples=200, **parameters))
    assert refusal.code is Code.SCHEME_NOT_OFFERED
    assert list(refusal.facts["offered"]) == ["fp16", "int8_dynamic", "int8_weight_only", "int8_static", "int16x8"]


@pytest.mark.parametrize(
    ("first", "second", "code"),
    [
        ("fp16", "fp16", Code.NOTHING_CHANGED),
        ("int8_dynamic", "int8_static", Code.NOTHING_CHANGED),
        ("fp16", "int8_static", Code.SCHEME_NOT_OFFERED),
        ("int16x8", "fp16", Code.SCHEME_NOT_OFFERED),
    ],
)
def test_fewer_bits_are_not_stacked(
    first: str, second: str, code: Code, bench: Bench, make: Callable[..., Made]
) -> None:
    lower = replace(bench, base=make(first).artifact)
    assert refused(lambda: lower.quantize(second, samples=200)).code is code


def test_a_model_without_a_signature_is_quantised_and_keeps_its_names(tmp_path: Path) -> None:
    bench = build_tflite_bench(tmp_path, validation=1, calibration=1)
    path = models.save(models.dense_net(), bench.workspace.folder / "dense.tflite")
    rows = {seed: np.random.default_rng(seed).standard_normal((220, 12)).astype(np.float32) for seed in (1, 2)}
    sets = {
        name: dataset_of({"x": rows[seed]}, bench.original.parent, f"rows-{name}", bench.workspace)
        for name, seed in (("validation", 1), ("calibration", 2))
    }
    dense = replace(bench, base=artifact_of(path, "dense.tflite", bench.workspace), **sets)
    made = dense.quantize("int8_static", samples=200)
    assert [spec.name for spec in (*made.artifact.inputs, *made.artifact.outputs)] == ["x", "y"]
    assert figure_of(made, "cosine") > 0.995


def test_converting_a_tflite_file_is_refused_with_what_there_is(bench: Bench) -> None:
    refusal = refused(lambda: bench.convert("simplify"))
    assert refusal.code is Code.SCHEME_NOT_OFFERED
    assert "quantize" in refusal.do


@pytest.mark.promise("P12")
def test_a_missing_quantiser_is_refused_with_the_line_that_installs_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_quantizer", None)
    for module in ("edgewright.tools.optimize.tflite_schemes", "edgewright.tools.runtimes.litert.quantization"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    refusal = refused(lambda: bench.quantize("fp16"))
    assert refusal.code is Code.MISSING_EXTRA
    assert refusal.do == "have the operator run: pip install 'edgewright[tflite]'"
