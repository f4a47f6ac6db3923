"""How far one model's outputs are from another's on the same samples."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from onnx import ModelProto

from edgewright.tools.runtimes.onnxruntime.activations import Array, Feeds, open_session


def outputs(model: ModelProto | Path, feeds: Feeds, folder: Path, *, exact: bool = False) -> list[list[Array]]:
    """Return every output of a model, inference by inference: as much memory as the outputs themselves take.

    Args:
        model: In memory or in a file.
        feeds: Gives the samples.
        folder: Where the model may be written.
        exact: Whether 8-bit operators are computed in float32 between their conversions, as their definition says,
            and not by this processor's kernels.
    """
    session = open_session(model, folder / "outputs.onnx", fused=not exact)
    return [session.run(None, dict(feed)) for feed in feeds()]


def error(reference: Sequence[Sequence[Array]], given: Sequence[Sequence[Array]]) -> float:
    """Return the squared error relative to the reference's squares, the mean over a model's outputs.

    It is the inverse of the signal-to-quantisation-noise ratio. Of integers and booleans the share that differs counts
    instead. Infinite where shapes differ or the given outputs hold no numbers.
    """
    parts = []
    for before, after in zip(zip(*reference, strict=True), zip(*given, strict=True), strict=True):
        if any(one.shape != other.shape for one, other in zip(before, after, strict=True)):
            return np.inf
        wanted, got = (np.concatenate([np.ravel(values) for values in side]) for side in (before, after))
        parts.append(_relative(wanted, got))
    mean = float(np.mean(parts)) if parts else 0.0
    return mean if np.isfinite(mean) else np.inf


def _relative(before: Array, after: Array) -> float:
    if before.dtype.kind not in "fc":
        return float((before != after).mean()) if before.size else 0.0
    wanted, got = before.astype(np.float64), after.astype(np.float64)
    noise, signal = float(((wanted - got) ** 2).sum()), float((wanted**2).sum())
    return noise / signal if signal else float(noise > 0)
