"""Metrics against their definitions, computed by other means."""

from collections.abc import Mapping
from importlib.metadata import EntryPoint, EntryPoints
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgewright.state.errors import Code, Refusal, Refused
from edgewright.state.evidence import Direction
from edgewright.tools.datasets.decoding import Answers
from edgewright.tools.probe.columns import Column
from edgewright.tools.validate import metrics
from edgewright.tools.validate.agreement import agreement
from edgewright.tools.validate.metric import Score
from edgewright.tools.validate.metrics import known_metrics, metric_named

Array = NDArray[np.generic]
RNG = np.random.default_rng(8)
SCORES = RNG.standard_normal((500, 10)).astype(np.float32)
CLASSES = np.where(RNG.random(500) < 0.6, SCORES.argmax(axis=1), RNG.integers(0, 10, 500))


def out(array: Array) -> Mapping[str, Column]:
    return {"out": Column(array)}


def score(name: str, outputs: Array, labels: Array | None) -> Score:
    return metric_named(name).evaluate(out(outputs), None if labels is None else Column(labels))


def refusal(name: str, outputs: Mapping[str, Column] | Array, labels: Array | None) -> Refusal:
    given_outputs = outputs if isinstance(outputs, Mapping) else out(outputs)
    with pytest.raises(Refused) as caught:
        metric_named(name).evaluate(given_outputs, None if labels is None else Column(labels))
    return caught.value.refusal


def test_top_1_is_the_share_of_right_answers() -> None:
    made = score("top-1", SCORES, CLASSES)
    right = SCORES.argmax(axis=1) == CLASSES
    assert made.value == pytest.approx(right.mean())
    assert made.per_class == {c: pytest.approx(right[c == CLASSES].mean()) for c in range(10)}


def test_top_5_counts_the_five_highest_scores() -> None:
    best = np.argsort(-SCORES, axis=1)[:, :5]
    assert score("top-5", SCORES, CLASSES).value == pytest.approx((best == CLASSES[:, np.newaxis]).any(axis=1).mean())


