"""What a person could accept of a run, and what was accepted: the subjects, built from recorded evidence alone."""

from collections.abc import Iterable
from datetime import datetime

from edgewright.state.artifacts import Artifact, Format
from edgewright.state.errors import Code
from edgewright.state.policy import Level, Rule
from edgewright.state.protocols import ProtocolName
from edgewright.state.run import Run, Step
from edgewright.state.verdict import Outcome
from edgewright.state.waivers import AccuracyLoss, NotSustained, OtherFormat, Subject, UnfitCalibration, Waiver

GRAPH_WITH_DEVICE = (
    "a graph ships only where no device is enrolled, and this version keeps no engine: have a person accept the graph "
    "(`edgewright approve`), and build its engine on the device with the package's build_engine.py"
)
"""What to do with a graph for a Jetson that is enrolled."""


def accuracy_loss(run: Run, step: Step, rule: Rule) -> AccuracyLoss | None:
    """Return the verdict on a step that does not pass under a rule as something to accept; `None` where it passes."""
    verdict, measured = run.verdict_of(step, rule), step.accuracy
    if verdict is None or measured is None or run.profiled is None or verdict.outcome is Outcome.PASS:
        return None
    reference = run.profiled.baseline.reference
    return AccuracyLoss(
        artifact=measured.artifact,
        reference=reference.artifact,
        dataset=measured.dataset,
        metric=measured.metric,
        floor=verdict.floor,
        value=measured.value,
        n=measured.n,
    )


def unfit_calibration(run: Run) -> UnfitCalibration | None:
    """Return what was last found about the calibration set; `None` where nothing was that a person may accept.

    Ranges taken from samples that are prepared in another way than the model's are no matter of taste (P9).
    """
    found = [turned.refusal for turned in run.turned_down if turned.refusal.code is Code.CALIBRATION_UNFIT]
    if not found or found[-1].promises != ("P7",) or "findings" not in found[-1].facts:
        return None
    if run.profiled is None or run.profiled.calibration is None:
        return None
    return UnfitCalibration(run.profiled.calibration.digest, run.profiled.validation.digest, found[-1].why)


def other_format(run: Run, artifact: Artifact, wanted: Format) -> OtherFormat | None:
    """Return what is wrong with the format of a file; `None` where it is the device's.

    Without the device at hand its engine cannot be built: then the graph will do that was found fit for it.
    """
    unbuilt = wanted is Format.TENSORRT and artifact.awaits_engine and run.started.target is None
    if artifact.format is wanted or unbuilt:
        return None
    return OtherFormat(artifact.sha256, str(run.started.target_device), str(artifact.format), str(wanted))


def not_sustained(run: Run, step: Step) -> NotSustained | None:
    """Return how long a file was timed on the run's target at most; `None` where that was enough, or is no matter."""
    if run.started.target is None:
        return None
    alone = [found.latency for found in run.sustained if found.latency.artifact == step.artifact.sha256]
    beside = [step.benchmark.candidate] if step.benchmark else []
    protocols = [latency.protocol for latency in (*alone, *beside)]
    if any(protocol.name is ProtocolName.SUSTAINED for protocol in protocols):
        return None
    longest = max(protocols, key=lambda protocol: protocol.duration_s, default=None)
    return NotSustained(step.artifact.sha256, run.started.target, longest.title if longest else "none")


def given(run: Run, subject: Subject, step: Step | None = None) -> tuple[Waiver, ...]:
    """Return every unspent acceptance of exactly this, and the one that the step was kept by."""
    kept_by = (step.waiver,) if step and step.waiver else ()
    return tuple(waiver for waiver in (*run.waivers, *kept_by) if waiver.run == run.id and waiver.subject == subject)


def in_force(waivers: Iterable[Waiver], *, least: Level, now: datetime) -> Waiver | None:
    """Return the first of these that counts."""
    return next((waiver for waiver in waivers if waiver.shortfall(least=least, now=now) is None), None)
