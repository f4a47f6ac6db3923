"""The guards once more, over a record alone: would every step of this past have been granted?

Whoever only holds a record learns from it that the workflow was followed, and not that the figures in it are true.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from edgewright.state.asked import Asked
from edgewright.state.errors import CorruptLedger, Refusal
from edgewright.state.events import Event, JobStarted, Kept, Reverted, Started, WaiverGranted
from edgewright.state.guards import first_refusal, refusal_for
from edgewright.state.ledger import Record, verify_chain
from edgewright.state.phases import START, Call
from edgewright.state.policy import Level, Policy, Rule
from edgewright.state.protocols import ProtocolName
from edgewright.state.run import Run, apply, fold


def replay(records: Sequence[Record]) -> Run:
    """Return the run that these records add up to, every granted call of which its guards grant again.

    How sure each acceptance was is for the one question that matters at the end: whether the artifact may be shipped
    (`edgewright.state.guards`), under the policy of that moment.

    Raises:
        CorruptLedger: If the chain does not hold, or a call was granted that is refused.
    """
    verify_chain(list(records))
    run: Run | None = None
    for record in records:
        refusal = _refusal(run, record.event, datetime.fromisoformat(record.at))
        if refusal is not None:
            raise CorruptLedger(
                f"Run {record.run}: event {record.number} ({record.kind}) was granted. {refusal.sentence}"
            )
        run = apply(run, record.event) if run else fold(record.run, [record.event])
    if run is None:
        raise CorruptLedger("There is no record.")
    return run


def _refusal(run: Run | None, event: Event, at: datetime) -> Refusal | None:
    """Return why what an event stands for would have been refused, if it stands for a call."""
    if isinstance(event, Started):
        return first_refusal(START.guards, None, _asked(Call.PROFILE_MODEL, event, at))
    if run is None:
        return None
    started = run.started
    match event:
        case JobStarted():
            base = str(event.arguments.get("base", "current"))
            calibrated = event.arguments.get("scheme") == "int8_static"
            named = event.arguments.get("protocol")
            question = replace(
                _asked(event.call, started, at),
                base=base,
                needs_calibration=calibrated,
                protocol=ProtocolName(str(named)) if named else None,
            )
        case Kept():
            question = _asked(Call.KEEP, started, at)
        case Reverted():
            question = _asked(Call.REVERT, started, at)
        case WaiverGranted():
            # What counts for less may be accepted again; and the rule of that day may have been the stricter one.
            strict = replace(started.policy, least_level=Level.SIGNED, rule=Rule.CONFIDENT)
            question = replace(_asked(Call.ACCEPT, started, at), policy=strict, kind=event.waiver.subject.kind)
        case _:
            return None
    return refusal_for(run, question)


def _asked(call: Call, started: Started, at: datetime) -> Asked:
    policy: Policy = replace(started.policy, least_level=Level.RELAYED)
    device, target = started.target_device, started.target
    return Asked(
        call,
        policy,
        at,
        tolerance=started.accuracy_tolerance,
        metric=started.metric,
        device=device,
        target=target,
        enrolled={target: device} if target else {},
    )
