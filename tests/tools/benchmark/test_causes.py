"""Each reason for a lost speed-up, seen on a real model that has it, from ONNX Runtime's own profile."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
import slow_candidates as slow
from onnx import ModelProto
from onnxruntime.quantization import QuantType
from run_builder import artifact, environment

from edgewright.state.artifacts import Device
from edgewright.state.causes import Cause
from edgewright.state.evidence import Environment, Label, Operator, Ratio
from edgewright.tools.benchmark.anatomy import anatomy_of
from edgewright.tools.benchmark.causes import KINDS, Case, causes_of, conclusion_of
from edgewright.tools.probe import onnxruntime_session

RUNS = 40
SLOWER, EQUAL = Ratio(1.3, 1.25, 1.35, 0.95), Ratio(1.0, 0.98, 1.02, 0.95)


def profiled(path: Path, samples: slow.Samples) -> dict[str, Operator]:
    feeds = [{"x": samples[number % len(samples)][None]} for number in range(RUNS + 5)]
    times = onnxruntime_session.profile(str(path), 1, feeds, 5, path.parent)
    total = sum(time.total_ns for time in times)
    return {t.op_type: Operator(t.op_type, t.calls / RUNS, t.total_ns / RUNS / 1e6, t.total_ns / total) for t in times}


def case(
    folder: Path,
    baseline: ModelProto,
    candidate: ModelProto,
    samples: slow.Samples,
    precision: str = "int8",
    **changed: object,
) -> Case:
    paths = [folder / "baseline.onnx", folder / "candidate.onnx"]
    for path, proto in zip(paths, (baseline, candidate), strict=True):
        onnx.save(proto, path)
    before, after = (profiled(path, samples) for path in paths)
    made = artifact("candidate", artifact("original"), precision=precision)
    made = replace(made, recipe=replace(made.recipe, option="imported"))
    found = Case(SLOWER, before, after, made, environment(), anatomy_of(paths[1]))
    return replace(found, **changed)  # type: ignore[arg-type]


def named(found: Case) -> dict[str, Cause]:
    return {cause.name: cause for cause in causes_of(found)}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Eight convolutions that do gain from INT8 where it is done well."""
    path = tmp_path / "source.onnx"
    onnx.save(slow.convolutions(16, 4, 12, between=("Relu",)), path)
    return path


@pytest.fixture
def samples() -> slow.Samples:
    return slow.images(16, 12)


def test_convolutions_that_are_quantised_anew_at_every_inference(
    source: Path, samples: slow.Samples, tmp_path: Path
) -> None:
    found = named(case(tmp_path, onnx.load(source), slow.dynamic(source, "Conv"), samples))
    cause = found["dynamic_convolutions"]
    assert cause.sentence.startswith("4 convolutions are quantised anew at every inference (ConvInteger, ")
    assert cause.mendable
    assert "scheme='int8_static'" in cause.remedy


def test_half_precision_that_the_processor_computes_in_full(
    source: Path, samples: slow.Samples, tmp_path: Path
) -> None:
    baseline = onnx.load(source)
    half = case(tmp_path, baseline, slow.halved(baseline), samples, "fp16")
    assert "Its 16-bit weights are computed in FP32" in named(half)["half_in_float"].sentence
    assert conclusion_of(half, causes_of(half), Device.CPU_GENERIC).startswith("FP16 brings no speed here")
    arm = replace(half, environment=replace(half.environment, machine="aarch64"))
    assert "half_in_float" not in named(arm)


def test_quantised_operators_that_the_runtime_did_not_fuse(source: Path, samples: slow.Samples, tmp_path: Path) -> None:
    candidate = slow.static(source, samples, activations=QuantType.QUInt16)
    found = named(case(tmp_path, onnx.load(source), candidate, samples))
    cause = found["not_fused"]
    assert cause.sentence.startswith("4 of 4 quantised products run in float")
    assert cause.mendable
    assert "left_in_float" not in found


def test_operators_that_were_left_in_float(source: Path, samples: slow.Samples, tmp_path: Path) -> None:
    candidate = slow.static(source, samples, nodes_to_exclude=["conv1", "conv2", "conv3"])
    seen = case(tmp_path, onnx.load(source), candidate, samples)
    cause = named(seen)["left_in_float"]
    assert cause.sentence.startswith("3 of the baseline's 4 convolutions, matrix products and recurrences were left")
    assert cause.mendable
    by_us = replace(
        seen, candidate=replace(seen.candidate, recipe=replace(seen.candidate.recipe, option="int8_static"))
    )
    assert not named(by_us)["no_integer_kernel"].mendable


def test_formats_that_change_between_every_two_operators(tmp_path: Path) -> None:
    path, samples = tmp_path / "tanh.onnx", slow.images(4, 32)
    onnx.save(slow.convolutions(4, 4, 32, between=("Tanh",)), path)
    candidate = slow.static(path, samples, op_types_to_quantize=["Conv"])
    cause = named(case(tmp_path, onnx.load(path), candidate, samples))["formats_inside"]
    assert "goes into changing number formats (" in cause.sentence
    assert cause.mendable


