"""Which call to recommend next, and why: the strategies of `advice.toml`; the phase table decides what is legal."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import MappingProxyType

from edgewright.knowledge.refused_work import WayOut, is_lasting, way_out
from edgewright.knowledge.strategies import ADVISED, STRATEGIES, Idea
from edgewright.state.acceptance import unfit_calibration
from edgewright.state.artifacts import Artifact, Format
from edgewright.state.asked import Asked
from edgewright.state.errors import Code, Refusal
from edgewright.state.events import Reverted
from edgewright.state.guards import FORMAT_OF_DEVICE, accepted, refusal_for, shipped
from edgewright.state.phases import Call, legal_calls
from edgewright.state.policy import Level
from edgewright.state.run import Run, apply
from edgewright.state.verdict import Outcome
from edgewright.state.waivers import Subject


@dataclass(frozen=True)
class Advice:
    """A call worth making.

    Attributes:
        tool: Name of the tool.
        arguments: Its arguments, complete.
        why: The reason in one sentence.
        see: The note that says more, if there is one.
        after: The call that has to be made first; empty where this one is legal now.
    """

    tool: str
    arguments: Mapping[str, object]
    why: str
    see: str = ""
    after: str = ""


def _share_of(run: Run, *op_types: str) -> float:
    """Return the part of the baseline's time spent in these operators; all of it where nobody knows for the device."""
    if run.profiled is None:
        return 0.0
    if not run.tells(run.profiled.baseline.latency):
        return 1.0
    return sum(spot.share for spot in run.profiled.baseline.hot_spots if spot.op_type in op_types)


def _has_calibration(run: Run) -> bool:
    """Whether there is calibration data that was not found unfit."""
    unfit = any(turned_down.refusal.code is Code.CALIBRATION_UNFIT for turned_down in run.turned_down)
    is_there = run.profiled is not None and run.profiled.calibration is not None
    return is_there and (not unfit or _is_accepted(run, unfit_calibration(run)))


def _is_accepted(run: Run, subject: Subject | None) -> bool:
    return subject is not None and accepted(run, subject, _asked(run, Call.ACCEPT)) is not None


def _asked(run: Run, call: Call) -> Asked:
    return Asked(call, run.now.policy, datetime.now(UTC), enrolled=run.now.enrolled)


def _is_for_engine(artifact: Artifact) -> bool:
    return artifact.awaits_engine or artifact.format is Format.TENSORRT


_MOMENTS = ADVISED.moments
# What a source is converted to first; what a device runs may be made from that.
TWINS = (Format.ONNX, Format.TFLITE)
LAST_RESORT = (
    "when every scheme loses too much accuracy: more and broader calibration data, training with quantisation in the "
    "loop (QAT), or a smaller model"
)
_MATMULS = ("MatMul", "Gemm", "FusedMatMul", "FusedGemm")
_CONVOLUTIONS = ("Conv", "FusedConv", "ConvTranspose")

