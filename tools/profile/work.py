"""What a worker calls to profile: pre-flight, import, baseline. Each number comes from a fresh process."""

from collections.abc import Iterator
from dataclasses import dataclass

from edgewright.state.artifacts import Artifact
from edgewright.state.errors import Code, Refused
from edgewright.state.events import Profiled, SourceProfiled
from edgewright.state.evidence import Accuracy, Check, Dataset, Latency, Memory, Operator
from edgewright.state.protocols import Protocol
from edgewright.state.verdict import better
from edgewright.tools.benchmark.measure import measure_latency, measure_memory, measure_operators, portion
from edgewright.tools.benchmark.validity import disturbed
from edgewright.tools.formats.source import ADMISSIONS
from edgewright.tools.orders import Done, Original, ProfileOrder
from edgewright.tools.original import check_original
from edgewright.tools.profile.preflight import Ready, preflight
from edgewright.tools.profile.suspects import suspicion
from edgewright.tools.targets.target import Places, Target
from edgewright.tools.validate.accuracy import measure_accuracy
from edgewright.tools.validate.control import require_discerning, uninformed
from edgewright.tools.workspace import Progress, Workspace

# The pre-flight, and five measurements of which the ancestor's accuracy is seldom needed.
PARTS = 6


@dataclass(frozen=True)
class Judged:
    """The accuracy of a model as it is.

    Attributes:
        accuracy: Its metric.
        reference: What the floor comes from: the better of its own and its ancestor's.
        doubt: Why its preprocessing may be wrong, if it may.
    """

    accuracy: Accuracy
    reference: Accuracy
    doubt: str | None


def work(order: ProfileOrder, workspace: Workspace, places: Places) -> Done:
    """Import a model and measure it as it is; of one that no device runs, its accuracy alone."""
    ready = preflight(order, workspace, portion(workspace.progress, 0, PARTS), places.host)
    reports = (portion(workspace.progress, number, PARTS) for number in range(1, PARTS))
    judged = _judged(order, ready, workspace, places.host, reports)
    ancestor = ready.ancestor
    measured = SourceProfiled(
        original=ready.original,
        root=ancestor.original if ancestor else ready.original,
        validation=ready.validation,
        calibration=ready.calibration,
        graph=ready.graph,
        accuracy=judged.accuracy,
        reference=judged.reference,
        checks=(*ready.checks, *((Check("data card", "warning", judged.doubt),) if judged.doubt else ())),
        tolerance=min(order.tolerance, ancestor.tolerance) if ancestor else order.tolerance,
        inherited_from=ancestor.run if ancestor else None,
    )
    evidence: Profiled | SourceProfiled = measured
    if ready.original.format not in ADMISSIONS:
        there = measure_on_device(
            ready.original,
            ready.validation,
            order.protocol,
            threads=order.threads,
            workspace=workspace,
            device=places.device,
            reports=reports,
        )
        evidence = measured.timed(there.latency, there.memory, there.hot_spots)
    check_original(Original(order.model_path, ready.original.sha256))
    return Done(evidence)


def _judged(
    order: ProfileOrder, ready: Ready, workspace: Workspace, host: Target, reports: Iterator[Progress]
) -> Judged:
    """Measure accuracy first: what cannot be judged need not be timed."""
    model, data = ready.original, ready.validation

    def accuracy_of(artifact: Artifact, root: Accuracy | None) -> Accuracy:
        return measure_accuracy(
            artifact,
            data,
            order.metric,
            workspace,
            host,
            threads=order.threads,
            reference_outputs=root.outputs if root else None,
            progress=next(reports),
        )

    root = accuracy_of(ready.ancestor.original, None) if ready.ancestor else None
    accuracy = accuracy_of(model, root)
    # The better of both: a descent can raise the floor, never lower it.
    reference = better(root, accuracy) if root else accuracy
    chance = uninformed(reference, data, workspace)
    doubt = suspicion(model, accuracy, chance, data, workspace=workspace, target=host)
    require_discerning(reference, chance, order.tolerance, doubt)
    return Judged(accuracy, reference, doubt)


@dataclass(frozen=True)
class OnDevice:
    """What of a baseline depends on the place."""

    latency: Latency
    memory: Memory
    hot_spots: tuple[Operator, ...]


def measure_on_device(
    model: Artifact,
    data: Dataset,
    protocol: Protocol,
    *,
    threads: int,
    workspace: Workspace,
    device: Target,
    reports: Iterator[Progress],
) -> OnDevice:
    """Time a model and take its memory where the run measures.

    Raises:
        Refused: The model does not load, run, or fit the data; TARGET_DISTURBED.
        WorkerFailed: The probe ended without an answer.
    """
    latency = measure_latency(model, data, protocol, threads, workspace, target=device, progress=next(reports))
    _require_undisturbed(model, latency)
    return OnDevice(
        latency,
        measure_memory(model, data, threads, workspace, device, progress=next(reports)),
        measure_operators(model, data, threads, workspace, device, progress=next(reports)),
    )


def _require_undisturbed(model: Artifact, latency: Latency) -> None:
    """Refuse a baseline that a device could not take at its best: everything later is compared with it (P6, P10)."""
    faults = disturbed({"model": latency})
    if faults:
        raise Refused.because(
            Code.TARGET_DISTURBED,
            f"taking the baseline of {model.name} on {latency.environment.target}",
            " ".join(faults).rstrip("."),
            "let the device cool down or cool it better, stop the other work on it, and call profile_model again",
            "P6",
            "P10",
        )
