"""Which call to recommend next, and why: the strategies of `advice.toml`; the phase table decides what is legal."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import MappingProxyType

from edgewright.knowledge.strategies import ADVISED, STRATEGIES, Idea
from edgewright.state.artifacts import Device
from edgewright.state.errors import Code, Refusal
from edgewright.state.evidence import Label, Latency
from edgewright.state.guards import Asked, refusal_for
from edgewright.state.phases import Call, legal_calls
from edgewright.state.run import Run
from edgewright.state.verdict import Outcome


@dataclass(frozen=True)
class Advice:
    """A call worth making.

    Attributes:
        tool: Name of the tool.
        arguments: Its arguments, complete.
        why: The reason in one sentence.
        see: The note that says more, if there is one.
    """

    tool: str
    arguments: Mapping[str, object]
    why: str
    see: str = ""


def _share_of(run: Run, *op_types: str) -> float:
    """Return the part of the baseline's time spent in these operators; all of it where nobody knows for the device."""
    if run.profiled is None:
        return 0.0
    if not _is_telling(run, run.profiled.baseline.latency):
        return 1.0
    return sum(spot.share for spot in run.profiled.baseline.hot_spots if spot.op_type in op_types)


def _has_calibration(run: Run) -> bool:
    """Whether there is calibration data that was not found unfit."""
    unfit = any(turned_down.refusal.code is Code.CALIBRATION_UNFIT for turned_down in run.turned_down)
    return run.profiled is not None and run.profiled.calibration is not None and not unfit


def _is_telling(run: Run, latency: Latency) -> bool:
    """Whether times may advise on the run's device: those of a host say nothing of a Raspberry Pi or a Jetson (P6)."""
    return run.started.target_device is Device.CPU_GENERIC or latency.environment.label is Label.TARGET


_MOMENTS = ADVISED.moments
_MATMULS = ("MatMul", "Gemm", "FusedMatMul", "FusedGemm")
_CONVOLUTIONS = ("Conv", "FusedConv", "ConvTranspose")

CONDITIONS: Mapping[str, Callable[[Run], bool]] = MappingProxyType(
    {
        "matrix_products_take_the_time": lambda run: _share_of(run, *_MATMULS) > 0.3,
        "products_take_time": lambda run: _share_of(run, *_MATMULS, *_CONVOLUTIONS) > 0,
        "calibration_is_there": _has_calibration,
    }
)
"""What `fits` in advice.toml may name."""


def advise(run: Run) -> tuple[Advice, ...]:
    """Return the legal calls on a run, the recommended one first."""
    if run.job is not None:
        return (
            Advice("get_job", {"job": run.job.id}, f"{run.job.call} is at work", _MOMENTS["at_work"]),
            Advice("cancel_job", {"job": run.job.id}, "ends it and leaves the run as it was"),
        )
    legal = legal_calls(run.phase)
    advice: list[Advice] = []
    if Call.BENCHMARK in legal:
        why = "times the candidate beside the baseline"
        advice.append(Advice("benchmark", {"run": run.id}, why, _MOMENTS["benchmark"]))
    if Call.VALIDATE in legal:
        advice += _on_verdict(run)
    if Call.QUANTIZE in legal:
        advice += _on_steps(run)
    if Call.REVERT in legal and not any(a.arguments.get("decision") == "revert" for a in advice):
        advice.append(Advice("decide", {"run": run.id, "decision": "revert"}, "puts the candidate aside"))
    return tuple(advice) or (_start_again(),)


def _start_again() -> Advice:
    why = "this run has no baseline; profile_model, with corrected arguments, starts a new one"
    return Advice("get_state", {}, why, _MOMENTS["no_baseline"])