CONDITIONS: Mapping[str, Callable[[Run], bool]] = MappingProxyType(
    {
        "matrix_products_take_the_time": lambda run: _share_of(run, *_MATMULS) > 0.3,
        "products_take_time": lambda run: _share_of(run, *_MATMULS, *_CONVOLUTIONS) > 0,
        "calibration_is_there": _has_calibration,
        "kept_without_engine": lambda run: run.best is not None and not _is_for_engine(run.best.artifact),
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
    if Call.CONVERT in legal and run.profiled is None and run.source is not None:
        return _on_source(run)
    advice = _on_person(run)
    if Call.BENCHMARK in legal and run.open_step is not None:
        advice += _on_times(run)
    if Call.VALIDATE in legal:
        advice += _on_verdict(run)
    if Call.QUANTIZE in legal:
        advice += _on_steps(run)
    if Call.REVERT in legal and not any(a.arguments.get("decision") == "revert" for a in advice):
        advice.append(Advice("decide", {"run": run.id, "decision": "revert"}, "puts the candidate aside"))
    return tuple(advice) or (_start_again(),)


def _on_person(run: Run) -> list[Advice]:
    """Return the stop at what only a person can mend; the calls after it are for when that is done."""
    if run.trouble is None or run.profiled is None or way_out(run) is not WayOut.PERSON:
        return []
    why = f"nothing to call until a person has seen to it: {run.trouble.do}"
    return [Advice("get_state", {"run": run.id}, why, ADVISED.refusals.get(run.trouble.code, ""))]


def _on_times(run: Run) -> list[Advice]:
    """Return what to do with a candidate that was not timed yet."""
    time = Advice("benchmark", {"run": run.id}, "times the candidate beside the baseline", _MOMENTS["benchmark"])
    refusal = refusal_for(run, _asked(run, Call.BENCHMARK))
    if refusal is not None:
        return [replace(_aside(run), why=f"benchmark would be refused: {refusal.why}")]
    return [_aside(run), time] if way_out(run) is WayOut.OTHERWISE else [time]


def _aside(run: Run) -> Advice:
    """Return the way on from a candidate whose work was refused."""
    why = f"puts the candidate aside: {run.trouble.why}" if run.trouble else "puts the candidate aside"
    return Advice("decide", {"run": run.id, "decision": "revert"}, why, _MOMENTS["failed"])


def _start_again() -> Advice:
    why = "this run has no baseline; profile_model, with corrected arguments, starts a new one"
    return Advice("get_state", {}, why, _MOMENTS["no_baseline"])


def _on_source(run: Run) -> tuple[Advice, ...]:
    """Return the conversion that completes the baseline of a source that no device runs."""
    device = FORMAT_OF_DEVICE[run.started.target_device]
    tried = {turned.job.arguments.get("format") for turned in run.turned_down if is_lasting(run, turned)}
    order = (device, Format.ONNX, Format.TFLITE) if device in TWINS else TWINS
    wanted = next((each for each in order if str(each) not in tried), order[0])
    why = "no device runs the source itself: its first conversion, proven equal, is timed as the baseline"
    advice = Advice("convert", {"run": run.id, "format": str(wanted)}, why, _MOMENTS["source"])
    return (advice, Advice("get_state", {"run": run.id}, "shows why the last conversion was refused, if one was"))


def _on_verdict(run: Run) -> list[Advice]:
    """Return what to do with a benchmarked candidate."""
    step = run.open_step
    verdict = run.verdict_of(step) if step else None
    if verdict is None:
        why = "measures the candidate's accuracy on the baseline's data"
        measure = Advice("validate", {"run": run.id}, why, _MOMENTS["validate"])
        return [_aside(run), measure] if way_out(run) is WayOut.OTHERWISE else [measure]
    if verdict.outcome is not Outcome.PASS:
        return _on_failure(run)
    revert = Advice("decide", {"run": run.id, "decision": "revert"}, "puts the candidate aside", _MOMENTS["not_faster"])
    keep = Advice("decide", {"run": run.id, "decision": "keep"}, "it passes and is faster", _MOMENTS["passed"])
    benchmark = step.benchmark if step else None
    if benchmark and not run.tells(benchmark.candidate):
        why = f"it passes; its speed on {run.started.target_device} is not known from here, so accuracy and size decide"
        return [replace(keep, why=why), revert]
    if benchmark is not None and benchmark.ratio.faster:
        return [keep, revert]
    return [revert, replace(keep, why="it passes, but no speed-up is shown: keep it only for its size")]


def _on_failure(run: Run) -> list[Advice]:
    """Return the ways out of the stop: put the candidate aside and try another step, or have a person accept it."""
    revert = Advice("decide", {"run": run.id, "decision": "revert"}, "puts the candidate aside", _MOMENTS["failed"])
    if refusal_for(run, _asked(run, Call.KEEP)) is None:
        return [Advice("decide", {"run": run.id, "decision": "keep"}, "a person accepted exactly this"), revert]
    instead = [replace(advice, after=str(Call.REVERT)) for advice in alternatives(run)[:1]]
    if not instead:
        revert = replace(revert, why=f"{revert.why}; {LAST_RESORT}")
    return [revert, *instead, *_on_acceptance(run)]


def alternatives(run: Run) -> tuple[Advice, ...]:
    """Return the steps that are possible here and now instead of the open candidate, once it is reverted."""
    if run.open_step is None:
        return ()
    without = apply(run, Reverted(run.open_step.artifact.sha256))
    return tuple(_ideas(without))


def _on_acceptance(run: Run) -> list[Advice]:
    """Return the call that asks a person, where there is something to accept and the client's word for it is enough."""
    if not Level.RELAYED.reaches(run.now.policy.least_level) or refusal_for(run, _asked(run, Call.ACCEPT)) is not None:
        return []
    return [Advice("accept_tradeoff", {"run": run.id}, f"asks a person; or one runs `edgewright approve {run.id}`")]


def _ideas(run: Run) -> list[Advice]:
    """Return what the device's strategy has left for a model of this format, the preferred one first."""
    bases = _bases(run)
    ideas = [
        replace(idea, arguments=_begun(idea.arguments, bases[idea.format]))
        for idea in STRATEGIES[run.started.target_device]
        if idea.format in bases
    ]
    return [
        Advice(str(idea.call), {"run": run.id, **idea.arguments}, idea.why, idea.note)
        for idea in ideas
        if _fits(run, idea) and not _tried(run, idea)
    ]


def _bases(run: Run) -> dict[Format, str]:
    """Return what steps may start from, by format: the conversion to the device's that was kept, else the original."""
    if run.profiled is None:
        return {}
    kept = [step.artifact for step in run.kept if step.artifact.recipe.step == str(Call.CONVERT)]
    fits, have = FORMAT_OF_DEVICE[run.started.target_device], run.profiled.runnable.format
    converted = next((artifact for artifact in kept if artifact.format is fits is not have), None)
    return {converted.format: converted.sha256} if converted else {have: "original"}


def _begun(arguments: Mapping[str, object], base: str) -> Mapping[str, object]:
    return {**arguments, "base": base} if arguments.get("base") == "original" else arguments


def _on_steps(run: Run) -> list[Advice]:
    """Return the steps that were not tried yet, and packaging where it is possible and worth it."""
    steps = _ideas(run)[:2]
    if run.trouble is not None and run.trouble.code is Code.CALIBRATION_UNFIT:
        steps[1:] = _on_acceptance(run)
    look = Advice("get_state", {"run": run.id}, "")
    if _is_packaged(run):
        why = "the best artifact is packaged; further steps stay possible"
        return [replace(look, why=why, see=_MOMENTS["packaged"]), *steps]
    ship = _shipping(run)
    if ship is None:
        refusal = _packaging_refused(run)
        why = f"packaging would be refused: {refusal.why}" if refusal else ""
        stop = replace(look, why=why, see=_MOMENTS["not_packaged"])
        if refusal is not None and refusal.code in _TARGET_GONE:
            return [stop, *steps]
        return [*steps, stop, *_on_acceptance(run)]
    if run.trouble is not None and way_out(run) is WayOut.OTHERWISE and run.turned_down[-1].job.call in _SHIPPING:
        return [replace(look, why=f"{ship.tool} was refused: {run.trouble.why}"), *steps, ship]
    return [ship, *steps] if not steps or _target_reached(run) else [*steps, ship]


def _shipping(run: Run) -> Advice | None:
    """Return the call that leads to a package: `package`, or the sustained run that it wants first."""
    refusal = _packaging_refused(run)
    if refusal is None:
        why = "ships the best kept artifact, or the original where nothing was kept"
        return Advice("package", {"run": run.id}, why, _MOMENTS["package"])
    if refusal.code is not Code.SUSTAINED_MISSING:
        return None
    why = "package wants it: heat shows late"
    return Advice("benchmark", {"run": run.id, "protocol": "sustained"}, why, _MOMENTS["sustained"])


def _fits(run: Run, idea: Idea) -> bool:
    return all(CONDITIONS[name](run) for name in idea.fits)


def _packaging_refused(run: Run) -> Refusal | None:
    return refusal_for(run, _asked(run, Call.PACKAGE))


def _is_packaged(run: Run) -> bool:
    step = shipped(run, _asked(run, Call.PACKAGE))
    return step is not None and any(package.artifact == step.artifact.sha256 for package in run.packages)


# What no step of this run will change: it measures elsewhere than where it would have to.
_TARGET_GONE = frozenset({Code.TARGET_REQUIRED, Code.UNKNOWN_TARGET, Code.TARGET_WRONG_MACHINE})
# What leads to a package once the steps are decided.
_SHIPPING = frozenset({str(Call.PACKAGE), str(Call.BENCHMARK)})
# The arguments by which ideas of one scheme differ; recipes carry them under the same names.
DISTINGUISHING = frozenset({"per_channel", "ranges", "equalize", "correct_bias", "operations"})


def _tried(run: Run, idea: Idea) -> bool:
    """Whether a step of this kind was decided on, or found impossible."""
    accepted_now = _is_accepted(run, unfit_calibration(run))
    for turned in run.turned_down:
        job, is_accepted = turned.job, accepted_now and turned.refusal.code is Code.CALIBRATION_UNFIT
        if is_accepted or not is_lasting(run, turned):
            continue
        if job.call == idea.call and all(job.arguments.get(name) == value for name, value in idea.arguments.items()):
            return True
    from_current = idea.arguments.get("base") == "current" and run.current is not None
    wanted = {name: value for name, value in idea.arguments.items() if name in DISTINGUISHING}
    for step in (*run.steps, *([run.open_step] if run.open_step else [])):
        recipe = step.artifact.recipe
        if recipe.step != idea.call or recipe.option != idea.option:
            continue
        if from_current and run.current and step.artifact.parent != run.current.sha256:
            continue
        if all(recipe.parameters.get(name) == value for name, value in wanted.items()):
            return True
    return False


def _target_reached(run: Run) -> bool:
    """Whether the best kept artifact is fast enough, or faster at all where no target was named.

    Where nobody can tell from here, any kept artifact is enough without a target, and none is with one.
    """
    best, target_ms = run.best, run.started.latency_target_ms
    if best is None or best.benchmark is None:
        return False
    if not run.tells(best.benchmark.candidate):
        return target_ms is None
    if target_ms is None:
        return best.benchmark.ratio.faster
    return best.benchmark.candidate.mean_ms <= target_ms
