"""What a worker calls to profile: pre-flight, import, baseline. Each number comes from a fresh process."""

from edgewright.state.artifacts import Artifact
from edgewright.state.errors import Code, Refused
from edgewright.state.events import Profiled
from edgewright.state.evidence import Accuracy, Baseline, Check, Latency
from edgewright.state.verdict import better
from edgewright.tools.benchmark.measure import measure_latency, measure_memory, measure_operators, portion
from edgewright.tools.benchmark.validity import disturbed
from edgewright.tools.orders import Done, Original, ProfileOrder
from edgewright.tools.original import check_original
from edgewright.tools.profile.preflight import Ready, preflight
from edgewright.tools.profile.suspects import suspicion
from edgewright.tools.targets.target import Places
from edgewright.tools.validate.accuracy import measure_accuracy
from edgewright.tools.validate.control import require_discerning, uninformed
from edgewright.tools.workspace import Workspace

# The pre-flight, and five measurements of which the ancestor's accuracy is seldom needed.
PARTS = 6


def work(order: ProfileOrder, workspace: Workspace, places: Places) -> Done:
    """Import a model and measure it as it is."""
    ready = preflight(order, workspace, portion(workspace.progress, 0, PARTS))
    baseline, doubt = _baseline(order, ready, workspace, places)
    doubts = (Check("data card", "warning", doubt),) if doubt else ()
    check_original(Original(order.model_path, ready.original.sha256))
    ancestor = ready.ancestor
    return Done(
        Profiled(
            original=ready.original,
            root=ancestor.original if ancestor else ready.original,
            validation=ready.validation,
            calibration=ready.calibration,
            baseline=baseline,
            checks=(*ready.checks, *doubts),
            tolerance=min(order.tolerance, ancestor.tolerance) if ancestor else order.tolerance,
            inherited_from=ancestor.run if ancestor else None,
        )
    )


def _baseline(order: ProfileOrder, ready: Ready, workspace: Workspace, places: Places) -> tuple[Baseline, str | None]:
    """Measure the model; accuracy first, since what cannot be judged need not be timed. Return any doubt beside it."""
    model, data, threads, device = ready.original, ready.validation, order.threads, places.device
    reports = (portion(workspace.progress, number, PARTS) for number in range(1, PARTS))

    def accuracy_of(artifact: Artifact, root: Accuracy | None) -> Accuracy:
        return measure_accuracy(
            artifact,
            data,
            order.metric,
            workspace,
            places.host,
            threads=threads,
            reference_outputs=root.outputs if root else None,
            progress=next(reports),
        )

    root = accuracy_of(ready.ancestor.original, None) if ready.ancestor else None
    accuracy = accuracy_of(model, root)
    # The better of both: a descent can raise the floor, never lower it.
    reference = better(root, accuracy) if root else accuracy
    chance = uninformed(reference, data, workspace)
    doubt = suspicion(model, accuracy, chance, data, workspace=workspace, target=places.host)
    require_discerning(reference, chance, order.tolerance, doubt)
    latency = measure_latency(model, data, order.protocol, threads, workspace, target=device, progress=next(reports))
    _require_undisturbed(model, latency)
    baseline = Baseline(
        graph=ready.graph,
        latency=latency,
        memory=measure_memory(model, data, threads, workspace, device, progress=next(reports)),
        accuracy=accuracy,
        reference=reference,
        hot_spots=measure_operators(model, data, threads, workspace, device, progress=next(reports)),
    )
    return baseline, doubt


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
