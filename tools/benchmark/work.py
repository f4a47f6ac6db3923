"""What a worker calls to benchmark."""

from edgewright.state.events import BenchmarkRecorded, SustainedRecorded
from edgewright.tools.benchmark.compare import compare
from edgewright.tools.benchmark.sustain import sustain
from edgewright.tools.orders import BenchmarkOrder, Done, SustainOrder
from edgewright.tools.targets.target import Places
from edgewright.tools.workspace import Workspace


def work(order: BenchmarkOrder | SustainOrder, workspace: Workspace, places: Places) -> Done:
    """Time baseline and candidate in turn, or what ships for as long as heat needs."""
    if isinstance(order, SustainOrder):
        return Done(SustainedRecorded(sustain(order, workspace, places.device)))
    return Done(BenchmarkRecorded(compare(order, workspace, places.device)))
