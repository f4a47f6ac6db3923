"""Metrics of answers that are numbers."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from edgewright.state.evidence import Direction
from edgewright.tools.datasets.decoding import Answers
from edgewright.tools.probe.columns import Column
from edgewright.tools.validate.answers import cosines, only, pairs, refuse_mismatch
from edgewright.tools.validate.metric import CORRELATION, ERROR, Score, evenly
from edgewright.tools.validate.ranks import mean_ranks

Numbers = NDArray[np.float64]


class RootMeanSquareError:
    """Root of the mean squared difference between outputs and labels, over all their elements."""

    direction = Direction.LOWER
    answers = Answers.NUMBERS
    unit = "that of the labels"
    range = ERROR

    def evaluate(self, outputs: Mapping[str, Column], labels: Column | None) -> Score:
        """See `Metric`."""
        compared = pairs("rmse", only("rmse", outputs), labels)
        sums = np.array([(((one - other) ** 2).sum(), one.size) for one, other in compared])
        total, values = sums.sum(axis=0)
        return Score(float(np.sqrt(total / values)), per_sample=sums)


class MeanAbsoluteError:
    """Mean absolute difference between outputs and labels, over all their elements."""

    direction = Direction.LOWER
    answers = Answers.NUMBERS
    unit = "that of the labels"
    range = ERROR

    def evaluate(self, outputs: Mapping[str, Column], labels: Column | None) -> Score:
        """See `Metric`."""
        compared = pairs("mae", only("mae", outputs), labels)
        sums = np.array([(np.abs(one - other).sum(), one.size) for one, other in compared])
        total, values = sums.sum(axis=0)
        return Score(float(total / values), per_sample=sums)


class CosineAgreement:
    """Mean cosine between an output and the label of its sample, a reference vector. Two zero vectors agree."""

    direction = Direction.HIGHER
    answers = Answers.NUMBERS
    unit = ""
    range = CORRELATION

    def evaluate(self, outputs: Mapping[str, Column], labels: Column | None) -> Score:
        """See `Metric`."""
        each = cosines(pairs("cosine", only("cosine", outputs), labels))
        return Score(float(each.mean()), per_sample=evenly(each))


class Correlation:
    """Correlation between a model's one number a sample and its label: of the values (Pearson) or ranks (Spearman).

    A model whose answers are all equal follows nothing, so it scores 0.
    """

    direction = Direction.HIGHER
    answers = Answers.NUMBERS
    unit = ""
    range = CORRELATION

    def __init__(self, name: str, of: Callable[[Numbers], Numbers]) -> None:
        self._name = name
        self._of = of

    def evaluate(self, outputs: Mapping[str, Column], labels: Column | None) -> Score:
        """See `Metric`."""
        output = only(self._name, outputs)
        if (output.shapes.prod(axis=1) != 1).any():
            refuse_mismatch(
                self._name,
                f"it compares one number a sample, and the model gives {int(output.shapes[0].prod())}",
                "name rmse, mae or cosine, or another output in the data card",
            )
        one, other = np.array([(a.item(), b.item()) for a, b in pairs(self._name, output, labels)]).T
        if len(one) < 2 or (other == other[0]).all():
            refuse_mismatch(
                self._name, f"all {len(other)} labels are {other[0]:g}", "give samples with different labels"
            )
        if (one == one[0]).all():
            return Score(0.0)
        return Score(_correlation(self._of(one), self._of(other)))


def pearson() -> Correlation:
    """Return the correlation of the values."""
    return Correlation("pearson", lambda values: values)


def spearman() -> Correlation:
    """Return the correlation of the ranks; equal values share the mean of theirs."""
    return Correlation("spearman", mean_ranks)


def _correlation(one: Numbers, other: Numbers) -> float:
    # Scaled first, so that squares of large or tiny numbers neither overflow nor vanish.
    a, b = (centred / np.abs(centred).max() for centred in (one - one.mean(), other - other.mean()))
    return float(np.clip((a @ b) / np.sqrt((a @ a) * (b @ b)), -1, 1))
