"""What 8 bits cost and save in each part of a model: an analysis that makes no candidate and needs no labels."""

import shutil
from contextlib import ExitStack
from math import isfinite

import numpy as np

from edgewright.state.artifacts import Format
from edgewright.state.errors import Code, Refused
from edgewright.state.sensitivity import GroupSensitivity, Sensitivity
from edgewright.tools.optimize.calibrate.candidate import Calibrated, Calibration, Samples
from edgewright.tools.optimize.calibrate.histogram import Histogram
from edgewright.tools.optimize.calibrate.statistics import read
from edgewright.tools.optimize.calibrating import CalibrationSamples
from edgewright.tools.optimize.onnx_base import prepared_base, usual_choices
from edgewright.tools.optimize.repair.layers import Layer, Weights, layers
from edgewright.tools.optimize.search.groups import Group
from edgewright.tools.optimize.search.mix import Mix
from edgewright.tools.optimize.search.setup import Setup, set_up
from edgewright.tools.orders import QuantizeOrder
from edgewright.tools.targets.target import Places
from edgewright.tools.workspace import Workspace

# Share of a tensor's values that are not outliers.
USUAL = 0.999


def analyze(order: QuantizeOrder, workspace: Workspace, places: Places) -> Sensitivity:
    """Quantise each group alone, and all but it, as `int8_static` does; compare outputs and take times.

    Quantising one shows its own error, reverting one shows what is gained where everything else is in 8 bits: what a
    search may leave high (NNCF ranks by the second, "Accuracy control", docs.openvino.ai; AIMET by the first).

    Raises:
        Refused: SCHEME_NOT_OFFERED, NOTHING_CHANGED, CALIBRATION_MISSING, CALIBRATION_UNFIT, DATA_MISMATCH or
            MODEL_NOT_FINITE.
    """
    if order.base.format is not Format.ONNX:
        raise Refused.because(
            Code.SCHEME_NOT_OFFERED,
            f"analysing a model of the format {order.base.format}",
            "groups are known for onnx only",
            "compare int8_static with fp16 instead: benchmark and validate both",
        )
    folder = workspace.scratch("analysis")
    folder.mkdir()
    float32 = folder / "base.onnx"
    shutil.copyfile(workspace.path_of(order.base.sha256), float32)
    chosen = CalibrationSamples(order, workspace, "an ONNX candidate")
    samples = Samples(chosen.digest, chosen.rows, chosen.feeds, chosen.few)
    calibration = Calibration(usual_choices(order.target_device), samples, workspace, order.statistics, folder)
    calibrated = calibration.calibrate(prepared_base(float32))
    setup = set_up(order, workspace, places, calibration=(calibration, calibrated), samples=samples, float32=float32)
    if not setup.mixer.groups:
        raise Refused.because(
            Code.NOTHING_CHANGED,
            "analysing the groups of this model",
            "it has no operator that computes in 8 bits",
            "package the model as it is",
        )
    return _Analysis(setup, calibrated, read(workspace.path_of(calibrated.statistics))).sensitivity(order)


class _Analysis:
    """Looks at every group of one model."""

    def __init__(self, setup: Setup, calibrated: Calibrated, statistics: dict[str, Histogram]) -> None:
        self._at, self._calibrated, self._statistics = setup, calibrated, statistics
        self._weights = Weights(calibrated.model)
        self._layers = {layer.node.name: layer for layer in layers(calibrated.model, self._weights)}
        self._outputs = {node.name: tuple(node.output) for node in calibrated.model.graph.node}
        self._every = Mix(static=frozenset(setup.mixer.groups))

    def sensitivity(self, order: QuantizeOrder) -> Sensitivity:
        """Return what was found, the most sensitive group first."""
        names = list(self._at.mixer.groups)
        less = {name: self._every.without([name]) for name in names}
        saved, uniform_share = self._saved(less) if self._at.clock.measured else ({}, None)
        groups = [
            self._group(self._at.mixer.groups[name], saved.get(name), number) for number, name in enumerate(names)
        ]
        return Sensitivity(
            artifact=order.base.sha256,
            calibration=order.calibration.digest if order.calibration else "",
            uniform_error=self._error(self._every),
            uniform_share=uniform_share,
            groups=tuple(
                sorted(groups, key=lambda group: -(np.inf if group.alone_error is None else group.alone_error))
            ),
            samples=len(self._at.reference),
            computed="as 8 bits are defined" if self._at.exact else "by this processor's kernels",
            timed=self._at.timed,
            recipe={"ranges": self._calibrated.ranges, "reduce_range": self._calibrated.reduce_range},
        )

    def _group(self, group: Group, saved: float | None, number: int) -> GroupSensitivity:
        self._at.report(f"group {number + 1} of {len(self._at.mixer.groups)}")
        layer = self._layers.get(group.name)
        dead, spread = _channels(layer, self._weights) if layer else (None, None)
        return GroupSensitivity(
            name=group.name,
            op_type=group.op_type,
            operators=len(group.nodes),
            alone_error=self._error(self._every.without(self._every.static - {group.name})),
            reverted_error=self._error(self._every.without([group.name])),
            saved_share=saved,
            outlier_ratio=self._outliers(group),
            dead_channels=dead,
            channel_spread=spread,
        )

    def _error(self, mix: Mix) -> float | None:
        with self._at.mixer.written(mix) as path:
            error = self._at.reference.error(path, exact=self._at.exact)
        return error if isfinite(error) else None

    def _saved(self, less: dict[str, Mix]) -> tuple[dict[str, float], float]:
        """Return what each group saves of float32's time with everything else in 8 bits, and the time of all in 8."""
        self._at.report("timing group by group")
        with self._at.mixer.written(self._every) as whole:
            share = self._at.clock.ratios(self._at.float32, {self._every: whole})[self._every].median
            with ExitStack() as stack:
                files = {mix: stack.enter_context(self._at.mixer.written(mix)) for mix in less.values()}
                ratios = self._at.clock.ratios(whole, files)
        return {name: share * (ratios[mix].median - 1) for name, mix in less.items()}, share

    def _outliers(self, group: Group) -> float | None:
        """Return the largest of the ratios of the group's outputs."""
        found = [
            outlier_ratio(self._statistics[name])
            for node in group.nodes
            for name in self._outputs[node]
            if name in self._statistics
        ]
        return max(found, default=None)


def outlier_ratio(histogram: Histogram) -> float:
    """Return the largest magnitude over that which all but a thousandth of the values do not exceed; at least 1."""
    half = len(histogram.counts) // 2
    magnitudes = histogram.counts[half:] + histogram.counts[:half][::-1]
    reached = int(np.searchsorted(np.cumsum(magnitudes), USUAL * magnitudes.sum())) + 1
    return max(1.0, max(-histogram.low, histogram.high) / (reached * histogram.width))


def _channels(layer: Layer, weights: Weights) -> tuple[int, float | None]:
    """Return how many output channels are dead, and how far the largest weights of the others are apart."""
    matrix = layer.matrix(weights[layer.weight])
    peaks = np.abs(matrix).max(axis=(2, 3)).ravel()
    alive = peaks[peaks > 0]
    return int((peaks == 0).sum()), float(alive.max() / alive.min()) if alive.size else None
