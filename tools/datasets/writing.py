"""Samples on their way to disk: written as columns in their order, noted for another try, and described."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from edgewright.state.errors import Code, Refused
from edgewright.tools.datasets.card import Card
from edgewright.tools.datasets.decoding import Answers
from edgewright.tools.datasets.leftover import PARTS, note
from edgewright.tools.datasets.placement import place, reaches_beyond, required_picture
from edgewright.tools.datasets.rows import BANDS, Rows, picture_of
from edgewright.tools.datasets.samples import Array, Samples
from edgewright.tools.legible import legible
from edgewright.tools.probe.column_writer import ColumnWriter

MOST_ECHOED_INPUTS = 2
ECHOED_LABELS = 5
# Samples that are kept as they came, so that a package can show its preprocessing on them.
RAW_SAMPLES = 4
NOTE_INTERVAL_S = 5.0


class Writing:
    """Columns on their way to disk.

    Attributes:
        folder: Where they lie.
        done: Samples so far.
        taken: How many of them an earlier job had decoded.
        echo: The inputs of the first sample in words.
        raw: The first samples as decoded, by array.
        picture: The input that takes pictures, where there is one.
        parts: What is known of each sample beside its inputs; see `Rows`.
    """

    def __init__(self, card: Card, samples: Samples, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        """Take what is to be written, and a folder that does not exist yet."""
        folder.mkdir(parents=True)
        self.folder = folder
        self.done = 0
        self.taken = 0
        self.echo: list[str] = []
        self.raw: dict[str, list[Array]] = {}
        self.picture = picture_of(card)
        self._card = card
        self._samples = samples
        if samples.mark is not None:
            self.picture = required_picture(self.picture, boxes=card.marks_boxes)
        n = samples.n
        self.parts: dict[str, Array] = {
            "contents": np.empty((n, 32), np.uint8),
            "sizes": np.zeros((n, 2), np.int64),
            "neighbours": np.full(n, np.nan, np.float32),
            "bands": np.full((n, BANDS), np.nan, np.float32),
            "finite": np.ones(n, bool),
        }
        self._keys: list[bytes] = []
        self._clock = clock
        self._noted_s = clock()
        self._beyond: list[int] = []
        self._first_labels: list[Array] = []
        self._labels = None
        if samples.labels is not None or samples.mark is not None:
            self._labels = ColumnWriter(folder, "labels")
        self._writers = {name: ColumnWriter(folder, f"input-{n}") for n, name in enumerate(card.inputs)}

    def __enter__(self) -> "Writing":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and issubclass(kind, Refused):
            self.note()
        for writer in (*self._writers.values(), *([self._labels] if self._labels else [])):
            writer.__exit__(None, None, None)

    @property
    def is_finite(self) -> bool:
        """Whether every sample so far is."""
        return bool(self.parts["finite"][: self.done].all())

    def add(self, rows: Rows) -> None:
        """Append some samples."""
        first, self.done = self.done, self.done + len(rows)
        self.taken += len(rows) if rows.raw is None else 0
        for name, part in self.parts.items():
            part[first : self.done] = getattr(rows, name)
        if not self.is_finite:  # they are counted to the end, and refused
            return
        if rows.raw is not None and first < RAW_SAMPLES:
            for array, raw in rows.raw.items():
                self.raw.setdefault(array, []).extend(np.array(row) for row in raw[: RAW_SAMPLES - first])
        for name, samples in rows.inputs.items():
            if first == 0 and rows.raw is not None and len(self.echo) < MOST_ECHOED_INPUTS:
                self.echo.append(_echo(name, rows.raw[self._card.inputs[name].array][0], samples[0]))
            for sample in samples:
                self._append(name, sample)
        for row in range(len(rows)):
            self._append_label(first + row, tuple(rows.sizes[row].tolist()))
        self._keys.append(rows.key)
        if self._clock() - self._noted_s > NOTE_INTERVAL_S:
            self.note()

    def note(self) -> None:
        """Write down which samples are whole on disk, where each was decoded from a file of its own."""
        keys = b"".join(self._keys)
        count = len(keys) // 32
        if count and len(keys) == 32 * len(self._keys) and self.is_finite:
            noted = {name: self.parts[name][:count] for name in PARTS}
            digests = np.frombuffer(keys, np.uint8).reshape(count, 32)
            note(self.folder, self._card.preprocessing_digest, self._writers, digests, noted)
        self._noted_s = self._clock()

    def finish(self) -> dict[str, dict[str, str]]:
        """Complete the files; return the entry of each input and of the labels, with file names for digests."""
        self.note()
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
        if self.taken:
            notes.append(f"{self.taken} of them were decoded by an earlier job that ended without an answer")
        return (*self.echo, _echo_labels(self._first_labels, self._samples, self._card), *notes)

    def refuse_non_finite(self, path: str) -> None:
        """Refuse data with NaN or infinity.

        Raises:
            Refused: DATA_INVALID, with the count and the first sample.
        """
        wrong = np.flatnonzero(~self.parts["finite"][: self.done]).tolist()
        if wrong:
            raise Refused.because(
                Code.DATA_INVALID,
                f"the data {path}",
                f"{len(wrong)} of {self.done} samples hold NaN or infinity, the first is sample {wrong[0]}",
                "correct or drop these samples",
                count=len(wrong),
                first=wrong[0],
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

    def _append_label(self, row: int, size: tuple[int, int]) -> None:
        if self._labels is None:
            return
        if self._samples.mark is None or self.picture is None:
            assert self._samples.labels is not None  # noqa: S101  (there is a writer)
            label = np.asarray(self._samples.labels[row])
        else:
            marked = self._samples.mark(row, size)
            if marked.dtype != np.uint8 and reaches_beyond(marked, size):
                self._beyond.append(row)
            label = place(marked, size, self.picture)
        if row < ECHOED_LABELS:
            self._first_labels.append(label)
        self._labels.append(label)


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
