"""Masks beside pictures: a class a pixel, in PNG files of the same names."""

import io
from pathlib import PurePosixPath

import numpy as np
from PIL import Image

from edgewright.tools.datasets.card import Card
from edgewright.tools.datasets.decoding import IGNORED
from edgewright.tools.datasets.entry import Opened
from edgewright.tools.datasets.folders import Found, Kind, files_in, refuse_file
from edgewright.tools.datasets.samples import Array
from edgewright.tools.datasets.sources import MaskLabel
from edgewright.tools.legible import legible

MASK_LIMIT_BYTES = 64 << 20
BOMB = (Image.DecompressionBombError, Image.DecompressionBombWarning)


def from_masks(folder: Opened, card: Card, label: MaskLabel, kind: Kind) -> Found:
    """Return the pictures of a folder with their masks; each mask is read when its picture is.

    Raises:
        Refused: DATA_INVALID, or what a folder's path is refused for.
    """
    paths, notes = files_in(folder, label.images, kind)

    def mark(number: int, picture: tuple[int, int]) -> Array:
        with folder.open_file(f"{label.masks}/{PurePosixPath(paths[number]).stem}.png") as opened:
            mask = decode_mask(opened.read(MASK_LIMIT_BYTES), opened.path)
            check_mask(mask, opened.path, picture, card.classes)
        return mask

    return Found(paths, None, card.classes, notes, mark)


def decode_mask(content: bytes, path: str) -> Array:
    """Return a mask as its numbers: uint8, shape (height, width); a palette's colours do not matter.

    Raises:
        Refused: DATA_INVALID, naming the file.
    """
    try:
        with Image.open(io.BytesIO(content), formats=("PNG",)) as picture:
            require_small(picture)
            if picture.mode not in {"L", "P", "1"}:
                refuse_file(path, f"its mode is {picture.mode}, not one number a pixel", "store it gray or indexed")
            return np.asarray(picture).astype(np.uint8)
    except BOMB:
        refuse_file(path, f"it has more than the {Image.MAX_IMAGE_PIXELS} pixels allowed", "store it smaller")
    except (OSError, SyntaxError, ValueError) as error:
        refuse_file(path, f"it cannot be decoded ({legible(str(error))})", "replace it by a PNG file")


def require_small(picture: Image.Image) -> None:
    """Refuse a picture that Pillow only warns of: a filter for warnings holds for all threads or none.

    Raises:
        PIL.Image.DecompressionBombError: It has more than the pixels allowed.
    """
    most = Image.MAX_IMAGE_PIXELS
    if most is not None and picture.width * picture.height > most:
        raise Image.DecompressionBombError


def check_mask(mask: Array, path: str, picture: tuple[int, int], classes: tuple[str, ...] | None) -> None:
    """Compare a mask with its picture and the card's classes.

    Raises:
        Refused: DATA_INVALID, naming the file.
    """
    if mask.shape != picture:
        refuse_file(
            path,
            f"it is {mask.shape[0]} x {mask.shape[1]} pixels, and its picture {picture[0]} x {picture[1]}",
            "give every mask the size of its picture",
        )
    unknown = [] if classes is None else [v for v in np.unique(mask).tolist() if v >= len(classes) and v != IGNORED]
    if unknown:
        refuse_file(
            path,
            f"it holds the number {unknown[0]}, and the card names {len(classes or ())} classes, from 0",
            f"correct the mask or `classes` in the card; {IGNORED} stands for pixels that do not count",
        )
