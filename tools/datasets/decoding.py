"""What a model's raw outputs mean, as a data card says it; `tools/validate/decoders.py` does it."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from edgewright.tools.datasets.fields import Name, Strict

# A box as a model gives it: class, score, left, top, right, bottom, in pixels of the model's input.
DETECTION_WIDTH = 6
# A box as annotated: class, left, top, right, bottom, and 1 where it stands for a crowd.
TRUTH_WIDTH = 6
CROWD = 5
# A mask's value for pixels that do not count, as in Pascal VOC and Cityscapes.
IGNORED = 255


class Answers(StrEnum):
    """What an answer to a sample is.

    CLASS: one score a class. NUMBERS: any numbers. BOXES: detections, shape (k, 6). MAP: a class a pixel, shape
    (height, width). TEXT: Unicode code points, shape (k,). TAGS: a class a place, shape (k,).
    """

    CLASS = "class"
    NUMBERS = "numbers"
    BOXES = "boxes"
    MAP = "map"
    TEXT = "text"
    TAGS = "tags"


Share = Annotated[float, Field(ge=0, le=1)]
Most = Annotated[int, Field(ge=1, le=10_000)]


class _Boxes(Strict):
    """What decoders of boxes share.

    Attributes:
        score: Least score of a box that is kept. Average precision wants nearly all of them.
        most: Most boxes a sample, the best ones.
        units: Whether coordinates are pixels of the model's input or shares of its width and height.
    """

    score: Share = 0.001
    most: Most = 300
    units: Literal["pixels", "relative"] = "pixels"

    @property
    def answers(self) -> Answers:
        """What comes out."""
        return Answers.BOXES


class YoloDecoder(_Boxes):
    """One output of centres, sizes and scores, as YOLO exports it without suppression.

    Attributes:
        kind: `yolo-v5`: rows of (x, y, width, height, objectness, one score a class); `yolo-v8` (also v9, v11, v12):
            columns of (x, y, width, height, one score a class).
        overlap: Boxes of one class that overlap a better one by more are dropped.
    """

    kind: Literal["yolo-v5", "yolo-v8"]
    overlap: Share = 0.7


class SsdDecoder(_Boxes):
    """Separate outputs of boxes and scores, as SSD, RT-DETR and most exports with suppression inside give them.

    Attributes:
        kind: Says so.
        boxes: Output of boxes, shape (k, 4).
        scores: Output of scores: (k, classes), or (k,) with `classes`.
        classes: Output of class numbers, shape (k,).
        order: Order of a box's numbers.
        first: Number that the model gives its first real class; 1 where 0 is the background.
        overlap: Boxes of one class that overlap a better one by more are dropped; left out, all are kept.
    """

    kind: Literal["ssd"]
    boxes: Name
    scores: Name
    classes: Name | None = None
    order: Literal["ltrb", "tlbr", "centre"] = "ltrb"
    first: Annotated[int, Field(ge=0, le=1)] = 0
    overlap: Share | None = None


class CentreDecoder(_Boxes):
    """A map of centres a class, with sizes and offsets beside it, as CenterNet (Zhou et al., 2019) gives them.

    Attributes:
        kind: Says so.
        heatmap: Output of shape (classes, rows, columns), from 0 to 1.
        sizes: Output of shape (2, rows, columns): width and height in cells.
        offsets: Output of shape (2, rows, columns): x and y inside a cell, in cells; left out, the corner of the cell.
    """

    kind: Literal["centre"]
    heatmap: Name
    sizes: Name
    offsets: Name | None = None


class SegmentationDecoder(Strict):
    """The class with the highest score of every pixel; where there is one score, 1 from a threshold on and 0 below.

    Attributes:
        kind: Says so.
        classes: Axis of the classes in the model's output without its batch dimension.
        threshold: Least score of class 1, where there is one score a pixel.
    """

    kind: Literal["segmentation"]
    classes: Literal["first", "last"] = "first"
    threshold: float = 0.5

    @property
    def answers(self) -> Answers:
        """What comes out."""
        return Answers.MAP


class CtcDecoder(Strict):
    """Text by the best class of each step, repeats merged and blanks dropped (Graves et al., 2006).

    Attributes:
        kind: Says so.
        alphabet: Character of each class but the blank, in the order of the classes.
        blank: Number of the blank class; -1 for the last one.
    """

    kind: Literal["ctc"]
    alphabet: Annotated[str, Field(min_length=1, max_length=100_000)]
    blank: Annotated[int, Field(ge=-1)] = 0

    @property
    def answers(self) -> Answers:
        """What comes out."""
        return Answers.TEXT


class TagsDecoder(Strict):
    """The class with the highest score of each place of a sequence."""

    kind: Literal["tags"]

    @property
    def answers(self) -> Answers:
        """What comes out."""
        return Answers.TAGS


class InstalledDecoder(Strict):
    """A decoder that the operator installed.

    Attributes:
        kind: Says so.
        name: Name of its entry point.
        answers: What comes out of it.
    """

    kind: Literal["installed"]
    name: Name
    answers: Answers


Decoder = Annotated[
    YoloDecoder | SsdDecoder | CentreDecoder | SegmentationDecoder | CtcDecoder | TagsDecoder | InstalledDecoder,
    Field(discriminator="kind"),
]