def test_of_equal_scores_the_lower_class_wins_as_argmax_does() -> None:
    tied = np.zeros((4, 6), np.float32)
    assert score("top-1", tied, np.array([0, 1, 4, 5])).value == 0.25
    assert score("top-5", tied, np.array([0, 1, 4, 5])).value == 0.75


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 12), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_top_1_equals_argmax_also_where_integers_tie(width: int, n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores, classes = rng.integers(-3, 3, (n, width)).astype(np.int8), rng.integers(0, width, n)
    assert score("top-1", scores, classes).value == pytest.approx((scores.argmax(axis=1) == classes).mean())


def test_f1_is_the_mean_of_the_classes_harmonic_means() -> None:
    answers, expected = SCORES.argmax(axis=1), []
    for number in range(10):
        hit = ((answers == number) & (number == CLASSES)).sum()
        precision, recall = hit / (answers == number).sum(), hit / (number == CLASSES).sum()
        expected.append(2 * precision * recall / (precision + recall))
    made = score("f1", SCORES, CLASSES)
    assert made.value == pytest.approx(np.mean(expected))
    assert list(made.per_class.values()) == pytest.approx(expected)


def test_f1_by_hand_leaves_out_classes_that_never_occur() -> None:
    # Answers 0 0 1, labels 0 1 1 of four classes: F1 is 2/3 for both.
    scores = np.eye(4)[[0, 0, 1]]
    made = score("f1", scores, np.array([0, 1, 1]))
    assert (made.value, made.per_class) == (pytest.approx(2 / 3), {0: pytest.approx(2 / 3), 1: pytest.approx(2 / 3)})
    # An answer that no label has counts as a class with an F1 of 0.
    assert score("f1", np.eye(4)[[0, 3]], np.array([0, 0])).value == pytest.approx((2 / 3 + 0) / 2)


def test_rmse_is_over_all_elements_and_lower_is_better() -> None:
    outputs, labels = RNG.standard_normal((2, 50, 3, 4))
    made = score("rmse", outputs, labels)
    assert made.value == pytest.approx(np.sqrt(((outputs - labels) ** 2).mean()))
    assert metric_named("rmse").direction is Direction.LOWER


def test_rmse_takes_single_numbers() -> None:
    assert score("rmse", np.array([[1.0], [4.0]]), np.array([1, 0])).value == pytest.approx(np.sqrt(8))


def test_cosine_is_the_mean_cosine_with_the_reference() -> None:
    outputs, labels = RNG.standard_normal((2, 50, 12))
    each = (outputs * labels).sum(axis=1) / np.linalg.norm(outputs, axis=1) / np.linalg.norm(labels, axis=1)
    made = score("cosine", outputs, labels)
    assert made.value == pytest.approx(each.mean())


def test_zero_vectors_agree_with_each_other_only() -> None:
    assert score("cosine", np.array([[0.0, 0], [0, 0], [1, 0]]), np.array([[0.0, 0], [1, 0], [0, 0]])).value == 1 / 3


def test_ragged_outputs_are_compared_sample_by_sample() -> None:
    ragged = Column(np.arange(6.0), np.array([[2], [4]]))
    made = metric_named("rmse").evaluate({"out": ragged}, Column(np.arange(6.0) + 1, np.array([[2], [4]])))
    assert made.value == 1.0


@pytest.mark.parametrize("shape", [(500, 10), (500, 1, 10), (500, 10, 1, 1)])
def test_dimensions_of_one_do_not_matter(shape: tuple[int, ...]) -> None:
    assert score("top-1", SCORES.reshape(shape), CLASSES).value == score("top-1", SCORES, CLASSES).value


def test_blocks_do_not_change_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = [score(name, SCORES, CLASSES).value for name in ("top-1", "top-5", "f1")]
    monkeypatch.setattr("edgewright.tools.validate.answers.BLOCK_VALUES", 35)
    assert [score(name, SCORES, CLASSES).value for name in ("top-1", "top-5", "f1")] == expected


@pytest.mark.promise("P9")
@pytest.mark.parametrize(
    ("name", "outputs", "labels", "said"),
    [
        ("top-1", np.zeros((3, 1)), np.zeros(3, int), "one number"),
        ("top-1", np.zeros(3), np.zeros(3, int), "one number"),
        ("f1", np.zeros((3, 4, 4)), np.zeros(3, int), "shape (4, 4)"),
        ("top-1", np.zeros((3, 4)), None, "has none"),
        ("cosine", np.zeros((3, 4)), None, "has none"),
        ("top-1", np.zeros((3, 4)), np.array([0, 1, 4]), "from 0 to 4, and the model has 4 classes"),
        ("top-1", np.zeros((3, 4)), np.array([-1, 1, 2]), "from -1"),
        ("top-1", np.zeros((3, 4)), np.zeros((3, 4), int), "rank 1"),
        ("f1", np.zeros((3, 4)), np.zeros(3), "float64"),
        ("top-5", np.zeros((3, 5)), np.zeros(3, int), "every answer would be right"),
        ("rmse", np.zeros((3, 4)), np.zeros((3, 5)), "of sample 0 one side has 4, the other 5"),
        ("cosine", np.zeros((3, 4)), np.zeros(3, int), "of sample 0"),
        ("rmse", np.zeros((3, 4)), np.zeros((2, 4)), "3 outputs and 2 rows"),
    ],
)
def test_a_metric_that_does_not_fit_is_refused_with_the_reason(
    name: str, outputs: Array, labels: Array | None, said: str
) -> None:
    made = refusal(name, outputs, labels)
    assert (made.code, said in made.why) == (Code.METRIC_MISMATCH, True), made.why


def test_several_outputs_need_a_name_in_the_card() -> None:
    made = refusal("top-1", {"boxes": Column(SCORES), "scores": Column(SCORES)}, CLASSES)
    assert (made.code, "boxes, scores" in made.why, '"output"' in made.do) == (Code.METRIC_MISMATCH, True, True)


def test_an_unknown_metric_is_answered_with_the_known_ones() -> None:
    with pytest.raises(Refused) as caught:
        metric_named("accuracy")
    assert caught.value.refusal.code is Code.METRIC_UNKNOWN
    assert caught.value.refusal.facts["known"] == list(known_metrics())
    assert {"top-1", "map50-95", "miou", "cer", "agreement-top-1"} <= set(known_metrics())


class Largest:
    """A metric as an operator might install it."""

    direction = Direction.LOWER
    answers = Answers.NUMBERS
    unit = ""
    range = (0.0, 1.0)

    def evaluate(self, outputs: Mapping[str, Column], labels: Column | None) -> Score:  # noqa: ARG002
        return Score(float(max(column.batch(0, len(column)).max() for column in outputs.values())))


instance = Largest()
broken = SimpleNamespace(direction="higher", evaluate=print)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    found = EntryPoints(
        EntryPoint(name, f"{__name__}:{value}", metrics.GROUP)
        for name, value in {"largest": "Largest", "one": "instance", "broken": "broken", "top-1": "broken"}.items()
    )
    monkeypatch.setattr(EntryPoint, "load", lambda entry: globals()[entry.attr])
    monkeypatch.setattr(metrics, "entry_points", found.select)


@pytest.mark.usefixtures("installed")
def test_an_installed_metric_is_used_like_a_built_in_one() -> None:
    assert known_metrics()[-3:] == ("broken", "largest", "one")
    assert score("largest", SCORES, None).value == SCORES.max()
    assert metric_named("one") is instance


@pytest.mark.usefixtures("installed")
def test_an_installed_metric_cannot_replace_a_built_in_one() -> None:
    assert score("top-1", SCORES, CLASSES).value > 0.5


@pytest.mark.usefixtures("installed")
def test_an_installed_object_that_is_no_metric_is_refused() -> None:
    with pytest.raises(Refused, match="lacks"):
        metric_named("broken")


def test_agreement_of_classifiers_is_the_share_of_equal_answers() -> None:
    other = SCORES.copy()
    other[:50] = -other[:50]
    assert agreement(out(SCORES), out(other), Answers.CLASS) == pytest.approx(0.9)
    assert agreement(out(SCORES), out(SCORES * 3 + 1), Answers.CLASS) == 1.0


def test_agreement_of_other_models_is_the_mean_cosine() -> None:
    assert agreement(out(SCORES), out(2 * SCORES), Answers.NUMBERS) == pytest.approx(1)
    assert agreement(out(SCORES), out(-SCORES), Answers.NUMBERS) == pytest.approx(-1)


@pytest.mark.parametrize("answers", [Answers.CLASS, Answers.NUMBERS])
def test_outputs_over_different_samples_do_not_agree_or_disagree(answers: Answers) -> None:
    with pytest.raises(Refused) as caught:
        agreement(out(SCORES), out(SCORES[:400]), answers)
    assert caught.value.refusal.code is Code.METRIC_MISMATCH
