"""A tool as the SDK sees it: the request model is the published schema, and the raw arguments go to the door.

The SDK would build a schema from a function's signature, drop unknown arguments and coerce types; `Tool.run` is its
public seam before that, so the door itself judges what a client sent.
"""

from functools import cache
from typing import Any

import anyio
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.tools import Tool
from mcp.server.mcpserver.utilities.func_metadata import ArgModelBase, FuncMetadata
from mcp.types import CallToolResult, InputRequiredResult
from pydantic import BaseModel, PrivateAttr

from edgewright.server import answers, reports, requests
from edgewright.server.apps import run_view
from edgewright.server.asking import Asker
from edgewright.server.catalog import ToolSpec
from edgewright.server.changes import Changes
from edgewright.server.guard import Door, Granted, parse
from edgewright.server.house import House
from edgewright.server.replies import to_refusal, to_result
from edgewright.server.search import search
from edgewright.state.errors import Code, CorruptArtifact, CorruptLedger, EdgewrightError, Refusal, Refused
from edgewright.state.events import Event, JobOutcome
from edgewright.state.run import Run
from edgewright.tools.job_folder import Progress

CANCEL_WAIT_S = 10


class EdgewrightTool(Tool):
    """One row of the catalogue, bound to a house."""

    _spec: ToolSpec = PrivateAttr()
    _door: Door = PrivateAttr()
    _house: House = PrivateAttr()
    _changes: Changes = PrivateAttr()

    @classmethod
    def of(cls, spec: ToolSpec, door: Door, house: House, changes: Changes) -> "EdgewrightTool":
        """Return the tool of a catalogue row."""
        tool = cls(
            fn=_never_called,
            name=spec.name,
            title=spec.title,
            description=spec.description,
            parameters=published(spec.request),
            fn_metadata=FuncMetadata(arg_model=ArgModelBase, output_schema=published(spec.reply)),
            is_async=True,
            context_kwarg=None,
            annotations=spec.annotations,
            meta=dict(run_view.TOOL_META) if spec.shows_run else None,
        )
        tool._spec, tool._door, tool._house, tool._changes = spec, door, house, changes
        return tool

    async def run(
        self,
        arguments: dict[str, Any],
        context: Context[Any, Any],
        convert_result: bool = False,  # noqa: ARG002, FBT001, FBT002
    ) -> CallToolResult | InputRequiredResult:
        """Answer one call: a reply, a refusal with the legal calls, or a question to the person at the client."""
        try:
            result = await self._answer(parse(self._spec, arguments), context)
        except Refused as refused:
            named = arguments.get("run")
            run = await anyio.to_thread.run_sync(self._run_named, named) if isinstance(named, str) else None
            result = _refusal(refused.refusal, run)
        except (CorruptLedger, CorruptArtifact) as corrupt:
            return _refusal(_corruption(self._spec.name, corrupt), None)
        if self._spec.shows_run and isinstance(result, CallToolResult):
            await anyio.to_thread.run_sync(self._add_view, result)
        return result

    def _add_view(self, result: CallToolResult) -> None:
        """Add what a view in the chat shows of the run that the answer is about."""
        if run := self._run_named(str(result.structured_content.get("run", ""))):
            result.meta = {**(result.meta or {}), **run_view.of_run(self._house, run)}

    async def _answer(
        self, request: requests.Request, context: Context[Any, Any]
    ) -> CallToolResult | InputRequiredResult:
        match request:
            case requests.GetState():
                if request.run is not None:
                    await anyio.to_thread.run_sync(self._settle_if_possible, request.run)
                return to_result(await anyio.to_thread.run_sync(answers.state_of, self._house, request))
            case requests.Report():
                reported = await anyio.to_thread.run_sync(reports.report_on, self._house, request.run, request.format)
                result = to_result(reported.reply, [picture.png for picture in reported.shown])
                result.meta = {
                    name: part for each in reported.shown for name, part in run_view.of_picture(each).items()
                }
                return result
            case requests.SearchKnowledge() | requests.SearchCodeExamples():
                return to_result(await anyio.to_thread.run_sync(search, self._house.library, request))
            case requests.GetJob():
                return await self._wait(request.job, request.wait_seconds, context)
            case requests.CancelJob():
                await anyio.to_thread.run_sync(answers.ended, self._house, request.job)
                await anyio.to_thread.run_sync(self._house.jobs.cancel, request.job)
                return await self._wait(request.job, CANCEL_WAIT_S, context)
            case requests.AcceptTradeoff():
                answered = await Asker(self._spec, self._house, self._door).accept(request, context)
                if isinstance(answered, InputRequiredResult):
                    return answered
                return await self._carry_on(answered, context)
            case _:
                granted = await anyio.to_thread.run_sync(self._door.enter, self._spec, request)
                return await self._carry_on(granted, context)

    async def _carry_on(self, granted: Granted, context: Context[Any, Any]) -> CallToolResult:
        """Wait for the job that a granted call began, or report what was written at once."""
        await self._changes.announce(granted.run.id)
        if granted.job is not None:
            return await self._wait(granted.job, self._house.settings.wait_s, context)
        event = await anyio.to_thread.run_sync(self._event, granted)
        return to_result(answers.reply_to(self._house, granted.run, event))

    def _event(self, granted: Granted) -> Event:
        with self._house.ledger.read() as look:
            return look.records(granted.run.id)[granted.number - 1].event

    async def _wait(self, job: str, seconds: float, context: Context[Any, Any]) -> CallToolResult:
        """Wait for a job and answer as its call would have."""

        async def watcher(progress: Progress) -> None:
            await context.report_progress(progress.done, progress.total, progress.message)

        ended = await anyio.to_thread.run_sync(answers.ended, self._house, job)
        if ended is None:
            run = await self._house.jobs.wait(job, seconds, watcher)
            if run is None:
                return to_result(await anyio.to_thread.run_sync(answers.running, self._house, job))
            ended = await anyio.to_thread.run_sync(answers.ended, self._house, job)
        if ended is None:
            raise EdgewrightError(f"job {job} was settled and has no end")
        if ended.ended.outcome is JobOutcome.CANCELLED and self._spec.request is requests.CancelJob:
            return to_result(answers.cancelled(self._house, ended.run, job))
        if ended.ended.refusal is not None:
            return _refusal(ended.ended.refusal, self._house.seen(ended.run))
        event = ended.evidence or ended.ended
        pictures = await anyio.to_thread.run_sync(reports.pictures_of, ended.run, event)
        return to_result(
            answers.reply_to(self._house, ended.run, event, job=job), [picture.png for picture in pictures]
        )

    def _settle_if_possible(self, run: str) -> None:
        """Settle what has ended; looking at a run must work even where nothing can be written."""
        try:
            self._door.settle(run)
        except Refused as refused:
            if refused.refusal.code not in {Code.DISK_FULL, Code.BUSY}:
                raise

    def _run_named(self, name: str) -> Run | None:
        try:
            with self._house.ledger.read() as look:
                return self._house.seen(look.run(name))
        except (Refused, CorruptLedger):
            return None


