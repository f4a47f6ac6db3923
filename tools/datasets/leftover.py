"""What a job had decoded before it ended, so that the next one that is asked the same need not do it again.

While samples are prepared, a note of those that are whole on disk is written every few seconds. A sample is taken over
where the SHA-256 of its file and everything that is done to it are the same; names, order and labels do not matter.
"""

import io
import json
import stat
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgewright.state.files import write_whole
from edgewright.tools.datasets.rows import BANDS, Rows
from edgewright.tools.probe.column_writer import HEADER_BYTES, ColumnWriter
from edgewright.tools.probe.columns import Array

NOTE = "prepared.npz"
# What a note says may change only together with this number.
VERSION = 1


# What is noted of each sample beside what the model takes of it; the fields of `Rows`.
PARTS = ("contents", "sizes", "neighbours", "bands", "finite")


def note(
    folder: Path, preprocessing: str, columns: Mapping[str, ColumnWriter], keys: Array, parts: Mapping[str, Array]
) -> None:
    """Note the samples that are whole on disk; the note appears whole or not at all.

    Args:
        folder: Where the columns lie.
        preprocessing: Digest of what was done to the samples.
        columns: Model input to its samples so far.
        keys: SHA-256 of the file that each sample was decoded from: uint8, shape (k, 32).
        parts: `PARTS` of each.
    """
    described = {name: {"file": column.path.name, "dtype": column.dtype} for name, column in columns.items()}
    head = {"version": VERSION, "preprocessing": preprocessing, "columns": described}
    shapes = {f"shapes {name}": np.array(column.flushed()[: len(keys)], np.int64) for name, column in columns.items()}
    content = io.BytesIO()
    arrays: dict[str, Any] = {"head": np.array(json.dumps(head)), "keys": keys, **parts, **shapes}
    np.savez(content, allow_pickle=False, **arrays)
    write_whole(folder / NOTE, content.getvalue())


class Leftover:
    """The samples that earlier jobs left, by the digest of the file that each was decoded from."""

    def __init__(self, folders: Sequence[Path], preprocessing: str) -> None:
        """Take the folders that notes may lie in; a note that cannot be read, or of other preprocessing, is none."""
        self._found: dict[bytes, tuple[_Noted, int]] = {}
        for folder in folders:
            for note in sorted(folder.glob(f"*/{NOTE}")):
                noted = _noted(note, preprocessing)
                if noted is not None:
                    self._found |= {key.tobytes(): (noted, row) for row, key in enumerate(noted.arrays["keys"])}

    def __len__(self) -> int:
        return len(self._found)

    def rows(self, key: bytes) -> Rows | None:
        """Return a sample that was decoded from the file of this digest."""
        if key not in self._found:
            return None
        noted, row = self._found[key]
        inputs = {name: noted.sample(name, row) for name in noted.columns}
        if any(sample is None for sample in inputs.values()):
            return None
        noted_of: dict[str, Any] = {part: noted.arrays[part][row : row + 1] for part in PARTS}
        whole = {name: sample[np.newaxis] for name, sample in inputs.items() if sample is not None}
        return Rows(inputs=whole, key=key, **noted_of)


class _Noted:
    """One note, read."""

    def __init__(self, folder: Path, columns: Mapping[str, Mapping[str, str]], arrays: Mapping[str, Array]) -> None:
        self.folder = folder
        self.columns = columns
        self.arrays = arrays
        self._ends = {name: np.cumsum(arrays[f"shapes {name}"].prod(axis=1, dtype=np.int64)) for name in columns}

    def sample(self, name: str, row: int) -> Array | None:
        """Return one sample of an input; nothing where the file no longer holds it."""
        described = self.columns[name]
        dtype, shape = np.dtype(described["dtype"]), self.arrays[f"shapes {name}"][row]
        start = int(self._ends[name][row - 1]) if row else 0
        count = int(self._ends[name][row]) - start
        path = self.folder / Path(described["file"]).name
        try:
            if not stat.S_ISREG(path.lstat().st_mode):
                return None
            values: Array = np.fromfile(path, dtype, count, offset=HEADER_BYTES + start * dtype.itemsize)
        except OSError:  # meanwhile it was cleared away
            return None
        return values.reshape(shape) if len(values) == count else None


def _noted(note: Path, preprocessing: str) -> _Noted | None:
    try:
        if not stat.S_ISREG(note.lstat().st_mode):
            return None
        with note.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        head = json.loads(str(arrays["head"]))
        if (head["version"], head["preprocessing"]) != (VERSION, preprocessing):
            return None
        noted = _Noted(note.parent, head["columns"], arrays)
        counts = {len(arrays[part]) for part in ("keys", *PARTS, *(f"shapes {name}" for name in noted.columns))}
        sound = len(counts) == 1 and arrays["keys"].shape[1:] == (32,) and arrays["bands"].shape[1:] == (BANDS,)
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        return None
    return noted if sound else None
