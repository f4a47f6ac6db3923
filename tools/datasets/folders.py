"""Which files of a folder are samples, and what their labels are: by class folders, by a CSV file, or without."""

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

import numpy as np

from edgewright.state.errors import Code, Refused
from edgewright.tools.datasets.card import Card
from edgewright.tools.datasets.decoding import Answers
from edgewright.tools.datasets.entry import MOST_ENTRIES, Listing, Opened, list_folder
from edgewright.tools.datasets.labels import column_labels, labels_of
from edgewright.tools.datasets.samples import Array, Mark
from edgewright.tools.datasets.sources import CsvLabel
from edgewright.tools.legible import legible
from edgewright.tools.probe.columns import Column

CSV_LIMIT_BYTES = 256 << 20
MOST_COLUMNS = 1_000


@dataclass(frozen=True)
class Kind:
    """A kind of files.

    Attributes:
        name: What messages call them, in the plural.
        suffixes: How their names end, in lower case.
    """

    name: str
    suffixes: tuple[str, ...]

    def matches(self, name: str) -> bool:
        """Whether a file is of this kind, by its name."""
        return name.lower().endswith(self.suffixes)


@dataclass(frozen=True)
class Line:
    """One sample of a table.

    Attributes:
        place: Where it stands, such as `line 5`.
        text: What is in its first wanted column.
        label: What is in the other.
    """

    place: str
    text: str
    label: str


@dataclass(frozen=True)
class Found:
    """Files of a folder in the order of the samples.

    Attributes:
        paths: Below the folder.
        labels: One row a file.
        classes: Names of the classes.
        notes: What the caller should know, such as files left out.
        mark: Instead of labels, what is marked in each.
    """

    paths: tuple[str, ...]
    labels: Column | None = None
    classes: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
    mark: Mark | None = None


def find(folder: Opened, card: Card, kind: Kind) -> Found:
    """Return the files of a folder with labels from a CSV file, from class folders, or without.

    Raises:
        Refused: CARD_INVALID, DATA_INVALID, or DATA_EMPTY where there are none.
    """
    found = (
        _from_csv(folder, card, card.label) if isinstance(card.label, CsvLabel) else _from_folder(folder, card, kind)
    )
    require_some(found, folder, kind)
    return found


def require_some(found: Found, folder: Opened, kind: Kind) -> None:
    """Refuse a folder without samples.

    Raises:
        Refused: DATA_EMPTY.
    """
    if not found.paths:
        raise Refused.because(
            Code.DATA_EMPTY,
            f"the folder {legible(folder.path, 300)}",
            f"it holds 0 {kind.name} ({', '.join(kind.suffixes)})",
            f"put {kind.name} into it, or into one folder a class",
        )