def _corruption(call: str, corrupt: CorruptLedger | CorruptArtifact) -> Refusal:
    return Refusal(
        Code.CORRUPT,
        f"{call} on this state folder",
        str(corrupt).rstrip("."),
        "have a person restore the state folder from a copy, or start the server on a new one with --state-folder; "
        "nothing recorded there is trusted as it is",
        {},
        ("P11",),
    )


def _refusal(refusal: Refusal, run: Run | None) -> CallToolResult:
    """Return a refusal with where the run stands and what is legal there."""
    return to_refusal(
        refusal, run=run.id if run else None, phase=str(run.phase) if run else None, legal=answers.legal_next(run)
    )


@cache
def published(model: type[BaseModel]) -> dict[str, object]:
    """Return a model's JSON schema without what pydantic repeats from names and docstrings: each costs context."""
    schema = _untitled(model.model_json_schema())
    return schema if isinstance(schema, dict) else {}


def _untitled(schema: object) -> object:
    if isinstance(schema, list):
        return [_untitled(entry) for entry in schema]
    if not isinstance(schema, dict):
        return schema
    repeated = {"title", "description"} if "properties" in schema else {"title"}
    kept = {name: value for name, value in schema.items() if name not in repeated}
    named = ("properties", "$defs")
    return {
        name: {key: _untitled(entry) for key, entry in value.items()} if name in named else _untitled(value)
        for name, value in kept.items()
    }


def _never_called(**_: object) -> None:
    """Stand where the SDK keeps a tool's function; `run` above answers in its place."""
