"""A few stored samples with what this host computed from them: the package's own proof."""

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgewright.state.artifacts import Artifact
from edgewright.state.errors import Code, Refused
from edgewright.state.evidence import Dataset
from edgewright.state.files import write_whole
from edgewright.tools.datasets.preprocessing import prepare
from edgewright.tools.probe.columns import Array, Column
from edgewright.tools.probe.quantization import to_integers
from edgewright.tools.workspace import Workspace

SAMPLES = 4
Inputs = Sequence[Mapping[str, Any]]  # entries of preprocessing.json, which are JSON
Index = dict[str, Any]  # an index of the store, which is JSON
# The oldest time that a zip can hold: equal samples give equal bytes.
EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Sample:
    """One inference.

    Attributes:
        raw: Source array to the sample before preprocessing, where it was kept.
        prepared: What the model takes, in the order of its inputs, batch dimension included.
        expected: What it gave on this host, in the order of its outputs.
    """

    raw: Mapping[str, Array] | None
    prepared: tuple[Array, ...]
    expected: tuple[Array, ...]


def smoke_samples(
    artifact: Artifact,
    dataset: Dataset,
    outputs_index: str,
    inputs: Inputs,
    workspace: Workspace,
) -> tuple[Sample, ...]:
    """Return the first samples of a dataset with the recorded outputs of a model.

    Args:
        artifact: The model.
        dataset: The dataset that its accuracy was measured on.
        outputs_index: SHA-256 of the index of its recorded outputs.
        inputs: The inputs of `preprocessing.json`, in the model's order.
        workspace: Where the store is.

    Raises:
        Refused: PACKAGE_UNVERIFIED, if the preprocessing that is shipped is not the one that was measured.
        CorruptArtifact: A stored file is missing or was changed.
    """
    store = _Store(workspace)
    index, recorded = store.json(dataset.index), store.json(outputs_index)
    columns = [store.column(index["inputs"][spec.name]) for spec in artifact.inputs]
    answers = [store.column(recorded["outputs"][spec.name]) for spec in artifact.outputs]
    batch = max((entry["batch_size"] for entry in inputs if entry["batch_size"] is not None), default=1)
    samples = []
    for number in range(min(SAMPLES, -(-dataset.n // batch))):
        # The samples that shared an inference when the outputs were recorded; the last one fills an open place.
        rows = [min(row, dataset.n - 1) for row in range(number * batch, (number + 1) * batch)]
        sample = Sample(
            raw=store.raw(index, number, inputs) if batch == 1 else None,
            prepared=tuple(
                _quantised(_batch(column, rows, batched=entry["batch_size"] is not None), entry)
                for entry, column in zip(inputs, columns, strict=True)
            ),
            expected=tuple(
                _batch(column, rows, batched=len(spec.shape) == column.rank + 1)
                for spec, column in zip(artifact.outputs, answers, strict=True)
            ),
        )
        _check_preprocessing(sample, inputs, number)
        samples.append(sample)
    return tuple(samples)


def write_samples(samples: tuple[Sample, ...], folder: Path) -> list[Mapping[str, str | None]]:
    """Write samples into the folder `smoke` of a package; return their entries in the manifest."""
    (folder / "smoke").mkdir()
    entries: list[Mapping[str, str | None]] = []
    for number, sample in enumerate(samples):
        arrays: dict[str, Mapping[str, Array] | None] = {
            "raw": sample.raw,
            "prepared": {f"input_{place}": array for place, array in enumerate(sample.prepared)},
            "expected": {f"output_{place}": array for place, array in enumerate(sample.expected)},
        }
        paths = {kind: f"smoke/{number}-{kind}.npz" if content else None for kind, content in arrays.items()}
        for kind, content in arrays.items():
            if content:
                write_whole(folder / str(paths[kind]), _npz(content))
        entries.append(paths)
    return entries


class _Store:
    """The store's files as what they mean."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def path(self, sha256: str) -> str:
        return str(self._workspace.path_of(sha256))

    def json(self, sha256: str) -> Index:
        content: Index = json.loads(Path(self.path(sha256)).read_text(encoding="utf-8"))
        return content

    def column(self, spec: Mapping[str, str]) -> Column:
        return Column.open(spec, self.path)

    def raw(self, index: Index, number: int, inputs: Inputs) -> dict[str, Array] | None:
        """Return one sample before preprocessing, or nothing where the dataset keeps none."""
        kept = index.get("raw", {})
        names = {entry["array"] for entry in inputs}
        if not names <= set(kept):
            return None
        return {name: np.load(self.path(kept[name][number]), allow_pickle=False) for name in sorted(names)}


def _batch(column: Column, rows: list[int], *, batched: bool) -> Array:
    return np.stack([column[row] for row in rows]) if batched else np.array(column[rows[0]], order="C")


def _quantised(values: Array, entry: Mapping[str, Any]) -> Array:
    """Return real numbers as the integers that the model takes, where it takes integers for them."""
    return values if entry["quantization"] is None else to_integers(values, **entry["quantization"])


def _check_preprocessing(sample: Sample, inputs: Inputs, number: int) -> None:
    """Refuse a package whose preprocessing gives other numbers than those that accuracy was measured with (P9)."""
    if sample.raw is None:
        return
    for entry, measured in zip(inputs, sample.prepared, strict=True):
        found = _quantised(prepare(sample.raw[entry["array"]][np.newaxis], entry), entry)
        found = found[0] if entry["batch_size"] is None else found
        if found.dtype != measured.dtype or not np.array_equal(found, measured):
            raise Refused.because(
                Code.PACKAGE_UNVERIFIED,
                "this package",
                f"its preprocessing gives other values for input {entry['name']} of sample {number} than the ones that "
                "accuracy was measured with",
                "report this; it is a fault of Edgewright and not of the model",
                "P9",
                sample=number,
            )


def _npz(arrays: Mapping[str, Array]) -> bytes:
    """Return an .npz file; unlike `numpy.savez` it takes any name and gives the same bytes each time."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy", EPOCH), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.ascontiguousarray(array).reshape(array.shape), allow_pickle=False)
    return stream.getvalue()
