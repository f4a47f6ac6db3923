"""Moves what is marked in a picture to where the model sees it, by the same preprocessing as the picture's."""

import numpy as np

from edgewright.state.errors import Code, Refused
from edgewright.tools.datasets.card import ImageInput
from edgewright.tools.datasets.decoding import IGNORED
from edgewright.tools.datasets.preprocessing import fitted_size, prepare
from edgewright.tools.datasets.samples import Array

# Rounding of annotation tools; more is noted.
BEYOND_PIXELS = 1.0


def required_picture(entry: ImageInput | None, *, boxes: bool) -> ImageInput:
    """Return the input whose pictures are marked.

    A crop of pictures with boxes is refused: what it cuts through would have another box than annotated.

    Raises:
        Refused: CARD_INVALID.
    """
    if entry is None:
        raise Refused.because(
            Code.CARD_INVALID,
            "the data card's decoder",
            "the labels are boxes or masks, and no input is a picture that they could lie in",
            'call one input "kind": "image", or name the labels of another decoder',
            "P9",
        )
    if boxes and entry.crop is not None:
        raise Refused.because(
            Code.CARD_INVALID,
            "the data card's crop",
            "the labels are boxes, and a crop would cut through some of them",
            'use "resize" with "fit": "letterbox" or "stretch" instead',
            "P9",
        )
    return entry


def place(marked: Array, picture: tuple[int, int], entry: ImageInput) -> Array:
    """Return boxes or a mask as the model sees them.

    Args:
        marked: Boxes, shape (k, 6), or a mask, shape (height, width), in the pixels of the picture as stored.
        picture: Its height and width.
        entry: What is done to the picture.
    """
    return _placed_mask(marked, entry) if marked.dtype == np.uint8 else _placed_boxes(marked, picture, entry)


def reaches_beyond(boxes: Array, picture: tuple[int, int]) -> bool:
    """Whether a box reaches out of its picture."""
    limits = np.array([picture[1], picture[0]] * 2)
    corners = boxes[:, 1:5]
    return bool(((corners < -BEYOND_PIXELS) | (corners > limits + BEYOND_PIXELS)).any())


def _placed_boxes(boxes: Array, picture: tuple[int, int], entry: ImageInput) -> Array:
    if entry.resize is None:
        return boxes
    height, width = picture
    inside, corner = fitted_size((width, height), entry.resize.model_dump())
    placed = boxes.copy()
    placed[:, 1:5] = boxes[:, 1:5] * ([inside[0] / width, inside[1] / height] * 2) + [*corner, *corner]
    return placed


def _placed_mask(mask: Array, entry: ImageInput) -> Array:
    """Treat the mask as a gray picture; classes cannot be averaged, so the nearest pixel's counts."""
    resize = None
    if entry.resize is not None:
        resize = {**entry.resize.model_dump(), "interpolation": "nearest", "pad": IGNORED}
    plain = ImageInput(kind="image", colour="GRAY", layout="NHWC", dtype="uint8", crop=entry.crop)
    return prepare(mask[np.newaxis, :, :, np.newaxis], {**plain.model_dump(), "resize": resize})[0, :, :, 0]
