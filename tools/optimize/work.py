"""What a worker calls to make a candidate."""

from edgewright.state.events import CandidateMade
from edgewright.tools.optimize.convert import convert
from edgewright.tools.optimize.quantize import quantize
from edgewright.tools.orders import ConvertOrder, Done, QuantizeOrder
from edgewright.tools.targets.host import Target
from edgewright.tools.workspace import Workspace


def work(order: QuantizeOrder | ConvertOrder, workspace: Workspace, target: Target) -> Done:
    """Make one candidate."""
    made = quantize(order, workspace, target) if isinstance(order, QuantizeOrder) else convert(order, workspace, target)
    return Done(CandidateMade(made.artifact, made.findings))
