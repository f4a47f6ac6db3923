"""Every variant of a model that a run tried, each with all that was measured of it: what tables are made of."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath

from edgewright.state.acceptance import accuracy_loss, given
from edgewright.state.artifacts import Artifact, Device
from edgewright.state.causes import Cause
from edgewright.state.evidence import Accuracy, Label, Latency, Memory, Ratio, Sustained
from edgewright.state.protocols import PROTOCOLS, ProtocolName
from edgewright.state.run import Run, Step
from edgewright.state.verdict import Outcome, Verdict
from edgewright.state.waivers import Waiver
from edgewright.tools.optimize.naming import candidate_name
from edgewright.tools.package.engine import NOT_BUILT

_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


class Status(StrEnum):
    """What became of a variant."""

    BASELINE = "baseline"
    KEPT = "kept"
    REVERTED = "reverted"
    OPEN = "waits for a decision"


@dataclass(frozen=True)
class Variant:
    """One file of a run beside the run's baseline. What is `None` was not measured, or the measurement was invalid.

    Attributes:
        number: 0 for the baseline, otherwise the place of the step that made it.
        artifact: The file.
        status: What became of it.
        latency: Its times.
        beside: The baseline's times from the same processes; the same as `latency` for the baseline itself.
        ratio: Its time over the baseline's; `None` for the baseline itself and where their labels differ.
        memory: Its peak memory.
        accuracy: Its metric.
        reference: The metric that the floor comes from.
        verdict: Its metric against the floor.
        waiver: The acceptance that a person gave of exactly this verdict.
        findings: What to know of its making and measuring.
        causes: Why it is not faster, where it is not.
        conclusion: What to ship instead, where no cause can be mended.
        sustained: The latest valid long run of it alone, where there is one.
    """

    number: int
    artifact: Artifact
    status: Status
    latency: Latency | None
    beside: Latency | None
    ratio: Ratio | None
    memory: Memory | None
    accuracy: Accuracy | None
    reference: Accuracy | None
    verdict: Verdict | None
    waiver: Waiver | None
    findings: tuple[str, ...] = ()
    causes: tuple[Cause, ...] = ()
    conclusion: str = ""
    sustained: Sustained | None = None

    @property
    def failed(self) -> bool:
        """Whether its accuracy is measured and does not pass, accepted or not."""
        return self.verdict is not None and self.verdict.outcome is not Outcome.PASS

    @property
    def speedup(self) -> float | None:
        """The baseline's median time over its own; 1 for the baseline."""
        if self.status is Status.BASELINE:
            return 1.0
        return 1 / self.ratio.median if self.ratio else None

    @property
    def slower(self) -> bool:
        """Whether the whole interval of its time lies above the baseline's."""
        return self.ratio is not None and self.ratio.slower

    @property
    def file_name(self) -> str:
        """Its file name in a package: descriptive, and safe on any file system (P5)."""
        artifact = self.artifact
        if artifact.parent is not None and _SAFE_NAME.fullmatch(artifact.name):
            return artifact.name
        option = "original" if artifact.parent is None else artifact.recipe.option
        return candidate_name(PurePath(artifact.name).stem, option, artifact.precision, artifact.format)


def tradeoffs(run: Run) -> tuple[Variant, ...]:
    """Return the baseline and every candidate of a run in the order of their making; nothing before the baseline."""
    if run.profiled is None:
        return ()
    steps = (*run.steps, run.open_step) if run.open_step else run.steps
    return (_baseline(run), *(_candidate(run, number, step) for number, step in enumerate(steps, start=1)))


def told_apart(names: Mapping[int, str]) -> dict[int, str]:
    """Return the names of variants by number, with the number where several are called alike."""
    count = Counter(names.values())
    return {number: f"{name} ({number})" if count[name] > 1 else name for number, name in names.items()}


def lineage(run: Run, artifact: Artifact) -> tuple[Artifact, ...]:
    """Return an artifact's ancestors from the run's original on, and itself last."""

    def upward() -> Iterator[Artifact]:
        known: Artifact | None = artifact
        while known is not None:
            yield known
            known = run.artifact(known.parent) if known.parent else None

    return tuple(reversed(list(upward())))


def variant_of(run: Run, artifact: Artifact | None) -> Variant | None:
    """Return the latest variant that is this file; that of the current best where none is named."""
    artifact = artifact or run.current
    if artifact is None:
        return None
    return next((v for v in reversed(tradeoffs(run)) if v.artifact.sha256 == artifact.sha256), None)


