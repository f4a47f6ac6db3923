"""An agent that only follows advice, in a world that grants or refuses its calls: events without models."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import run_builder as build

from edgewright.knowledge.advise import Advice, advise
from edgewright.state.artifacts import Artifact, Format, Recipe
from edgewright.state.errors import Code
from edgewright.state.events import Event, JobOutcome, JobStarted, Kept, Packaged, Reverted
from edgewright.state.phases import Call
from edgewright.state.run import Run, apply

STEPS_AT_MOST = 60
SUSTAINED = "benchmark(sustained)"


@dataclass
class World:
    """What comes of a call.

    Attributes:
        value: Accuracy of every candidate.
        ratio: Its time over the baseline's.
        refusing: What the work of a call is refused as, by its name.
        times: So often; every time where it is `None`.
        invalid: Calls whose times may not be used.
    """

    value: float = build.PASSING
    ratio: float = 0.5
    refusing: Mapping[str, Code] = field(default_factory=dict)
    times: int | None = None
    invalid: frozenset[str] = frozenset()

    def answer(self, run: Run, advice: Advice) -> Run:
        """Return the run after the call, its job included."""
        name = named(advice)
        if advice.tool == "decide":
            return apply(run, outcome(run, advice.tool, dict(advice.arguments), self.value, self.ratio))
        job = f"job-{run.version}"
        run = apply(run, JobStarted(job, Call(advice.tool), dict(advice.arguments)))
        if name in self.refusing and self.times != 0:
            self.times = None if self.times is None else self.times - 1
            refusal = replace(build.refusal(), code=self.refusing[name])
            return apply(run, replace(build.job_ended(JobOutcome.REFUSED, job), refusal=refusal))
        if name in self.invalid:
            run = apply(run, _unusable(run))
        else:
            run = apply(run, outcome(run, advice.tool, dict(advice.arguments), self.value, self.ratio))
        return apply(run, build.job_ended(job=job))


def named(advice: Advice) -> str:
    """Return the name of an advised call; the long run is told from the short one."""
    return SUSTAINED if advice.arguments.get("protocol") == "sustained" else advice.tool


def follow(run: Run, world: World) -> tuple[Run, Advice | None]:
    """Follow the first advice; return the run and the stop it came to, `None` where it came to none."""
    for _ in range(STEPS_AT_MOST):
        first = advise(run)[0]
        if first.tool == "get_state":
            return run, first
        run = world.answer(run, first)
    return run, None


def outcome(run: Run, tool: str, arguments: dict[str, object], value: float, ratio: float) -> Event:
    """Return what the advised call would lead to."""
    if tool in {"quantize", "convert"}:
        named = run.artifact(str(arguments.get("base")))
        asked = Format(str(arguments.get("format") or (named.format if named else Format.ONNX)))
        made = Format.ONNX if asked is Format.TENSORRT else asked  # what awaits its engine is still a graph
        parent = run.current if arguments.get("base") == "current" and run.current else build.ORIGINAL
        return build.candidate(f"step-{len(run.steps)}", parent, recipe=recipe_of(tool, arguments), format=made)
    if tool == "package":
        assert run.current is not None
        return Packaged(run.current.sha256, "package", build.digest("manifest"), ())
    if run.open_step is None:
        assert run.current is not None
        return build.sustained(run.current.sha256)
    candidate: Artifact = run.open_step.artifact
    if tool == "benchmark":
        return build.benchmarked(candidate.sha256, ratio)
    if tool == "validate":
        return build.validated(candidate.sha256, value)
    return Kept(candidate.sha256) if arguments["decision"] == "keep" else Reverted(candidate.sha256)


def _unusable(run: Run) -> Event:
    if run.open_step is not None:
        return build.benchmarked(run.open_step.artifact.sha256, valid=False)
    assert run.current is not None
    return build.sustained(run.current.sha256, valid=False)


def recipe_of(tool: str, arguments: dict[str, object]) -> Recipe:
    """Return the recipe that a real step would write down for these arguments."""
    if tool == "convert":
        if "operations" not in arguments:
            return Recipe(tool, str(arguments["format"]), {"format": arguments["format"], "opset": None})
        operations = arguments["operations"]
        assert isinstance(operations, list)
        return Recipe(tool, "+".join(operations), {"operations": operations})
    defaults: dict[str, object] = {}
    if arguments["scheme"] == "int8_static":
        defaults = {"per_channel": True, "ranges": "best", "equalize": False, "correct_bias": False}
    return Recipe(tool, str(arguments["scheme"]), {**defaults, **arguments})
