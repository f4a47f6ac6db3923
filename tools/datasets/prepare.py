"""Decodes data once, applies the card, and keeps the result as columns in the store.

From then on the caller's files are not looked at again: every measurement reads the same columns, so the baseline and
all candidates see the same numbers (P9).
"""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from typing import NoReturn

import numpy as np

from edgewright.state.errors import Code, Refused
from edgewright.state.evidence import Dataset
from edgewright.tools.datasets.card import Card, canonical_digest, card_of, example_card
from edgewright.tools.datasets.entry import Opened, open_under_roots, refusing_full_disk
from edgewright.tools.datasets.labels import coverage
from edgewright.tools.datasets.npz import NpzFile
from edgewright.tools.datasets.prepared import NEIGHBOURS
from edgewright.tools.datasets.read_audio import read_audio
from edgewright.tools.datasets.read_images import read_images
from edgewright.tools.datasets.read_npz import read_npz
from edgewright.tools.datasets.read_text import read_text
from edgewright.tools.datasets.samples import Array, Samples
from edgewright.tools.datasets.writing import Writing
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
        writing = Writing(card, samples, workspace.scratch(what.replace(" ", "-")))
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
        return card, read_images(data, card) if card.audio is None else read_audio(data, card, card.audio)
    if data.path.endswith((".csv", ".jsonl")):
        card = card_of(source, data, roots, TEXT_CARD)
        if card.text is None:
            why = "it is a text file, and the data card does not say how its lines are tokenised"
            _refuse_kind(data, why, f"write a card such as {TEXT_CARD}")
        return read_text(data, card, card.text, roots)
    if not data.path.endswith(".npz"):
        _refuse_kind(
            data,
            "it is neither an .npz file nor a folder nor a .csv or .jsonl file of texts",
            "save arrays with numpy.savez(path, image=images, label=labels)",
        )
    file = stack.enter_context(NpzFile(data))
    card = card_of(source, data, roots, _example(file))
    return card, read_npz(file, card)


def _refuse_kind(data: Opened, why: str, do: str) -> NoReturn:
    raise Refused.because(Code.DATA_INVALID, f"the data {legible(data.path, 300)}", why, do)


def _example(file: NpzFile) -> str:
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
    classes = coverage(samples.labels, samples.classes)
    return Dataset(
        digest=canonical_digest({**content, "card": said.digest}),
        preprocessing=said.preprocessing_digest,
        n=samples.n,
        card=said.plain,
        arrays=_arrays(specs),
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


def _arrays(specs: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    arrays = {key: spec["values"] for key, spec in specs.items()}
    return arrays | {f"{key} shapes": spec["shapes"] for key, spec in specs.items() if "shapes" in spec}
