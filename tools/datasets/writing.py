"""Samples on their way to disk: prepared, checked, written as columns, and described."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgewright.state.errors import Code, Refused
from edgewright.tools.datasets.card import Card, ImageInput
from edgewright.tools.datasets.decoding import Answers
from edgewright.tools.datasets.neighbours import neighbour_correlation
from edgewright.tools.datasets.placement import place, reaches_beyond, required_picture
from edgewright.tools.datasets.samples import Array, Block, Samples
from edgewright.tools.datasets.transform import transform
from edgewright.tools.legible import legible
from edgewright.tools.probe.column_writer import ColumnWriter

MOST_ECHOED_INPUTS = 2
ECHOED_LABELS = 5
# Samples that are kept as they came, so that a package can show its preprocessing on them.
RAW_SAMPLES = 4


class Writing:
    """Columns on their way to disk."""

    def __init__(self, card: Card, samples: Samples, folder: Path) -> None:
        """Take what is to be written, and a folder that does not exist yet."""
        folder.mkdir()
        self.folder = folder
        self.done = 0
        self.contents = np.empty((samples.n, 32), np.uint8)
        self._picture = next((entry for entry in card.inputs.values() if isinstance(entry, ImageInput)), None)
        self.neighbours = None if self._picture is None else np.full(samples.n, np.nan, np.float32)
        self.echo: list[str] = []
        self.raw: dict[str, list[Array]] = {}
        self._card = card
        self._samples = samples
        if samples.mark is not None:
            self._picture = required_picture(self._picture, boxes=card.marks_boxes)
        self._beyond: list[int] = []
        self._first_labels: list[Array] = []
        self._labels = None
        if samples.labels is not None or samples.mark is not None:
            self._labels = ColumnWriter(folder, "labels")
        self._writers = {name: ColumnWriter(folder, f"input-{n}") for n, name in enumerate(card.inputs)}
        self._non_finite: list[int] = []

    def __enter__(self) -> "Writing":
        return self

    def __exit__(self, *_: object) -> None:
        for writer in (*self._writers.values(), *([self._labels] if self._labels else [])):
            writer.__exit__(None, None, None)

    def add(self, block: Block) -> None:
        """Preprocess and append some samples."""
        rows = slice(self.done, self.done + len(next(iter(block.values()))))
        self._note_non_finite(block)
        self.contents[rows] = _contents([block[self._card.inputs[name].array] for name in sorted(self._card.inputs)])
        if self._picture is not None and self.neighbours is not None:
            self.neighbours[rows] = neighbour_correlation(block[self._picture.array])
        if self.done < RAW_SAMPLES:
            for array, rows_of in block.items():
                self.raw.setdefault(array, []).extend(np.array(row) for row in rows_of[: RAW_SAMPLES - self.done])
        if not self._non_finite:
            prepared = {
                name: transform(block[entry.array], entry, self.done) for name, entry in self._card.inputs.items()
            }
            for name, samples in prepared.items():
                if self.done == 0 and len(self.echo) < MOST_ECHOED_INPUTS:
                    self.echo.append(_echo(name, block[self._card.inputs[name].array][0], samples[0]))
                for sample in samples:
                    self._append(name, sample)
            for row in range(rows.start, rows.stop):
                self._append_label(row, block)
        self.done = rows.stop

    def finish(self) -> dict[str, dict[str, str]]:
        """Complete the files; return the entry of each input and of the labels, with file names for digests."""
        specs = {f"input {name}": writer.finish(drop_leading_one=False) for name, writer in self._writers.items()}
        return specs | ({"labels": self._labels.finish(drop_leading_one=False)} if self._labels else {})

    @property
    def said(self) -> tuple[str, ...]:
        """What to show of the samples, in words: inputs, labels, notes."""
        notes = list(self._samples.notes)
        if self._beyond:
            notes.append(
                f"boxes of {len(self._beyond)} samples reach out of their pictures, the first of sample "
                f"{self._beyond[0]}; they count as annotated"
            )
        return (*self.echo, _echo_labels(self._first_labels, self._samples, self._card), *notes)

    def refuse_non_finite(self, path: str) -> None:
        """Refuse data with NaN or infinity.

        Raises:
            Refused: DATA_INVALID, with the count and the first sample.
        """
        if self._non_finite:
            count, first = len(self._non_finite), self._non_finite[0]
            raise Refused.because(
                Code.DATA_INVALID,
                f"the data {path}",
                f"{count} of {self.done} samples hold NaN or infinity, the first is sample {first}",
                "correct or drop these samples",
                count=count,
                first=first,
            )

    def _append(self, name: str, sample: Array) -> None:
        try:
            self._writers[name].append(sample)
        except ValueError as error:
            raise Refused.because(
                Code.DATA_INVALID,
                f"the samples of input {legible(name)}",
                str(error),
                "give every sample the same element type and number of dimensions",
            ) from error

    def _append_label(self, row: int, block: Block) -> None:
        if self._labels is None:
            return
        if self._samples.mark is None or self._picture is None:
            assert self._samples.labels is not None  # noqa: S101  (there is a writer)
            label = np.asarray(self._samples.labels[row])
        else:
            height, width = block[self._picture.array].shape[1:3]
            marked = self._samples.mark(row, (height, width))
            if marked.dtype != np.uint8 and reaches_beyond(marked, (height, width)):
                self._beyond.append(row)
            label = place(marked, (height, width), self._picture)
        if row < ECHOED_LABELS:
            self._first_labels.append(label)
        self._labels.append(label)

    def _note_non_finite(self, block: Block) -> None:
        for array in block.values():
            if array.dtype.kind == "f":
                bad = ~np.isfinite(array.reshape(len(array), -1)).all(axis=1)
                fresh = (self.done + np.flatnonzero(bad)).tolist()
                self._non_finite = sorted({*self._non_finite, *fresh}) if fresh else self._non_finite


def _contents(arrays: Sequence[Array]) -> NDArray[np.uint8]:
    """Return the SHA-256 of each sample: shape and values of its arrays as they came; uint8, shape (k, 32).

    Values count, not how they are stored: a copy as another element type is the same sample.
    """
    digests = [hashlib.sha256() for _ in arrays[0]]
    for array in arrays:
        head = f"{array.shape[1:]}".encode()
        for digest, row in zip(digests, array, strict=True):
            digest.update(head)
            digest.update(np.ascontiguousarray(row, np.float64).tobytes())
    return np.frombuffer(b"".join(digest.digest() for digest in digests), np.uint8).reshape(-1, 32)


def _echo(name: str, raw: Array, prepared: Array) -> str:
    return f"{legible(name, 60)}, first sample: decoded {_figures(raw)}; as the model takes it {_figures(prepared)}"


def _figures(array: Array) -> str:
    shape = ", ".join(map(str, array.shape))
    return f"{array.dtype} ({shape}) from {array.min():.4g} to {array.max():.4g}, mean {array.mean():.4g}"


def _echo_labels(first: Sequence[Array], samples: Samples, card: Card) -> str:
    """Return the labels of the first samples in words, as the metric sees them."""
    if not first:
        return "no labels"
    if samples.mark is not None and first[0].dtype != np.uint8:
        boxes = [f"{_named(box[0], samples.classes)} ({', '.join(f'{n:.0f}' for n in box[1:5])})" for box in first[0]]
        return f"boxes of the first sample as the model sees it: {'; '.join(boxes[:3]) or 'none'}"
    if card.answers is Answers.TEXT:
        return f"first labels: {', '.join(repr(legible(''.join(map(chr, text)), 40)) for text in first)}"
    if first[0].ndim:
        return f"labels: {first[0].dtype} of shape {first[0].shape} a sample"
    if first[0].dtype.kind == "i" and samples.classes is not None:
        return f"first labels: {', '.join(f'{n} ({_named(n, samples.classes)})' for n in map(int, first))}"
    return f"first labels: {', '.join(f'{number:.6g}' for number in map(np.ndarray.item, first))}"


def _named(number: float, classes: tuple[str, ...] | None) -> str:
    return str(int(number)) if classes is None else legible(classes[int(number)], 40)
