"""The samples of named arrays: one row a sample in each, and labels in an array of their own.

Ragged data is stored as two arrays: `NAME`, all samples flattened one after the other, and `NAME.shapes`, int64 of
shape (n, rank).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgewright.state.errors import Code, Refused
from edgewright.tools.datasets.annotations import checked_boxes
from edgewright.tools.datasets.arrays import ArrayHeader, Arrays
from edgewright.tools.datasets.card import Card, ImageInput
from edgewright.tools.datasets.decoding import IGNORED, TRUTH_WIDTH, Answers
from edgewright.tools.datasets.labels import labels_of, numeric_labels
from edgewright.tools.datasets.masks import check_mask
from edgewright.tools.datasets.samples import BLOCK_BYTES, Array, Block, Mark, Samples, parts_of
from edgewright.tools.legible import legible
from edgewright.tools.probe.columns import Column

MOST_SAMPLE_BYTES = 1 << 30


def read_arrays(file: Arrays, card: Card) -> Samples:
    """Return the samples of arrays as the card describes them; `file` must stay open while they are read.

    Raises:
        Refused: DATA_INVALID or DATA_EMPTY with the array and what is wrong with it, CARD_INVALID for a card that is
            one for folders.
    """
    names = sorted({entry.array for entry in card.inputs.values()})
    columns = {name: _column(file, name) for name in names}
    counts = {name: column.n for name, column in columns.items()}
    n = counts[names[0]]
    if set(counts.values()) != {n}:
        said = ", ".join(f"{legible(name, 60)} {count}" for name, count in counts.items())
        file.refuse(f"its arrays have different numbers of samples: {said}", "store one row a sample in each")
    if n == 0:
        raise Refused.because(Code.DATA_EMPTY, f"the data {file.path}", "it holds 0 samples", "store at least one")
    pictures = {entry.array for entry in card.inputs.values() if isinstance(entry, ImageInput)}
    for name in pictures:
        _check_pictures(file, columns[name])
    ragged = any(column.shapes is not None for column in columns.values())
    step = 1 if ragged else max(1, BLOCK_BYTES // max(column.row_bytes for column in columns.values()))

    def blocks() -> Iterator[Block]:
        streams = [_stacked(file, columns[name], step) for name in names]
        for start, rows in enumerate(zip(*streams, strict=True)):
            block = dict(zip(names, rows, strict=True))
            for name in pictures:
                block[name] = _with_channels(file, name, block[name], start * step)
            yield block

    labels = _labels(file, card, n)
    if labels is None or card.answers not in {Answers.BOXES, Answers.MAP}:
        return Samples(n, labels, card.classes, lambda: parts_of(blocks()))
    return Samples(n, None, card.classes, lambda: parts_of(blocks()), mark=_mark(file, card, labels))


@dataclass(frozen=True)
class _Column:
    header: ArrayHeader
    shapes: NDArray[np.int64] | None

    @property
    def n(self) -> int:
        return self.header.shape[0] if self.shapes is None else len(self.shapes)

    @property
    def rank(self) -> int:
        return len(self.header.shape) - 1 if self.shapes is None else int(self.shapes.shape[1])

    @property
    def row_bytes(self) -> int:
        if self.shapes is None:
            return math.prod(self.header.shape[1:]) * self.header.dtype.itemsize
        return int(self.shapes.prod(axis=1).max(initial=0)) * self.header.dtype.itemsize


def _column(file: Arrays, name: str) -> _Column:
    header = file.header(name)
    if header.dtype.kind not in "biuf":
        file.refuse(f"the array {header} does not hold numbers", "store samples as whole or floating numbers")
    if not header.shape:
        file.refuse(f"the array {header} is a single value", "store one row a sample")
    if header.fortran:
        file.refuse(
            f"the array {header} is stored column by column, so its samples do not lie together",
            "save it as numpy.ascontiguousarray(array)",
        )
    column = _Column(header, _shapes(file, header) if f"{name}.shapes" in file.names else None)
    if column.n and not column.row_bytes:
        file.refuse(f"the samples of {header} hold no values", "store at least one value a sample")
    if column.row_bytes > MOST_SAMPLE_BYTES:
        file.refuse(
            f"one sample of {header} takes {column.row_bytes} bytes, more than the {MOST_SAMPLE_BYTES} allowed",
            "check that the first axis runs over samples",
            sample_bytes=column.row_bytes,
        )
    return column


def _shapes(file: Arrays, values: ArrayHeader, least: int = 1) -> NDArray[np.int64]:
    """Return the shapes of a ragged array's samples, after they were compared with the number of its values."""
    header = file.header(f"{values.name}.shapes")
    if header.dtype.kind not in "iu" or len(header.shape) != 2 or len(values.shape) != 1:
        file.refuse(
            f"{values} with {header} is no ragged array",
            "store all samples flattened in one 1-D array, and their shapes as int64 (samples, rank)",
        )
    shapes = file.whole(header).astype(np.int64)
    # In float64, since a lie may overflow int64.
    sizes = shapes.astype(np.float64).prod(axis=1)
    if (shapes < least).any() or sizes.sum() != values.shape[0]:
        file.refuse(
            f"the shapes in {header} do not add up: {sizes.sum():.0f} values against {values.shape[0]} in {values}",
            "store the shape of every sample, without empty samples",
        )
    return shapes


