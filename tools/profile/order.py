"""Are the labels numbered as the model numbers its classes? Where they are not, its answers are wrong in one way."""

import numpy as np
from numpy.typing import NDArray

from edgewright.state.evidence import Accuracy, Dataset
from edgewright.tools.benchmark.outputs import open_index
from edgewright.tools.datasets.decoding import Answers
from edgewright.tools.datasets.prepared import open_dataset
from edgewright.tools.legible import legible
from edgewright.tools.validate.answers import only, scores_of
from edgewright.tools.validate.decoders import answers_of
from edgewright.tools.validate.metrics import metric_named
from edgewright.tools.workspace import Workspace

# Share of right answers under another numbering that is worth a word; chance reaches it in no set of some size.
WORTH_SAYING = 0.5
MOST_NAMED = 5


def other_order(accuracy: Accuracy, dataset: Dataset, workspace: Workspace) -> str | None:
    """Return which numbering of the classes the model's answers speak for, with its share of right answers.

    Labels and answers are paired by how often they occur together.

    Args:
        accuracy: The baseline's metric, with its recorded outputs.
        dataset: The validation set.
        workspace: Where both are read from.
    """
    data = open_dataset(dataset, workspace)
    if metric_named(accuracy.metric).answers is not Answers.CLASS or data.labels is None or data.labels.rank != 0:
        return None
    output = only(accuracy.metric, answers_of(open_index(accuracy.outputs, workspace), data, workspace))
    if (output.shapes.prod(axis=1) < 2).any() or data.labels.dtype != "int64":
        return None
    answers = scores_of(accuracy.metric, output).answers()
    labels = data.labels.batch(0, data.n)
    present = np.unique(labels)
    counts = np.array([np.bincount(answers[labels == number], minlength=answers.max() + 1) for number in present])
    likeliest = _paired(counts)
    moved = present != likeliest
    share = float(counts[np.arange(len(present)), likeliest].sum() / data.n)
    if not moved.any() or share < WORTH_SAYING:
        return None
    pairs = [
        f"{_named(number, data.card.classes)} as {other}" for number, other in zip(present, likeliest, strict=True)
    ]
    said = ", ".join(np.array(pairs)[moved][:MOST_NAMED].tolist()) + (", ..." if moved.sum() > MOST_NAMED else "")
    return f"numbered as the model seems to number its classes ({said}) top-1 is {share:.4f}"


def _paired(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return a column for each row, none of them twice, the most frequent pairs first; shape (rows,)."""
    left = counts.astype(np.float64)
    chosen = np.zeros(len(counts), np.int64)
    for _ in range(min(counts.shape)):
        row, column = np.unravel_index(int(left.argmax()), left.shape)
        chosen[row] = column
        left[row], left[:, column] = -np.inf, -np.inf
    return chosen


def _named(number: int, classes: tuple[str, ...] | None) -> str:
    return str(number) if classes is None else f"{legible(classes[number], 40)} ({number})"
