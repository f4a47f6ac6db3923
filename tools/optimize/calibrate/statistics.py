"""The histograms of a model's tensors over a set of samples: gathered in one pass, kept in a file, found again."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgewright.state.errors import Code, Refused
from edgewright.tools.legible import legible
from edgewright.tools.optimize.calibrate.histogram import Histogram

# Raised when what a file holds changes its meaning: older ones are then gathered anew.
VERSION = 1


@dataclass(frozen=True)
class Source:
    """What statistics were gathered from; equal sources give equal statistics.

    Attributes:
        model: Digest of the model as it was run.
        data: Digest of the calibration set.
        rows: The samples taken of it.
    """

    model: str
    data: str
    rows: tuple[int, ...]


Statistics = Mapping[str, Histogram]
"""Tensor to its values."""


def gather(stream: Callable[[Callable[[str, NDArray[np.generic]], None]], None]) -> Statistics:
    """Count the values of every tensor as they come; none is kept.

    Args:
        stream: Calls its argument with the name and the float32 values of every tensor, inference by inference.

    Raises:
        Refused: MODEL_NOT_FINITE, if a value is NaN or infinite.
    """
    statistics: dict[str, Histogram] = {}

    def take(name: str, values: NDArray[np.generic]) -> None:
        histogram = statistics.setdefault(name, Histogram())
        histogram.add(np.asarray(values, np.float32))
        if not histogram.finite:
            _refuse(name, histogram)

    stream(take)
    return {name: histogram for name, histogram in statistics.items() if histogram.chunks}


def _refuse(name: str, histogram: Histogram) -> None:
    raise Refused.because(
        Code.MODEL_NOT_FINITE,
        "calibrating on these samples",
        f"the activation '{legible(name)}' reaches from {histogram.low} to {histogram.high} on them, "
        "NaN or infinity among its values",
        "look for an overflow in the model, or for samples far outside what it was trained on",
        "P7",
        tensor=name,
    )


def save(statistics: Statistics, source: Source, path: Path) -> None:
    """Write statistics into an `.npz` file. The same ones give the same bytes."""
    scalars = [
        (each.low, each.high, each.low_sum, each.high_sum, each.chunks, each.exponent) for each in statistics.values()
    ]
    with path.open("wb") as stream:
        np.savez_compressed(
            stream,
            source=np.array(_described(source)),
            names=np.array(list(statistics), np.str_),
            scalars=np.array(scalars, np.float64).reshape(len(statistics), 6),
            counts=np.array([each.counts for each in statistics.values()], np.int64),
        )


def load(path: Path, source: Source) -> Statistics | None:
    """Return the statistics in a file, or `None` where they were gathered from something else."""
    with np.load(path, allow_pickle=False) as stored:
        same = str(stored["source"]) == _described(source)
    return read(path) if same else None


def read(path: Path) -> dict[str, Histogram]:
    """Return the statistics in a file, whatever they were gathered from."""
    with np.load(path, allow_pickle=False) as stored:
        rows = zip(stored["names"].tolist(), stored["scalars"].tolist(), stored["counts"], strict=True)
        return {
            name: Histogram(counts, int(exponent), low, high, low_sum, high_sum, int(chunks))
            for name, (low, high, low_sum, high_sum, chunks, exponent), counts in rows
        }


def _described(source: Source) -> str:
    return json.dumps({"version": VERSION, "model": source.model, "data": source.data, "rows": source.rows})
