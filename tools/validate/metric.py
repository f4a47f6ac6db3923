"""What a metric is, and what it says. Learn one and you know all."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edgewright.state.evidence import Direction
from edgewright.tools.datasets.decoding import Answers
from edgewright.tools.probe.columns import Column

SHARE = (0.0, 1.0)
CORRELATION = (-1.0, 1.0)
ERROR = (0.0, float("inf"))


@dataclass(frozen=True)
class Score:
    """What a metric says.

    Attributes:
        value: The metric over all samples.
        per_class: Class number to the metric over its samples, where the metric has classes.
        per_sample: What each sample adds, float64 of shape (n, 2), where the metric is a growing function of a ratio
            of sums (for most the ratio itself): a numerator and a denominator. A paired test needs no more.
    """

    value: float
    per_class: Mapping[int, float] = field(default_factory=dict)
    per_sample: NDArray[np.float64] | None = None


class Metric(Protocol):
    """What a metric is.

    Attributes:
        direction: Whether more is better.
        answers: What it judges; the data card's decoder must give the same.
        unit: Such as `share of samples`; empty where a metric is a pure number.
        range: Least and largest value; the better end is what a perfect model scores.
    """

    direction: Direction
    answers: Answers
    unit: str
    range: tuple[float, float]

    def evaluate(self, outputs: Mapping[str, Column], labels: Column | None) -> Score:
        """Judge a model's outputs.

        Args:
            outputs: Output name to its samples; one of them, unless the card names none and the model has several.
            labels: One row a sample.

        Raises:
            Refused: METRIC_MISMATCH, where outputs or labels are not what the metric takes.
        """
        ...


def evenly(values: NDArray[np.generic]) -> NDArray[np.float64]:
    """Return the contributions of samples that count alike; shape (n, 2)."""
    return np.column_stack([values.astype(np.float64), np.ones(len(values))])
