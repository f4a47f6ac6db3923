"""Asking the person at the client, in both protocol eras. The answer is never an argument: a model cannot give it.

It proves that the client answered, not that a person did: level L1 (`edgewright.state.policy`).
"""

from dataclasses import dataclass, replace
from typing import Any

import anyio
from mcp.server.elicitation import AcceptedElicitation, ElicitationResult
from mcp.server.mcpserver import Context, Elicit, Resolve
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.resolve import build_resolver_plans, resolve_arguments
from mcp.types import InputRequiredResult
from pydantic import BaseModel, Field

from edgewright.server import plans, requests
from edgewright.server.acceptances import draft, figures, granted, pending
from edgewright.server.catalog import ToolSpec
from edgewright.server.guard import Door, Granted
from edgewright.server.house import House
from edgewright.server.plans import Plan
from edgewright.state.errors import Code, Refused
from edgewright.state.ledger import Transaction
from edgewright.state.policy import Level
from edgewright.state.run import Run
from edgewright.state.waivers import Subject


class Acceptance(BaseModel):
    """What the person fills in."""

    accept: bool = Field(description="Accept exactly these numbers, once")
    name: str = Field(description="Your name, for the report", max_length=100)
    reason: str = Field(description="Why, for the report", max_length=500)


@dataclass(frozen=True)
class Asker:
    """Asks about one house's runs."""

    spec: ToolSpec
    house: House
    door: Door

    async def accept(
        self, request: requests.AcceptTradeoff, context: Context[Any, Any]
    ) -> Granted | InputRequiredResult:
        """Ask, and record what was accepted; or return what the client has to answer first.

        Raises:
            Refused: If there is nothing to ask, nobody to ask, the answer would not count, or it is no.
        """
        found = await anyio.to_thread.run_sync(self._question, request)
        if found is None:
            return await self._enter(request, _stale)
        run, subject = found
        if (refusal := self._unaskable(run, subject, context)) is not None:
            return await self._enter(request, refusal)
        answer = await ask(context, "\n".join(figures(run, subject)))
        if isinstance(answer, InputRequiredResult):
            return answer
        if not isinstance(answer, AcceptedElicitation) or not answer.data.accept:
            return await self._enter(request, _declined(run, subject))
        waiver = draft(run, subject, Level.RELAYED, approver=answer.data.name, reason=answer.data.reason)

        def plan(house: House, _look: Transaction, now: Run, _request: object) -> Plan:
            return Plan(events=(granted(house, now, waiver),))

        return await self._enter(request, plan)

    def _question(self, request: requests.AcceptTradeoff) -> tuple[Run, Subject] | None:
        """Return what to ask about; nothing where the door has the answer already, be it a refusal."""
        with self.house.ledger.read() as look:
            if request.idempotency_key and look.remembered(request.idempotency_key):
                return None
        try:
            return pending(self.house, request.run, request.kind or "")
        except Refused:
            return None

    async def _enter(self, request: requests.AcceptTradeoff, plan: "Refused | plans.Planner") -> Granted:
        """Go through the door like every call that changes a run; a refusal is written down there."""

        def refuse(_house: House, _look: Transaction, _run: Run, _request: object) -> Plan:
            assert isinstance(plan, Refused)  # noqa: S101
            raise plan

        planner = refuse if isinstance(plan, Refused) else plan
        return await anyio.to_thread.run_sync(self.door.enter, replace(self.spec, plan=planner), request)

    def _unaskable(self, run: Run, subject: Subject, context: Context[Any, Any]) -> Refused | None:
        """Return why nobody is asked: the answer would not count, or the client cannot ask."""
        least = self.house.settings.least_level
        able = context.client_capabilities and context.client_capabilities.elicitation
        if Level.RELAYED.reaches(least) and able:
            return None
        if able or not Level.RELAYED.reaches(least):
            code, why = (
                Code.WAIVER_INSUFFICIENT,
                f"waiver insufficient: an answer through the client is {Level.RELAYED} ({Level.RELAYED.meaning}), and "
                f"the operator demands {least} ({least.meaning})",
            )
        else:
            code, why = Code.NOBODY_TO_ASK, "this client cannot put a question to a person (no elicitation)"
        return Refused.because(
            code,
            f"asking to accept: {subject.sentence}",
            why,
            f"show a person these figures; to accept them, the person types `edgewright approve {run.id}` in a "
            "terminal. Otherwise revert the candidate",
            "P3",
            "P4",
            figures=figures(run, subject),
            command=f"edgewright approve {run.id}",
        )


async def ask(context: Context[Any, Any], message: str) -> ElicitationResult[Acceptance] | InputRequiredResult:
    """Put the question to whoever sits at the client; the SDK's resolver knows how in either era.

    Args:
        context: Of the call.
        message: A pure function of the record: another wording is another question, and is asked anew.
    """

    def question() -> Elicit[Acceptance]:
        return Elicit(message, Acceptance)

    asked = {"answer": (Resolve(question), True)}
    try:
        found = await resolve_arguments(asked, build_resolver_plans(asked, set()), {}, context)
    except ToolError as error:
        raise Refused.because(
            Code.NOT_ACCEPTED, "this answer", str(error).rstrip("."), "fill in every field of the question", "P4"
        ) from error
    if isinstance(found, InputRequiredResult):
        return found
    answer: ElicitationResult[Acceptance] = found["answer"]
    return answer


def _stale(_house: House, _look: Transaction, run: Run, _request: object) -> Plan:
    """Refuse a call that was refused a moment ago and would not be now."""
    raise Refused.because(Code.BUSY, "accept_tradeoff", f"run {run.id} changed in this moment", "call it again", "P12")


def _declined(run: Run, subject: Subject) -> Refused:
    return Refused.because(
        Code.NOT_ACCEPTED,
        f"accepting: {subject.sentence}",
        "the person at the client did not accept it",
        f"call decide(run='{run.id}', decision='revert') and try an alternative"
        if subject.kind == "accuracy"
        else "go another way: other calibration data, another scheme, or another device",
        "P3",
        "P4",
    )
