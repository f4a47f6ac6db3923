"""Which samples are there twice: exactly, or as pictures that differ nowhere by more than one grey level.

Means of bands of each picture find the few that are worth comparing; the pixels decide, as the model takes them.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from edgewright.tools.datasets.card import ImageInput, TensorInput
from edgewright.tools.datasets.prepared import PreparedData
from edgewright.tools.probe.columns import Array

GREY_LEVELS = 1.0
# Of rounding, relative to a grey level.
SLACK = 0.01
# Pictures whose bands all agree are nearly always alike; more unlike ones than this are not worth the time.
MOST_COMPARED = 64


def repeated(data: PreparedData) -> NDArray[np.bool_]:
    """Return which samples repeat one before them that repeats none itself; shape (n,)."""
    found, seen = np.zeros(data.n, bool), set[bytes]()
    near = _Neighbours(data)
    for row in range(data.n):
        content = data.contents[row].tobytes()
        candidates = (other for other in near.of(data, row) if other < row and not found[other])
        found[row] = content in seen or _among(data, row, data, candidates)
        seen.add(content)
    return found


def shared(data: PreparedData, other: PreparedData) -> NDArray[np.bool_]:
    """Return which samples of one set are in the other one too; shape (n,)."""
    known = {row.tobytes() for row in other.contents}
    near = _Neighbours(other)
    return np.array(
        [
            data.contents[row].tobytes() in known or _among(data, row, other, near.of(data, row))
            for row in range(data.n)
        ],
        bool,
    )


class _Neighbours:
    """The pictures of a set by their means."""

    def __init__(self, data: PreparedData) -> None:
        self._bands = data.bands
        means = np.zeros(0) if data.bands is None else data.bands.mean(axis=1, dtype=np.float64)
        self._order = np.argsort(means)
        self._means = means[self._order]

    def of(self, data: PreparedData, row: int) -> list[int]:
        """Return the pictures that may be those of a row, ascending."""
        if self._bands is None or data.bands is None:
            return []
        most, bands = GREY_LEVELS * (1 + SLACK), data.bands[row]
        middle = bands.mean(dtype=np.float64)
        first, last = np.searchsorted(self._means, (middle - most, middle + most))
        rows = self._order[first:last]
        near: list[int] = np.sort(rows[(np.abs(self._bands[rows] - bands) <= most).all(axis=1)]).tolist()
        return near


def _among(data: PreparedData, row: int, other: PreparedData, candidates: Iterable[int]) -> bool:
    for count, candidate in enumerate(candidates):
        if count == MOST_COMPARED:
            return False
        if all(
            _alike(data.inputs[name][row], other.inputs[name][candidate], entry)
            for name, entry in data.card.inputs.items()
            if name in other.inputs
        ):
            return True
    return False


def _alike(one: Array, other: Array, entry: ImageInput | TensorInput) -> bool:
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    if isinstance(entry, TensorInput):
        return bool(np.array_equal(one, other))
    level = abs(entry.scale) / min(entry.std) * GREY_LEVELS * (1 + SLACK)
    return bool((np.abs(one.astype(np.float64) - other.astype(np.float64)) <= level).all())
