"""A model's outputs and the labels, lined up for the metrics and checked to belong together."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NoReturn, TypeVar

import numpy as np
from numpy.typing import NDArray

from edgewright.state.errors import Code, Refused
from edgewright.tools.legible import legible
from edgewright.tools.probe.columns import Array, Column

BLOCK_VALUES = 1 << 20

Output = TypeVar("Output")


@dataclass(frozen=True)
class ClassScores:
    """One score a class for every sample.

    Attributes:
        column: Where they are read from.
        width: Classes.
    """

    column: Column
    width: int

    def blocks(self) -> Iterator[tuple[slice, Array]]:
        """Yield which samples, and their scores, shape (k, width)."""
        step = max(1, BLOCK_VALUES // self.width)
        for start in range(0, len(self.column), step):
            rows = self.column.batch(start, min(start + step, len(self.column)))
            yield slice(start, start + len(rows)), rows.reshape(len(rows), self.width)

    def answers(self) -> NDArray[np.int64]:
        """Return the class with the highest score of every sample, the lowest of equal ones; shape (n,)."""
        answers = np.empty(len(self.column), np.int64)
        for rows, scores in self.blocks():
            answers[rows] = scores.argmax(axis=1)
        return answers

    def of_class(self, number: int) -> NDArray[np.float64]:
        """Return the score of one class of every sample; shape (n,)."""
        return np.concatenate([scores[:, number].astype(np.float64) for _, scores in self.blocks()])

    def ranks(self, classes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return how many classes come before the given one of every sample, in the order of `answers`; shape (n,)."""
        ranks = np.empty(len(self.column), np.int64)
        for rows, scores in self.blocks():
            wanted = classes[rows, np.newaxis]
            own = np.take_along_axis(scores, wanted, axis=1)
            tied_before = (scores == own) & (np.arange(self.width) < wanted)
            ranks[rows] = ((scores > own) | tied_before).sum(axis=1)
        return ranks


def only(metric: str, outputs: Mapping[str, Output]) -> Output:
    """Return the output that a metric or decoder of one output looks at.

    Raises:
        Refused: METRIC_MISMATCH, if there are several.
    """
    if len(outputs) != 1:
        names = ", ".join(legible(name, 60) for name in outputs) or "none"
        refuse_mismatch(
            metric,
            f"it looks at one output, and the model has {len(outputs)} ({names})",
            'name the one that counts in the data card, as "output": "NAME"',
        )
    return next(iter(outputs.values()))


def scores_of(metric: str, output: Column) -> ClassScores:
    """Return an output as scores of classes.

    Raises:
        Refused: METRIC_MISMATCH, if a sample's output is not one vector of at least two scores.
    """
    shape = output.shapes[0]
    width = int(shape.prod())
    if width < 2 or width != shape.max(initial=0) or (output.shapes != shape).any():
        said = "one number" if width == 1 else f"shape ({', '.join(map(str, shape.tolist()))})"
        refuse_mismatch(
            metric,
            f"it needs one score a class, and the model answers with {said} to a sample",
            "name a metric for such outputs, for example rmse or cosine, or another output in the data card",
            shape=shape.tolist(),
        )
    return ClassScores(output, width)


def classes_of(metric: str, labels: Column | None, scores: ClassScores) -> NDArray[np.int64]:
    """Return the labels as class numbers; shape (n,).

    Raises:
        Refused: METRIC_MISMATCH, if there are none, they are no class numbers, or the model has fewer classes.
    """
    return class_numbers(metric, labels, scores.column, scores.width)


def class_numbers(metric: str, labels: Column | None, output: Column, width: int) -> NDArray[np.int64]:
    """Return the labels as class numbers below `width`; shape (n,).

    Raises:
        Refused: METRIC_MISMATCH, as `classes_of`.
    """
    truth = needed(metric, labels, output)
    if truth.rank != 0 or not np.issubdtype(truth.dtype, np.integer):
        refuse_mismatch(
            metric,
            f"it needs one class number a sample, and the labels are {truth.dtype} of rank {truth.rank}",
            "store class numbers as int64 of shape (samples,), for one-hot labels their argmax",
        )
    classes: NDArray[np.int64] = truth.batch(0, len(truth)).astype(np.int64)
    if classes.min() < 0 or classes.max() >= width:
        outside = int(((classes < 0) | (classes >= width)).sum())
        refuse_mismatch(
            metric,
            f"the labels reach from {classes.min()} to {classes.max()}, and the model has {width} classes, "
            f"numbered from 0; {outside} of {len(classes)} samples are outside",
            "number classes as the model's outputs are",
            outside=outside,
        )
    return classes


def pairs(metric: str, output: Column, other: Column | None) -> Iterator[tuple[NDArray[np.float64], ...]]:
    """Yield each sample's output and what it is compared with, flattened, as float64.

    Raises:
        Refused: METRIC_MISMATCH, if there is nothing to compare with, or it has another size.
    """
    compared = needed(metric, other, output)
    sizes = output.shapes.prod(axis=1), compared.shapes.prod(axis=1)
    if (sizes[0] != sizes[1]).any():
        row = int(np.argmax(sizes[0] != sizes[1]))
        refuse_mismatch(
            metric,
            f"it compares number with number, and of sample {row} one side has {sizes[0][row]}, the other "
            f"{sizes[1][row]}",
            "give labels of the shape of the model's output, or name another metric or output",
            sample=row,
        )
    return (
        (output[row].astype(np.float64).ravel(), compared[row].astype(np.float64).ravel()) for row in range(len(output))
    )


def cosines(compared: Iterator[tuple[NDArray[np.float64], ...]]) -> NDArray[np.float64]:
    """Return the cosine of each pair; 1 where both are zero, 0 where one is."""

    def cosine(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
        length = float(np.linalg.norm(one) * np.linalg.norm(other))
        return float(one @ other) / length if length else float(not (one.any() or other.any()))

    return np.array([cosine(one, other) for one, other in compared])


def refuse_mismatch(metric: str, why: str, do: str, **facts: object) -> NoReturn:
    """Refuse a metric for these outputs or labels.

    Raises:
        Refused: METRIC_MISMATCH.
    """
    raise Refused.because(Code.METRIC_MISMATCH, f"the metric {metric} for this model and data", why, do, "P9", **facts)


def needed(metric: str, other: Column | None, output: Column) -> Column:
    """Return what the outputs are compared with.

    Raises:
        Refused: METRIC_MISMATCH, if there is nothing, or of other samples.
    """
    if other is None:
        refuse_mismatch(
            metric, "it compares with labels, and the data has none", 'name them in the data card, as "label": "ARRAY"'
        )
    if len(other) != len(output):
        refuse_mismatch(
            metric,
            f"there are {len(output)} outputs and {len(other)} rows to compare them with",
            "compare over the same samples",
        )
    return other
