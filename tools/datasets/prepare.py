"""Decodes data once, applies the card, and keeps the result as columns in the store.

From then on the caller's files are not looked at again: every measurement reads the same columns, so the baseline and
all candidates see the same numbers (P9).
"""

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import NoReturn

import numpy as np

from edgewright.state.errors import Code, Refused
from edgewright.state.evidence import Dataset
from edgewright.tools.datasets.arrays import Arrays
from edgewright.tools.datasets.card import Card, canonical_digest, example_card
from edgewright.tools.datasets.card_source import TEXTS, card_of, overruled
from edgewright.tools.datasets.entry import Opened, open_under_roots, refusing_full_disk
from edgewright.tools.datasets.labels import coverage
from edgewright.tools.datasets.leftover import Leftover
from edgewright.tools.datasets.npy import NpyFiles, holds_arrays
from edgewright.tools.datasets.npz import NpzFile
from edgewright.tools.datasets.prepared import BANDS, NEIGHBOURS
from edgewright.tools.datasets.read_arrays import read_arrays
from edgewright.tools.datasets.read_audio import read_audio
from edgewright.tools.datasets.read_images import read_images
from edgewright.tools.datasets.read_text import read_text
from edgewright.tools.datasets.rows import Rows, in_order, rows_of
from edgewright.tools.datasets.samples import Array, Part, Samples
from edgewright.tools.datasets.writing import RAW_SAMPLES, Writing
from edgewright.tools.legible import legible
from edgewright.tools.orders import DataSource
from edgewright.tools.workspace import Progress, Workspace

# One sample more or less decides such a class's figure alone.
LEAST_OF_CLASS = 2
TEXT_CARD = (
    '{"inputs": {"input_ids": {"kind": "tensor", "array": "ids", "dtype": "int64"}, "attention_mask": {"kind": '
    '"tensor", "array": "mask", "dtype": "int64"}}, "text": {"column": "text", "tokenizer": "tokenizer.json", '
    '"length": 128}, "label": "label"}'
)


def prepare(
    source: DataSource, roots: tuple[str, ...], workspace: Workspace, what: str, progress: Progress | None = None
) -> Dataset:
    """Open, decode, preprocess and keep a dataset.

    Args:
        source: A file or folder of data, and the card where it came with the call.
        roots: Folders that the operator allows.
        workspace: Where the columns are kept.
        what: Such as `validation data`, for messages.
        progress: Told how many samples are done; the workspace's own unless given.

    Raises:
        Refused: For the path (`entry`), the card (CARD_MISSING, CARD_INVALID), the content (DATA_INVALID, DATA_EMPTY),
            a card that does not fit the content (DATA_MISMATCH), or DISK_FULL.
    """
    report = progress or workspace.progress
    with ExitStack() as stack, refusing_full_disk(f"preparing the {what}"):
        data = stack.enter_context(open_under_roots(source.path, roots))
        card, samples = _read(source, data, roots, stack)
        samples = replace(samples, notes=(*samples.notes, *overruled(source, data, roots, card)))
        writing = stack.enter_context(Writing(card, samples, workspace.lasting(what.replace(" ", "-"))))
        leftover = Leftover(workspace.leftovers, card.preprocessing_digest)
        for rows in stack.enter_context(closing(in_order(partial(_made, card, leftover), samples.parts()))):
            writing.add(rows)
            again = f", {writing.taken} of them decoded before" if writing.taken else ""
            report(writing.done, samples.n, f"reading {what}{again}")
        writing.refuse_non_finite(legible(source.path, 300))
        return _keep(writing, card, samples, workspace, PurePosixPath(source.path).name)


def _made(card: Card, leftover: Leftover, part: Part) -> Rows:
    content = part.read()
    key = hashlib.sha256(content).digest() if content else b""
    # The first ones are shown as they came.
    found = leftover.rows(key) if part.first >= RAW_SAMPLES else None
    return rows_of(part.decode(content), card, part.first, key) if found is None else found


def _read(source: DataSource, data: Opened, roots: tuple[str, ...], stack: ExitStack) -> tuple[Card, Samples]:
    arrays = _arrays_of(data)
    if arrays is not None:
        file = stack.enter_context(arrays)
        card = card_of(source, data, roots, _example(file))
        return card, read_arrays(file, card)
    if data.is_folder:
        card = card_of(source, data, roots, example_card(label="folder"))
        return card, read_images(data, card) if card.audio is None else read_audio(data, card, card.audio)
    if not data.path.endswith(TEXTS):
        _refuse_kind(
            data,
            f"it is neither an .npz or .npy file nor a folder nor a file of texts ({', '.join(TEXTS)})",
            "save arrays with numpy.savez(path, image=images, label=labels)",
        )
    card = card_of(source, data, roots, TEXT_CARD)
    if card.text is None:
        why = "it is a file of texts, and the data card does not say how its lines are tokenised"
        _refuse_kind(data, why, f"write a card such as {TEXT_CARD}")
    return read_text(data, card, card.text, roots)


def _arrays_of(data: Opened) -> NpzFile | NpyFiles | None:
    if data.path.endswith(".npz") and not data.is_folder:
        return NpzFile(data)
    if holds_arrays(data) if data.is_folder else data.path.endswith(".npy"):
        return NpyFiles(data)
    return None


def _refuse_kind(data: Opened, why: str, do: str) -> NoReturn:
    raise Refused.because(Code.DATA_INVALID, f"the data {legible(data.path, 300)}", why, do)


def _example(file: Arrays) -> str:
    """Return a card for exactly these arrays."""
    headers = [file.header(name) for name in file.names[:20] if not name.endswith(".shapes")]
    samples = max(headers, key=lambda header: len(header.shape), default=None)
    labels = [header.name for header in headers if header is not samples and len(header.shape) == 1]
    if samples is None:
        return example_card()
    pictures = samples.dtype == np.uint8 and len(samples.shape) in {3, 4}
    return example_card(samples.name, image=pictures, label=labels[0] if labels else None)


def _keep(writing: Writing, card: Card, samples: Samples, workspace: Workspace, name: str) -> Dataset:
    files = writing.finish()
    if writing.picture is not None:
        files |= {part: _saved(writing.folder, part, writing.parts[part]) for part in (NEIGHBOURS, BANDS)}
    files["samples"] = _saved(writing.folder, "samples", writing.parts["contents"])
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
    classes = coverage(samples.labels, samples.classes)
    return Dataset(
        digest=canonical_digest({**content, "card": said.digest}),
        preprocessing=said.preprocessing_digest,
        n=samples.n,
        card=said.plain,
        arrays=_digests(specs),
        index=workspace.keep_json(index, "index.json"),
        classes=classes,
        echo=(
            f"{samples.n} samples from {legible(name)}",
            *writing.said,
            *_scarce(classes),
        ),
    )


def _scarce(classes: Mapping[str, int]) -> tuple[str, ...]:
    """Say so where a class cannot be judged."""
    scarce = [legible(name, 40) for name, count in classes.items() if count < LEAST_OF_CLASS]
    if not scarce:
        return ()
    return (
        f"{len(scarce)} of {len(classes)} classes have fewer than {LEAST_OF_CLASS} samples: {', '.join(scarce[:3])}",
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


def _digests(specs: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    arrays = {key: spec["values"] for key, spec in specs.items()}
    return arrays | {f"{key} shapes": spec["shapes"] for key, spec in specs.items() if "shapes" in spec}
