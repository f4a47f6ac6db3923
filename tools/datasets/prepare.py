"""Decodes data once, applies the card, and keeps the result as columns in the store.

From then on the caller's files are not looked at again: every measurement reads the same columns, so the baseline and
all candidates see the same numbers (P9).
"""

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from edgewright.state.errors import Code, Refused
from edgewright.state.evidence import Dataset
from edgewright.tools.datasets.card import Card, ImageInput, canonical_digest, card_of, example_card
from edgewright.tools.datasets.entry import Opened, open_under_roots, refusing_full_disk
from edgewright.tools.datasets.labels import coverage
from edgewright.tools.datasets.neighbours import neighbour_correlation
from edgewright.tools.datasets.npz import NpzFile
from edgewright.tools.datasets.prepared import NEIGHBOURS
from edgewright.tools.datasets.read_images import read_images
from edgewright.tools.datasets.read_npz import read_npz
from edgewright.tools.datasets.samples import Array, Block, Samples
from edgewright.tools.datasets.transform import transform
from edgewright.tools.legible import legible
from edgewright.tools.orders import DataSource
from edgewright.tools.probe.column_writer import ColumnWriter
from edgewright.tools.workspace import Progress, Workspace

MOST_ECHOED_INPUTS = 2
ECHOED_LABELS = 5
# Samples that are kept as they came, so that a package can show its preprocessing on them.
RAW_SAMPLES = 4


def prepare(
    source: DataSource, roots: tuple[str, ...], workspace: Workspace, what: str, progress: Progress | None = None
) -> Dataset:
    """Open, decode, preprocess and keep a dataset.

    Args:
        source: An .npz file or a folder of pictures, and the card where it came with the call.
        roots: Folders that the operator allows.
        workspace: Where the columns are kept.
        what: Such as `validation data`, for messages.
        progress: Told how many samples are done; the workspace's own unless given.

    Raises:
        Refused: For the path (`entry`), the card (CARD_MISSING, CARD_INVALID), the content (DATA_INVALID, DATA_EMPTY),
            a card that does not fit the content (DATA_MISMATCH), or DISK_FULL.
    """
    with ExitStack() as stack, refusing_full_disk(f"preparing the {what}"):
        data = stack.enter_context(open_under_roots(source.path, roots))
        card, samples = _read(source, data, roots, stack)
        writing = _Writing(card, samples, workspace.scratch(what.replace(" ", "-")))
        report = progress or workspace.progress
        stack.enter_context(writing)
        for block in samples.blocks():
            writing.add(block)
            report(writing.done, samples.n, f"reading {what}")
        writing.refuse_non_finite(legible(source.path, 300))
        return _keep(writing, card, samples, workspace, PurePosixPath(source.path).name)


def _read(source: DataSource, data: Opened, roots: tuple[str, ...], stack: ExitStack) -> tuple[Card, Samples]:
    if data.is_folder:
        card = card_of(source, data, roots, example_card(label="folder"))
        return card, read_images(data, card)
    if not data.path.endswith(".npz"):
        raise Refused.because(
            Code.DATA_INVALID,
            f"the data {legible(data.path, 300)}",
            "it is neither an .npz file nor a folder of pictures",
            "save arrays with numpy.savez(path, image=images, label=labels)",
        )
    file = stack.enter_context(NpzFile(data))
    card = card_of(source, data, roots, _example(file))
    return card, read_npz(file, card)


def _example(file: NpzFile) -> str:
    """Return a card for exactly these arrays."""
    headers = [file.header(name) for name in file.names[:20] if not name.endswith(".shapes")]
    samples = max(headers, key=lambda header: len(header.shape), default=None)
    labels = [header.name for header in headers if header is not samples and len(header.shape) == 1]
    if samples is None:
        return example_card()
    pictures = samples.dtype == np.uint8 and len(samples.shape) in {3, 4}
    return example_card(samples.name, image=pictures, label=labels[0] if labels else None)


