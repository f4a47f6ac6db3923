"""COCO files: the boxes of their pictures, or their outlines as masks (https://cocodataset.org/#format-data).

Polygons are drawn by pycocotools, which never returns from numbers that are not finite; of runs that end too early it
gives whatever lay in memory. So the former never reach it, and runs are drawn here.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError

from edgewright.tools.datasets.annotations import Number, checked_boxes, rows_as_boxes
from edgewright.tools.datasets.card import Card
from edgewright.tools.datasets.decoding import IGNORED
from edgewright.tools.datasets.entry import Opened
from edgewright.tools.datasets.folders import Found, refuse_file
from edgewright.tools.datasets.samples import Array
from edgewright.tools.datasets.sources import CocoLabel
from edgewright.tools.extras import load
from edgewright.tools.legible import legible

LIMIT_BYTES = 1 << 30
# Class of the pixels that no outline covers, where the card has a class of this name; else they do not count.
BACKGROUND = "background"


class _Read(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Image(_Read):
    id: int
    file_name: Annotated[str, Field(min_length=1, max_length=4096)]


class _Category(_Read):
    id: int
    name: Annotated[str, Field(min_length=1, max_length=255)]


class _Annotation(_Read):
    image_id: int
    category_id: int
    iscrowd: Annotated[int, Field(ge=0, le=1)] = 0


class _Box(_Annotation):
    bbox: tuple[Number, Number, Number, Number]


class _Runs(_Read):
    """Lengths of runs of pixels, column by column, of 0 and of 1 in turn; as numbers or packed into text."""

    counts: list[Annotated[int, Field(ge=0, lt=1 << 31)]] | str
    size: tuple[int, int]


_Corners = Annotated[list[Number], Field(min_length=6)]
_Outline = Annotated[
    Annotated[list[_Corners], Field(min_length=1), Tag("polygons")] | Annotated[_Runs, Tag("runs")],
    Discriminator(lambda given: "runs" if isinstance(given, dict | _Runs) else "polygons"),
]


class _Outlined(_Annotation):
    segmentation: _Outline


class _Coco(_Read):
    images: list[_Image]
    categories: list[_Category]


class _Boxes(_Coco):
    annotations: list[_Box]


class _Outlines(_Coco):
    annotations: list[_Outlined]


_Kind = TypeVar("_Kind", _Box, _Outlined)
_File = TypeVar("_File", _Boxes, _Outlines)


def from_coco(folder: Opened, card: Card, label: CocoLabel) -> Found:
    """Return the pictures that a COCO file lists, with their boxes or masks.

    Without `classes` in the card, the file's categories in the order of their ids are the model's classes.

    Raises:
        Refused: DATA_INVALID, naming the file and the place in it; MISSING_EXTRA for masks without pycocotools.
    """
    with folder.open_file(label.coco) as opened:
        path, content = opened.path, opened.read(LIMIT_BYTES)
    if label.marks == "masks":
        return _with_masks(path, _parsed(path, content, _Outlines), card, label)
    return _with_boxes(path, _parsed(path, content, _Boxes), card, label)


def _with_boxes(path: str, coco: _Boxes, card: Card, label: CocoLabel) -> Found:
    classes = _classes(coco, card)
    number = _class_of_category(path, coco, coco.annotations, classes)
    of_image = _by_image(path, coco, coco.annotations, number)
    images = sorted(coco.images, key=lambda image: image.id)

    def mark(sample: int, picture: tuple[int, int]) -> Array:
        marked = of_image[images[sample].id]
        corners = [(number[box.category_id], *_corners(box.bbox), box.iscrowd) for _, box in marked]
        where = [f"annotations[{place}]" for place, _ in marked]
        return checked_boxes(rows_as_boxes(corners), picture, path, where)

    return Found(tuple(f"{label.images}/{image.file_name}" for image in images), None, classes, (), mark)


def _with_masks(path: str, coco: _Outlines, card: Card, label: CocoLabel) -> Found:
    load("pycocotools.mask")  # before anything is read
    classes = _classes(coco, card)
    if len(classes) > IGNORED:
        refuse_file(path, f"masks hold {IGNORED} classes at most, and there are {len(classes)}", "name fewer `classes`")
    number = _class_of_category(path, coco, coco.annotations, classes)
    of_image = _by_image(path, coco, coco.annotations, number)
    images = sorted(coco.images, key=lambda image: image.id)
    rest = classes.index(BACKGROUND) if BACKGROUND in classes else IGNORED

    def mark(sample: int, picture: tuple[int, int]) -> Array:
        mask, taken = np.full(picture, rest, np.uint8), np.zeros(picture, bool)
        ignored = np.zeros(picture, bool)
        for place, entry in of_image[images[sample].id]:
            inside = _inside(entry.segmentation, picture, path, f"annotations[{place}]")
            # What two classes claim says nothing, as in torchvision's reference for segmentation.
            ignored |= inside if entry.iscrowd else inside & taken & (mask != number[entry.category_id])
            if not entry.iscrowd:
                mask[inside] = number[entry.category_id]
                taken |= inside
        mask[ignored] = IGNORED
        return mask

    said = () if rest != IGNORED else (f"pixels without an outline do not count: no class is called {BACKGROUND}",)
    return Found(tuple(f"{label.images}/{image.file_name}" for image in images), None, classes, said, mark)


def _inside(outline: list[list[float]] | _Runs, picture: tuple[int, int], path: str, where: str) -> NDArray[np.bool_]:
    """Return which pixels an outline covers: bool, shape (height, width)."""
    height, width = picture
    if isinstance(outline, _Runs):
        return _drawn(_checked_runs(outline, picture, path, where), picture)
    for corners in outline:
        x, y = np.array(corners[::2]), np.array(corners[1::2])
        if len(x) != len(y):
            refuse_file(path, f"{where}: an outline has {len(corners)} numbers, not pairs", "correct or drop it")
        outside = x.max() <= 0 or y.max() <= 0 or x.min() >= width or y.min() >= height
        far = x.min() < -width or y.min() < -height or x.max() > 2 * width or y.max() > 2 * height
        if outside or far:
            said = f"from ({x.min():g}, {y.min():g}) to ({x.max():g}, {y.max():g})"
            why = f"{where}: an outline {said} lies outside its picture of {width} x {height}"
            refuse_file(path, why, "correct or drop it")
    library = load("pycocotools.mask")
    merged = library.merge(library.frPyObjects(outline, height, width))
    return _drawn(_unpacked(merged["counts"]), picture)


def _checked_runs(outline: _Runs, picture: tuple[int, int], path: str, where: str) -> list[int]:
    """Return the lengths of runs, after they were found to cover exactly the picture."""
    if outline.size != picture:
        tall, wide = outline.size
        why = f"{where}: its runs are of a picture of {wide} x {tall}, and it is {picture[1]} x {picture[0]}"
        refuse_file(path, why, "correct or drop it")
    pixels = picture[0] * picture[1]
    try:
        counts = outline.counts if isinstance(outline.counts, list) else _unpacked(outline.counts.encode())
    except ValueError as error:
        refuse_file(path, f"{where}: its packed runs cannot be read ({error})", "correct or drop it")
    if sum(counts) != pixels or min(counts) < 0:
        refuse_file(path, f"{where}: its runs add up to {sum(counts)} pixels, not {pixels}", "correct or drop it")
    return counts


def _unpacked(text: bytes) -> list[int]:
    """Return the lengths of packed runs: five bits a character, the lowest first, from the fourth on as differences.

    The form is that of `rleToString` in the reference (https://github.com/cocodataset/cocoapi, common/maskApi.c).

    Raises:
        ValueError: It is no such text.
    """
    counts: list[int] = []
    value = shift = 0
    for character in text:
        bits = character - ord("0")
        if not 0 <= bits < 64 or shift > 30:
            raise ValueError(f"after {len(counts)} runs")
        value |= (bits & 0x1F) << shift
        shift += 5
        if bits & 0x20:
            continue
        value -= (1 << shift) if bits & 0x10 else 0
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value = shift = 0
    if shift or not counts:
        raise ValueError("it ends too early")
    return counts


def _drawn(counts: list[int], picture: tuple[int, int]) -> NDArray[np.bool_]:
    """Return runs as a mask, shape (height, width); they run down the columns."""
    runs = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
    return runs.reshape(picture, order="F")


def _corners(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    left, top, width, height = box
    return left, top, left + width, top + height


def _parsed(path: str, content: bytes, kind: type[_File]) -> _File:
    try:
        return kind.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"]).lstrip(".")
        refuse_file(path, f"{legible(place) or 'the text'}: {legible(first['msg'])}", "save it in the format of COCO")


def _classes(coco: _Coco, card: Card) -> tuple[str, ...]:
    return card.classes or tuple(entry.name for entry in sorted(coco.categories, key=lambda entry: entry.id))


def _class_of_category(
    path: str, coco: _Coco, annotations: Sequence[_Annotation], classes: tuple[str, ...]
) -> Mapping[int, int]:
    """Return the class number of each category id that annotations use."""
    used = {entry.category_id for entry in annotations}
    unknown = [entry.name for entry in coco.categories if entry.id in used and entry.name not in classes]
    if unknown:
        shown = ", ".join(legible(name, 40) for name in unknown[:5])
        refuse_file(
            path,
            f"{len(unknown)} of its categories in use are not among the card's {len(classes)} classes: {shown}",
            "correct the spelling, or name them in `classes` in the order of the model's classes",
        )
    return {entry.id: classes.index(entry.name) for entry in coco.categories if entry.name in classes}


def _by_image(
    path: str, coco: _Coco, annotations: Sequence[_Kind], number: Mapping[int, int]
) -> Mapping[int, list[tuple[int, _Kind]]]:
    """Return the annotations of each picture, with their places in the file."""
    of_image: dict[int, list[tuple[int, _Kind]]] = {image.id: [] for image in coco.images}
    for place, entry in enumerate(annotations):
        if entry.image_id not in of_image or entry.category_id not in number:
            what = "picture" if entry.image_id not in of_image else "category"
            refuse_file(path, f"annotations[{place}] names a {what} that the file does not list", "correct the file")
        of_image[entry.image_id].append((place, entry))
    return of_image