def _on_verdict(run: Run) -> list[Advice]:
    """Return what to do with a benchmarked candidate."""
    step = run.open_step
    verdict = run.verdict_of(step) if step else None
    if verdict is None:
        why = "measures the candidate's accuracy on the baseline's data"
        return [Advice("validate", {"run": run.id}, why, _MOMENTS["validate"])]
    failed = verdict.outcome is not Outcome.PASS
    see = _MOMENTS["failed" if failed else "not_faster"]
    revert = Advice("decide", {"run": run.id, "decision": "revert"}, "puts the candidate aside", see)
    if failed:
        return [revert]
    faster = step is not None and step.benchmark is not None and step.benchmark.ratio.faster
    why = "it passes and is faster" if faster else "it passes, but no speed-up is shown: keep it only for its size"
    keep = Advice("decide", {"run": run.id, "decision": "keep"}, why, _MOMENTS["passed"])
    return [keep, revert] if faster else [revert, keep]


def _on_steps(run: Run) -> list[Advice]:
    """Return the steps that were not tried yet, and packaging where it is possible and worth it."""
    ideas = [idea for idea in STRATEGIES[run.started.target_device] if _fits(run, idea) and not _tried(run, idea)]
    steps = [Advice(str(idea.call), {"run": run.id, **idea.arguments}, idea.why, idea.note) for idea in ideas[:2]]
    look = Advice("get_state", {"run": run.id}, "")
    if _is_packaged(run):
        why = "the best artifact is packaged; further steps stay possible"
        return [replace(look, why=why, see=_MOMENTS["packaged"]), *steps]
    if (refusal := _packaging_refused(run)) is not None:
        why = f"packaging would be refused: {refusal.why}"
        return [*steps, replace(look, why=why, see=_MOMENTS["not_packaged"])]
    why = "ships the best kept artifact, or the original where nothing was kept"
    package = Advice("package", {"run": run.id}, why, _MOMENTS["package"])
    return [package, *steps] if not steps or _target_reached(run) else [*steps, package]


def _fits(run: Run, idea: Idea) -> bool:
    return all(CONDITIONS[name](run) for name in idea.fits)


def _packaging_refused(run: Run) -> Refusal | None:
    return refusal_for(run, Asked(Call.PACKAGE, run.started.policy, datetime.now(UTC)))


def _is_packaged(run: Run) -> bool:
    return run.current is not None and any(package.artifact == run.current.sha256 for package in run.packages)


# What speaks of the step itself. Anything else, a full disk or a changed original, may be gone the next time.
LASTING = frozenset(
    {
        Code.NOTHING_CHANGED,
        Code.SCHEME_NOT_OFFERED,
        Code.CONVERSION_DIVERGED,
        Code.MODEL_UNSUPPORTED,
        Code.MODEL_INVALID,
        Code.MODEL_NOT_FINITE,
        Code.CALIBRATION_UNFIT,
    }
)
# The arguments by which ideas of one scheme differ; recipes carry them under the same names.
DISTINGUISHING = frozenset({"per_channel", "calibration_method", "operations"})


def _tried(run: Run, idea: Idea) -> bool:
    """Whether a step of this kind was decided on, or found impossible."""
    for job in (turned.job for turned in run.turned_down if turned.refusal.code in LASTING):
        if job.call == idea.call and all(job.arguments.get(name) == value for name, value in idea.arguments.items()):
            return True
    wanted = {name: value for name, value in idea.arguments.items() if name in DISTINGUISHING}
    for step in run.steps:
        recipe = step.artifact.recipe
        if recipe.step != idea.call or recipe.option != idea.option:
            continue
        if all(recipe.parameters.get(name) == value for name, value in wanted.items()):
            return True
    return False


def _target_reached(run: Run) -> bool:
    """Whether the best kept artifact is fast enough, or faster at all where no target was named."""
    best = run.best
    if best is None or best.benchmark is None or not _is_telling(run, best.benchmark.candidate):
        return False
    target_ms = run.started.latency_target_ms
    if target_ms is None:
        return best.benchmark.ratio.faster
    return best.benchmark.candidate.mean_ms <= target_ms
