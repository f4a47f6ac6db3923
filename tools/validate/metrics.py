"""Metrics: how a model's answers to a dataset become one number. All have one shape, so learn one and you know all.

A package adds its own through the entry point group `edgewright.metrics`: the entry's name is the metric's, the object
a `Metric` or a class of one. It is loaded in the worker, which the operator's installation decides, never an agent.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Protocol

import numpy as np

from edgewright.state.errors import Code, Refused
from edgewright.state.evidence import Direction
from edgewright.tools.legible import legible
from edgewright.tools.probe.columns import Column
from edgewright.tools.validate.answers import classes_of, cosines, only, pairs, refuse_mismatch, scores_of

GROUP = "edgewright.metrics"


@dataclass(frozen=True)
class Score:
    """What a metric says.

    Attributes:
        value: The metric over all samples.
        per_class: Class number to the metric over its samples, where the metric has classes.
    """

    value: float
    per_class: Mapping[int, float] = field(default_factory=dict)


class Metric(Protocol):
    """What a metric is.

    Attributes:
        direction: Whether more is better.
        has_classes: Whether the answer to a sample is a class, so that two models' answers can be equal.
    """

    direction: Direction
    has_classes: bool

    def evaluate(self, outputs: Mapping[str, Column], labels: Column | None) -> Score:
        """Judge a model's outputs.

        Args:
            outputs: Output name to its samples; one of them, unless the card names none and the model has several.
            labels: One row a sample.

        Raises:
            Refused: METRIC_MISMATCH, where outputs or labels are not what the metric takes.
        """
        ...


class TopK:
    """Share of samples whose class is among the k highest scores; of equal scores the lower class number wins."""

    direction = Direction.HIGHER
    has_classes = True

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
        return Score(float(hits.mean()), per_class)


class MacroF1:
    """Unweighted mean of the F1 of every class that occurs among labels or answers, as scikit-learn's `macro`."""

    direction = Direction.HIGHER
    has_classes = True

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


class RootMeanSquareError:
    """Root of the mean squared difference between outputs and labels, over all their elements."""

    direction = Direction.LOWER
    has_classes = False

    def evaluate(self, outputs: Mapping[str, Column], labels: Column | None) -> Score:
        """See `Metric`."""
        compared = pairs("rmse", only("rmse", outputs), labels)
        sums = np.array([(((one - other) ** 2).sum(), one.size) for one, other in compared])
        total, values = sums.sum(axis=0)
        return Score(float(np.sqrt(total / values)))


class CosineAgreement:
    """Mean cosine between an output and the label of its sample, a reference vector. Two zero vectors agree."""

    direction = Direction.HIGHER
    has_classes = False

    def evaluate(self, outputs: Mapping[str, Column], labels: Column | None) -> Score:
        """See `Metric`."""
        return Score(float(cosines(pairs("cosine", only("cosine", outputs), labels)).mean()))


_BUILT_IN: Mapping[str, Metric] = MappingProxyType(
    {
        "top-1": TopK(1),
        "top-5": TopK(5),
        "f1": MacroF1(),
        "rmse": RootMeanSquareError(),
        "cosine": CosineAgreement(),
    }
)


def known_metrics() -> tuple[str, ...]:
    """Return the names of all metrics, the installed ones last; none is loaded."""
    installed = sorted(entry_points(group=GROUP).names - _BUILT_IN.keys())
    return (*_BUILT_IN, *installed)


def metric_named(name: str) -> Metric:
    """Return a metric.

    Raises:
        Refused: METRIC_UNKNOWN, with the known ones.
    """
    if name in _BUILT_IN:
        return _BUILT_IN[name]
    for entry in entry_points(group=GROUP, name=name):
        return _loaded(entry.load(), name)
    raise Refused.because(
        Code.METRIC_UNKNOWN,
        f"the metric '{legible(name, 60)}'",
        f"the known ones are {', '.join(known_metrics())}",
        f"name one of them, or have the operator install a package with an entry point of the group `{GROUP}`",
        known=list(known_metrics()),
    )


def agreement(a: Mapping[str, Column], b: Mapping[str, Column], metric: Metric) -> float:
    """Return how far two models agree over the same samples, 0 to 1 (cosine: -1 to 1).

    Args:
        a: Outputs of one, the output that the metric looks at alone.
        b: Outputs of the other, likewise.
        metric: Decides: share of equal classes where answers are classes, mean cosine of the outputs otherwise.

    Raises:
        Refused: METRIC_MISMATCH, if the outputs are not of one size and number.
    """
    one, other = only("agreement", a), only("agreement", b)
    if not metric.has_classes:
        return float(cosines(pairs("agreement", one, other)).mean())
    answers = [scores_of("agreement", output).answers() for output in (one, other)]
    if answers[0].shape != answers[1].shape:
        refuse_mismatch(
            "agreement", f"there are {len(one)} answers of one and {len(other)} of the other", "use the same samples"
        )
    return float((answers[0] == answers[1]).mean())


def _loaded(found: object, name: str) -> Metric:
    metric = found() if isinstance(found, type) else found
    direction, has_classes = getattr(metric, "direction", None), getattr(metric, "has_classes", None)
    if isinstance(direction, Direction) and isinstance(has_classes, bool) and callable(getattr(metric, "evaluate", 0)):
        checked: Metric = metric  # type: ignore[assignment]  # its three members were just checked
        return checked
    raise Refused.because(
        Code.METRIC_UNKNOWN,
        f"the installed metric '{legible(name, 60)}'",
        "its object lacks `direction`, `has_classes` or `evaluate`",
        "have the operator correct or remove the package that brings it",
    )