def unmeasured(run: Run, variant: Variant | None) -> tuple[str, ...]:
    """Return what nobody knows yet of a variant, a sentence each."""
    device = run.started.target_device
    if variant is None or variant.latency is None or variant.memory is None:
        return ("Latency, memory and accuracy: no complete measurement is recorded.",)
    latency, environment = variant.latency, variant.latency.environment
    gaps = [f"Latency percentile P{p}: {reason}" for p, reason in sorted(latency.withheld.items())]
    if variant.artifact.awaits_engine:
        gaps.append(NOT_BUILT)
    if environment.label is not Label.TARGET:
        gaps.append(
            f"Latency, throughput and peak memory on {device}: every such number here is a {environment.label}."
        )
        if run.started.latency_target_ms is not None:
            gaps.append(f"Latency target of {run.started.latency_target_ms:g} ms: unmeasured on {device}.")
    sustained_s = PROTOCOLS[ProtocolName.SUSTAINED].duration_s
    alone = [found.latency for found in (variant.sustained,) if found and run.tells(found.latency)]
    longest = max((timed.protocol for timed in (latency, *alone)), key=lambda protocol: protocol.duration_s)
    if longest.duration_s < sustained_s:
        gaps.append(
            f"Behaviour under sustained load (thermal throttling): protocol {longest.title} times each model "
            f"for at least {longest.duration_s:g} s, and {sustained_s:g} s or more would be needed."
        )
    vnni = variant.accuracy.environment.vnni if variant.accuracy else "unknown"
    if device is Device.CPU_GENERIC and vnni != "no" and _computes_as_u8s8(run, variant.artifact):
        gaps.append(
            "Accuracy on x86 processors without VNNI: the model is computed as U8S8, whose sums can saturate there "
            f"(the machine that accuracy was measured on has VNNI: {vnni})."
        )
    unread = [name for name in ("governor", "clock_mhz") if getattr(environment, name) == "unknown"]
    if unread:
        gaps.append(f"State of the measuring machine: {', '.join(unread)} could not be read.")
    return tuple(gaps)


def _computes_as_u8s8(run: Run, artifact: Artifact) -> bool:
    return any(step.recipe.parameters.get("integers") == "U8S8" for step in lineage(run, artifact))


def _baseline(run: Run) -> Variant:
    profiled = run.profiled
    assert profiled is not None  # noqa: S101  (tradeoffs() looked)
    measured = profiled.baseline
    step = Step(profiled.runnable, (), accuracy=profiled.runnable_accuracy)
    return Variant(
        number=0,
        artifact=profiled.runnable,
        status=Status.BASELINE,
        latency=measured.latency,
        beside=measured.latency,
        ratio=None,
        memory=measured.memory,
        accuracy=profiled.runnable_accuracy,
        reference=measured.reference,
        verdict=run.verdict_of(step),
        waiver=_waiver(run, step),
        findings=profiled.twin.findings if profiled.twin else (),
        sustained=_sustained(run, profiled.runnable),
    )


def _candidate(run: Run, number: int, step: Step) -> Variant:
    benchmark = step.benchmark if step.benchmark and step.benchmark.valid else None
    comparable = benchmark and benchmark.candidate.environment.label is benchmark.baseline.environment.label
    return Variant(
        number=number,
        artifact=step.artifact,
        status=_status(step),
        latency=benchmark.candidate if benchmark else None,
        beside=benchmark.baseline if benchmark else None,
        ratio=benchmark.ratio if benchmark and comparable else None,
        memory=benchmark.candidate_memory if benchmark else None,
        accuracy=step.accuracy,
        reference=run.profiled.baseline.reference if run.profiled else None,
        verdict=run.verdict_of(step),
        waiver=_waiver(run, step),
        findings=(*step.findings, *(step.benchmark.findings if step.benchmark else ())),
        causes=benchmark.causes if benchmark else (),
        conclusion=benchmark.conclusion if benchmark else "",
        sustained=_sustained(run, step.artifact),
    )


def _sustained(run: Run, artifact: Artifact) -> Sustained | None:
    return next((found for found in reversed(run.sustained) if found.latency.artifact == artifact.sha256), None)


def _status(step: Step) -> Status:
    if step.kept is None:
        return Status.OPEN
    return Status.KEPT if step.kept else Status.REVERTED


def _waiver(run: Run, step: Step) -> Waiver | None:
    """Return the acceptance of exactly this verdict. Whether it still counts is for the guards to say."""
    loss = accuracy_loss(run, step, run.now.policy.rule)
    return next(iter(given(run, loss, step)), None) if loss else None
