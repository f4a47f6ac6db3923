"""A negative control: a validation set that a shuffled model passes cannot tell a good model from a bad one (P3).

Each sample is judged with another sample's label. Labels that say nothing of the samples, one class alone, one sample
many times, or numbers so large that any difference drowns in them are noticed so, whatever the metric. So is a baseline
that is no better than chance, as after wrong preprocessing.
"""

from dataclasses import replace
from functools import reduce

import numpy as np

from edgewright.state.errors import Code, Refused
from edgewright.state.evidence import Accuracy, Dataset
from edgewright.state.verdict import Outcome, better, judge
from edgewright.tools.benchmark.outputs import open_index
from edgewright.tools.datasets.prepared import open_dataset
from edgewright.tools.probe.columns import Column
from edgewright.tools.validate.accuracy import judged_outputs
from edgewright.tools.validate.metrics import metric_named
from edgewright.tools.workspace import Workspace

SEED = 7
# The best of a few: in a small set one shuffle may do badly by chance.
SHUFFLES = 5


def require_discerning(accuracy: Accuracy, dataset: Dataset, tolerance: float, workspace: Workspace) -> None:
    """Refuse a validation set, metric or baseline with which nothing could ever fail.

    Args:
        accuracy: The baseline's metric, with its recorded outputs.
        dataset: The validation set.
        tolerance: The run's tolerance.
        workspace: Where both are read from.

    Raises:
        Refused: DATA_INVALID, with the baseline's value and the shuffled one.
    """
    data = open_dataset(dataset, workspace)
    if data.labels is None:
        return
    labels = data.labels.batch(0, dataset.n)
    answers = judged_outputs(open_index(accuracy.outputs, workspace), data.card)
    metric, chance = metric_named(accuracy.metric), np.random.default_rng(SEED)
    shuffled = (metric.evaluate(answers, Column(labels[chance.permutation(dataset.n)])).value for _ in range(SHUFFLES))
    control = reduce(better, (replace(accuracy, value=value) for value in shuffled))
    if judge(accuracy, control, tolerance).outcome is Outcome.PASS:
        raise Refused.because(
            Code.DATA_INVALID,
            "measuring accuracy with this validation set",
            f"the model scores {accuracy.metric} {accuracy.value:.4f}, with the labels shuffled still "
            f"{control.value:.4f}, within the tolerance of {tolerance:.2%}: no loss could ever be noticed",
            "check the labels and the preprocessing (colour order, scale, mean, layout) in the data card, and give a "
            "set with samples of several classes or values",
            "P3",
            baseline=accuracy.value,
            shuffled=control.value,
        )
