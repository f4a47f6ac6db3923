"""What a finished call tells its caller: the event it led to, in a few sentences and the numbers that matter.

Kept short: an assistant pays for every byte. `get_state(detail="full")` has the rest.
"""

from dataclasses import dataclass, field
from pathlib import Path

from edgewright.knowledge.stop import ELSEWHERE, stop_of
from edgewright.state.events import (
    AccuracyRecorded,
    BenchmarkRecorded,
    CandidateMade,
    Event,
    Kept,
    Packaged,
    Profiled,
    Reverted,
    SensitivityAnalysed,
    SourceProfiled,
    SustainedRecorded,
    TwinMade,
    WaiverGranted,
)
from edgewright.state.evidence import Accuracy, Benchmark, Latency, Sustained
from edgewright.state.paired import Paired
from edgewright.state.policy import stricter
from edgewright.state.run import Run
from edgewright.state.sensitivity import GroupSensitivity, Sensitivity
from edgewright.state.waivers import Waiver
from edgewright.tools.benchmark.findings import comparison

MIB = 1 << 20
# The report has all of them; they come in the order of weight.
CAUSES_SHOWN = 2
ALTERNATIVES_SHOWN = 3
GROUPS_SHOWN = 12


@dataclass(frozen=True)
class Summary:
    """A finished call in short."""

    text: str
    numbers: dict[str, object] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def summarise(event: Event, run: Run, packages: Path) -> Summary:
    """Return the summary of an event of a run, whose packages lie in the folder `packages`."""
    match event:
        case Profiled() | SourceProfiled() | TwinMade():
            return _baseline(event, run)
        case SensitivityAnalysed() | SustainedRecorded():
            return _finding(event, run)
        case CandidateMade():
            return _candidate(event, run)
        case BenchmarkRecorded():
            return _benchmark(event.benchmark)
        case AccuracyRecorded():
            return _accuracy(event, run)
        case Kept() | Reverted() | WaiverGranted():
            return _decision(event, run)
        case Packaged():
            text = f"Package written and run: {packages / event.folder}. {' '.join(event.verified)}"
            return Summary(text, {"manifest_sha256": event.manifest})
        case _:
            return Summary(f"{type(event).__name__} recorded.")


def _baseline(event: Profiled | SourceProfiled | TwinMade, run: Run) -> Summary:
    if isinstance(event, TwinMade):
        return _twin(event, run)
    return _source(event) if isinstance(event, SourceProfiled) else _profiled(event)


def _profiled(event: Profiled) -> Summary:
    baseline = event.baseline
    accuracy, reference = baseline.accuracy, baseline.reference
    text = (
        f"Baseline complete. {accuracy.metric} {accuracy.value:.4f}, tolerance {event.tolerance:.2%}. "
        f"{'; '.join(event.validation.echo)}"
    )
    warnings = _warnings(event, reference)
    spots = {spot.op_type: round(spot.share, 3) for spot in baseline.hot_spots[:2]}
    numbers: dict[str, object] = {
        "latency_ms": latency_numbers(baseline.latency),
        "peak_memory_mib": round(baseline.memory.peak_bytes / MIB, 1),
        "size_bytes": event.original.size_bytes,
        "parameters": baseline.graph.parameters,
        "time_by_operator": spots,
    }
    return Summary(text, numbers, warnings)


def _warnings(event: Profiled | SourceProfiled, reference: Accuracy) -> list[str]:
    found = [f"{check.item}: {check.detail}" for check in event.checks if check.status == "warning"]
    if event.inherited_from:
        found.append(
            f"this file was made in {event.inherited_from}: the floor is that run's original "
            f"({reference.metric} {reference.value:.4f}, tolerance {event.tolerance:.2%})"
        )
    return found


def _source(event: SourceProfiled) -> Summary:
    accuracy = event.accuracy
    environment = accuracy.environment
    text = (
        f"Accuracy of the source measured, {environment.label}, in {environment.runtime} "
        f"{environment.runtime_version}: {accuracy.metric} {accuracy.value:.4f}, tolerance {event.tolerance:.2%}. "
        "No device runs this format: latency and memory are unmeasured until its first float32 conversion. "
        f"{'; '.join(event.validation.echo)}"
    )
    numbers: dict[str, object] = {"size_bytes": event.original.size_bytes, "parameters": event.graph.parameters}
    return Summary(text, numbers, _warnings(event, event.reference))


