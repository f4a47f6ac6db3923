"""A negative control: a validation set that a model without knowledge passes cannot tell good from bad (P3).

Two such models are made of the answers at hand: each sample judged with another one's label, and one sample's answer
given for all. Labels that say nothing of the samples, one class alone or nearly alone, one sample many times, or
numbers so large that any difference drowns in them are noticed so, whatever the metric. So is a baseline that is no
better than chance, as after wrong preprocessing.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce

import numpy as np

from edgewright.state.errors import Code, Refused
from edgewright.state.evidence import Accuracy, Dataset
from edgewright.state.policy import is_agreement
from edgewright.state.verdict import Outcome, better, judge
from edgewright.tools.benchmark.outputs import open_index
from edgewright.tools.datasets.prepared import open_dataset
from edgewright.tools.probe.columns import Column
from edgewright.tools.validate.answers import only
from edgewright.tools.validate.decoders import answers_of
from edgewright.tools.validate.metrics import metric_named
from edgewright.tools.workspace import Workspace

SEED = 7
# The best of a few: in a small set one shuffle may do badly by chance.
SHUFFLES = 5


def require_discerning(
    accuracy: Accuracy, control: Accuracy | None, tolerance: float, suspicion: str | None = None
) -> None:
    """Refuse a validation set, metric or baseline with which nothing could ever fail.

    Args:
        accuracy: The baseline's metric.
        control: What `uninformed` makes of it.
        tolerance: The run's tolerance.
        suspicion: What is known of the preprocessing, to be told along.

    Raises:
        Refused: DATA_INVALID, with the baseline's value and the shuffled one.
    """
    if control is not None and judge(accuracy, control, tolerance).outcome is Outcome.PASS:
        raise Refused.because(
            Code.DATA_INVALID,
            "measuring accuracy with this validation set",
            f"the model scores {accuracy.metric} {accuracy.value:.4f}; with the labels shuffled, or with one sample's "
            f"answer given for all, it is still {control.value:.4f}, within the tolerance of {tolerance:.2%}: no loss "
            "could ever be noticed" + (f"; {suspicion}" if suspicion else ""),
            "check the labels and the preprocessing (colour order, scale, mean, layout) in the data card, and give a "
            "set with samples of several classes or values",
            "P3",
            baseline=accuracy.value,
            shuffled=control.value,
        )


def uninformed(accuracy: Accuracy, dataset: Dataset, workspace: Workspace) -> Accuracy | None:
    """Return what a model that knows nothing scores: the best of a few shuffled labels and a few constant answers.

    Args:
        accuracy: The model's metric, with its recorded outputs.
        dataset: The samples.
        workspace: Where both are read from.

    Returns:
        The same with another value, or nothing where there is nothing to shuffle.
    """
    data = open_dataset(dataset, workspace)
    answers = answers_of(open_index(accuracy.outputs, workspace), data, workspace)
    labels = only(accuracy.metric, answers) if is_agreement(accuracy.metric) else data.labels
    if labels is None:
        return None
    metric, chance = metric_named(accuracy.metric), np.random.default_rng(SEED)
    orders = [chance.permutation(dataset.n).tolist() for _ in range(SHUFFLES)]
    values = [metric.evaluate(answers, taken(labels, order)).value for order in orders]
    for row in chance.integers(dataset.n, size=SHUFFLES).tolist():
        constant = {name: taken(column, [row] * dataset.n) for name, column in answers.items()}
        values.append(metric.evaluate(constant, labels).value)
    return reduce(better, (replace(accuracy, value=value) for value in values))


def taken(column: Column, rows: Sequence[int]) -> Column:
    """Return some rows of a column, in the order given."""
    if column.regular:
        return Column(column.batch(0, len(column))[list(rows)])
    return Column(np.concatenate([column[row].ravel() for row in rows]), column.shapes[list(rows)])
