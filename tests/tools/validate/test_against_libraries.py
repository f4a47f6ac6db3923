"""Every metric against the library that the field computes it with, on random inputs."""

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
import pytest
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import f1_score, jaccard_score, mean_absolute_error, roc_auc_score, root_mean_squared_error

from edgewright.tools.probe.columns import Column
from edgewright.tools.validate.metric import Score
from edgewright.tools.validate.metrics import metric_named

Array = NDArray[Any]
CLASSES = 4


def score(name: str, outputs: Array | Column, labels: Array | Column) -> Score:
    columns = [side if isinstance(side, Column) else Column(side) for side in (outputs, labels)]
    return metric_named(name).evaluate({"out": columns[0]}, columns[1])


def ragged(rows: list[Array]) -> Column:
    return Column(np.concatenate([row.ravel() for row in rows]), np.array([row.shape for row in rows], np.int64))


def ratio(made: Score) -> float:
    """Return the ratio of the sums of the samples' contributions."""
    assert made.per_sample is not None
    numerator, denominator = made.per_sample.sum(axis=0)
    return float(numerator / denominator)


@pytest.mark.parametrize("seed", range(20))
def test_classes_as_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, CLASSES, 120)
    scores = np.round(rng.random((120, CLASSES)), 1 + seed % 3)  # rounded, so that scores tie
    assert score("f1", scores, classes).value == pytest.approx(
        f1_score(classes, scores.argmax(axis=1), average="macro"), abs=1e-9
    )
    every = [roc_auc_score(classes == number, scores[:, number]) for number in range(CLASSES)]
    made = score("auc", scores, classes)
    assert made.value == pytest.approx(np.mean(every), abs=1e-9)
    assert list(made.per_class.values()) == pytest.approx(every, abs=1e-9)
    assert ratio(score("top-1", scores, classes)) == score("top-1", scores, classes).value


@pytest.mark.parametrize("seed", range(20))
def test_the_area_of_two_classes_as_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    classes = np.append([0, 1], rng.integers(0, 2, 60))
    scores = np.round(rng.random(62) + 0.2 * classes, 1)
    expected = pytest.approx(roc_auc_score(classes, scores), abs=1e-9)
    assert score("auc", scores[:, np.newaxis], classes).value == expected
    assert score("auc", np.column_stack([1 - scores, scores]), classes).value == expected


@pytest.mark.parametrize("seed", range(20))
def test_numbers_as_scikit_learn_and_scipy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = np.round(rng.standard_normal(80) * 10.0 ** (seed - 10), 12)
    outputs = np.round(labels + rng.standard_normal(80) * np.abs(labels).mean(), 12)
    for name, expected in (
        ("rmse", root_mean_squared_error(labels, outputs)),
        ("mae", mean_absolute_error(labels, outputs)),
        ("pearson", pearsonr(labels, outputs).statistic if labels.any() else None),
        ("spearman", spearmanr(labels, outputs).statistic if labels.any() else None),
    ):
        if expected is not None and np.isfinite(expected):
            assert score(name, outputs[:, np.newaxis], labels).value == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert ratio(score("mae", outputs, labels)) == score("mae", outputs, labels).value
    assert np.sqrt(ratio(score("rmse", outputs, labels))) == score("rmse", outputs, labels).value


@pytest.mark.parametrize("seed", range(10))
def test_ranks_of_equal_numbers_are_shared_as_in_scipy(seed: int) -> None:
    labels, outputs = np.random.default_rng(seed).integers(0, 5, (2, 60)).astype(np.float64)
    expected = spearmanr(labels, outputs).statistic
    assert score("spearman", outputs, labels).value == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("seed", range(20))
def test_maps_as_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    masks = [rng.integers(0, 3 + seed % 3, rng.integers(3, 12, 2)).astype(np.uint8) for _ in range(6)]
    answers = [np.where(rng.random(mask.shape) < 0.6, mask, rng.integers(0, 5, mask.shape)) for mask in masks]
    for mask in masks:
        mask[rng.random(mask.shape) < 0.1] = 255
    counts = [mask != 255 for mask in masks]
    flat = [np.concatenate([a[c] for a, c in zip(side, counts, strict=True)]) for side in (masks, answers)]
    made = score("miou", ragged(answers), ragged(masks))
    assert made.value == pytest.approx(jaccard_score(*flat, average="macro"), abs=1e-9)
    assert list(made.per_class.values()) == pytest.approx(jaccard_score(*flat, average=None), abs=1e-9)


@pytest.mark.parametrize("seed", range(30))
def test_error_rates_as_jiwer(seed: int) -> None:
    rng = np.random.default_rng(seed)
    references = ["".join(rng.choice(list("ab cé漢"), int(rng.integers(3, 25)))).strip() or "a" for _ in range(12)]
    found = ["".join(rng.choice(list("ab cé漢"), int(rng.integers(0, 25)))).strip() for _ in references]
    found[0] = references[0]
    texts = [ragged([np.array(list(map(ord, text)), np.int32) for text in side]) for side in (found, references)]
    for name, expected in (("cer", jiwer.cer(references, found)), ("wer", jiwer.wer(references, found))):
        made = score(name, *texts)
        assert made.value == pytest.approx(expected, abs=1e-9)
        assert ratio(made) == made.value


