"""What a worker calls to profile: pre-flight, import, baseline. Each number comes from a fresh process."""

from edgewright.state.artifacts import Artifact
from edgewright.state.events import Profiled
from edgewright.state.evidence import Accuracy, Baseline
from edgewright.tools.benchmark.measure import measure_latency, measure_memory, measure_operators
from edgewright.tools.orders import Done, Original, ProfileOrder
from edgewright.tools.original import check_original
from edgewright.tools.profile.preflight import Ready, preflight
from edgewright.tools.targets.host import Target
from edgewright.tools.validate.accuracy import measure_accuracy
from edgewright.tools.workspace import Workspace


def work(order: ProfileOrder, workspace: Workspace, target: Target) -> Done:
    """Import a model and measure it as it is."""
    ready = preflight(order, workspace)
    baseline = _baseline(order, ready, workspace, target)
    check_original(Original(order.model_path, ready.original.sha256))
    ancestor = ready.ancestor
    return Done(
        Profiled(
            original=ready.original,
            root=ancestor.original if ancestor else ready.original,
            validation=ready.validation,
            calibration=ready.calibration,
            baseline=baseline,
            checks=ready.checks,
            tolerance=min(order.tolerance, ancestor.tolerance) if ancestor else order.tolerance,
            inherited_from=ancestor.run if ancestor else None,
        )
    )


def _baseline(order: ProfileOrder, ready: Ready, workspace: Workspace, target: Target) -> Baseline:
    """Measure the model; accuracy first, since what cannot be judged need not be timed."""
    model, data, threads = ready.original, ready.validation, order.threads
    accuracy = _accuracy(model, order, ready, workspace, target)
    reference = _accuracy(ready.ancestor.original, order, ready, workspace, target) if ready.ancestor else accuracy
    return Baseline(
        graph=ready.graph,
        latency=measure_latency(model, data, order.protocol, threads, workspace, target=target),
        memory=measure_memory(model, data, threads, workspace, target),
        accuracy=accuracy,
        reference=reference,
        hot_spots=measure_operators(model, data, threads, workspace, target),
    )


def _accuracy(model: Artifact, order: ProfileOrder, ready: Ready, workspace: Workspace, target: Target) -> Accuracy:
    return measure_accuracy(model, ready.validation, order.metric, workspace, target, threads=order.threads)
