"""How far one model's outputs are from another's on the same samples."""

from dataclasses import dataclass
from math import inf, isfinite
from pathlib import Path

import numpy as np
from onnx import ModelProto

from edgewright.tools.runtimes.onnxruntime.activations import Array, Feeds, open_session


def error(reference: ModelProto, given: Path, feeds: Feeds, folder: Path, *, exact: bool = False) -> float:
    """Return the squared error of a model's outputs relative to the reference's squares, the mean over the outputs.

    It is the inverse of the signal-to-quantisation-noise ratio. Of integers and booleans the share that differs counts
    instead. The outputs of one inference are held at a time.

    Args:
        reference: The model to compare with.
        given: The file of the model to judge, of the same outputs.
        feeds: Gives the samples.
        folder: Where the reference may be written.
        exact: Whether 8-bit operators are computed in float32 between their conversions, as their definition says,
            and not by this processor's kernels.

    Returns:
        Infinity where shapes differ or the given outputs hold no numbers.
    """
    before = open_session(reference, folder / "reference.onnx")
    after = open_session(given, given, fused=not exact)
    sums = [_Sums() for _ in before.get_outputs()]
    for feed in feeds():
        pairs = zip(before.run(None, dict(feed)), after.run(None, dict(feed)), strict=True)
        for each, (wanted, got) in zip(sums, pairs, strict=True):
            each.add(wanted, got)
    mean = float(np.mean([each.relative for each in sums])) if sums else 0.0
    return mean if isfinite(mean) else inf


@dataclass
class _Sums:
    """Noise and signal of one output so far."""

    noise: float = 0.0
    signal: float = 0.0

    def add(self, wanted: Array, got: Array) -> None:
        if wanted.shape != got.shape:
            self.noise = inf
        elif wanted.dtype.kind == "f":
            before, after = wanted.astype(np.float64), got.astype(np.float64)
            self.noise += float(((before - after) ** 2).sum())
            self.signal += float((before**2).sum())
        else:
            self.noise += float((wanted != got).sum())
            self.signal += wanted.size

    @property
    def relative(self) -> float:
        return self.noise / self.signal if self.signal else (inf if self.noise else 0.0)
