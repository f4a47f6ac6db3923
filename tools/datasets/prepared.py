"""A prepared dataset, read: what the model takes of every sample, memory-mapped from the store."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgewright.state.artifacts import TensorSpec
from edgewright.state.errors import Code, Refused
from edgewright.state.evidence import Dataset
from edgewright.tools.datasets.card import Card
from edgewright.tools.datasets.decoding import IGNORED
from edgewright.tools.legible import legible
from edgewright.tools.probe.columns import Column
from edgewright.tools.workspace import Workspace

NEIGHBOURS, BANDS = "neighbours", "bands"


@dataclass(frozen=True)
class PreparedData:
    """A prepared dataset, open.

    Attributes:
        dataset: What is known of it.
        card: Its card.
        inputs: The model's input to its samples.
        labels: One row a sample: class numbers (int64, shape (n,)) or other answers.
        contents: SHA-256 of each sample as decoded, before any preprocessing: uint8, shape (n, 32).
        neighbours: Correlation of neighbouring pixels, shape (n,), where the card says images.
        bands: Means of parts of each picture as decoded, shape (n, k), where the card says images.
    """

    dataset: Dataset
    card: Card
    inputs: Mapping[str, Column]
    labels: Column | None
    contents: NDArray[np.uint8]
    neighbours: NDArray[np.float32] | None
    bands: NDArray[np.float32] | None

    @property
    def n(self) -> int:
        """Samples."""
        return self.dataset.n


def open_dataset(dataset: Dataset, workspace: Workspace) -> PreparedData:
    """Open a prepared dataset.

    Raises:
        CorruptArtifact: A stored file is missing or was changed.
    """

    def resolve(sha256: str) -> str:
        return str(workspace.path_of(sha256))

    def array(sha256: str) -> NDArray[np.generic]:
        loaded: NDArray[np.generic] = np.load(resolve(sha256), mmap_mode="r", allow_pickle=False)
        return loaded

    def of_pictures(name: str) -> NDArray[np.float32] | None:
        digest = dataset.arrays.get(name)
        return array(digest).astype(np.float32, copy=False) if digest else None

    index = json.loads(workspace.path_of(dataset.index).read_text(encoding="utf-8"))
    return PreparedData(
        dataset=dataset,
        card=Card.model_validate_json(json.dumps(dict(dataset.card))),
        inputs={name: Column.open(spec, resolve) for name, spec in index["inputs"].items()},
        labels=Column.open(index["labels"], resolve) if index["labels"] else None,
        contents=array(index["samples"]).astype(np.uint8, copy=False),
        neighbours=of_pictures(NEIGHBOURS),
        bands=of_pictures(BANDS),
    )


def says_something(data: PreparedData) -> NDArray[np.bool_]:
    """Return which samples a metric learns anything from; shape (n,). Not those whose mask ignores every pixel."""
    if data.labels is None or data.card.marks_boxes or data.labels.rank != 2 or data.labels.dtype != "uint8":
        return np.ones(data.n, bool)
    return np.array([bool((data.labels[row] != IGNORED).any()) for row in range(data.n)])


def check_fits(data: PreparedData, inputs: tuple[TensorSpec, ...]) -> None:
    """Compare the prepared samples with what a model takes: names, element types, shapes of every sample.

    Integers that stand for real numbers are made of float32 samples where the model is run.

    An input whose rank is one above the samples' has a batch dimension in front; one of equal rank takes a sample as
    it is.

    Raises:
        Refused: DATA_MISMATCH, with both sides and what to change.
    """
    wanted, given = {spec.name for spec in inputs}, set(data.inputs)
    if wanted != given:
        _refuse(
            f"the model takes the inputs {_listed(wanted)}, and the card describes {_listed(given)}",
            "name exactly the model's inputs under `inputs` in the data card",
        )
    for spec in inputs:
        _check_input(spec, data.inputs[spec.name])


def check_words(data: PreparedData, rows: Mapping[str, int]) -> None:
    """Compare numbers that choose rows of a model's tables with the rows that are there.

    Args:
        data: The samples.
        rows: Model input to the rows of its table.

    Raises:
        Refused: DATA_MISMATCH, with the first number beyond its table.
    """
    for name, count in rows.items():
        column = data.inputs[name]
        highest = np.array([int(column[row].max(initial=0)) for row in range(data.n)])
        wrong = np.flatnonzero(highest >= count)
        if len(wrong):
            of = f"the tokenizer {legible(data.card.text.tokenizer, 100)} is another one's" if data.card.text else ""
            _refuse(
                f"the model's input {legible(name, 60)} chooses among {count} rows, and sample {wrong[0]} holds "
                f"{highest[wrong[0]]}; {len(wrong)} of {data.n} samples do not fit" + (f": {of}" if of else ""),
                "give the tokenizer that the model was trained with" if of else "number from 0 as the model does",
                input=name,
                sample=int(wrong[0]),
            )


def _check_input(spec: TensorSpec, column: Column) -> None:
    takes = f"{spec.dtype} ({', '.join('any' if size is None else str(size) for size in spec.shape)})"
    if column.dtype not in {spec.dtype, spec.meaning.dtype}:
        _refuse(
            f"the model's input {spec.name} takes {takes}, and the samples are {column.dtype}",
            f'write "dtype": "{spec.meaning.dtype}" for that input in the data card',
            input=spec.name,
        )
    sizes = spec.shape[1:] if len(spec.shape) == column.rank + 1 else spec.shape
    fitting = np.array([None if size is None else size for size in sizes], dtype=object)
    shapes = column.shapes
    if len(sizes) != column.rank:
        wrong = np.ones(len(shapes), dtype=bool)
    else:
        fixed = [axis for axis, size in enumerate(fitting) if size is not None]
        wrong = (shapes[:, fixed] != [sizes[axis] for axis in fixed]).any(axis=1)
    if wrong.any():
        row = int(np.argmax(wrong))
        shape = ", ".join(map(str, shapes[row].tolist()))
        _refuse(
            f"the model's input {spec.name} takes {takes}, batch dimension included where it has one, and sample {row} "
            f"is {column.dtype} ({shape}); {int(wrong.sum())} of {len(shapes)} samples do not fit",
            _advice(spec, tuple(shapes[row].tolist())),
            input=spec.name,
            sample=row,
        )


def _advice(spec: TensorSpec, shape: tuple[int, ...]) -> str:
    wanted = spec.shape[1:]
    if len(shape) == 3 and len(wanted) == 3:
        if None not in wanted and sorted(shape) == sorted(size for size in wanted if size is not None):
            return 'change "layout" in the data card: NCHW puts channels first, NHWC last'
        return 'change "resize", "crop", "colour" (GRAY has 1 channel, RGB 3) or "layout" in the data card'
    return "give samples of the shape that the model takes without its batch dimension"


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _refuse(why: str, do: str, **facts: object) -> None:
    raise Refused.because(Code.DATA_MISMATCH, "this data for this model", why, do, "P9", **facts)
