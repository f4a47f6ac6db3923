"""Ranges of activations from real samples, in memory that does not grow with their number.

ONNX Runtime's histogram calibrators keep every activation of every sample until the end (microsoft/onnxruntime#10503),
and with their default of 128 bins for 128 levels entropy changes nothing. Here samples pass one by one, twice: first
for the extremes, then into histograms between them. So the result depends neither on the order of the samples nor on
how they are grouped, and samples may differ in shape.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnxruntime import InferenceSession
from onnxruntime.quantization import CalibrationMethod
from onnxruntime.quantization.calibrate import MinMaxCalibrater, TensorsData, create_calibrator

from edgewright.state.errors import Code, Refused
from edgewright.tools.runtimes.onnxruntime.ranges import BINS, Range, entropy_range, percentile_range

Feed = Mapping[str, NDArray[np.generic]]
Feeds = Callable[[], Iterable[Feed]]
"""Called once a pass over the samples; a feed maps input names to arrays with a batch dimension of 1."""

_CHOICES = {"percentile": percentile_range, "entropy": entropy_range}


def activation_ranges(model: Path, feeds: Feeds, method: str, operators: list[str], folder: Path) -> TensorsData:
    """Return the range of every activation that the quantiser may ask for.

    Args:
        model: A model with inferred shapes, in float32.
        feeds: Gives the samples.
        method: `minmax`, or one of `_CHOICES`.
        operators: Operator types whose inputs and outputs matter.
        folder: Where the model with its activations as outputs may be written.

    Raises:
        Refused: MODEL_NOT_FINITE, if an activation is NaN or infinite on a sample.
    """
    path = str(folder / "extremes.onnx")
    ranges = _extremes(create_calibrator(model, operators, path, calibrate_method=CalibrationMethod.MinMax), feeds)
    if method != "minmax":
        path = str(folder / "activations.onnx")
        calibrator = create_calibrator(model, operators, path, calibrate_method=CalibrationMethod.Percentile)
        ranges |= _narrowed(calibrator.infer_session, feeds, method, ranges)
    arrays = {name: (np.float32(low), np.float32(high)) for name, (low, high) in ranges.items()}
    return TensorsData(CalibrationMethod.MinMax, {name: tuple(map(np.asarray, pair)) for name, pair in arrays.items()})


def _extremes(calibrator: MinMaxCalibrater, feeds: Feeds) -> dict[str, Range]:
    for feed in feeds():
        calibrator.collect_data(_Single(feed))
    extremes: dict[str, Range] = {}
    for name, data in calibrator.compute_data().items():
        low, high = (float(np.asarray(end).item()) for end in data.range_value)
        if not (np.isfinite(low) and np.isfinite(high)):
            raise Refused.because(
                Code.MODEL_NOT_FINITE,
                "calibrating on these samples",
                f"the activation '{name}' reaches from {low} to {high} on them",
                "look for an overflow in the model, or for samples far outside what it was trained on",
                "P7",
                tensor=name,
            )
        extremes[name] = low, high
    return extremes


def _narrowed(session: InferenceSession, feeds: Feeds, method: str, extremes: Mapping[str, Range]) -> dict[str, Range]:
    bounds = {name: max(abs(low), abs(high)) for name, (low, high) in extremes.items()}
    names = [output.name for output in session.get_outputs() if bounds.get(output.name)]
    if not names:
        return {}
    histograms = {name: np.zeros(BINS, np.int64) for name in names}
    for feed in feeds():
        for name, values in zip(names, session.run(names, dict(feed)), strict=True):
            histograms[name] += np.histogram(values, BINS, (-bounds[name], bounds[name]))[0]
    choose = _CHOICES[method]
    narrowed: dict[str, Range] = {}
    for name in names:
        low, high = choose(histograms[name], bounds[name])
        narrowed[name] = max(low, extremes[name][0]), min(high, extremes[name][1])
    return narrowed


class _Single:
    """Hands a calibrator one sample, so that it keeps the activations of one."""

    def __init__(self, feed: Feed) -> None:
        self._feed: Feed | None = feed

    def get_next(self) -> Feed | None:
        feed, self._feed = self._feed, None
        return feed
