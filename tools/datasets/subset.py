"""A few samples of a prepared dataset as a dataset of their own, in a workspace that is never settled."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from edgewright.state.evidence import Dataset
from edgewright.tools.datasets.card import canonical_digest
from edgewright.tools.probe.column_writer import ColumnWriter
from edgewright.tools.probe.columns import Column
from edgewright.tools.workspace import Workspace


def subset(dataset: Dataset, rows: Sequence[int], workspace: Workspace, apart: Workspace) -> Dataset:
    """Copy samples with their labels.

    Args:
        dataset: Where they come from.
        rows: Which, in the order in which they are wanted.
        workspace: Where the dataset is read from.
        apart: Where the copy goes.
    """
    index = json.loads(workspace.path_of(dataset.index).read_text(encoding="utf-8"))
    folder = apart.scratch("samples")
    folder.mkdir()

    def copied(spec: Mapping[str, str], name: str) -> Mapping[str, str]:
        column = Column.open(spec, lambda digest: str(workspace.path_of(digest)))
        return _copied([column[row] for row in rows], folder, name, apart)

    small = {
        "version": 1,
        "n": len(rows),
        "inputs": {name: copied(spec, f"input-{place}") for place, (name, spec) in enumerate(index["inputs"].items())},
        "labels": copied(index["labels"], "labels") if index["labels"] else None,
        "samples": _picked(workspace.path_of(index["samples"]), rows, folder, apart),
    }
    digest = canonical_digest({"of": dataset.digest, "rows": list(rows)})
    return replace(dataset, digest=digest, n=len(rows), arrays={}, index=apart.keep_json(small, "samples.json"))


def _picked(path: Path, rows: Sequence[int], folder: Path, apart: Workspace) -> str:
    picked = folder / "contents.npy"
    np.save(picked, np.load(path, mmap_mode="r", allow_pickle=False)[list(rows)])
    return apart.keep(picked)


def _copied(samples: Sequence[object], folder: Path, name: str, apart: Workspace) -> Mapping[str, str]:
    with ColumnWriter(folder, name) as writer:
        for sample in samples:
            writer.append(sample)  # type: ignore[arg-type]  # arrays: a column knows its element type only when open
        written = writer.finish(drop_leading_one=False)
    files = {part: apart.keep(folder / written[part]) for part in ("values", "shapes") if part in written}
    return written | files
