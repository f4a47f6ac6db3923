"""The samples of a folder of pictures: in class folders, with a CSV file, or without labels.

Pictures are decoded as they are stored: an orientation in EXIF is not applied, as in torchvision, and transparency is
dropped.
"""

import csv
import io
import struct
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
from PIL import Image

from edgewright.state.errors import Code, Refused
from edgewright.tools.datasets.card import Card, CsvLabel, ImageInput
from edgewright.tools.datasets.entry import MOST_ENTRIES, Listing, Opened, list_folder
from edgewright.tools.datasets.labels import column_labels, numeric_labels
from edgewright.tools.datasets.samples import Array, Block, Samples
from edgewright.tools.legible import legible

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".ppm", ".pgm")
FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "PPM")
PICTURE_LIMIT_BYTES = 256 << 20
CSV_LIMIT_BYTES = 256 << 20
MOST_COLUMNS = 1_000

_GRAY = frozenset({"1", "L", "LA"})
_COLOUR = frozenset({"P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"})
# What Pillow's decoders raise for damaged files.
_DAMAGED = (OSError, SyntaxError, ValueError, EOFError, TypeError, IndexError, KeyError, OverflowError, struct.error)
_BOMB = (Image.DecompressionBombError, Image.DecompressionBombWarning)


@dataclass(frozen=True)
class _Found:
    """Pictures of a folder in the order of the samples."""

    paths: tuple[str, ...]
    labels: Array | None = None
    classes: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()


def read_images(folder: Opened, card: Card) -> Samples:
    """Return the pictures of a folder as the card describes them; `folder` must stay open while they are read.

    Raises:
        Refused: CARD_INVALID for a card that is none for folders, DATA_INVALID with the file and what is wrong with
            it, DATA_EMPTY, or what the path of a picture is refused for.
    """
    _check_inputs(card)
    found = _from_csv(folder, card, card.label) if isinstance(card.label, CsvLabel) else _from_folder(folder, card)
    if not found.paths:
        raise Refused.because(
            Code.DATA_EMPTY,
            f"the folder {legible(folder.path, 300)}",
            f"it holds 0 pictures ({', '.join(SUFFIXES)})",
            "put pictures into it, or into one folder a class",
        )

    def blocks() -> Iterator[Block]:
        for path in found.paths:
            with folder.open_file(path) as opened:
                yield {"image": decode(opened.read(PICTURE_LIMIT_BYTES), opened.path)[np.newaxis]}

    return Samples(len(found.paths), found.labels, found.classes, blocks, found.notes)


