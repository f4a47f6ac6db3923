"""Heads of detectors: raw outputs of one sample to boxes.

Boxes are float64 of shape (k, 6): class, score, left, top, right, bottom, in pixels of the model's input, best first.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from edgewright.tools.datasets.decoding import CentreDecoder, SsdDecoder, YoloDecoder
from edgewright.tools.legible import legible
from edgewright.tools.probe.columns import Array

Boxes = NDArray[np.float64]
Frame = tuple[int, int]

# Candidates that a suppression looks at, as in Ultralytics' validation.
MOST_CANDIDATES = 30_000
SUPPRESSED_AT_ONCE = 512


class UnfitOutputError(ValueError):
    """Raised where a model's output is not what the data card says of it."""


def yolo(output: Array, frame: Frame, decoder: YoloDecoder) -> Boxes:
    """Return the boxes of a YOLO head; every class of a place that scores enough makes a box, as in validation."""
    least = 6 if decoder.kind == "yolo-v5" else 5
    rows = output.astype(np.float64) if decoder.kind == "yolo-v5" else output.T.astype(np.float64)
    if output.ndim != 2 or rows.shape[1] < least:
        raise UnfitOutputError(
            f"a {decoder.kind} head gives {least} or more numbers a box, not the shape {output.shape}"
        )
    scores = rows[:, 5:] * rows[:, 4:5] if decoder.kind == "yolo-v5" else rows[:, 4:]
    corners = _scaled(_from_centres(rows[:, :4]), frame, decoder.units)
    places, classes = np.nonzero(scores >= decoder.score)
    found = np.column_stack([classes, scores[places, classes], corners[places]])
    return suppress(found, decoder.overlap, decoder.most)


def ssd(outputs: Mapping[str, Array], frame: Frame, decoder: SsdDecoder) -> Boxes:
    """Return the boxes of separate outputs."""
    boxes = _named(outputs, decoder.boxes).astype(np.float64)
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise UnfitOutputError(f"boxes have four numbers a box, not the shape {boxes.shape}")
    corners = _from_centres(boxes) if decoder.order == "centre" else boxes
    corners = corners[:, [1, 0, 3, 2]] if decoder.order == "tlbr" else corners
    scores = _named(outputs, decoder.scores).astype(np.float64)
    if decoder.classes is None:
        if scores.ndim != 2 or len(scores) != len(boxes):
            raise UnfitOutputError(f"{len(boxes)} boxes have scores of shape {scores.shape}, not one a class")
        scores = scores[:, decoder.first :]
        places, classes = np.nonzero(scores >= decoder.score)
        best = scores[places, classes]
    else:
        scores, numbers = scores.ravel(), _named(outputs, decoder.classes).ravel()
        if not len(scores) == len(numbers) == len(boxes):
            raise UnfitOutputError(f"{len(boxes)} boxes have {len(scores)} scores and {len(numbers)} classes")
        places = np.flatnonzero((scores >= decoder.score) & (numbers >= decoder.first))
        classes, best = numbers[places] - decoder.first, scores[places]
    found = np.column_stack([classes, best, _scaled(corners, frame, decoder.units)[places]])
    return _best(found, decoder.most) if decoder.overlap is None else suppress(found, decoder.overlap, decoder.most)


def centres(outputs: Mapping[str, Array], frame: Frame, decoder: CentreDecoder) -> Boxes:
    """Return a box for every cell that scores no less than its eight neighbours."""
    heat, sizes = (_named(outputs, name).astype(np.float64) for name in (decoder.heatmap, decoder.sizes))
    offsets = np.zeros_like(sizes) if decoder.offsets is None else _named(outputs, decoder.offsets).astype(np.float64)
    if heat.ndim != 3 or sizes.shape != (2, *heat.shape[1:]) or offsets.shape != sizes.shape:
        raise UnfitOutputError(f"maps of shape {heat.shape}, {sizes.shape} and {offsets.shape} do not belong together")
    rows, columns = heat.shape[1:]
    around = np.pad(heat, ((0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
    neighbours = [around[:, y : y + rows, x : x + columns] for y in range(3) for x in range(3)]
    classes, y, x = np.nonzero((heat >= np.max(neighbours, axis=0)) & (heat >= decoder.score))
    middles = np.column_stack([x, y]) + offsets[:, y, x].T
    cells = _from_centres(np.column_stack([middles, sizes[:, y, x].T]))
    stride = np.tile([frame[1] / columns, frame[0] / rows], 2)
    return _best(np.column_stack([classes, heat[classes, y, x], cells * stride]), decoder.most)


def suppress(found: Boxes, overlap: float, most: int) -> Boxes:
    """Return the boxes that no better one of their class overlaps by more (greedy non-maximum suppression).

    Args:
        found: Shape (n, 6), in any order.
        overlap: Largest intersection over union.
        most: Most boxes returned.

    Returns:
        Shape (k, 6), best first; of equal scores the earlier comes first.
    """
    ordered, kept = _best(found, MOST_CANDIDATES), np.empty((0, 6))
    for start in range(0, len(ordered), SUPPRESSED_AT_ONCE):
        block = ordered[start : start + SUPPRESSED_AT_ONCE]
        block = block[~_covers(kept, block, overlap).any(axis=0)]
        covers, alive = _covers(block, block, overlap), np.ones(len(block), bool)
        for place in range(len(block)):
            if alive[place]:
                alive[place + 1 :] &= ~covers[place, place + 1 :]
        kept = np.concatenate([kept, block[alive]])
        if len(kept) >= most:
            break
    return kept[:most]


def _covers(ones: Boxes, others: Boxes, overlap: float) -> NDArray[np.bool_]:
    """Return which boxes overlap which others of their class by more than allowed; shape (k, n)."""
    (left, top, right, bottom), sides = ones[:, 2:, np.newaxis].transpose(1, 0, 2), others[:, 2:].T
    wide = np.minimum(right, sides[2]) - np.maximum(left, sides[0])
    high = np.minimum(bottom, sides[3]) - np.maximum(top, sides[1])
    shared = np.where((wide > 0) & (high > 0), wide * high, 0.0)
    union = (right - left) * (bottom - top) + (sides[2] - sides[0]) * (sides[3] - sides[1]) - shared
    covered: NDArray[np.bool_] = (ones[:, :1] == others[:, 0]) & (shared > overlap * union)
    return covered


def _best(found: Boxes, most: int) -> Boxes:
    return found[np.argsort(-found[:, 1], kind="stable")[:most]]


def _from_centres(boxes: Boxes) -> Boxes:
    """Return corners of boxes given by centre and size."""
    return np.concatenate([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2], axis=1)


def _scaled(corners: Boxes, frame: Frame, units: str) -> Boxes:
    return corners * np.array([frame[1], frame[0]] * 2) if units == "relative" else corners


def _named(outputs: Mapping[str, Array], name: str) -> Array:
    if name not in outputs:
        known = ", ".join(legible(known, 60) for known in outputs)
        raise UnfitOutputError(f"the model has no output '{legible(name, 60)}'; it has {known}")
    return outputs[name]
