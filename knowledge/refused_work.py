"""What work that was refused, or broke, asks for: one more try, a person, or another way."""

from enum import StrEnum

from edgewright.knowledge.strategies import ADVISED
from edgewright.state.run import Run, TurnedDown

TRIES = 2


class WayOut(StrEnum):
    """Where to turn."""

    AGAIN = "again"
    PERSON = "person"
    OTHERWISE = "otherwise"


def way_out(run: Run) -> WayOut | None:
    """Return what the end of the last job asks for; `None` where it brought what it was for, or was cancelled."""
    if run.trouble is None:
        return None
    if run.trouble.code in ADVISED.person:
        return WayOut.PERSON
    return WayOut.OTHERWISE if is_lasting(run, run.turned_down[-1]) else WayOut.AGAIN


def is_lasting(run: Run, turned_down: TurnedDown) -> bool:
    """Whether the same call would come to the same end: it speaks of the step itself, or was tried often enough."""
    code = turned_down.refusal.code
    if code in ADVISED.person:
        return False
    alike = sum(
        (other.job.call, other.job.arguments, other.refusal.code)
        == (turned_down.job.call, turned_down.job.arguments, code)
        for other in run.turned_down
    )
    return code not in ADVISED.again or alike >= TRIES
