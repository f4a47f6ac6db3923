"""Boxes of pictures in the notations of YOLO and Pascal VOC, and what every notation's boxes go through.

Each becomes rows of class, left, top, right, bottom, crowd, in pixels of the picture as stored. A box that is no box,
lies wholly outside, or is of no known class is refused with its file and place.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Annotated, NoReturn
from xml.etree import ElementTree as ET

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from edgewright.state.errors import Code, Refused
from edgewright.tools.datasets.card import Card
from edgewright.tools.datasets.decoding import TRUTH_WIDTH
from edgewright.tools.datasets.entry import Opened
from edgewright.tools.datasets.folders import Found, Kind, files_in, refuse_file
from edgewright.tools.datasets.samples import Array
from edgewright.tools.datasets.sources import VocLabel, YoloLabel
from edgewright.tools.legible import legible

FILE_LIMIT_BYTES = 16 << 20

Number = Annotated[float, Field(allow_inf_nan=False)]


def from_yolo(folder: Opened, card: Card, label: YoloLabel, kind: Kind) -> Found:
    """Return the pictures of a folder with the boxes of their text files; each is read when its picture is.

    Raises:
        Refused: DATA_INVALID, naming file and line.
    """
    paths, notes = files_in(folder, label.images, kind)
    texts, _ = files_in(folder, label.yolo, Kind("label files", (".txt",)))
    without = len({_beside(label.yolo, path, ".txt") for path in paths} - set(texts))
    if without:
        notes = (*notes, f"{without} of {len(paths)} pictures have no label file and so no box")

    def mark(sample: int, picture: tuple[int, int]) -> Array:
        name = _beside(label.yolo, paths[sample], ".txt")
        try:
            with folder.open_file(name) as opened:
                return _yolo_boxes(opened.path, opened.read(FILE_LIMIT_BYTES), picture, card.classes)
        except Refused as refused:
            if refused.refusal.code is not Code.NOT_FOUND:
                raise
            return rows_as_boxes([])

    return Found(paths, None, card.classes, notes, mark)


def from_voc(folder: Opened, card: Card, label: VocLabel, kind: Kind) -> Found:
    """Return the pictures of a folder with the boxes of their XML files; an object marked difficult does not count.

    Raises:
        Refused: CARD_INVALID without `classes`, DATA_INVALID naming file and object.
    """
    if card.classes is None:
        raise Refused.because(
            Code.CARD_INVALID,
            "the data card's classes",
            "Pascal VOC names classes, and nothing says which number of the model each one is",
            'list them in the order of the model\'s classes: "classes": [...]',
            "P9",
        )
    numbers = {name: number for number, name in enumerate(card.classes)}
    paths, notes = files_in(folder, label.images, kind)

    def mark(sample: int, picture: tuple[int, int]) -> Array:
        with folder.open_file(_beside(label.voc, paths[sample], ".xml")) as opened:
            return _voc_boxes(opened.path, opened.read(FILE_LIMIT_BYTES), picture, numbers)

    return Found(paths, None, card.classes, notes, mark)


def rows_as_boxes(rows: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    """Return rows of six numbers as boxes; shape (k, 6), also for none."""
    return np.array(rows, np.float64).reshape(-1, TRUTH_WIDTH)


def checked_boxes(
    boxes: NDArray[np.float64], picture: tuple[int, int], path: str, where: Sequence[str]
) -> NDArray[np.float64]:
    """Return boxes after each was found to be one and to touch its picture.

    Args:
        boxes: Shape (k, 6).
        picture: Height and width.
        path: The file, for messages.
        where: The place of each box in the file.

    Raises:
        Refused: DATA_INVALID, naming file and place.
    """
    left, top, right, bottom = boxes[:, 1:5].T
    empty = ~np.isfinite(boxes).all(axis=1) | (right <= left) | (bottom <= top)
    outside = (right <= 0) | (bottom <= 0) | (left >= picture[1]) | (top >= picture[0])
    for wrong, why in ((empty, "has no area"), (outside, f"lies outside its picture of {picture[1]} x {picture[0]}")):
        if wrong.any():
            first = int(np.argmax(wrong))
            said = ", ".join(f"{number:g}" for number in boxes[first, 1:5])
            refuse_file(path, f"{where[first]}: the box ({said}) {why}", "correct or drop that box")
    return boxes


def _yolo_boxes(path: str, content: bytes, picture: tuple[int, int], classes: tuple[str, ...] | None) -> Array:
    rows, where = [], []
    for line, text in enumerate(content.decode("utf-8", errors="replace").splitlines(), 1):
        if not text.strip():
            continue
        try:
            kind, *shares = (float(part) for part in text.split())
            x, y, width, height = shares
        except ValueError:
            refuse_file(
                path,
                f"line {line} is no box: '{legible(text, 60)}'",
                "write class, centre x, centre y, width and height, as shares of the picture's size",
            )
        known = kind.is_integer() and 0 <= kind < (math.inf if classes is None else len(classes))
        if not known or not all(0 <= share <= 1 for share in shares):
            why = f"the class {kind:g} is unknown" if not known else "a share is not between 0 and 1"
            refuse_file(path, f"line {line}: {why}", "correct the line, or `classes` in the card")
        tall, wide = picture
        corners = (x - width / 2) * wide, (y - height / 2) * tall, (x + width / 2) * wide, (y + height / 2) * tall
        rows.append((kind, *corners, 0))
        where.append(f"line {line}")
    return checked_boxes(rows_as_boxes(rows), picture, path, where)


def _voc_boxes(path: str, content: bytes, picture: tuple[int, int], numbers: Mapping[str, int]) -> Array:
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        refuse_file(path, "it declares a document type, which annotations have no use for", "remove it")
    try:
        root = ET.fromstring(content)  # noqa: S314  (entities, the danger, were just ruled out)
    except (ET.ParseError, ValueError) as error:
        refuse_file(path, f"it is no XML ({legible(str(error))})", "save it in the format of Pascal VOC")
    rows, where = [], []
    for place, entry in enumerate(root.iter("object"), 1):
        name = (entry.findtext("name") or "").strip()
        if name not in numbers:
            _refuse_object(path, place, f"the class '{legible(name, 40)}' is not among the card's {len(numbers)}")
        try:
            left, top, right, bottom = (
                float(entry.findtext(f"bndbox/{side}") or "") for side in ("xmin", "ymin", "xmax", "ymax")
            )
        except ValueError:
            _refuse_object(path, place, "its box lacks a number")
        # Pixels are counted from 1, and the last one belongs to the box.
        rows.append((numbers[name], left - 1, top - 1, right, bottom, (entry.findtext("difficult") or "0") == "1"))
        where.append(f"object {place}")
    return checked_boxes(rows_as_boxes(rows), picture, path, where)


def _refuse_object(path: str, place: int, why: str) -> NoReturn:
    refuse_file(path, f"object {place}: {why}", "correct the file, or `classes` in the card")


def _beside(folder: str, path: str, suffix: str) -> str:
    return f"{folder}/{PurePosixPath(path).stem}{suffix}"
