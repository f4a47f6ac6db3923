"""Mean intersection over union of class maps."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from edgewright.state.evidence import Direction
from edgewright.tools.datasets.decoding import IGNORED, Answers
from edgewright.tools.probe.columns import Column
from edgewright.tools.validate.answers import needed, only, refuse_mismatch
from edgewright.tools.validate.metric import SHARE, Score


class MeanIntersectionOverUnion:
    """Unweighted mean, over the classes that occur, of shared pixels over all pixels of a class, in all samples.

    Pixels labelled `IGNORED` count for nothing. As scikit-learn's `jaccard_score` with `macro` over all pixels.
    """

    direction = Direction.HIGHER
    answers = Answers.MAP
    unit = ""
    range = SHARE

    def evaluate(self, outputs: Mapping[str, Column], labels: Column | None) -> Score:
        """See `Metric`."""
        output = only("miou", outputs)
        truth = needed("miou", labels, output)
        _require_maps(output, truth)
        shared, answered, wanted = (np.zeros(IGNORED + 1, np.int64) for _ in range(3))
        for row in range(len(output)):
            answer, label = _judged(row, output[row], truth[row])
            shared += _counts(label[answer == label])
            answered += _counts(answer)
            wanted += _counts(label)
        union = answered + wanted - shared
        occurring = np.flatnonzero(union)
        if not len(occurring):
            refuse_mismatch("miou", "every pixel of every mask is ignored", "give masks with classes in them")
        per_class = {int(number): float(shared[number] / union[number]) for number in occurring}
        return Score(float(np.mean(list(per_class.values()))), per_class)


def _counts(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.bincount(numbers, minlength=IGNORED + 1)


def _require_maps(output: Column, truth: Column) -> None:
    if output.rank != 2 or not np.issubdtype(output.dtype, np.integer):
        refuse_mismatch(
            "miou",
            f"it needs one class a pixel, and the model gives {output.dtype} of rank {output.rank}",
            'write "decoder": {"kind": "segmentation"} into the data card where the model scores every class',
        )
    if truth.rank != 2 or not np.issubdtype(truth.dtype, np.integer):
        refuse_mismatch(
            "miou",
            f"it needs a mask of class numbers a sample, and the labels are {truth.dtype} of rank {truth.rank}",
            'name a folder of PNG masks in the data card: "label": {"masks": "FOLDER"}',
        )


def _judged(row: int, answer: NDArray[np.generic], label: NDArray[np.generic]) -> tuple[NDArray[np.int64], ...]:
    """Return the classes of the pixels that count, of the model and of the mask; shape (k,) each."""
    if answer.shape != label.shape:
        refuse_mismatch(
            "miou",
            f"of sample {row} the model's map is {answer.shape[0]} x {answer.shape[1]} pixels, and the mask, prepared "
            f"as the picture is, {label.shape[0]} x {label.shape[1]}",
            "append a resize to the model, so that it answers for every pixel of its input",
            sample=row,
        )
    counts = label != IGNORED
    answered, wanted = answer[counts].astype(np.int64), label[counts].astype(np.int64)
    if len(answered) and (answered.min() < 0 or answered.max() >= IGNORED or wanted.min() < 0):
        refuse_mismatch("miou", f"sample {row} holds class numbers below 0 or above 254", "number classes from 0")
    return answered, wanted