def test_layouts_that_change_around_every_operator(tmp_path: Path) -> None:
    baseline, samples = slow.convolutions(8, 4, 24), slow.images(8, 24)
    seen = case(tmp_path, baseline, slow.channels_last(baseline), samples, "fp32")
    cause = named(seen)["layouts_inside"]
    assert "goes into changing layouts (" in cause.sentence
    assert "transposes cancel" in cause.remedy
    assert seen.anatomy
    by_the_runtime = replace(seen, anatomy=replace(seen.anatomy, transposes=0))
    assert "layouts_inside" not in named(by_the_runtime)


def test_a_file_that_the_runtime_runs_as_the_baseline(source: Path, samples: slow.Samples, tmp_path: Path) -> None:
    baseline = onnx.load(source)
    equal = case(tmp_path, baseline, baseline, samples, "fp32", ratio=EQUAL)
    assert not named(equal)["same_work"].mendable
    assert conclusion_of(equal, causes_of(equal), Device.CPU_GENERIC).endswith("ship the original.")
    assert "same_work" not in named(replace(equal, ratio=SLOWER))


@pytest.mark.promise("P6")
def test_int8_of_depthwise_convolutions_brings_nothing_and_that_is_the_answer(tmp_path: Path) -> None:
    path, samples = tmp_path / "depthwise.onnx", slow.images(32, 16)
    onnx.save(slow.convolutions(32, 6, 16, group=32, between=("Relu",)), path)
    seen = case(tmp_path, onnx.load(path), slow.static(path, samples), samples)
    causes = causes_of(seen)
    assert "6 of 6 convolutions are depthwise" in named(seen)["depthwise"].sentence
    assert conclusion_of(seen, causes, Device.CPU_GENERIC).startswith("INT8 brings no speed here")
    # Times of a host say nothing of a Raspberry Pi; its own do.
    assert conclusion_of(seen, causes, Device.RASPBERRY_PI_5) == ""
    measured = replace(seen, environment=replace(seen.environment, label=Label.TARGET))
    assert "ship FP32" in conclusion_of(measured, causes, Device.RASPBERRY_PI_5)


def test_a_model_whose_time_goes_into_moving_values(tmp_path: Path) -> None:
    path, samples = tmp_path / "moving.onnx", slow.images(4, 64)
    onnx.save(slow.convolutions(4, 1, 64, kernel=1, between=("Sigmoid", "Tanh", "Exp", "Erf", "Sqrt")), path)
    found = named(case(tmp_path, onnx.load(path), slow.static(path, samples), samples))
    assert "moves or maps values and multiplies nothing" in found["memory_bound"].sentence
    assert not found["memory_bound"].mendable


def test_a_model_too_small_to_gain(tmp_path: Path) -> None:
    path = tmp_path / "small.onnx"
    onnx.save(slow.convolutions(2, 3, 4, between=("Relu",)), path)
    samples = slow.images(2, 4)
    seen = case(tmp_path, onnx.load(path), slow.static(path, samples), samples)
    cause = named(seen)["too_small"]
    assert cause.sentence.startswith("The model is too small to gain: a call as cheap as ")
    assert "INT8 brings no speed here" in conclusion_of(seen, causes_of(seen), Device.CPU_GENERIC)


def operators(**times_ms: float) -> Mapping[str, Operator]:
    total = sum(times_ms.values())
    return {name: Operator(name, 1.0, time_ms, time_ms / total) for name, time_ms in times_ms.items()}


def without_file(before: Mapping[str, Operator], after: Mapping[str, Operator]) -> Case:
    where: Environment = environment()
    return Case(SLOWER, before, after, artifact("candidate", artifact("original")), where, None)


def test_where_no_cause_shows_the_operator_that_loses_most_is_named_and_nothing_is_concluded() -> None:
    seen = without_file(operators(Conv=3.0, Relu=0.5), operators(Conv=4.0, Sigmoid=0.5))
    (cause,) = causes_of(replace(seen, candidate=replace(seen.candidate, precision="fp32")))
    assert cause.sentence == "The candidate loses most in Conv: 4.000 ms an inference against 3.000 ms."
    assert conclusion_of(seen, [cause], Device.CPU_GENERIC) == ""


def test_an_empty_profile_explains_nothing() -> None:
    assert causes_of(without_file({}, operators(Conv=1.0))) == ()
    assert conclusion_of(without_file({}, {}), (), Device.CPU_GENERIC) == ""


def test_every_kind_of_cause_has_a_name_of_its_own_and_a_remedy() -> None:
    assert len({kind.name for kind in KINDS}) == len(KINDS)
    assert all(kind.remedy and not kind.remedy.endswith(".") for kind in KINDS)