def decode(content: bytes, path: str) -> Array:
    """Return a picture: uint8, shape (height, width, 1 or 3), colours in the order red, green, blue.

    Args:
        content: The file.
        path: Its name, for messages.

    Raises:
        Refused: DATA_INVALID, naming the file.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(io.BytesIO(content), formats=FORMATS) as picture:
                if picture.mode not in _GRAY | _COLOUR:
                    _refuse(
                        path, f"its mode is {picture.mode}, not 8 bits a channel", "convert it to 8-bit RGB or gray"
                    )
                if getattr(picture, "is_animated", False) and picture.format != "MPO":
                    _refuse(path, "it is an animation", "store the frame that you mean as a picture of its own")
                pixels = np.asarray(picture.convert("L" if picture.mode in _GRAY else "RGB"))
        except _BOMB:
            most = Image.MAX_IMAGE_PIXELS
            _refuse(
                path, f"it has more than the {most} pixels allowed", "store it smaller; the model takes less anyway"
            )
        except _DAMAGED as error:
            _refuse(path, f"it cannot be decoded ({legible(str(error))})", f"replace it; {', '.join(FORMATS)} are read")
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


def _from_folder(folder: Opened, card: Card) -> _Found:
    if card.label not in {None, "folder"}:
        raise Refused.because(
            Code.CARD_INVALID,
            "the data card's label",
            f"'{legible(str(card.label))}' names an array, and the data is a folder of pictures",
            'write "label": "folder" for one folder a class, or {"csv": ..., "file": ..., "label": ...}',
            "P9",
        )
    top = list_folder(folder)
    listings = {name: _list_class(folder, name) for name in top.folders}
    inside = [(name, file) for name in top.folders for file in listings[name].files]
    pictures = [(name, file) for name, file in inside if _is_picture(file)]
    loose = [file for file in top.files if _is_picture(file)]
    skipped = [file for _, file in inside if not _is_picture(file)]
    skipped += [file for file in top.files if not _is_picture(file) and file != "card.json"]
    notes = _skipped(skipped)
    if card.label is None:
        return _Found((*loose, *(f"{name}/{file}" for name, file in pictures)), None, card.classes, notes)
    if loose:
        _refuse(f"{folder.path}/{loose[0]}", "it lies in no class folder", "move it into the folder of its class")
    classes = card.classes or top.folders
    where = f"the class folders of {legible(folder.path, 300)}"
    labels = numeric_labels(np.array([name for name, _ in pictures], np.str_), classes, len(pictures), where)
    return _Found(tuple(f"{name}/{file}" for name, file in pictures), labels, classes, notes)


def _list_class(folder: Opened, name: str) -> Listing:
    with folder.open_folder(name) as opened:
        listing = list_folder(opened)
        if listing.folders:
            _refuse(
                f"{opened.path}/{listing.folders[0]}",
                "it is a folder inside a class folder, and pictures lie at most one folder deep",
                "move its pictures one folder up",
            )
        return listing


def _from_csv(folder: Opened, card: Card, label: CsvLabel) -> _Found:
    with folder.open_file(label.csv) as opened:
        rows = _rows(opened.path, opened.read(CSV_LIMIT_BYTES), (label.file, label.label))
        where = f"the labels in {legible(opened.path, 300)}"
    paths = tuple(path for path, _ in rows)
    if len(set(paths)) != len(paths):
        path, count = Counter(paths).most_common(1)[0]
        _refuse(opened.path, f"it lists '{legible(path)}' {count} times", "list every picture once")
    if not rows:
        return _Found(())
    raw = column_labels([text for _, text in rows], card.classes)
    return _Found(paths, numeric_labels(raw, card.classes, len(rows), where), card.classes)


def _rows(path: str, content: bytes, columns: tuple[str, str]) -> list[tuple[str, str]]:
    """Return the wanted two columns of a CSV file with a header line (RFC 4180)."""
    try:
        lines = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        header = next(lines, [])
        places = _places(path, header, columns)
        rows: list[tuple[str, str]] = []
        for row in lines:
            if not row:
                continue
            if len(row) != len(header):
                _refuse(
                    path,
                    f"line {lines.line_num} has {len(row)} fields, and its header line {len(header)}",
                    "put fields with commas between double quotes",
                )
            rows.append((row[places[0]], row[places[1]]))
            if len(rows) > MOST_ENTRIES:
                _refuse(path, f"it lists more than {MOST_ENTRIES} pictures", "split the set")
    except (csv.Error, UnicodeDecodeError) as error:
        _refuse(path, f"it is no CSV file in UTF-8 ({legible(str(error))})", "save it as CSV in UTF-8")
    return rows


def _places(path: str, header: Sequence[str], columns: tuple[str, str]) -> tuple[int, int]:
    if len(header) > MOST_COLUMNS:
        _refuse(path, f"it has {len(header)} columns", f"keep the two that matter; {MOST_COLUMNS} are the most")
    for column in columns:
        if header.count(column) != 1:
            shown = ", ".join(legible(name, 40) for name in header[:20]) or "nothing"
            _refuse(
                path,
                f"its header line names the column '{legible(column)}' {header.count(column)} times; it holds {shown}",
                "name columns in the card as the header line does",
            )
    return header.index(columns[0]), header.index(columns[1])


def _is_picture(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)


def _skipped(names: Sequence[str]) -> tuple[str, ...]:
    if not names:
        return ()
    return (f"{len(names)} files are no pictures and were left out: {', '.join(names[:3])}",)


def _refuse(path: str, why: str, do: str) -> NoReturn:
    raise Refused.because(Code.DATA_INVALID, f"the file {legible(path, 300)}", why, do, file=legible(path, 300))
