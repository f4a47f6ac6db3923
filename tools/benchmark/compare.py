"""A candidate against its baseline, timed in turn in the same processes."""

from dataclasses import dataclass

from edgewright.state.artifacts import Artifact, Format
from edgewright.state.causes import Cause
from edgewright.state.evidence import Benchmark, Label, Latency, Operator, Ratio
from edgewright.tools.benchmark.anatomy import Anatomy, anatomy_of
from edgewright.tools.benchmark.attempts import ATTEMPTS, attempt
from edgewright.tools.benchmark.causes import Case, causes_of, conclusion_of
from edgewright.tools.benchmark.findings import comparison
from edgewright.tools.benchmark.measure import TIMED_SAMPLES, measure_memory, measure_operators, portion
from edgewright.tools.benchmark.statistics import ratio_interval
from edgewright.tools.orders import BenchmarkOrder
from edgewright.tools.targets.host import Host
from edgewright.tools.targets.request import LATENCY, ProbeRequest
from edgewright.tools.targets.target import Target
from edgewright.tools.workspace import Progress, Workspace

# Any fixed number: the same times give the same interval.
SEED = 20_000
OTHERWISE = "; or put the candidate aside with decide(decision='revert')"
# Each attempt at the times, memory, and the operators of both.
PARTS = ATTEMPTS + 3


@dataclass(frozen=True)
class Timing:
    """Times that may be used, or the last that were taken.

    Attributes:
        latencies: Of `baseline` and `candidate`.
        ratio: Candidate over baseline.
        faults: Why these times may not be used.
        told: What happened on the way.
    """

    latencies: dict[str, Latency]
    ratio: Ratio
    faults: tuple[str, ...]
    told: tuple[str, ...]


def compare(order: BenchmarkOrder, workspace: Workspace, target: Target | None = None) -> Benchmark:
    """Time candidate and baseline run by run in turn, and say what the numbers show and why.

    Args:
        order: The two artifacts, the data and the protocol.
        workspace: Where the raw times are kept.
        target: Where to measure; this host where it is not given.

    Raises:
        Refused: A model does not load, run, or fit the data.
        WorkerFailed: The probe ended without an answer.
    """
    place, samples = target or Host(), order.validation
    parts = [portion(workspace.progress, number, PARTS) for number in range(PARTS)]
    timing = _time(order, workspace, place, parts[:ATTEMPTS])
    memory = measure_memory(order.candidate, samples, order.threads, workspace, place, progress=parts[ATTEMPTS])
    causes: tuple[Cause, ...] = ()
    conclusion = ""
    emulated = timing.latencies["candidate"].environment.label is Label.EMULATED
    if not (timing.faults or timing.ratio.faster or emulated):
        case = _case(order, timing, workspace, place, parts[ATTEMPTS + 1 :])
        causes = causes_of(case)
        conclusion = conclusion_of(case, causes, order.target_device)
    return Benchmark(
        candidate=timing.latencies["candidate"],
        baseline=timing.latencies["baseline"],
        ratio=timing.ratio,
        candidate_memory=memory,
        valid=not timing.faults,
        findings=timing.told,
        causes=causes,
        conclusion=conclusion,
    )


def _time(order: BenchmarkOrder, workspace: Workspace, place: Target, parts: list[Progress]) -> Timing:
    """Take the times, and compare them."""
    models = {"baseline": order.baseline, "candidate": order.candidate}
    request = ProbeRequest(LATENCY, models, order.validation.index, order.threads, TIMED_SAMPLES, order.protocol)
    taken = attempt(request, order.protocol, workspace, place, parts, otherwise=OTHERWISE)
    ratio = ratio_interval(taken.times["candidate"], taken.times["baseline"], SEED)
    told = taken.told if taken.faults else (*taken.told, *comparison(ratio))
    return Timing(taken.latencies, ratio, taken.faults, told)


def _case(order: BenchmarkOrder, timing: Timing, workspace: Workspace, place: Target, parts: list[Progress]) -> Case:
    """Profile both models and read the candidate's file."""

    def operators(artifact: Artifact, part: Progress) -> dict[str, Operator]:
        found = measure_operators(artifact, order.validation, order.threads, workspace, place, progress=part)
        return {operator.op_type: operator for operator in found}

    return Case(
        ratio=timing.ratio,
        before=operators(order.baseline, parts[0]),
        after=operators(order.candidate, parts[1]),
        candidate=order.candidate,
        environment=timing.latencies["candidate"].environment,
        anatomy=_anatomy(order.candidate, workspace),
    )


def _anatomy(artifact: Artifact, workspace: Workspace) -> Anatomy | None:
    return anatomy_of(workspace.path_of(artifact.sha256)) if artifact.format is Format.ONNX else None
