"""From a prepared model and calibration samples to an INT8 candidate: repairs, statistics, ranges, the file."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx
from onnx import ModelProto

from edgewright.tools.optimize.calibrate.ranges import choose
from edgewright.tools.optimize.calibrate.statistics import Source, Statistics, gather, load, save
from edgewright.tools.optimize.repair.bias import correct_biases
from edgewright.tools.optimize.repair.equalize import equalize
from edgewright.tools.runtimes.onnxruntime.activations import Feeds, calibrated_tensors, stream, with_overwritten
from edgewright.tools.runtimes.onnxruntime.outputs import Reference
from edgewright.tools.runtimes.onnxruntime.quantization import Integers, quantize_statically
from edgewright.tools.workspace import Workspace

# What `best` chooses from, the simplest first: an equal one is not better.
BEST_OF = ("minmax", "percentile", "entropy", "mse")


@dataclass(frozen=True)
class Choices:
    """How an INT8 candidate is made.

    Attributes:
        per_channel: Whether each output channel of a weight has its own scale.
        ranges: How ranges are chosen from statistics; `best` tries those of `BEST_OF`.
        equalize: Whether channels are equalised first.
        correct_bias: Whether biases are corrected.
        integers: Kind of integers.
        here: Whether the candidate is made for this machine's processor, so that its own kernels judge it; otherwise
            8 bits are simulated, which is exact.
        saturates: Whether that processor's sums of U8S8 products can saturate.
        reduce_range: Whether weights have 7 bits from the start; `best` finds out whether they should.
    """

    per_channel: bool
    ranges: str
    equalize: bool
    correct_bias: bool
    integers: Integers
    here: bool = True
    saturates: bool = False
    reduce_range: bool = False


@dataclass(frozen=True)
class Samples:
    """The samples of a calibration set, as the model takes them.

    Attributes:
        data: Digest of the set.
        rows: Those that ranges are taken from.
        feeds: Gives these.
        few: Gives some samples to try candidates on.
    """

    data: str
    rows: tuple[int, ...]
    feeds: Feeds
    few: Feeds


@dataclass(frozen=True)
class _Form:
    """A way to write the file from the statistics."""

    ranges: str
    reduce_range: bool = False

    def __str__(self) -> str:
        return f"{self.ranges} with 7-bit weights" if self.reduce_range else self.ranges


@dataclass(frozen=True)
class Calibrated:
    """A model that is ready to be written in 8 bits, in whole or in part.

    Attributes:
        model: In float32, repaired; every node has a name of its own.
        reach: Tensor to its smallest and largest value.
        ranges: How these were chosen in the end.
        reduce_range: Whether weights have 7 bits, so that no sum of products saturates.
        statistics: SHA-256 of the statistics, kept in the workspace.
        error: Squared error of the outputs on a few samples relative to them, where forms were compared.
        findings: What to know, a sentence each without a full stop.
    """

    model: ModelProto
    reach: Mapping[str, tuple[float, float]]
    ranges: str
    reduce_range: bool
    statistics: str
    error: float | None
    findings: tuple[str, ...]


class Calibration:
    """Makes candidates of one model.

    Attributes:
        choices: How.

    Args:
        choices: How.
        samples: From what.
        workspace: Where statistics are found and kept.
        known: SHA-256 of statistics that earlier steps of the run kept.
        folder: Where intermediate files may be written.
    """

    def __init__(
        self, choices: Choices, samples: Samples, workspace: Workspace, known: Sequence[str], folder: Path
    ) -> None:
        self.choices = choices
        self._samples = samples
        self._workspace = workspace
        self._known = known
        self._folder = folder

    def calibrate(self, prepared: Path) -> Calibrated:
        """Repair the model, gather its statistics and choose the ranges.

        Args:
            prepared: The base as the quantiser needs it, every node with a name of its own.

        Raises:
            Refused: MODEL_NOT_FINITE, if an activation overflows on a sample.
        """
        model, findings, error = onnx.load(prepared), list[str](), None
        if self.choices.equalize:
            findings.append(_equalized(equalize(model)))
        digest, statistics, said = self._statistics(model)
        findings.append(said)
        form = _Form(self.choices.ranges, self.choices.reduce_range)
        if form.ranges == "best":
            form, error, said = self._best(model, statistics)
            findings.append(said)
        if self.choices.correct_bias:
            model, error, said = self._corrected(model, statistics, form)
            findings.append(said)
        reach = self._reach(model, statistics, form)
        return Calibrated(model, reach, form.ranges, form.reduce_range, digest, error, tuple(findings))

    def write(self, calibrated: Calibrated, made: Path, kept: Collection[str] = ()) -> None:
        """Write the candidate.

        Args:
            calibrated: What to write.
            made: Where it goes.
            kept: Nodes that stay in float32.
        """
        quantize_statically(
            calibrated.model,
            made,
            calibrated.reach,
            per_channel=self.choices.per_channel,
            integers=self.choices.integers,
            reduce_range=calibrated.reduce_range,
            kept=kept,
        )

    def _statistics(self, model: ModelProto) -> tuple[str, Statistics, str]:
        """Return the statistics of a model, an earlier step's where they are the same: digest, content, what to say."""
        source = Source(
            hashlib.sha256(model.SerializeToString(deterministic=True)).hexdigest(),
            self._samples.data,
            self._samples.rows,
        )
        for digest in self._known:
            if (statistics := load(self._workspace.path_of(digest), source)) is not None:
                return digest, statistics, "the calibration statistics of an earlier step were used again"
        names = calibrated_tensors(model)
        statistics = gather(lambda take: stream(model, names, self._samples.feeds, self._folder, take))
        path = self._workspace.scratch("statistics.npz")
        save(statistics, source, path)
        return self._workspace.keep(path), statistics, f"statistics of {len(statistics)} tensors were gathered"

    def _best(self, model: ModelProto, statistics: Statistics) -> tuple[_Form, float, str]:
        """Return the form that comes closest to the model on a few samples, how close, and the figures in words."""
        errors: dict[_Form, float] = {}
        reference = Reference(model, self._samples.few, self._folder)

        def least(*forms: _Form) -> _Form:
            errors.update((form, self._error(reference, model, statistics, form)) for form in forms)
            return min(errors, key=errors.__getitem__)

        best = least(*(_Form(method) for method in BEST_OF))
        if self.choices.saturates:
            best = least(_Form(best.ranges, reduce_range=True))
        figures = ", ".join(f"{form} {error:.2g}" for form, error in errors.items())
        said = f"ranges by {best}: squared error of the outputs on a few samples, relative to them: {figures}"
        return best, errors[best], said

    def _corrected(
        self, model: ModelProto, statistics: Statistics, form: _Form
    ) -> tuple[ModelProto, float | None, str]:
        """Return the model with corrected biases where these bring the outputs closer, else as it is.

        With it come the error of the outputs, where there was something to correct, and what to say.

        A mean error that comes from cut-off values is not the same for every sample, and correcting it can do harm.
        """
        corrected = ModelProto()
        corrected.CopyFrom(model)

        def quantised(current: ModelProto) -> ModelProto:
            path = self._folder / "simulated.onnx"
            self._quantize(current, path, statistics, form, quantize_bias=False)
            return onnx.load(path)

        def progress(done: int, total: int) -> None:
            self._workspace.progress(done, total, "correcting biases")

        count = correct_biases(corrected, quantised, self._samples.few, self._folder, progress)
        if not count:
            return model, None, "no layer has a bias to correct"
        reference = Reference(model, self._samples.few, self._folder)
        before, after = (self._error(reference, each, statistics, form) for each in (model, corrected))
        figures = f"the relative squared error of the outputs goes from {before:.2g} to {after:.2g}"
        if after >= before:
            return model, before, f"biases were left as they are: with those of {count} layers corrected {figures}"
        return corrected, after, f"the biases of {count} layers were corrected: {figures}"

    def _error(self, reference: Reference, model: ModelProto, statistics: Statistics, form: _Form) -> float:
        """Return how far the candidate of a model is from the reference on a few samples."""
        path = self._folder / "tried.onnx"
        self._quantize(model, path, statistics, form)
        return reference.error(path, exact=not self.choices.here)

    def _quantize(
        self, model: ModelProto, path: Path, statistics: Statistics, form: _Form, *, quantize_bias: bool = True
    ) -> None:
        integers = self.choices.integers
        quantize_statically(
            model,
            path,
            self._reach(model, statistics, form),
            per_channel=self.choices.per_channel,
            integers=integers if quantize_bias else integers.with_float_bias(),
            reduce_range=form.reduce_range,
        )

    def _reach(self, model: ModelProto, statistics: Statistics, form: _Form) -> dict[str, tuple[float, float]]:
        symmetric = self.choices.integers.symmetric
        ranges = {name: choose(values, form.ranges, symmetric=symmetric) for name, values in statistics.items()}
        return with_overwritten(model, ranges)


def _equalized(groups: int) -> str:
    if not groups:
        return "nothing to equalise: between no two layers lie only operators that pass a factor through, such as Relu"
    return f"the channels of {groups} tensors were equalised across the layers around them"
