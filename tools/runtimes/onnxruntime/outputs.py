"""How far models' outputs are from those of one of them on the same samples."""

from dataclasses import dataclass
from math import inf, isfinite
from pathlib import Path

import numpy as np
from onnx import ModelProto

from edgewright.tools.runtimes.onnxruntime.activations import Array, Feeds, open_session


class Reference:
    """The outputs of one model on a few samples, which are held, to compare others with."""

    def __init__(self, model: ModelProto, feeds: Feeds, folder: Path) -> None:
        """Run the model.

        Args:
            model: The model to compare with.
            feeds: Gives the samples.
            folder: Where the model may be written.
        """
        session = open_session(model, folder / "reference.onnx")
        self._pairs = [(dict(feed), session.run(None, dict(feed))) for feed in feeds()]
        self._count = len(session.get_outputs())

    def __len__(self) -> int:
        """Inferences."""
        return len(self._pairs)

    def error(self, given: Path, *, exact: bool = False, inferences: int | None = None) -> float:
        """Return the squared error of a model's outputs relative to the reference's squares, the mean over the outputs.

        It is the inverse of the signal-to-quantisation-noise ratio. Of integers and booleans the share that differs
        counts instead.

        Args:
            given: The file of the model to judge, of the same outputs.
            exact: Whether 8-bit operators are computed in float32 between their conversions, as their definition says,
                and not by this processor's kernels.
            inferences: Only so many, spread evenly.

        Returns:
            Infinity where shapes differ or the given outputs hold no numbers.
        """
        session = open_session(given, given, fused=not exact)
        sums = [_Sums() for _ in range(self._count)]
        count = min(inferences or len(self), len(self))
        for number in range(count):
            feed, wanted = self._pairs[number * len(self) // count]
            for each, before, after in zip(sums, wanted, session.run(None, feed), strict=True):
                each.add(before, after)
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
