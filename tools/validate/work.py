"""What a worker calls to validate."""

from edgewright.state.events import AccuracyRecorded
from edgewright.tools.orders import Done, ValidateOrder
from edgewright.tools.targets.host import Target
from edgewright.tools.validate.accuracy import validate
from edgewright.tools.workspace import Workspace


def work(order: ValidateOrder, workspace: Workspace, target: Target) -> Done:
    """Measure the candidate's accuracy."""
    return Done(AccuracyRecorded(validate(order, workspace, target), ()))
