"""A candidate against its baseline, timed in turn in the same processes."""

from edgewright.state.evidence import Benchmark
from edgewright.tools.benchmark.findings import comparison, invalidity, noise, reasons
from edgewright.tools.benchmark.measure import TIMED_SAMPLES, measure_memory, measure_operators, portion, time_in_turn
from edgewright.tools.benchmark.statistics import ratio_interval
from edgewright.tools.orders import BenchmarkOrder
from edgewright.tools.targets.host import Host
from edgewright.tools.targets.request import LATENCY, ProbeRequest
from edgewright.tools.targets.target import Target
from edgewright.tools.workspace import Workspace

# Any fixed number: the same times give the same interval.
SEED = 20_000
PARTS = ("times", "memory", "operators of the baseline", "operators of the candidate")


def compare(order: BenchmarkOrder, workspace: Workspace, target: Target | None = None) -> Benchmark:
    """Time candidate and baseline run by run in turn, and say what the numbers show.

    Args:
        order: The two artifacts, the data and the protocol.
        workspace: Where the raw times are kept.
        target: Where to measure; this host where it is not given.

    Raises:
        Refused: A model does not load, run, or fit the data.
        WorkerFailed: The probe ended without an answer.
    """
    place, samples = target or Host(), order.validation
    models = {"baseline": order.baseline, "candidate": order.candidate}
    request = ProbeRequest(LATENCY, models, samples.index, order.threads, TIMED_SAMPLES, order.protocol)
    parts = [portion(workspace.progress, number, len(PARTS)) for number in range(len(PARTS))]
    latencies, times = time_in_turn(request, order.protocol, workspace, place, parts[0])
    baseline, candidate = latencies["baseline"], latencies["candidate"]
    ratio = ratio_interval(times["candidate"], times["baseline"], SEED)
    memory = measure_memory(order.candidate, samples, order.threads, workspace, place, progress=parts[1])
    faults = invalidity(times)
    findings = [*faults, *noise(baseline, candidate), *comparison(ratio)]
    if not ratio.faster:
        before = measure_operators(order.baseline, samples, order.threads, workspace, place, progress=parts[2])
        after = measure_operators(order.candidate, samples, order.threads, workspace, place, progress=parts[3])
        findings += reasons(before, after)
    return Benchmark(candidate, baseline, ratio, memory, valid=not faults, findings=tuple(findings))