def _twin(event: TwinMade, run: Run) -> Summary:
    twin, source = event.twin, run.source.accuracy if run.source else None
    against = f" against {source.value:.4f} of the source" if source else ""
    agreement = "" if twin.accuracy.agreement is None else f", agreement {twin.accuracy.agreement:.2%}"
    text = (
        f"Baseline complete. {twin.artifact.name} stands for the source on the device: {twin.accuracy.metric} "
        f"{twin.accuracy.value:.4f}{against}{agreement}. The floor stays the source's."
    )
    numbers: dict[str, object] = {
        "sha256": twin.artifact.sha256,
        "size_bytes": twin.artifact.size_bytes,
        "latency_ms": latency_numbers(event.latency),
        "peak_memory_mib": round(event.memory.peak_bytes / MIB, 1),
        "time_by_operator": {spot.op_type: round(spot.share, 3) for spot in event.hot_spots[:2]},
    }
    return Summary(text, numbers, notes=list(twin.findings))


def latency_numbers(latency: Latency) -> dict[str, object]:
    """Return a latency's numbers with where and how they were taken."""
    percentiles = {f"p{p}": round(value, 4) for p, value in sorted(latency.percentiles_ms.items())}
    return {
        "mean": round(latency.mean_ms, 4),
        **percentiles,
        "runs": latency.runs,
        "protocol": latency.protocol.title,
        "label": str(latency.environment.label),
    }


def _candidate(event: CandidateMade, run: Run) -> Summary:
    artifact = event.artifact
    base = run.artifact(artifact.parent or "")
    ratio = f" ({base.size_bytes / artifact.size_bytes:.2f}x smaller than {base.name})" if base else ""
    return Summary(
        f"Candidate {artifact.name} made: {artifact.size_bytes} bytes{ratio}. It counts for nothing until benchmarked "
        "and validated.",
        {"sha256": artifact.sha256, "size_bytes": artifact.size_bytes},
        notes=list(event.findings),
    )


def _finding(event: SensitivityAnalysed | SustainedRecorded, run: Run) -> Summary:
    if isinstance(event, SensitivityAnalysed):
        return _sensitivity(event.sensitivity, run)
    return _sustained(event.sustained, run)


def _sensitivity(sensitivity: Sensitivity, run: Run) -> Summary:
    artifact = run.artifact(sensitivity.artifact)
    name = artifact.name if artifact else sensitivity.artifact
    uniform = "no numbers" if sensitivity.uniform_error is None else f"an error of {sensitivity.uniform_error:.2g}"
    text = (
        f"{len(sensitivity.groups)} groups of {name}, the most sensitive first. Everything in 8 bits gives {uniform} "
        f"of the outputs' squares, on {sensitivity.samples} samples, computed {sensitivity.computed}."
    )
    times = f"times: {sensitivity.timed}" if sensitivity.timed else "no time that could be taken speaks of the device"
    groups = [_group(group) for group in sensitivity.groups[:GROUPS_SHOWN]]
    numbers: dict[str, object] = {"uniform_share_of_time": _rounded(sensitivity.uniform_share), "groups": groups}
    return Summary(text, numbers, notes=[times])


def _group(group: GroupSensitivity) -> dict[str, object]:
    return {
        "name": group.name,
        "op_type": group.op_type,
        "operators": group.operators,
        "alone_error": _rounded(group.alone_error),
        "reverted_error": _rounded(group.reverted_error),
        "saved_share_of_time": _rounded(group.saved_share),
        "outlier_ratio": _rounded(group.outlier_ratio),
        "dead_channels": group.dead_channels,
        "channel_spread": _rounded(group.channel_spread),
    }


def _rounded(number: float | None) -> float | None:
    return None if number is None else float(f"{number:.3g}")


def _benchmark(benchmark: Benchmark) -> Summary:
    ratio = benchmark.ratio
    if not benchmark.valid:
        return Summary("The benchmark is INVALID and counts for nothing.", {}, list(benchmark.findings))
    if ratio.faster:
        text = f"The candidate is {1 / ratio.median:.2f}x as fast as the baseline"
    elif ratio.slower:
        text = f"The candidate is slower: {ratio.median:.2f}x the baseline's time"
    else:
        text = "No difference in speed is shown"
    interval = f"{ratio.confidence:.0%} interval of the time ratio {ratio.low:.3f} to {ratio.high:.3f}"
    candidate, memory = benchmark.candidate, benchmark.candidate_memory
    # What makes it slower is said above already.
    notes = [finding for finding in benchmark.findings if not (ratio.slower and finding in comparison(ratio))]
    told = [f"{cause.sentence} Remedy: {cause.remedy}." for cause in benchmark.causes[:CAUSES_SHOWN]]
    return Summary(
        f"{text} ({interval}), {candidate.environment.label}. {benchmark.conclusion}".rstrip(),
        {
            "candidate_ms": latency_numbers(candidate),
            "baseline_mean_ms": round(benchmark.baseline.mean_ms, 4),
            "throughput_per_s": round(candidate.throughput_per_s, 1),
            "first_inference_ms": round(candidate.first_ms, 4),
            "load_ms": round(candidate.load_ms, 2),
            "peak_memory_mib": round(memory.peak_bytes / MIB, 1),
            "above_runtime_mib": round(memory.above_runtime_bytes / MIB, 1),
        },
        notes=[*notes, *told],
    )


