"""What a worker calls to make a candidate."""

from edgewright.state.events import CandidateMade, SensitivityAnalysed
from edgewright.tools.benchmark.measure import measure_memory
from edgewright.tools.optimize.analyze import analyze
from edgewright.tools.optimize.convert import convert
from edgewright.tools.optimize.quantize import quantize
from edgewright.tools.orders import AnalyzeOrder, ConvertOrder, Done, QuantizeOrder
from edgewright.tools.targets.target import Places
from edgewright.tools.workspace import Workspace


def work(order: AnalyzeOrder | QuantizeOrder | ConvertOrder, workspace: Workspace, places: Places) -> Done:
    """Make one candidate, and have it run once where it will be measured: runtimes there may be older.

    An analysis makes none.
    """
    if isinstance(order, AnalyzeOrder):
        return Done(SensitivityAnalysed(analyze(order.step, workspace, places)))
    host = places.host
    made = (
        quantize(order, workspace, places)
        if isinstance(order, QuantizeOrder)
        else convert(order, workspace, host, places.toolchains)
    )
    if places.device is not host:
        measure_memory(made.artifact, order.validation, 1, workspace, places.device)
    return Done(CandidateMade(made.artifact, made.findings))
