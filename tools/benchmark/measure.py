"""Measurements of one artifact, each in a fresh process."""

from collections.abc import Sequence
from dataclasses import replace
from statistics import median

import numpy as np

from edgewright.state.artifacts import Artifact
from edgewright.state.conditions import Conditions
from edgewright.state.drift import Drift
from edgewright.state.evidence import Dataset, Latency, Memory, Operator
from edgewright.state.protocols import Protocol, ProtocolName
from edgewright.tools.benchmark.drift import NS_PER_S, drift_of
from edgewright.tools.benchmark.statistics import NS_PER_MS, Times, spread, summarise
from edgewright.tools.targets.answer import LatencyFacts, ProbeAnswer
from edgewright.tools.targets.request import LATENCY, MEMORY, OPERATORS, ProbeRequest
from edgewright.tools.targets.target import Target
from edgewright.tools.workspace import Progress, Workspace

# Enough that no single sample decides, few enough to be prepared in memory before the clock starts.
TIMED_SAMPLES = 64
# Prepared samples count towards the peak, so a handful.
MEMORY_SAMPLES = 4
PORTION = 100


def portion(progress: Progress, number: int, count: int) -> Progress:
    """Return where part `number` of `count` equal parts reports; `progress` then sees one thing that only grows."""

    def report(done: int, total: int, message: str) -> None:
        progress(PORTION * number + PORTION * done // max(total, 1), PORTION * count, message)

    return report


def measure_latency(
    artifact: Artifact,
    dataset: Dataset,
    protocol: Protocol,
    threads: int,
    workspace: Workspace,
    *,
    target: Target,
    progress: Progress | None = None,
) -> Latency:
    """Time single inferences over real samples in as many fresh processes as the protocol asks for.

    Args:
        artifact: The model.
        dataset: Where the samples come from.
        protocol: How long.
        threads: Intra-operator threads.
        workspace: Where the raw times are kept.
        target: Where to measure.
        progress: Told how far it is; the workspace's own where it is not given.

    Raises:
        Refused: The model does not load, run, or fit the data.
        WorkerFailed: The probe ended without an answer.
    """
    request = ProbeRequest(LATENCY, {"model": artifact}, dataset.index, threads, TIMED_SAMPLES, protocol)
    latencies, _ = time_in_turn(request, protocol, workspace, target, progress or workspace.progress)
    return latencies["model"]


def time_in_turn(
    request: ProbeRequest[LatencyFacts], protocol: Protocol, workspace: Workspace, target: Target, progress: Progress
) -> tuple[dict[str, Latency], dict[str, tuple[Times, ...]]]:
    """Time the models of a request run by run in turn; return their pooled figures, and the raw times by process.

    Every other process loads the models in reverse: where a model's memory lies decides its time by tenths of a percent
    (Mytkowicz et al., "Producing wrong data without doing anything obviously wrong!", ASPLOS 2009).

    Raises:
        Refused: A model does not load, run, or fit the data.
        WorkerFailed: The probe ended without an answer.
    """
    reverse = replace(request, models=dict(reversed(request.models.items())))
    answers = [
        target.run(reverse if number % 2 else request, workspace, portion(progress, number, protocol.processes))
        for number in range(protocol.processes)
    ]
    times = {name: tuple(_times(answer, name) for answer in answers) for name in request.models}
    latencies = {name: _latency(name, request.models[name], protocol, answers, workspace) for name in request.models}
    if protocol.name is ProtocolName.SUSTAINED:
        latencies = with_drift(latencies, times)
    return latencies, times


def with_drift(latencies: dict[str, Latency], times: dict[str, tuple[Times, ...]]) -> dict[str, Latency]:
    """Add the drift over the first process; the models' runs took turns, so run k of each ended at about one moment."""
    moments_s = np.cumsum(sum(series[0] for series in times.values())) / NS_PER_S

    def drift(name: str, found: Latency) -> Drift | None:
        seen = drift_of(times[name][0], moments_s)
        throttled_s = found.conditions[0].throttled_after_s if found.conditions else None
        return replace(seen, throttled_after_s=throttled_s) if seen else None

    return {name: replace(found, drift=drift(name, found)) for name, found in latencies.items()}


def measure_memory(
    artifact: Artifact,
    dataset: Dataset,
    threads: int,
    workspace: Workspace,
    target: Target,
    *,
    progress: Progress | None = None,
) -> Memory:
    """Take the peak memory of a process that loads the model and runs a few real samples.

    The runtime's own share is read in the same process, after its import and before the model.

    Raises:
        Refused: The model does not load, run, or fit the data.
        WorkerFailed: The probe ended without an answer.
    """
    request = ProbeRequest(MEMORY, {"model": artifact}, dataset.index, threads, MEMORY_SAMPLES)
    answer = target.run(request, workspace, progress)
    facts = answer.models["model"]
    return Memory(artifact.sha256, facts.peak_bytes, facts.empty_runtime_bytes, answer.environments["model"])


def measure_operators(
    artifact: Artifact,
    dataset: Dataset,
    threads: int,
    workspace: Workspace,
    target: Target,
    *,
    progress: Progress | None = None,
) -> tuple[Operator, ...]:
    """Ask the runtime's profiler for the time of each operator type, the longest first.

    Raises:
        Refused: The model does not load, run, or fit the data.
        WorkerFailed: The probe ended without an answer.
    """
    request = ProbeRequest(OPERATORS, {"model": artifact}, dataset.index, threads, TIMED_SAMPLES)
    facts = target.run(request, workspace, progress).models["model"]
    total_ns = max(1, sum(row.total_ns for row in facts.operators))
    return tuple(
        Operator(
            op_type=row.op_type,
            calls=row.calls / facts.runs,
            mean_ms=row.total_ns / facts.runs / NS_PER_MS,
            share=row.total_ns / total_ns,
        )
        for row in facts.operators
    )


def _times(answer: ProbeAnswer[LatencyFacts], name: str) -> Times:
    times: Times = np.load(answer.folder / answer.models[name].times, allow_pickle=False)
    return times


def _latency(
    name: str,
    artifact: Artifact,
    protocol: Protocol,
    answers: Sequence[ProbeAnswer[LatencyFacts]],
    workspace: Workspace,
) -> Latency:
    facts = [answer.models[name] for answer in answers]
    times = np.concatenate([_times(answer, name) for answer in answers])
    raw = workspace.scratch("times.npy")
    np.save(raw, times)
    summary = summarise(times)
    return Latency(
        artifact=artifact.sha256,
        protocol=protocol,
        environment=answers[0].environments[name],
        batch=facts[0].batch,
        runs=summary.runs,
        warmup_runs=sum(fact.warmup_runs for fact in facts),
        mean_ms=summary.mean_ms,
        std_ms=summary.std_ms,
        percentiles_ms=summary.percentiles_ms,
        withheld=summary.withheld,
        first_ms=median(fact.first_ns for fact in facts) / NS_PER_MS,
        load_ms=median(fact.load_ns for fact in facts) / NS_PER_MS,
        samples=workspace.keep(raw),
        conditions=tuple(Conditions(**fact.conditions.model_dump()) for fact in facts),
        spread=spread(times, np.concatenate([np.arange(fact.runs) % fact.feeds for fact in facts])),
        steady=all(fact.steady for fact in facts),
    )