def _sustained(sustained: Sustained, run: Run) -> Summary:
    latency = sustained.latency
    artifact = run.artifact(latency.artifact)
    if not sustained.valid:
        return Summary("The sustained run is INVALID and counts for nothing.", {}, list(sustained.findings))
    name = artifact.name if artifact else latency.artifact
    text = f"{name} ran for {latency.protocol.duration_s:g} s on end, {latency.environment.label}."
    return Summary(text, {"latency_ms": latency_numbers(latency)}, notes=list(sustained.findings))


def _accuracy(event: AccuracyRecorded, run: Run) -> Summary:
    """Tell the verdict of the measurement that counts, which may be an earlier one."""
    step = run.open_step
    is_open = step is not None and step.artifact.sha256 == event.accuracy.artifact
    counts = step.accuracy if step is not None and step.accuracy is not None and is_open else event.accuracy
    verdict = run.judged(counts)
    if verdict is None:
        return Summary("Accuracy recorded.")
    paired, agreement, label = counts.paired, counts.agreement, counts.environment.label
    notes = list(event.findings)
    if counts is not event.accuracy and counts != event.accuracy:
        notes.append(f"An earlier measurement counts ({label}): {event.accuracy.value:.4f} now changes nothing.")
    numbers: dict[str, object] = {
        "verdict": str(verdict.outcome),
        "metric": verdict.metric,
        "baseline": round(verdict.baseline, 6),
        "candidate": round(verdict.value, 6),
        "floor": round(verdict.floor, 6),
        "drop_rel": round(verdict.drop, 6),
        "n": verdict.n,
        "computed": str(label),
        "rule": str(stricter(run.started.policy.rule, run.now.policy.rule)),
        "paired": None if paired is None else _paired(paired, verdict.deciding_n),
        "agreement_with_original": None if agreement is None else round(agreement, 4),
    }
    stop = stop_of(run)
    if stop is None:
        return Summary(f"{verdict.sentence}.", numbers, notes=notes)
    numbers["tolerance"] = verdict.tolerance
    numbers["worst_classes"] = {loss.name: [round(loss.before, 4), round(loss.after, 4)] for loss in stop.worst}
    numbers["alternatives"] = [
        {"tool": advice.tool, "arguments": dict(advice.arguments), "why": advice.why}
        for advice in stop.alternatives[:ALTERNATIVES_SHOWN]
    ]
    if stop.alternatives:
        return Summary(f"{stop.sentence}.", numbers, notes=notes)
    elsewhere = f"what this server cannot do and may help: {'; '.join(ELSEWHERE)}"
    return Summary(f"{stop.sentence}.", numbers, notes=[*notes, elsewhere])


def _waiver(waiver: Waiver) -> Summary:
    return Summary(
        f"Accepted at {waiver.level} ({waiver.level.meaning}) by {waiver.approver}: {waiver.subject.sentence}. "
        f"Reason: {waiver.reason}. It can be used once, until {waiver.expires}.",
        {"level": str(waiver.level), "kind": waiver.subject.kind, "expires": waiver.expires},
    )


def _paired(paired: Paired, deciding_n: int | None) -> dict[str, object]:
    """Return the comparison sample by sample, without what does not apply; the record has its method."""
    numbers = {
        "difference": round(paired.difference, 6),
        "low": round(paired.low, 6),
        "high": round(paired.high, 6),
        "confidence": paired.confidence,
        "gained": paired.gained,
        "lost": paired.lost,
        "p_value": None if paired.p_value is None else round(paired.p_value, 6),
        "deciding_n": deciding_n,
    }
    return {name: number for name, number in numbers.items() if number is not None}


def _decision(event: Kept | Reverted | WaiverGranted, run: Run) -> Summary:
    if isinstance(event, WaiverGranted):
        return _waiver(event.waiver)
    step = next((step for step in run.steps if step.artifact.sha256 == event.artifact), None)
    name = step.artifact.name if step else event.artifact
    current = run.current
    best = f" Best now: {current.name}." if current else ""
    if isinstance(event, Reverted):
        return Summary(f"{name} was put aside; its evidence stays.{best}")
    warnings = []
    if step and step.benchmark and step.benchmark.ratio.slower and run.tells(step.benchmark.candidate):
        warnings.append(f"{name} is slower than the original ({step.benchmark.ratio.median:.2f}x its time)")
    return Summary(f"{name} was kept.{best}", {}, warnings)
