"""Error rates of recognised text, and the share of right tags in tagged sequences."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from edgewright.state.evidence import Direction
from edgewright.tools.datasets.decoding import Answers
from edgewright.tools.probe.columns import Array, Column
from edgewright.tools.validate.answers import needed, only, refuse_mismatch
from edgewright.tools.validate.metric import ERROR, SHARE, Score

Split = Callable[[Array], Sequence[object]]


class ErrorRate:
    """Edits that turn the recognised texts into the references, over the length of the references, in all samples.

    Texts are sequences of Unicode code points. The distance is Levenshtein's; a rate may exceed 1.
    """

    direction = Direction.LOWER
    answers = Answers.TEXT
    unit = "edits for each one in the reference"
    range = ERROR

    def __init__(self, name: str, split: Split) -> None:
        self._name = name
        self._split = split

    def evaluate(self, outputs: Mapping[str, Column], labels: Column | None) -> Score:
        """See `Metric`."""
        output = only(self._name, outputs)
        truth = needed(self._name, labels, output)
        _require_texts(self._name, output, truth)
        texts = ((self._split(truth[row]), self._split(output[row])) for row in range(len(truth)))
        sums = np.array([(edits(wanted, found), len(wanted)) for wanted, found in texts], np.float64)
        wrong, length = sums.sum(axis=0)
        if not length:
            refuse_mismatch(self._name, "every reference is empty", "give transcripts of what the samples hold")
        return Score(float(wrong / length), per_sample=sums)


def character_error_rate() -> ErrorRate:
    """Return the error rate over code points."""
    return ErrorRate("cer", lambda text: text.tolist())


def word_error_rate() -> ErrorRate:
    """Return the error rate over words, which are what white space separates."""
    return ErrorRate("wer", lambda text: "".join(map(chr, text.tolist())).split())


class TagAccuracy:
    """Share of right tags among all that the labels hold; a label below 0 stands for a place that does not count."""

    direction = Direction.HIGHER
    answers = Answers.TAGS
    unit = "share of tags"
    range = SHARE

    def evaluate(self, outputs: Mapping[str, Column], labels: Column | None) -> Score:
        """See `Metric`."""
        output = only("tag-accuracy", outputs)
        truth = needed("tag-accuracy", labels, output)
        _require_texts("tag-accuracy", output, truth)
        sums = np.array([self._sums(row, output[row], truth[row]) for row in range(len(truth))], np.float64)
        right, judged = sums.sum(axis=0)
        if not judged:
            refuse_mismatch("tag-accuracy", "no label counts: all are below 0", "give tags of what the samples hold")
        return Score(float(right / judged), per_sample=sums)

    @staticmethod
    def _sums(row: int, found: Array, wanted: Array) -> tuple[int, int]:
        if found.shape != wanted.shape:
            refuse_mismatch(
                "tag-accuracy",
                f"of sample {row} the model tags {len(found)} places, and the labels {len(wanted)}",
                "give one tag a place, -1 for places that do not count",
                sample=row,
            )
        counts = wanted >= 0
        return int((found == wanted)[counts].sum()), int(counts.sum())


def edits(wanted: Sequence[object], found: Sequence[object]) -> int:
    """Return Levenshtein's distance: the fewest insertions, deletions and substitutions between two sequences."""
    number = {item: place for place, item in enumerate(dict.fromkeys((*wanted, *found)))}
    columns = np.array([number[item] for item in found], np.int64)
    steps: NDArray[np.int64] = np.arange(len(found) + 1)
    row = steps
    for count, item in enumerate(wanted, 1):
        above = np.append(count, np.minimum(row[:-1] + (columns != number[item]), row[1:] + 1))
        # An insertion costs 1 a place, so the least over all places to the left is a running minimum.
        row = np.minimum.accumulate(above - steps) + steps
    return int(row[-1])


def _require_texts(metric: str, output: Column, truth: Column) -> None:
    for what, column in (("the model's answers", output), ("the labels", truth)):
        if column.rank != 1 or not np.issubdtype(column.dtype, np.integer):
            refuse_mismatch(
                metric,
                f"it compares sequences of whole numbers, and {what} are {column.dtype} of rank {column.rank}",
                'name a decoder in the data card, such as "decoder": {"kind": "ctc", "alphabet": "..."}, and labels '
                "of the same kind",
            )
