"""What a worker calls to complete the baseline of a source: its first float32 conversion, proven equal and measured."""

from edgewright.state.errors import Code, Refused
from edgewright.state.events import TwinMade
from edgewright.state.evidence import Accuracy, Twin
from edgewright.tools.benchmark.measure import portion
from edgewright.tools.legible import legible
from edgewright.tools.optimize.comparison import LEAST_AGREEMENT
from edgewright.tools.optimize.convert import convert
from edgewright.tools.orders import Done, TwinOrder
from edgewright.tools.profile.work import measure_on_device
from edgewright.tools.targets.target import Places
from edgewright.tools.validate.accuracy import measure_accuracy
from edgewright.tools.workspace import Workspace

# The conversion, its accuracy, and the three measurements on the device.
PARTS = 5


def work(order: TwinOrder, workspace: Workspace, places: Places) -> Done:
    """Convert, compare on all samples, and measure where the run measures."""
    conversion = order.conversion
    made = convert(conversion, workspace, places.host, places.toolchains)
    reports = (portion(workspace.progress, number, PARTS) for number in range(1, PARTS))
    accuracy = measure_accuracy(
        made.artifact,
        conversion.validation,
        order.reference.metric,
        workspace,
        places.host,
        threads=order.threads,
        reference_outputs=order.reference.outputs,
        progress=next(reports),
    )
    _require_equal(accuracy, order.reference, made.artifact.name)
    measured = measure_on_device(
        made.artifact,
        conversion.validation,
        order.protocol,
        threads=order.threads,
        workspace=workspace,
        device=places.device,
        reports=reports,
    )
    twin = Twin(made.artifact, accuracy, made.findings)
    return Done(TwinMade(twin, measured.latency, measured.memory, measured.hot_spots))


def _require_equal(accuracy: Accuracy, reference: Accuracy, name: str) -> None:
    """Refuse a conversion that answers otherwise than its source: it could not stand for it (P9)."""
    if accuracy.agreement is None or accuracy.agreement >= LEAST_AGREEMENT:
        return
    raise Refused.because(
        Code.CONVERSION_DIVERGED,
        f"letting {legible(name)} stand for its source",
        f"it agrees with the source on {accuracy.agreement:.2%} of the validation set, and {LEAST_AGREEMENT:.0%} are "
        f"the least; {accuracy.metric} is {accuracy.value:.4f} against {reference.value:.4f}",
        "convert to another format, or export the model again without what the converter rewrites",
        "P9",
        agreement=accuracy.agreement,
        converted=accuracy.value,
        source=reference.value,
    )
