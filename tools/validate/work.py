"""What a worker calls to validate."""

from edgewright.state.events import AccuracyRecorded
from edgewright.tools.orders import Done, ValidateOrder
from edgewright.tools.targets.emulated import place_of_accuracy
from edgewright.tools.targets.target import Places
from edgewright.tools.validate.accuracy import validate
from edgewright.tools.validate.kernels import kernels
from edgewright.tools.workspace import Workspace


def work(order: ValidateOrder, workspace: Workspace, places: Places) -> Done:
    """Measure the candidate's accuracy, on the device's own kernels where that is asked for."""
    host = place_of_accuracy(order.target_device, places.host)
    accuracy = validate(order, workspace, places.device if order.on_target else host)
    return Done(AccuracyRecorded(accuracy, kernels(order, accuracy)))