class _Writing:
    """Columns on their way to disk."""

    def __init__(self, card: Card, samples: Samples, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.done = 0
        self.contents = np.empty((samples.n, 32), np.uint8)
        pictured = [entry.array for entry in card.inputs.values() if isinstance(entry, ImageInput)]
        self.neighbours = np.full(samples.n, np.nan, np.float32) if pictured else None
        self.echo: list[str] = []
        self.raw: dict[str, list[Array]] = {}
        self._pictured = pictured[:1]
        self._card = card
        self._writers = {name: ColumnWriter(folder, f"input-{n}") for n, name in enumerate(card.inputs)}
        self._non_finite: list[int] = []

    def __enter__(self) -> "_Writing":
        return self

    def __exit__(self, *_: object) -> None:
        for writer in self._writers.values():
            writer.__exit__(None, None, None)

    def add(self, block: Block) -> None:
        """Preprocess and append some samples."""
        rows = slice(self.done, self.done + len(next(iter(block.values()))))
        self._note_non_finite(block)
        self.contents[rows] = _contents([block[self._card.inputs[name].array] for name in sorted(self._card.inputs)])
        for array in self._pictured:
            assert self.neighbours is not None  # noqa: S101  (there is one wherever there is a picture)
            self.neighbours[rows] = neighbour_correlation(block[array])
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
        self.done = rows.stop

    def finish(self) -> dict[str, dict[str, str]]:
        """Complete the files; return each input's entry for the index, with file names for digests."""
        return {name: writer.finish(drop_leading_one=False) for name, writer in self._writers.items()}

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


def _keep(writing: _Writing, card: Card, samples: Samples, workspace: Workspace, name: str) -> Dataset:
    files = {f"input {key}": spec for key, spec in writing.finish().items()}
    if samples.labels is not None:
        files["labels"] = _saved(writing.folder, "labels", samples.labels)
    if writing.neighbours is not None:
        files[NEIGHBOURS] = _saved(writing.folder, NEIGHBOURS, writing.neighbours)
    files["samples"] = _saved(writing.folder, "samples", writing.contents)
    specs = {key: _stored(spec, writing.folder, workspace) for key, spec in files.items()}
    index = {
        "version": 1,
        "n": samples.n,
        "inputs": {key: specs[f"input {key}"] for key in card.inputs},
        "labels": specs.get("labels"),
        "samples": specs["samples"]["values"],
        "raw": {
            array: _kept_raw(writing.folder / f"raw-{number}", rows, workspace)
            for number, (array, rows) in enumerate(writing.raw.items())
        },
    }
    said = card.model_copy(update={"classes": samples.classes})
    content = {key: index[key] for key in ("inputs", "labels", "samples")}
    return Dataset(
        digest=canonical_digest({**content, "card": said.digest}),
        preprocessing=said.preprocessing_digest,
        n=samples.n,
        card=said.plain,
        arrays=_arrays(specs),
        index=workspace.keep_json(index, "index.json"),
        classes=coverage(samples.labels, samples.classes),
        echo=(
            f"{samples.n} samples from {legible(name)}",
            *writing.echo,
            *_echo_labels(samples),
            *samples.notes,
        ),
    )


def _saved(folder: Path, name: str, array: Array) -> dict[str, str]:
    np.save(folder / f"{name}.npy", array)
    return {"kind": "regular", "dtype": array.dtype.name, "values": f"{name}.npy"}


def _kept_raw(folder: Path, rows: Sequence[Array], workspace: Workspace) -> list[str]:
    folder.mkdir()
    paths = [folder / f"{number}.npy" for number in range(len(rows))]
    for path, row in zip(paths, rows, strict=True):
        np.save(path, row)
    return [workspace.keep(path) for path in paths]


def _stored(spec: Mapping[str, str], folder: Path, workspace: Workspace) -> dict[str, str]:
    kept = {part: workspace.keep(folder / spec[part]) for part in ("values", "shapes") if part in spec}
    return {"kind": spec["kind"], "dtype": spec["dtype"], **kept}


def _arrays(specs: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    arrays = {key: spec["values"] for key, spec in specs.items()}
    return arrays | {f"{key} shapes": spec["shapes"] for key, spec in specs.items() if "shapes" in spec}


def _echo(name: str, raw: Array, prepared: Array) -> str:
    return f"{legible(name, 60)}, first sample: decoded {_figures(raw)}; as the model takes it {_figures(prepared)}"


def _figures(array: Array) -> str:
    shape = ", ".join(map(str, array.shape))
    return f"{array.dtype} ({shape}) from {array.min():.4g} to {array.max():.4g}, mean {array.mean():.4g}"


def _echo_labels(samples: Samples) -> tuple[str, ...]:
    if samples.labels is None:
        return ("no labels",)
    first = samples.labels[:ECHOED_LABELS]
    if first.ndim > 1:
        return (f"labels: {first.dtype} of shape {first.shape[1:]} a sample",)
    if first.dtype.kind == "i" and samples.classes is not None:
        named = [f"{number} ({legible(samples.classes[number], 40)})" for number in first.tolist()]
        return (f"first labels: {', '.join(named)}",)
    return (f"first labels: {', '.join(f'{number:.6g}' for number in first.tolist())}",)
