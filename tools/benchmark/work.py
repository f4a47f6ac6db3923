"""What a worker calls to benchmark."""

from edgewright.state.events import BenchmarkRecorded
from edgewright.tools.benchmark.compare import compare
from edgewright.tools.orders import BenchmarkOrder, Done
from edgewright.tools.targets.host import Target
from edgewright.tools.workspace import Workspace


def work(order: BenchmarkOrder, workspace: Workspace, target: Target) -> Done:
    """Time baseline and candidate in turn."""
    return Done(BenchmarkRecorded(compare(order, workspace, target)))
