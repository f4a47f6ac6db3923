"""The samples of a folder of pictures: in class folders, with a CSV file, or without labels.

Pictures are decoded as they are stored: an orientation in EXIF is not applied, as in torchvision, and transparency is
dropped.
"""

import io
import struct
from collections.abc import Iterator

import numpy as np
from PIL import Image

from edgewright.state.errors import Code, Refused
from edgewright.tools.datasets.annotations import from_voc, from_yolo
from edgewright.tools.datasets.card import Card, ImageInput
from edgewright.tools.datasets.coco import from_coco
from edgewright.tools.datasets.entry import Opened
from edgewright.tools.datasets.folders import Found, Kind, find, refuse_file, require_some
from edgewright.tools.datasets.masks import BOMB, from_masks, require_small
from edgewright.tools.datasets.samples import Array, Part, Samples
from edgewright.tools.datasets.sources import CocoLabel, MaskLabel, VocLabel, YoloLabel
from edgewright.tools.legible import legible

PICTURES = Kind("pictures", (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".ppm", ".pgm"))
FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "PPM")
PICTURE_LIMIT_BYTES = 256 << 20

_GRAY = frozenset({"1", "L", "LA"})
_COLOUR = frozenset({"P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"})
# What Pillow's decoders raise for damaged files.
_DAMAGED = (OSError, SyntaxError, ValueError, EOFError, TypeError, IndexError, KeyError, OverflowError, struct.error)


def read_images(folder: Opened, card: Card) -> Samples:
    """Return the pictures of a folder as the card describes them; `folder` must stay open while they are read.

    Raises:
        Refused: CARD_INVALID for a card that is none for folders, DATA_INVALID with the file and what is wrong with
            it, DATA_EMPTY, or what the path of a picture is refused for.
    """
    _check_inputs(card)
    found = _found(folder, card)

    def part(number: int, path: str) -> Part:
        def read() -> bytes:
            with folder.open_file(path) as opened:
                return opened.read(PICTURE_LIMIT_BYTES)

        return Part(number, read, lambda content: {"image": decode(content, f"{folder.path}/{path}")[np.newaxis]})

    def parts() -> Iterator[Part]:
        yield from (part(number, path) for number, path in enumerate(found.paths))

    return Samples(len(found.paths), found.labels, found.classes, parts, found.notes, found.mark)


def _found(folder: Opened, card: Card) -> Found:
    match card.label:
        case CocoLabel():
            found = from_coco(folder, card, card.label)
        case YoloLabel():
            found = from_yolo(folder, card, card.label, PICTURES)
        case VocLabel():
            found = from_voc(folder, card, card.label, PICTURES)
        case MaskLabel():
            found = from_masks(folder, card, card.label, PICTURES)
        case _:
            return find(folder, card, PICTURES)
    require_some(found, folder, PICTURES)
    return found


def decode(content: bytes, path: str) -> Array:
    """Return a picture: uint8, shape (height, width, 1 or 3), colours in the order red, green, blue.

    Args:
        content: The file.
        path: Its name, for messages.

    Raises:
        Refused: DATA_INVALID, naming the file.
    """
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as picture:
            require_small(picture)
            if picture.mode not in _GRAY | _COLOUR:
                refuse_file(
                    path, f"its mode is {picture.mode}, not 8 bits a channel", "convert it to 8-bit RGB or gray"
                )
            if getattr(picture, "is_animated", False) and picture.format != "MPO":
                refuse_file(path, "it is an animation", "store the frame that you mean as a picture of its own")
            pixels = np.asarray(picture.convert("L" if picture.mode in _GRAY else "RGB"))
    except BOMB:
        most = Image.MAX_IMAGE_PIXELS
        refuse_file(
            path, f"it has more than the {most} pixels allowed", "store it smaller; the model takes less anyway"
        )
    except _DAMAGED as error:
        refuse_file(path, f"it cannot be decoded ({legible(str(error))})", f"replace it; {', '.join(FORMATS)} are read")
    return pixels[..., np.newaxis] if pixels.ndim == 2 else pixels


def _check_inputs(card: Card) -> None:
    for name, entry in card.inputs.items():
        if not isinstance(entry, ImageInput) or entry.array != "image":
            raise Refused.because(
                Code.CARD_INVALID,
                f"inputs.{legible(name)} of the data card",
                "the data is a folder of pictures, and they feed inputs of the kind image from the array image",
                'write "kind": "image" and leave "array" out, or give the data as an .npz file',
                "P9",
            )
