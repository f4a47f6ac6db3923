"""What would ship, timed alone for minutes on end: heat shows after the first few."""

from edgewright.state.evidence import Sustained
from edgewright.tools.benchmark.attempts import ATTEMPTS, attempt
from edgewright.tools.benchmark.measure import TIMED_SAMPLES, portion
from edgewright.tools.orders import SustainOrder
from edgewright.tools.targets.request import LATENCY, ProbeRequest
from edgewright.tools.targets.target import Target
from edgewright.tools.workspace import Workspace


def sustain(order: SustainOrder, workspace: Workspace, place: Target) -> Sustained:
    """Time one artifact under the order's protocol and say what the numbers show.

    Raises:
        Refused: The model does not load, run, or fit the data.
        WorkerFailed: The probe ended without an answer.
    """
    models, samples = {"model": order.artifact}, order.validation
    request = ProbeRequest(LATENCY, models, samples.index, order.threads, TIMED_SAMPLES, order.protocol)
    parts = [portion(workspace.progress, number, ATTEMPTS) for number in range(ATTEMPTS)]
    taken = attempt(request, order.protocol, workspace, place, parts)
    return Sustained(taken.latencies["model"], valid=not taken.faults, findings=taken.told)
