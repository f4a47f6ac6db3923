"""One prepared array of many samples, read without loading it: memory-mapped NumPy files.

A regular column is one file of shape (n, ...). A ragged one is two: `values`, all samples flattened one after the
other, and `shapes`, int64 of shape (n, rank). Imports the standard library and NumPy only, for it travels.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Mapping, Optional

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]  # element types are known only once a file is open


class Column:
    """Samples of one model input or output, or labels, without a batch dimension."""

    def __init__(self, values: Array, shapes: Optional[Array] = None) -> None:
        """Take arrays that are already there.

        Args:
            values: Shape (n, ...), or 1-D where `shapes` is given.
            shapes: Int64, shape (n, rank): the shape of each sample.

        Raises:
            ValueError: `values` and `shapes` do not belong together.
        """
        self._values = values
        self._shapes = shapes
        if shapes is None:
            if values.ndim == 0:
                raise ValueError("a regular column needs a first dimension over samples, and this array is a scalar")
            return
        if values.ndim != 1 or shapes.ndim != 2 or (shapes.size and int(shapes.min()) < 0):
            raise ValueError(f"a ragged column is (1-D values, 2-D shapes), not ({values.ndim}-D, {shapes.ndim}-D)")
        self._ends = np.cumsum(np.prod(shapes, axis=1, dtype=np.int64), dtype=np.int64)
        expected = int(self._ends[-1]) if len(self._ends) else 0
        if expected != values.shape[0]:
            raise ValueError(f"the shapes of a ragged column speak of {expected} values, the file holds {len(values)}")

    @classmethod
    def open(cls, spec: Mapping[str, Any], resolve: Callable[[str], str]) -> Column:
        """Open the column that one entry of an index describes.

        Args:
            spec: `kind` (`regular` or `ragged`), `dtype`, `values` and, for ragged ones, `shapes`.
            resolve: Turns the name of a file in `spec` into its path.

        Raises:
            ValueError: The files are not what `spec` says.
            OSError: A file cannot be read.
        """
        values = _mapped(resolve(spec["values"]))
        if values.dtype.name != spec["dtype"]:
            raise ValueError(f"the index says {spec['dtype']}, the file holds {values.dtype.name}")
        if spec["kind"] == "regular":
            return cls(values)
        return cls(values, _mapped(resolve(spec["shapes"])))

    def __len__(self) -> int:
        return len(self._values) if self._shapes is None else len(self._shapes)

    def __getitem__(self, index: int) -> Array:
        """Return one sample; a read-only view of the file where it can be."""
        if self._shapes is None:
            return np.asarray(self._values[index])
        index = range(len(self))[index]
        start = int(self._ends[index - 1]) if index else 0
        return np.asarray(self._values[start : int(self._ends[index])]).reshape(self._shapes[index])

    def batch(self, start: int, stop: int) -> Array:
        """Return samples `start` to `stop` (exclusive) stacked: shape (stop - start, ...).

        Raises:
            ValueError: The samples do not have one shape.
        """
        if self._shapes is None:
            return np.asarray(self._values[start:stop])
        return np.stack([self[index] for index in range(*slice(start, stop).indices(len(self)))])

    @property
    def regular(self) -> bool:
        """Whether all samples have one shape by construction."""
        return self._shapes is None

    @property
    def dtype(self) -> str:
        """NumPy's name of the element type."""
        return str(self._values.dtype.name)

    @property
    def rank(self) -> int:
        """Dimensions of one sample."""
        return self._values.ndim - 1 if self._shapes is None else int(self._shapes.shape[1])

    @property
    def shapes(self) -> Array:
        """Shape of every sample: int64, shape (n, rank)."""
        if self._shapes is not None:
            return self._shapes
        row = np.array(self._values.shape[1:], dtype=np.int64)
        return np.broadcast_to(row, (len(self), len(row)))


def _mapped(path: str) -> Array:
    # np.load returns its own subclass for a mapped file; pickles are refused by allow_pickle.
    loaded: Array = np.load(Path(path), mmap_mode="r", allow_pickle=False)
    return loaded
