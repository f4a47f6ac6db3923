"""Plays scenarios: puts the world to the stage, does what the scenario says, and looks at what came of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mcp import Client

from edgewright.server.app import build_server
from edgewright.server.evaluation.agent import Agent, Task, follow, follower
from edgewright.server.evaluation.counted import Count, CountedClient
from edgewright.server.evaluation.materials import ACTS
from edgewright.server.evaluation.suite import FRESH, End, Scenario, Stage, Step, Suite
from edgewright.server.evaluation.world import World
from edgewright.state.errors import EdgewrightError

RESTART = "restart"


@dataclass(frozen=True)
class Played:
    """What came of one scenario.

    Attributes:
        name: The scenario's.
        is_honest: Whether the way was left to the agent.
        findings: What was not as it must be; empty where all was.
        outcome: How it ended: `refused`, `packaged`, `stopped`, or what was got away with.
        code: The last refusal's, or empty.
        recovered: Whether the refusal's first advice leads back to a legal end; `None` where nothing was refused.
        count: What it cost.
    """

    name: str
    is_honest: bool
    findings: tuple[str, ...]
    outcome: str
    code: str = ""
    recovered: bool | None = None
    count: Count = field(default_factory=Count)


@dataclass
class Course:
    """A scenario on its way: the run it is about, the last answer, the refusal that was expected."""

    run: str
    answer: dict[str, Any] = field(default_factory=dict)
    granted: list[str] = field(default_factory=list)


class Surprise(Exception):
    """Raised where a step did not go as the scenario says."""


class Stagehand:
    """Plays the scenarios of one suite, in a folder of its own."""

    def __init__(self, suite: Suite, folder: Path, *, agent: Agent = follower, whole_way: bool = True) -> None:
        """Name the suite and the folder.

        Args:
            suite: The scenarios.
            folder: An empty folder that this may fill.
            agent: Who gets the honest tasks.
            whole_way: Whether a refusal's advice is followed to its end, or only tried for its first call.
        """
        self._suite = suite
        self._world = World(folder)
        self._agent = agent
        self._whole_way = whole_way
        self._ways: dict[str, bool] = {}
        self._spent: dict[str, Count] = {}

    async def play(self, scenario: Scenario) -> Played:
        """Play one scenario."""
        await self.reach(scenario.given)
        run = self._world.enter(scenario.given)
        if scenario.is_honest:
            return await self._leave_to_agent(scenario)
        return await self._do(scenario, run)

    async def reach(self, stage: str) -> None:
        """Play what leads to a stage, once."""
        if stage in self._world.runs:
            return
        if stage == FRESH:
            self._world.prepare()
            self._spent[FRESH] = Count()
            return
        wanted = self._suite.stage_named(stage)
        await self.reach(wanted.after)
        course, count = Course(self._world.enter(wanted.after)), Count()
        async with self._client({}, count) as client:
            await self._walk(wanted, course, client)
        self._world.keep(stage, course.run)
        self._spent[stage] = self._spent[wanted.after] + count

    def spent(self, stage: str) -> Count:
        """Return what the whole way to a stage cost an agent; it must have been reached."""
        return self._spent[stage]

    async def _walk(self, stage: Stage, course: Course, client: CountedClient) -> None:
        for step in stage.do:
            await self._take(step, course, client)
        if stage.follow and not course.answer:
            course.answer = await client.look("get_state", {"run": course.run})
        for _ in range(stage.follow):
            call = course.answer["next"][0]
            course.answer = await client.call(call["tool"], call["arguments"])

    @asynccontextmanager
    async def _client(
        self, settings: dict[str, Any], count: Count | None = None, *, wait: bool = True
    ) -> AsyncIterator[CountedClient]:
        async with Client(build_server(self._world.settings(settings, wait=wait))) as client:
            yield CountedClient(client, count or Count())

    async def _do(self, scenario: Scenario, run: str) -> Played:
        course, count = Course(run), Count()
        findings: list[str] = []
        steps = list(scenario.do)
        while steps:
            async with self._client(scenario.settings, count, wait=all(step.wait for step in steps)) as client:
                try:
                    while steps and steps[0].act != RESTART:
                        await self._take(steps.pop(0), course, client)
                except Surprise as surprise:
                    findings.append(str(surprise))
                    steps = []
                if not steps:
                    return await self._judge(scenario, course, client, findings, count)
                steps.pop(0)
        raise EdgewrightError(f"{scenario.name} ends with a restart")

    async def _take(self, step: Step, course: Course, client: CountedClient) -> None:
        """Take one step.

        Raises:
            Surprise: If it was granted and must not be, or the other way round, or refused for another reason.
        """
        if step.act:
            state = await self._state(course.run, client)
            ACTS[step.act](self._world.folder, state)
            return
        arguments = self._world.filled(step.arguments, course.run)
        if "run" not in arguments and step.call not in {"profile_model", "get_state", "get_job"}:
            arguments = {"run": course.run, **arguments}
        run = course.run
        before = await self._standing(run, client) if step.refused else None
        course.answer = await client.call(step.call, arguments, wait=step.wait)
        course.run = course.answer.get("run") or course.run
        code, wanted = course.answer.get("code", ""), step.refused or ""
        if code != wanted:
            raise Surprise(f"{step.call} was {_said(code)} and must be {_said(wanted)}")
        if before is not None and before != await self._standing(run, client):
            raise Surprise(f"{step.call} was refused and changed the run all the same")
        if not code:
            course.granted.append(step.call)

    async def _judge(
        self, scenario: Scenario, course: Course, client: CountedClient, findings: list[str], count: Count
    ) -> Played:
        kept = replace(count)
        answer, code = course.answer, course.answer.get("code", "")
        outcome = "refused" if code else f"{scenario.do[-1].call} granted"
        findings += await self._ended_wrongly(scenario.end, course.run, client)
        recovered = None
        if code and not findings:
            recovered = await self._recovers(scenario, course, client)
            if not recovered:
                findings.append("the refusal's advice leads to no legal end")
        elif answer.get("status") == "running":
            await client.look("cancel_job", {"job": answer["job"]})
        return Played(scenario.name, scenario.is_honest, tuple(findings), outcome, code, recovered, kept)

    async def _recovers(self, scenario: Scenario, course: Course, client: CountedClient) -> bool:
        """Whether who only follows `next` from here comes to a legal end.

        A refusal changes nothing, which was checked: from one stage, after the same granted calls, one call leads the
        same way each time, and that way is gone once.
        """
        named = course.answer.get("next", [])
        if not named:
            return False
        way = repr((scenario.given, course.granted, scenario.settings, named[0]["tool"], _without_run(named[0])))
        if way not in self._ways:
            went = follow(course.answer, client) if self._whole_way else self._begins(named[0], scenario)
            self._ways[way] = await went
        return self._ways[way]

    async def _begins(self, call: dict[str, Any], scenario: Scenario) -> bool:
        """Whether a call is granted; what it starts is ended again."""
        async with self._client(scenario.settings, wait=False) as client:
            answer = await client.call(call["tool"], call["arguments"], wait=False)
            if answer.get("status") == "running":
                await client.look("cancel_job", {"job": answer["job"]})
        return answer.get("status") != "refused"

    async def _leave_to_agent(self, scenario: Scenario) -> Played:
        count = Count()
        async with self._client(scenario.settings, count) as client:
            await self._agent(Task(scenario.about, self._world.filled(scenario.task, "")), client)
            kept = replace(count)
            runs = (await client.look("get_state", {}))["numbers"]["runs"]
            run = runs[0].split(" ")[0] if runs else ""
            findings = await self._ended_wrongly(scenario.end, run, client)
            state = await self._state(run, client)
        outcome = "packaged" if state.get("packages") else "stopped"
        return Played(scenario.name, scenario.is_honest, tuple(findings), outcome, count=kept)

    async def _ended_wrongly(self, end: End, run: str, client: CountedClient) -> list[str]:
        state = await self._state(run, client)
        packages = len(state.get("packages", []))
        facts = {
            "phase": state.get("phase"),
            "packages": packages,
            "outcome": "packaged" if packages else "stopped",
        }
        wanted = end.model_dump(exclude_none=True)
        return [f"{name} is {facts[name]}, not {value}" for name, value in wanted.items() if facts[name] != value]

    async def _state(self, run: str, client: CountedClient) -> dict[str, Any]:
        """Return everything recorded of a run; nothing where there is none, or where its record does not hold."""
        if not run:
            return {}
        answer = await client.look("get_state", {"run": run, "detail": "full"})
        state: dict[str, Any] = answer.get("detail", {}).get("state", {})
        return state

    async def _standing(self, run: str, client: CountedClient) -> dict[str, Any]:
        """Return what a refusal must leave as it is: all but the record of refusals and failed jobs itself."""
        state = await self._state(run, client)
        return {name: value for name, value in state.items() if name not in {"version", "trouble", "turned_down"}}


def _said(code: str) -> str:
    return f"refused as {code}" if code else "granted"


def _without_run(call: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in call["arguments"].items() if name not in {"run", "job"}}
