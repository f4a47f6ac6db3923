"""Mean average precision as COCO defines it, computed by COCO's own implementation.

pycocotools is that implementation (https://github.com/cocodataset/cocoapi, Lin et al., 2014): small, on NumPy alone,
and what every published figure was computed with. Only its range of all sizes is asked for, of at most 100 boxes.
"""

import contextlib
import io
from collections.abc import Iterator, Mapping
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from edgewright.state.evidence import Direction
from edgewright.tools.datasets.decoding import CROWD, DETECTION_WIDTH, TRUTH_WIDTH, Answers
from edgewright.tools.extras import load
from edgewright.tools.probe.columns import Column
from edgewright.tools.validate.answers import needed, only, refuse_mismatch
from edgewright.tools.validate.metric import SHARE, Score

MOST_BOXES = 100
# Boxes of the original that score less say nothing of what it sees, and are not asked of a candidate.
AGREED_SCORE = 0.25


class MeanAveragePrecision:
    """Precision averaged over 101 recalls, over the classes that the labels hold, and over thresholds of overlap."""

    direction = Direction.HIGHER
    answers = Answers.BOXES
    unit = ""
    range = SHARE

    def __init__(self, name: str, thresholds: int) -> None:
        """Take a name, and how many of the ten thresholds 0.50, 0.55, ..., 0.95 count."""
        self._name = name
        self._thresholds = thresholds

    def evaluate(self, outputs: Mapping[str, Column], labels: Column | None) -> Score:
        """See `Metric`."""
        found = only(self._name, outputs)
        truth = needed(self._name, labels, found)
        _require_boxes(self._name, found, DETECTION_WIDTH, "the model's answers", "name a decoder in the data card")
        _require_boxes(self._name, truth, TRUTH_WIDTH, "the labels", "give labels as COCO, YOLO, Pascal VOC or boxes")
        precision = _precision(found, truth, self._thresholds)
        per_class = {
            number: float(of_class[of_class > -1].mean())
            for number, of_class in enumerate(np.moveaxis(precision, 2, 0))
            if (of_class > -1).any()
        }
        if not per_class:
            refuse_mismatch(self._name, "the labels hold no box that counts", "give samples with boxes")
        return Score(float(precision[precision > -1].mean()), per_class)


class BoxAgreement:
    """mAP50 of one model's boxes with another's as the truth, as far as those score a quarter or more."""

    direction = Direction.HIGHER
    answers = Answers.BOXES
    unit = ""
    range = SHARE

    def evaluate(self, outputs: Mapping[str, Column], labels: Column | None) -> Score:
        """See `Metric`; the labels are the other model's boxes."""
        other = needed("agreement", labels, only("agreement", outputs))
        truth = [_as_truth(other[row]) for row in range(len(other))]
        shapes = np.array([boxes.shape for boxes in truth], np.int64)
        return MeanAveragePrecision("agreement", 1).evaluate(outputs, Column(np.concatenate(truth).ravel(), shapes))


def _as_truth(found: NDArray[np.float64]) -> NDArray[np.float64]:
    sure = found[found[:, 1] >= AGREED_SCORE]
    return np.column_stack([sure[:, 0], sure[:, 2:], np.zeros(len(sure))])


def _precision(found: Column, truth: Column, thresholds: int) -> NDArray[np.float64]:
    """Return the precision by threshold, recall and class, -1 for classes without a box; shape (t, 101, classes)."""
    coco, evaluation = load("pycocotools.coco"), load("pycocotools.cocoeval")
    classes = 1 + max(_highest_class(found), _highest_class(truth))
    with contextlib.redirect_stdout(io.StringIO()):  # it prints its progress
        sides = (_as_coco(coco, truth, classes, scored=False), _as_coco(coco, found, classes, scored=True))
        judged = evaluation.COCOeval(*sides, "bbox")
        judged.params.iouThrs = judged.params.iouThrs[:thresholds]
        judged.params.maxDets = [MOST_BOXES]
        judged.params.areaRng, judged.params.areaRngLbl = judged.params.areaRng[:1], ["all"]
        judged.evaluate()
        judged.accumulate()
    precision: NDArray[np.float64] = judged.eval["precision"][:, :, :, 0, 0]
    return precision


def _as_coco(coco: ModuleType, boxes: Column, classes: int, *, scored: bool) -> object:
    api = coco.COCO()
    api.dataset = {
        "images": [{"id": row} for row in range(len(boxes))],
        "categories": [{"id": number} for number in range(classes)],
        # An annotation of number 0 would count as unmatched.
        "annotations": [{"id": number, **box} for number, box in enumerate(_annotations(boxes, scored=scored), 1)],
    }
    api.createIndex()
    return api


def _annotations(boxes: Column, *, scored: bool) -> Iterator[dict[str, object]]:
    first = 2 if scored else 1
    for row in range(len(boxes)):
        for box in boxes[row].astype(np.float64):
            left, top, right, bottom = box[first : first + 4].tolist()
            size = (max(right - left, 0.0), max(bottom - top, 0.0))  # an inverted box covers nothing
            fields = {"score": float(box[1])} if scored else {}
            yield {
                "image_id": row,
                "category_id": int(box[0]),
                "bbox": [left, top, *size],
                "area": size[0] * size[1],
                "iscrowd": 0 if scored else int(box[CROWD]),
                **fields,
            }


def _highest_class(boxes: Column) -> int:
    return max((int(boxes[row][:, 0].max()) for row in range(len(boxes)) if len(boxes[row])), default=0)


def _require_boxes(metric: str, boxes: Column, width: int, what: str, do: str) -> None:
    if boxes.rank != 2 or (boxes.shapes[:, 1] != width).any():
        refuse_mismatch(metric, f"it compares boxes, and {what} are {boxes.dtype} of rank {boxes.rank}", do)
