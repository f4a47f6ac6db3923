"""Puts samples in front of a model: checks that they fit, adds the batch dimension, stacks.

The rule of types: an input takes samples of its own element type; one whose integers stand for real numbers takes
float32 samples too, and they become integers here, before any clock starts.

The rule of ranks: an input whose rank is one above that of its samples has a batch dimension in front; one whose rank
is theirs takes a sample as it is; anything else does not fit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from edgewright.tools.probe.answer import ProbeError
from edgewright.tools.probe.columns import Array, Column
from edgewright.tools.probe.quantization import to_integers
from edgewright.tools.probe.session import Port

# Prepared inputs stay in memory while a model is timed; beyond this, fewer samples take turns.
FEED_BYTES = 64 << 20


@dataclass(frozen=True)
class Feeding:
    """How the samples of a dataset go into a model.

    Attributes:
        columns: Input name to its samples.
        batched: Inputs that take a batch dimension in front.
        batch: Samples per inference that the model fixes; `None` where it takes any number.
        n: Samples.
        quantised: Inputs whose samples become integers, each with element type, scale and zero point.
    """

    columns: Mapping[str, Column]
    batched: Tuple[str, ...]
    batch: Optional[int]
    n: int
    quantised: Mapping[str, Tuple[str, float, int]]

    @property
    def regular(self) -> bool:
        """Whether all samples have one shape."""
        return all(column.regular for column in self.columns.values())

    def feed(self, rows: Sequence[int]) -> Dict[str, Array]:
        """Return the arrays of one inference over these samples."""
        arrays = {
            name: np.stack([column[row] for row in rows])
            if name in self.batched
            else np.array(column[rows[0]], order="C")
            for name, column in self.columns.items()
        }
        integers = {name: to_integers(arrays[name], *target) for name, target in self.quantised.items()}
        return {**arrays, **integers}

    def spread(self, count: int) -> List[Dict[str, Array]]:
        """Return up to `count` inferences over samples spread evenly over the dataset, copied into memory."""
        size = self.batch or 1
        first = self.feed([0] * size)
        limit = max(2, FEED_BYTES // max(1, sum(array.nbytes for array in first.values())))
        count = max(1, min(count, self.n, limit))
        starts = [number * self.n // count for number in range(count)]
        return [self.feed([(start + offset) % self.n for offset in range(size)]) for start in starts]


def feeding(ports: Sequence[Port], columns: Mapping[str, Column]) -> Feeding:
    """Check every sample against the model's inputs and settle the batch.

    Raises:
        ProbeError: Names, element types or shapes differ; both sides are named.
    """
    expected, given = {port.name for port in ports}, set(columns)
    if expected != given:
        raise _mismatch(f"the model takes the inputs {_listed(expected)}, the data has {_listed(given)}")
    counts = {len(column) for column in columns.values()}
    if len(counts) != 1 or 0 in counts:
        raise _mismatch(f"the inputs have {_listed({str(count) for count in counts})} samples")
    batched = tuple(port.name for port in ports if _fits(port, columns[port.name]))
    sizes = {port.shape[0] for port in ports if port.name in batched} - {None}
    if len(sizes) > 1:
        raise _mismatch(f"the model fixes the batch sizes {_listed({str(size) for size in sizes})} at once")
    # An input that takes one sample as it is cannot take several.
    batch = sizes.pop() if sizes else (None if len(batched) == len(ports) else 1)
    if len(batched) < len(ports) and batch != 1:
        raise _mismatch(f"some inputs take a batch of {batch} and others a single sample")
    quantised = {
        port.name: (port.dtype, *port.quantization)
        for port in ports
        if port.quantization and columns[port.name].dtype != port.dtype
    }
    return Feeding(columns, batched, batch, counts.pop(), quantised)


def open_columns(index: Mapping[str, Any], objects: Mapping[str, str]) -> Dict[str, Column]:
    """Open the input columns of a dataset's index.

    Raises:
        ProbeError: A file is missing or is not what the index says.
    """
    try:
        return {name: Column.open(spec, objects.__getitem__) for name, spec in index["inputs"].items()}
    except (ValueError, OSError) as error:
        raise _mismatch(str(error)) from error


def _fits(port: Port, column: Column) -> bool:
    """Return whether the input wants a batch dimension in front of the samples."""
    batched = len(port.shape) == column.rank + 1
    sizes = port.shape[1:] if batched else port.shape
    shapes = column.shapes
    wrong = np.zeros(len(shapes), dtype=bool)
    if len(sizes) == column.rank:
        for axis, size in enumerate(sizes):
            if size is not None:
                wrong |= shapes[:, axis] != size
    else:
        wrong[:] = True
    if (column.dtype != port.dtype and not _becomes_integer(port, column)) or wrong.any():
        row = int(np.argmax(wrong))
        shape = ", ".join(str(size) for size in shapes[row].tolist())
        raise _mismatch(
            f"input {port.name}: the model takes {port}, the data has {column.dtype} ({shape}) in sample {row}, "
            "without a batch dimension"
        )
    return batched


def _becomes_integer(port: Port, column: Column) -> bool:
    return port.quantization is not None and column.dtype == "float32"


def _listed(names: "set[str]") -> str:
    return ", ".join(sorted(names)) or "nothing"


def _mismatch(message: str) -> ProbeError:
    return ProbeError("input", message)
