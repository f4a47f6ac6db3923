"""The samples that activation ranges are taken from, whatever the format: fit for it (P7), spread, in whole batches."""

from collections.abc import Iterator, Mapping, Sequence

from edgewright.state.artifacts import Artifact
from edgewright.state.errors import Code, Refused
from edgewright.state.evidence import Dataset
from edgewright.tools.datasets.calibration import LEAST_SAMPLES, choose_samples, require_fit
from edgewright.tools.datasets.prepared import open_dataset
from edgewright.tools.orders import QuantizeOrder
from edgewright.tools.probe.answer import ProbeError
from edgewright.tools.probe.columns import Array
from edgewright.tools.probe.feeds import Feeding, feeding
from edgewright.tools.probe.session import Port
from edgewright.tools.runtimes.onnxruntime.activations import Feeds
from edgewright.tools.workspace import Workspace

# From here on more samples change nothing that was seen (P7).
WANTED_CALIBRATION = 500
# Samples that ranges are taken from where the call does not say.
USUAL_CALIBRATION = 200
# Samples that candidates are tried on and biases corrected with, beside those that ranges are taken from.
FEW = 32


class CalibrationSamples:
    """A calibration set that was found fit, and the samples chosen from it.

    Attributes:
        findings: What to know about it, a sentence each.
        digest: Of the set.
        rows: The samples that ranges are taken from.
        parameters: What a recipe says of it.
    """

    def __init__(self, order: QuantizeOrder, workspace: Workspace, candidate: str) -> None:
        """Check the set and choose.

        Args:
            order: Names set, base and number of samples.
            workspace: Where the set is read from.
            candidate: What is to be calibrated, such as `an ONNX candidate`; how many it needs, its format decides.

        Raises:
            Refused: CALIBRATION_MISSING, CALIBRATION_UNFIT, DATA_MISMATCH or INVALID_ARGUMENT.
        """
        self._least, self._candidate, self._workspace = LEAST_SAMPLES[order.deployed_as], candidate, workspace
        self._accepted = bool(order.accepted)
        calibration = self._present(order)
        self.findings = require_fit(
            calibration,
            order.validation,
            workspace,
            least=self._least,
            wanted=WANTED_CALIBRATION,
            candidate=candidate,
            accepted=order.accepted,
        )
        self._feeding = _feeding(order.base, calibration, workspace)
        self.digest = calibration.digest
        asked = order.calibration_samples or max(USUAL_CALIBRATION, self._least)
        count = self._whole_batches(asked, calibration.n)
        self.rows = choose_samples(calibration, workspace, count)
        self._few = self._others(calibration.n)
        self.parameters: Mapping[str, object] = {"calibration_samples": len(self.rows), "calibration": self.digest}

    def feeds(self) -> Iterator[Mapping[str, Array]]:
        """Yield the chosen samples, batched as the model wants them; called once a pass."""
        for start, feed in self._batches(self.rows):
            self._workspace.progress(start, len(self.rows), "calibrating")
            yield feed

    def few(self) -> Iterator[Mapping[str, Array]]:
        """Yield a few samples to try candidates on: others than ranges are taken from, where there are others."""
        for _, feed in self._batches(self._few):
            yield feed

    def _batches(self, rows: Sequence[int]) -> Iterator[tuple[int, Mapping[str, Array]]]:
        size = self._feeding.batch or 1
        for start in range(0, len(rows), size):
            yield start, self._feeding.feed(rows[start : start + size])

    def _others(self, available: int) -> tuple[int, ...]:
        batch = self._feeding.batch or 1
        others = sorted(set(range(available)) - set(self.rows))
        pool = others if len(others) >= FEW else self.rows
        spread = tuple(pool[place * len(pool) // FEW] for place in range(FEW))
        return spread[: len(spread) // batch * batch] or tuple(self.rows[:batch])

    def _present(self, order: QuantizeOrder) -> Dataset:
        if order.calibration is None:
            raise Refused.because(
                Code.CALIBRATION_MISSING,
                f"quantizing by {order.scheme}",
                f"the run has no calibration set, and {self._candidate} needs {self._least} samples or more",
                "profile the model with `calibration`, or choose int8_dynamic, which needs none",
                "P7",
                least=self._least,
            )
        if order.calibration_samples is not None and order.calibration_samples < self._least:
            raise Refused.because(
                Code.INVALID_ARGUMENT,
                f"calibrating on {order.calibration_samples} samples",
                f"{self._candidate} needs at least {self._least}",
                f"leave the number out, or give {self._least} or more",
                "P7",
                samples=order.calibration_samples,
                least=self._least,
            )
        return order.calibration

    def _whole_batches(self, asked: int, available: int) -> int:
        """Return how many samples fill whole batches: at least as many as asked for, where there are enough."""
        batch = self._feeding.batch or 1
        count = min(-(-asked // batch), available // batch) * batch
        if count < self._least and not self._accepted:
            raise Refused.because(
                Code.CALIBRATION_UNFIT,
                f"calibrating on {available} samples",
                f"the model fixes a batch of {batch}, their whole batches hold {count}, and {self._candidate} needs "
                f"{self._least}",
                f"give {-(-self._least // batch) * batch} samples or more, or export the model without a fixed batch",
                "P7",
                samples=available,
                batch=batch,
            )
        return count


def watched(order: QuantizeOrder, workspace: Workspace, most: int) -> tuple[Feeds | None, int]:
    """Return up to `most` samples of the run's calibration set as the model takes them, and how many there are.

    They are looked at, and no number of theirs ends up in the file: P7 does not ask for more of them.
    """
    if order.calibration is None:
        return None, 0
    feed = _feeding(order.base, order.calibration, workspace)
    rows = choose_samples(order.calibration, workspace, most)
    size = feed.batch or 1
    starts = range(0, len(rows) - len(rows) % size, size)
    return (lambda: (feed.feed(rows[start : start + size]) for start in starts)), len(starts) * size


def _feeding(base: Artifact, calibration: Dataset, workspace: Workspace) -> Feeding:
    """Return how calibration samples go into the model, whose inputs no step may change."""
    ports = [Port(spec.name, spec.dtype, spec.shape) for spec in base.inputs]
    try:
        return feeding(ports, open_dataset(calibration, workspace).inputs)
    except ProbeError as error:
        raise Refused.because(
            Code.DATA_MISMATCH,
            "calibrating on this set",
            str(error),
            "give a calibration set with the same card as the validation set",
            "P7",
            "P9",
        ) from error
