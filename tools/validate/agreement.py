"""How far two models agree over the same samples, whatever their answers are: one model's stand for the labels."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from edgewright.state.evidence import Direction
from edgewright.tools.datasets.decoding import Answers
from edgewright.tools.probe.columns import Column
from edgewright.tools.validate.answers import needed, only, refuse_mismatch, scores_of
from edgewright.tools.validate.detection import BoxAgreement
from edgewright.tools.validate.metric import SHARE, Metric, Score, evenly
from edgewright.tools.validate.regression import CosineAgreement


class SameClass:
    """Share of samples to which both give the same class."""

    direction = Direction.HIGHER
    answers = Answers.CLASS
    unit = "share of samples"
    range = SHARE

    def evaluate(self, outputs: Mapping[str, Column], labels: Column | None) -> Score:
        """See `Metric`; the labels are the other model's scores."""
        one = only("agreement", outputs)
        sides = [scores_of("agreement", side).answers() for side in (one, needed("agreement", labels, one))]
        equal = sides[0] == sides[1]
        return Score(float(equal.mean()), per_sample=evenly(equal))


class SameElements:
    """Share of places at which both give the same whole number, over all samples; of two shapes, none."""

    direction = Direction.HIGHER
    range = SHARE

    def __init__(self, answers: Answers, unit: str) -> None:
        self.answers = answers
        self.unit = unit

    def evaluate(self, outputs: Mapping[str, Column], labels: Column | None) -> Score:
        """See `Metric`; the labels are the other model's answers."""
        one = only("agreement", outputs)
        other = needed("agreement", labels, one)
        if not all(np.issubdtype(column.dtype, np.integer) for column in (one, other)):
            refuse_mismatch(
                "agreement",
                f"it compares whole numbers, and the model gives {one.dtype}",
                "name a decoder in the data card, or agreement-cosine",
            )
        sums = np.array([_equal(one[row], other[row]) for row in range(len(one))], np.float64)
        same, places = sums.sum(axis=0)
        return Score(float(same / places) if places else 1.0, per_sample=sums)


def _equal(one: np.ndarray, other: np.ndarray) -> tuple[int, int]:
    if one.shape != other.shape:
        return 0, max(one.size, other.size)
    return int((one == other).sum()), one.size


_TEXT = SameElements(Answers.TEXT, "share of characters")

# By what the answers are; the names are those that a call may use where there are no labels.
AGREEMENT_OF: Mapping[Answers, tuple[str, Metric]] = MappingProxyType(
    {
        Answers.CLASS: ("agreement-top-1", SameClass()),
        Answers.NUMBERS: ("agreement-cosine", CosineAgreement()),
        Answers.BOXES: ("agreement-map50", BoxAgreement()),
        Answers.MAP: ("agreement-pixels", SameElements(Answers.MAP, "share of pixels")),
        Answers.TEXT: ("agreement-text", _TEXT),
        Answers.TAGS: ("agreement-tags", SameElements(Answers.TAGS, "share of tags")),
    }
)


def agreement(one: Mapping[str, Column], other: Mapping[str, Column], answers: Answers) -> float:
    """Return how far two models agree over the same samples, 0 to 1 (cosine: -1 to 1).

    Args:
        one: Answers of one, as its metric judges them.
        other: Answers of the other, likewise.
        answers: What they are.

    Raises:
        Refused: METRIC_MISMATCH, if they are not of one size and number.
    """
    return AGREEMENT_OF[answers][1].evaluate(one, only("agreement", other)).value