def _check_pictures(file: Arrays, column: _Column) -> None:
    header = column.header
    if header.dtype != np.uint8 or column.rank not in {2, 3}:
        file.refuse(
            f"the array {header} holds no 8-bit pictures, and the card calls it an image",
            'store uint8 of shape (samples, height, width, channels), or call it "kind": "tensor" in the card',
        )


def _stacked(file: Arrays, column: _Column, step: int) -> Iterator[Array]:
    native = column.header.dtype.newbyteorder("=")
    if column.shapes is None:
        counts = (min(step, column.n - start) for start in range(0, column.n, step))
        for rows in file.rows(column.header, counts):
            yield rows.astype(native, copy=False)
        return
    sizes = iter(column.shapes.prod(axis=1).tolist())
    for shape, flat in zip(column.shapes.tolist(), file.rows(column.header, sizes), strict=True):
        yield flat.astype(native, copy=False).reshape(1, *shape)


def _with_channels(file: Arrays, name: str, pictures: Array, first: int) -> Array:
    stacked = pictures[..., np.newaxis] if pictures.ndim == 3 else pictures
    if stacked.shape[3] not in {1, 3}:
        file.refuse(
            f"the pictures in '{legible(name)}' have {stacked.shape[3]} channels from sample {first} on (shape "
            f"{pictures.shape[1:]}), not 1 or 3",
            'store the channels last, or call the array "kind": "tensor" in the card',
        )
    return stacked


def _labels(file: Arrays, card: Card, n: int) -> Column | None:
    if card.label is None:
        return None
    if not isinstance(card.label, str):
        raise Refused.because(
            Code.CARD_INVALID,
            "the data card's label",
            "it names files, and labels of arrays lie in one of them",
            f"name one of {', '.join(legible(name, 60) for name in file.names[:20])}",
            "P9",
        )
    header = file.header(card.label)
    if header.dtype.kind not in "biufUS":
        file.refuse(f"the labels {header} are no numbers or names", "store class numbers, class names or numbers")
    what = f"the labels '{legible(card.label)}' of {file.path}"
    if f"{card.label}.shapes" not in file.names:
        return labels_of(file.whole(header), card, n, what)
    shapes = _shapes(file, header, least=0)
    if len(shapes) != n:
        file.refuse(f"{what} are {len(shapes)} for {n} samples", "store one label a sample")
    values = file.whole(header)
    return Column(numeric_labels(values, None, len(values), what), shapes)


def _mark(file: Arrays, card: Card, labels: Column) -> Mark:
    """Return what reads boxes (class, left, top, right, bottom, perhaps crowd) or masks from the labels."""
    where = f"{file.path}, array '{legible(str(card.label))}'"

    def mark(sample: int, picture: tuple[int, int]) -> Array:
        label = labels[sample]
        if card.answers is Answers.MAP:
            if label.ndim != 2 or (label.size and not 0 <= label.min() <= label.max() <= IGNORED):
                file.refuse(f"the label of sample {sample} is no mask of numbers from 0 to 255", "store one a pixel")
            mask = label.astype(np.uint8)
            check_mask(mask, f"{where}, sample {sample}", picture, card.classes)
            return mask
        if label.ndim != 2 or label.shape[1] not in {TRUTH_WIDTH - 1, TRUTH_WIDTH}:
            file.refuse(f"the label of sample {sample} has the shape {label.shape}", "store class and corners")
        crowds = np.zeros((len(label), TRUTH_WIDTH - label.shape[1]))
        boxes = np.column_stack([label.astype(np.float64), crowds])
        most = np.inf if card.classes is None else len(card.classes)
        if len(boxes) and not ((boxes[:, 0] >= 0) & (boxes[:, 0] < most) & (boxes[:, 0] % 1 == 0)).all():
            file.refuse(f"sample {sample} has a box of no class of the card", "number classes from 0, as the card does")
        return checked_boxes(boxes, picture, where, [f"sample {sample}, box {box}" for box in range(len(boxes))])

    return mark
