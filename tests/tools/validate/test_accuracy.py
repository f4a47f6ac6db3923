"""Accuracy of real models on prepared data, through the probe."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from data_desk import Desk
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper

from edgewright.state.artifacts import Artifact, Device, Format, Recipe
from edgewright.state.codec import decode, encode
from edgewright.state.errors import Code, Refusal, Refused
from edgewright.state.evidence import Accuracy, Dataset, Direction
from edgewright.tools.datasets.decoding import Answers
from edgewright.tools.orders import Original, ValidateOrder
from edgewright.tools.probe.columns import Column
from edgewright.tools.profile.inspect import inputs_of, outputs_of
from edgewright.tools.targets.host import Host
from edgewright.tools.validate import accuracy as subject
from edgewright.tools.validate.accuracy import measure_accuracy, validate
from edgewright.tools.validate.metric import Score
from edgewright.tools.workspace import Workspace

RNG = np.random.default_rng(6)
X = RNG.standard_normal((80, 6)).astype(np.float32)
WEIGHTS = RNG.standard_normal((6, 4)).astype(np.float32)
LABELS = np.where(RNG.random(80) < 0.8, (X @ WEIGHTS).argmax(axis=1), 0)
CARD = {"inputs": {"x": {"kind": "tensor", "array": "x"}}, "label": "y", "classes": ["a", "b", "c", "d"]}


def linear(weights: NDArray[np.float32], *operations: str) -> ModelProto:
    """A model x (n, 6) -> one output (n, 4) for the product and one for each operation on it."""
    nodes = [helper.make_node("MatMul", ["x", "w"], ["scores"])]
    nodes += [helper.make_node(operation, ["scores"], [operation.lower()]) for operation in operations]
    floats = TensorProto.FLOAT
    outputs = [helper.make_tensor_value_info(node.output[0], floats, ["n", 4]) for node in nodes]
    graph = helper.make_graph(
        nodes,
        "linear",
        [helper.make_tensor_value_info("x", floats, ["n", 6])],
        outputs,
        [numpy_helper.from_array(weights, "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@dataclass
class Bench:
    workspace: Workspace
    dataset: Dataset

    def keep(self, model: ModelProto) -> Artifact:
        path = self.workspace.scratch("model.onnx")
        onnx.save(model, path)
        sha256 = self.workspace.keep(path)
        size = path.stat().st_size
        recipe = Recipe("original")
        return Artifact(sha256, "m.onnx", Format.ONNX, "fp32", size, None, recipe, inputs_of(model), outputs_of(model))

    def measure(self, model: ModelProto, metric: str = "top-1", reference: str | None = None) -> Accuracy:
        return measure_accuracy(
            self.keep(model), self.dataset, metric, self.workspace, Host(), threads=1, reference_outputs=reference
        )

    def refusal(self, model: ModelProto, metric: str = "top-1") -> Refusal:
        with pytest.raises(Refused) as caught:
            self.measure(model, metric)
        return caught.value.refusal


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    for name in ("allowed", "job", "objects"):
        (tmp_path / name).mkdir()
    desk = Desk(tmp_path / "allowed", Workspace(tmp_path / "job", tmp_path / "objects"))
    return Bench(desk.workspace, desk.prepare(desk.npz(x=X, y=LABELS), CARD))


def expected_top_1(model: ModelProto) -> float:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return float((session.run(["scores"], {"x": X})[0].argmax(axis=1) == LABELS).mean())


@pytest.mark.promise("P1", "P4")
def test_accuracy_is_what_a_plain_loop_measures(bench: Bench) -> None:
    made = bench.measure(linear(WEIGHTS))
    assert made.value == pytest.approx(expected_top_1(linear(WEIGHTS)))
    assert (made.metric, made.direction, made.n, made.agreement) == ("top-1", Direction.HIGHER, 80, None)
    assert (made.dataset, made.preprocessing) == (bench.dataset.digest, bench.dataset.preprocessing)
    assert set(made.per_class) == {"a", "b", "c", "d"}
    assert decode(Accuracy, encode(made)) == made


def test_the_outputs_behind_a_value_are_kept(bench: Bench) -> None:
    made = bench.measure(linear(WEIGHTS))
    index = json.loads(bench.workspace.path_of(made.outputs).read_text())
    scores = np.load(bench.workspace.path_of(index["outputs"]["scores"]["values"]))
    np.testing.assert_allclose(scores, X @ WEIGHTS, rtol=1e-4, atol=1e-5)


def test_a_model_of_several_outputs_needs_the_card_to_name_one(bench: Bench) -> None:
    model = linear(WEIGHTS, "Neg")
    assert bench.refusal(model).code is Code.METRIC_MISMATCH
    for output, expected in (("scores", expected_top_1(model)), ("neg", None)):
        card = {**bench.dataset.card, "output": output}
        made = replace(bench, dataset=replace(bench.dataset, card=card)).measure(model)
        assert (made.value == pytest.approx(expected_top_1(model))) is (expected is not None)


def test_an_output_that_the_model_lacks_is_refused_with_those_it_has(bench: Bench) -> None:
    card = {**bench.dataset.card, "output": "logits"}
    refusal = replace(bench, dataset=replace(bench.dataset, card=card)).refusal(linear(WEIGHTS))
    assert (refusal.code, "scores" in refusal.why) == (Code.METRIC_MISMATCH, True)


def test_a_model_whose_answers_are_not_finite_is_refused_with_the_count(bench: Bench) -> None:
    refusal = bench.refusal(linear(np.full((6, 4), np.nan, np.float32)))
    assert (refusal.code, refusal.facts["non_finite_samples"]) == (Code.MODEL_NOT_FINITE, 80)
    overflowing = linear(WEIGHTS * 1e38, "Exp")
    assert bench.refusal(overflowing).code is Code.MODEL_NOT_FINITE


class Judge:
    """A metric that says what a test wants."""

    direction = Direction.LOWER
    answers = Answers.NUMBERS
    unit = ""
    range = (0.0, 1.0)

    def __init__(self, score: Score) -> None:
        self._score = score

    def evaluate(self, _outputs: Mapping[str, Column], _labels: Column | None) -> Score:
        return self._score


@pytest.mark.promise("P4")
@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_a_metric_that_is_no_finite_number_is_refused(
    value: float, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "require_answers", lambda _name, _card: Judge(Score(value)))
    refusal = bench.refusal(linear(WEIGHTS), "rmse")
    assert (refusal.code, refusal.what) == (Code.MODEL_NOT_FINITE, "judging m.onnx")
    assert f"its rmse comes out as {value}" in refusal.why


def test_a_class_without_a_finite_metric_is_left_out(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    score = Score(0.5, {0: 0.5, 1: float("nan"), 2: float("inf")})
    monkeypatch.setattr(subject, "require_answers", lambda _name, _card: Judge(score))
    assert bench.measure(linear(WEIGHTS)).per_class == {"a": 0.5}


def test_an_unknown_metric_is_refused_before_anything_runs(bench: Bench) -> None:
    assert bench.refusal(linear(WEIGHTS), "accuracy").code is Code.METRIC_UNKNOWN
    assert list((bench.workspace.folder / "scratch").glob("*probe*")) == []


def test_no_samples_is_a_refusal(bench: Bench) -> None:
    assert replace(bench, dataset=replace(bench.dataset, n=0)).refusal(linear(WEIGHTS)).code is Code.DATA_EMPTY


def order(bench: Bench, baseline: Accuracy, candidate: ModelProto) -> ValidateOrder:
    return ValidateOrder(
        bench.keep(candidate),
        Original("m.onnx", "0" * 64),
        bench.dataset,
        baseline,
        threads=1,
        reference=baseline,
        target_device=Device.CPU_GENERIC,
    )


@pytest.mark.promise("P9")
def test_a_candidate_is_judged_on_the_baselines_data_by_its_metric(bench: Bench) -> None:
    baseline = bench.measure(linear(WEIGHTS), "f1")
    weights = WEIGHTS + np.float32(0.3) * RNG.standard_normal((6, 4)).astype(np.float32)
    made = validate(order(bench, baseline, linear(weights)), bench.workspace, Host())
    assert (made.metric, made.dataset, made.preprocessing) == ("f1", baseline.dataset, baseline.preprocessing)
    assert made.agreement == pytest.approx(((X @ weights).argmax(axis=1) == (X @ WEIGHTS).argmax(axis=1)).mean())
    assert made.agreement < 1


def test_the_same_model_agrees_with_itself(bench: Bench) -> None:
    baseline = bench.measure(linear(WEIGHTS))
    made = validate(order(bench, baseline, linear(WEIGHTS)), bench.workspace, Host())
    assert (made.agreement, made.value, made.outputs) == (1.0, baseline.value, baseline.outputs)


@pytest.mark.promise("P3")
def test_a_candidate_is_compared_with_the_floors_model_answer_by_answer(bench: Bench) -> None:
    baseline = bench.measure(linear(WEIGHTS))
    weights = WEIGHTS + np.float32(0.3) * RNG.standard_normal((6, 4)).astype(np.float32)
    made = validate(order(bench, baseline, linear(weights)), bench.workspace, Host())
    paired = made.paired
    assert paired is not None
    assert paired.difference == pytest.approx(made.value - baseline.value)
    assert (paired.gained or 0) - (paired.lost or 0) == round(paired.difference * made.n)
    assert paired.low < paired.difference < paired.high
    assert (
        validate(order(bench, bench.measure(linear(WEIGHTS), "f1"), linear(weights)), bench.workspace, Host()).paired
        is None
    )


@pytest.mark.promise("P9")
@pytest.mark.parametrize("changed", ["dataset", "preprocessing"])
def test_a_baseline_from_other_data_is_no_baseline(bench: Bench, changed: str) -> None:
    baseline = replace(bench.measure(linear(WEIGHTS)), **{changed: "f" * 64})
    with pytest.raises(Refused) as caught:
        validate(order(bench, baseline, linear(WEIGHTS)), bench.workspace, Host())
    assert (caught.value.refusal.code, caught.value.refusal.promises) == (Code.DATA_MISMATCH, ("P9",))