def files_in(folder: Opened, relative: str, kind: Kind) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the paths of the files of a kind in one folder below another, and what to note of the others."""
    with folder.open_folder(relative) as opened:
        listing = list_folder(opened)
    chosen = tuple(f"{relative}/{name}" for name in listing.files if kind.matches(name))
    return chosen, _skipped([name for name in listing.files if not kind.matches(name)], kind)


def _from_folder(folder: Opened, card: Card, kind: Kind) -> Found:
    if card.label not in {None, "folder"}:
        raise Refused.because(
            Code.CARD_INVALID,
            "the data card's label",
            f"'{legible(str(card.label))}' names an array, and the data is a folder of {kind.name}",
            'write "label": "folder" for one folder a class, or {"csv": ..., "file": ..., "label": ...}',
            "P9",
        )
    top = list_folder(folder)
    listings = {name: _list_class(folder, name, kind) for name in top.folders}
    inside = [(name, file) for name in top.folders for file in listings[name].files]
    samples = [(name, file) for name, file in inside if kind.matches(file)]
    loose = [file for file in top.files if kind.matches(file)]
    skipped = [file for _, file in inside if not kind.matches(file)]
    skipped += [file for file in top.files if not kind.matches(file) and file != "card.json"]
    notes = _skipped(skipped, kind)
    if card.label is None:
        return Found((*loose, *(f"{name}/{file}" for name, file in samples)), None, card.classes, notes)
    if loose:
        refuse_file(f"{folder.path}/{loose[0]}", "it lies in no class folder", "move it into the folder of its class")
    classes = card.classes or top.folders
    where = f"the class folders of {legible(folder.path, 300)}"
    labels = labels_of(np.array([name for name, _ in samples], np.str_), card, len(samples), where, classes)
    return Found(tuple(f"{name}/{file}" for name, file in samples), labels, classes, notes)


def _list_class(folder: Opened, name: str, kind: Kind) -> Listing:
    with folder.open_folder(name) as opened:
        listing = list_folder(opened)
        if listing.folders:
            refuse_file(
                f"{opened.path}/{listing.folders[0]}",
                f"it is a folder inside a class folder, and {kind.name} lie at most one folder deep",
                f"move its {kind.name} one folder up",
            )
        return listing


def _from_csv(folder: Opened, card: Card, label: CsvLabel) -> Found:
    with folder.open_file(label.csv) as opened:
        rows = rows_of(opened.path, opened.read(CSV_LIMIT_BYTES), (label.file, label.label))
        where = f"the labels in {legible(opened.path, 300)}"
    paths = tuple(row.text for row in rows)
    if len(set(paths)) != len(paths):
        path, count = Counter(paths).most_common(1)[0]
        refuse_file(opened.path, f"it lists '{legible(path)}' {count} times", "list every one once")
    if not rows:
        return Found(())
    return Found(paths, labels_in(rows, card, where), card.classes)


def labels_in(rows: Sequence[Line], card: Card, where: str) -> Column:
    """Return the labels of a table: texts where the model reads, else numbers or names.

    Raises:
        Refused: DATA_INVALID, with the line.
    """
    texts = [row.label for row in rows]
    raw: Array = np.array(texts, np.str_) if card.answers is Answers.TEXT else column_labels(texts, card.classes)
    return labels_of(raw, card, len(rows), where, places=[row.place for row in rows])


def rows_of(path: str, content: bytes, columns: tuple[str, str]) -> list[Line]:
    """Return the wanted two columns of a CSV file with a header line (RFC 4180)."""
    try:
        lines = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        header = next(lines, [])
        places = _places(path, header, columns)
        rows: list[Line] = []
        for row in lines:
            if not row:
                continue
            if len(row) != len(header):
                refuse_file(
                    path,
                    f"line {lines.line_num} has {len(row)} fields, and its header line {len(header)}",
                    "put fields with commas between double quotes",
                )
            rows.append(Line(f"line {lines.line_num}", row[places[0]], row[places[1]]))
            if len(rows) > MOST_ENTRIES:
                refuse_file(path, f"it lists more than {MOST_ENTRIES} samples", "split the set")
    except (csv.Error, UnicodeDecodeError) as error:
        refuse_file(path, f"it is no CSV file in UTF-8 ({legible(str(error))})", "save it as CSV in UTF-8")
    return rows


def _places(path: str, header: Sequence[str], columns: tuple[str, str]) -> tuple[int, int]:
    if len(header) > MOST_COLUMNS:
        refuse_file(path, f"it has {len(header)} columns", f"keep the two that matter; {MOST_COLUMNS} are the most")
    for column in columns:
        if header.count(column) != 1:
            shown = ", ".join(legible(name, 40) for name in header[:20]) or "nothing"
            refuse_file(
                path,
                f"its header line names the column '{legible(column)}' {header.count(column)} times; it holds {shown}",
                "name columns in the card as the header line does",
            )
    return header.index(columns[0]), header.index(columns[1])


def _skipped(names: Sequence[str], kind: Kind) -> tuple[str, ...]:
    if not names:
        return ()
    return (f"{len(names)} files are no {kind.name} and were left out: {', '.join(names[:3])}",)


def refuse_file(path: str, why: str, do: str) -> NoReturn:
    """Refuse a file for its content.

    Raises:
        Refused: DATA_INVALID, naming the file.
    """
    raise Refused.because(Code.DATA_INVALID, f"the file {legible(path, 300)}", why, do, file=legible(path, 300))
