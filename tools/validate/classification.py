"""Metrics of answers that are classes, and of scores that rank samples."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from edgewright.state.evidence import Direction
from edgewright.tools.datasets.decoding import Answers
from edgewright.tools.probe.columns import Column
from edgewright.tools.validate.answers import class_numbers, classes_of, only, refuse_mismatch, scores_of
from edgewright.tools.validate.metric import SHARE, Score, evenly
from edgewright.tools.validate.ranks import mean_ranks


class TopK:
    """Share of samples whose class is among the k highest scores; of equal scores the lower class number wins."""

    direction = Direction.HIGHER
    answers = Answers.CLASS
    unit = "share of samples"
    range = SHARE

    def __init__(self, k: int) -> None:
        self._name = f"top-{k}"
        self._k = k

    def evaluate(self, outputs: Mapping[str, Column], labels: Column | None) -> Score:
        """See `Metric`."""
        scores = scores_of(self._name, only(self._name, outputs))
        if 1 < self._k >= scores.width:
            refuse_mismatch(
                self._name,
                f"the model has {scores.width} classes, so that every answer would be right",
                "name top-1 or f1",
            )
        classes = classes_of(self._name, labels, scores)
        hits = scores.ranks(classes) < self._k
        per_class = {int(number): float(hits[classes == number].mean()) for number in np.unique(classes)}
        return Score(float(hits.mean()), per_class, evenly(hits))


class MacroF1:
    """Unweighted mean of the F1 of every class that occurs among labels or answers, as scikit-learn's `macro`."""

    direction = Direction.HIGHER
    answers = Answers.CLASS
    unit = ""
    range = SHARE

    def evaluate(self, outputs: Mapping[str, Column], labels: Column | None) -> Score:
        """See `Metric`."""
        scores = scores_of("f1", only("f1", outputs))
        classes, answers = classes_of("f1", labels, scores), scores.answers()
        right, wanted, given = (
            np.bincount(numbers, minlength=scores.width) for numbers in (classes[answers == classes], classes, answers)
        )
        # 2 TP / (2 TP + FP + FN): labels and answers of a class together are its true positives twice and its errors.
        occurring = np.flatnonzero(wanted + given)
        per_class = {int(number): float(2 * right[number] / (wanted + given)[number]) for number in occurring}
        return Score(float(np.mean(list(per_class.values()))), per_class)


class AreaUnderCurve:
    """Area under the ROC curve: how often a sample of a class scores higher than one of another, ties counted half.

    With one score a sample, or two, it is the area of class 1. With more it is the unweighted mean over the classes,
    each against the rest, by the scores as the model gives them; a class that has no sample, or all, has no area.
    """

    direction = Direction.HIGHER
    answers = Answers.CLASS
    unit = ""
    range = SHARE

    def evaluate(self, outputs: Mapping[str, Column], labels: Column | None) -> Score:
        """See `Metric`."""
        output = only("auc", outputs)
        if (output.shapes.prod(axis=1) == 1).all():
            classes = class_numbers("auc", labels, output, 2)
            scores = np.array([output[row].item() for row in range(len(output))], np.float64)
            return self._of_two(scores, classes)
        every = scores_of("auc", output)
        classes = classes_of("auc", labels, every)
        if every.width == 2:
            # Grows with the probability of class 1, whether these are logits or probabilities.
            return self._of_two(every.of_class(1) - every.of_class(0), classes)
        judged = [number for number in np.unique(classes).tolist() if (classes != number).any()]
        if not judged:
            _refuse_one_class(classes)
        per_class = {number: area(every.of_class(number), classes == number) for number in judged}
        return Score(float(np.mean(list(per_class.values()))), per_class)

    @staticmethod
    def _of_two(scores: NDArray[np.float64], classes: NDArray[np.int64]) -> Score:
        if len(np.unique(classes)) < 2:
            _refuse_one_class(classes)
        return Score(area(scores, classes == 1))


def area(scores: NDArray[np.float64], positive: NDArray[np.bool_]) -> float:
    """Return the area under the ROC curve by the sum of ranks (Mann and Whitney, 1947).

    Args:
        scores: Shape (n,).
        positive: Shape (n,); some are true and some are not.
    """
    count = int(positive.sum())
    above = mean_ranks(scores)[positive].sum() - count * (count + 1) / 2
    return float(above / (count * (len(scores) - count)))


def _refuse_one_class(classes: NDArray[np.int64]) -> None:
    refuse_mismatch(
        "auc",
        f"it compares samples of different classes, and all {len(classes)} are of class {classes[0]}",
        "give labelled samples of at least two classes",
    )