def boxes_of(rng: np.random.Generator, count: int) -> Array:
    """Return boxes on a coarse grid, so that many overlap and some coincide; shape (count, 4)."""
    corners = rng.integers(0, 12, (count, 2)) * 5
    return np.column_stack([corners, corners + rng.integers(1, 7, (count, 2)) * 5]).astype(np.float64)


def random_set(seed: int) -> tuple[list[Array], list[Array]]:
    """Return truth and detections of some pictures: crowds, empty pictures, ties of score, more than 100 boxes."""
    rng = np.random.default_rng(seed)
    truth, found = [], []
    for picture in range(int(rng.integers(2, 7))):
        n = 0 if rng.random() < 0.2 else int(rng.integers(1, 8))
        classes, crowd = rng.integers(0, CLASSES, n), rng.random(n) < 0.15
        truth.append(np.column_stack([classes, boxes_of(rng, n), crowd]).reshape(-1, 6))
        near = truth[-1][rng.integers(0, n, rng.integers(0, 10))] if n else np.zeros((0, 6))
        guesses = 130 if seed % 10 == 0 and picture == 0 else int(rng.integers(0, 6))
        classes = np.concatenate([near[:, 0], rng.integers(0, CLASSES + 1, guesses)])
        places = np.concatenate([near[:, 1:5] + rng.integers(-3, 4, (len(near), 4)), boxes_of(rng, guesses)])
        places[:, 2:] = np.maximum(places[:, 2:], places[:, :2] + 1)
        found.append(np.column_stack([classes, rng.integers(1, 6, len(classes)) / 5, places]).reshape(-1, 6))
    if not any((boxes[:, 5] == 0).any() for boxes in truth):
        truth[0] = np.array([[0, 0, 0, 10, 10, 0.0]])
    return truth, found


def coco_reference(truth: list[Array], found: list[Array], folder: Path) -> tuple[float, float]:
    """Return AP and AP50 as the reference prints them, from files as one gives them to it."""
    classes = range(CLASSES + 1)
    annotations = [
        {"id": 0, "image_id": image, "category_id": int(kind), "bbox": [a, b, c - a, d - b], "iscrowd": int(crowd)}
        for image, boxes in enumerate(truth)
        for kind, a, b, c, d, crowd in boxes.tolist()
    ]
    for number, box in enumerate(annotations, 1):
        box |= {"id": number, "area": box["bbox"][2] * box["bbox"][3]}  # type: ignore[index]
    images = [{"id": image} for image in range(len(truth))]
    content = {"images": images, "categories": [{"id": number} for number in classes], "annotations": annotations}
    (folder / "truth.json").write_text(json.dumps(content))
    results = [
        {"image_id": image, "category_id": int(kind), "bbox": [a, b, c - a, d - b], "score": sure}
        for image, boxes in enumerate(found)
        for kind, sure, a, b, c, d in boxes.tolist()
    ]
    (folder / "found.json").write_text(json.dumps(results))
    with contextlib.redirect_stdout(io.StringIO()):
        reference = COCO(folder / "truth.json")
        judged = COCOeval(reference, reference.loadRes(str(folder / "found.json")), "bbox")
        judged.evaluate()
        judged.accumulate()
        judged.summarize()
    return float(judged.stats[0]), float(judged.stats[1])


@pytest.mark.promise("P4")
def test_boxes_as_coco_on_200_sets_with_crowds_empty_pictures_and_ties(tmp_path: Path) -> None:
    for seed in range(200):
        truth, found = random_set(seed)
        if not sum(map(len, found)):
            continue
        expected = coco_reference(truth, found, tmp_path)
        made = [score(name, ragged(found), ragged(truth)).value for name in ("map50-95", "map50")]
        assert made == pytest.approx(expected, abs=1e-6), seed


@pytest.mark.promise("P3")
@pytest.mark.parametrize("wrong", [[50, 10, 10, 50], [10, 50, 50, 10]])
def test_a_box_turned_inside_out_is_a_false_one_and_is_not_overlooked(wrong: list[float]) -> None:
    truth = [np.array([[0, 10, 10, 50, 50, 0]], np.float64)]
    found = [np.array([[0, 0.9, *wrong], [0, 0.5, 10, 10, 50, 50]], np.float64)]
    assert score("map50", ragged(found), ragged(truth)).value == pytest.approx(0.5)


def test_precision_does_not_change_where_the_model_sees_another_size() -> None:
    truth, found = random_set(3)
    factors = np.array([0.5, 2.0, 0.5, 2.0])
    moved = [boxes.copy() for boxes in (*truth, *found)]
    for boxes in moved[: len(truth)]:
        boxes[:, 1:5] = boxes[:, 1:5] * factors + [7, 3, 7, 3]
    for boxes in moved[len(truth) :]:
        boxes[:, 2:] = boxes[:, 2:] * factors + [7, 3, 7, 3]
    made = score("map50-95", ragged(moved[len(truth) :]), ragged(moved[: len(truth)]))
    assert made.value == pytest.approx(score("map50-95", ragged(found), ragged(truth)).value, abs=1e-9)
