"""The calls that read, and the answer to a call whose work has ended. None of them changes a run."""

from dataclasses import dataclass
from types import MappingProxyType

from edgewright.knowledge.advise import advise
from edgewright.server import requests, state_block
from edgewright.server.house import House
from edgewright.server.replies import Next, Reply
from edgewright.server.summaries import summarise
from edgewright.state.codec import adapter
from edgewright.state.errors import Code, CorruptLedger, Refused
from edgewright.state.events import Event, JobEnded
from edgewright.state.ledger import Transaction
from edgewright.state.run import Run
from edgewright.tools.extras import missing_modules
from edgewright.tools.package import pictures
from edgewright.tools.runtimes.grid import missing

RUNS_SHOWN = 20
NEXT_SHOWN = 3
# What only the caller knows stands in angle brackets.
PROFILE_ARGUMENTS = MappingProxyType(
    {
        "model_path": "<absolute path>",
        "validation": "<absolute path>",
        "metric": "top-1",
        "target_device": "cpu-generic",
    }
)


@dataclass(frozen=True)
class Ended:
    """A job that has ended: its run now, how it ended, and the evidence it brought, if any."""

    run: Run
    ended: JobEnded
    evidence: Event | None


def legal_next(run: Run | None) -> list[Next]:
    """Return the calls that are legal now, the recommended one first."""
    if run is None:
        return [Next(tool="get_state", arguments={}, why="lists runs, jobs and allowed folders")]
    first, *others = advise(run)[:NEXT_SHOWN]
    recommended = Next(tool=first.tool, arguments=dict(first.arguments), why=first.why, see=first.see)
    return [
        recommended,
        *(Next(tool=other.tool, arguments=dict(other.arguments), after=other.after) for other in others),
    ]


def reply_to(house: House, run: Run, event: Event, *, job: str = "") -> Reply:
    """Return the reply to a call that led to this event."""
    run = house.seen(run)
    summary = summarise(event, run, house.packages)
    return Reply(
        status="done",
        run=run.id,
        phase=str(run.phase),
        summary=summary.text,
        numbers=summary.numbers,
        warnings=summary.warnings,
        notes=summary.notes,
        job=job,
        next=legal_next(run),
    )


def running(house: House, job: str) -> Reply:
    """Return the reply to a call whose work goes on."""
    progress = house.jobs.progress(job)
    with house.ledger.read() as look:
        run = look.run(str(look.run_of_job(job)))
    return Reply(
        status="running",
        run=run.id,
        phase=str(run.phase),
        summary=f"At work: {progress.message} ({progress.done}/{progress.total}). Poll get_job.",
        job=job,
        next=[Next(tool="get_job", arguments={"job": job, "wait_seconds": 45}, why="waits for the end")],
    )


def cancelled(house: House, run: Run, job: str) -> Reply:
    """Return the reply to a call that ended a job."""
    return Reply(
        status="done",
        run=run.id,
        phase=str(run.phase),
        summary=f"Job {job} was cancelled, with every process it started. The run stands as before.",
        job=job,
        next=legal_next(house.seen(run)),
    )


def ended(house: House, job: str) -> Ended | None:
    """Return how a settled job ended, or `None` while it is at work.

    Raises:
        Refused: If there is no such job.
    """
    with house.ledger.read() as look:
        name = look.run_of_job(job)
        if name is None:
            raise Refused.because(
                Code.UNKNOWN_JOB,
                f"job {job!r}",
                "this state folder knows none of that name",
                "call get_state() to list active jobs",
            )
        run, events = look.run(name), [record.event for record in look.records(name)]
    for before, event in zip([None, *events], events, strict=False):
        if isinstance(event, JobEnded) and event.job == job:
            return Ended(run, event, before if event.refusal is None else None)
    return None


def state_of(house: House, request: requests.GetState) -> Reply:
    """Answer `get_state`.

    Raises:
        Refused: If there is no such run.
    """
    if request.run is None:
        return overview(house)
    with house.ledger.read() as look:
        run = look.run(request.run)
        records = look.records(run.id) if request.detail == "full" else []
    detail: dict[str, object] = {}
    if request.detail == "full":
        detail = {
            "state": adapter(Run).dump_python(run, mode="json"),
            "events": [{"number": r.number, "at": r.at, "kind": r.kind, "hash": r.hash} for r in records],
        }
    return Reply(
        status="done",
        run=run.id,
        phase=str(run.phase),
        summary=state_block.text(house.seen(run)),
        job=run.job.id if run.job else "",
        next=legal_next(house.seen(run)),
        detail=detail,
    )


def _line(look: Transaction, name: str) -> str:
    """Return a run in one line; a record that does not hold is no reason to hide the others."""
    try:
        run = look.run(name)
    except CorruptLedger:
        return f"{name} (CORRUPT: its record was changed)"
    return f"{name} ({run.started.model_name} for {run.started.target_device}, {run.phase})"


def _goes_on(look: Transaction, name: str) -> bool:
    """Whether there is anything to do on a run; one whose baseline failed would only send its reader back here."""
    try:
        run = look.run(name)
    except CorruptLedger:
        return False
    return run.job is not None or run.profiled is not None or run.source is not None


def overview(house: House) -> Reply:
    """Return what a new conversation needs to find its way."""
    settings = house.settings
    with house.ledger.read() as look:
        names = look.runs()[:RUNS_SHOWN]
        going = next((name for name in names[:1] if _goes_on(look, name)), "")
        listed = [_line(look, name) for name in names]
        active = look.active_jobs()
    roots = list(settings.real_roots)
    drawing = {} if pictures.available() else {"charts": pictures.INSTALL_LINE}
    following = [Next(tool="get_state", arguments={"run": going}, why="the newest run")] if going else []
    return Reply(
        status="done",
        summary=f"{len(listed)} run(s); {len(active)} job(s) at work. "
        + (
            "profile_model starts a new run."
            if roots
            else "No folder is allowed yet: a person starts the server with "
            "`edgewright serve --root FOLDER`, or sets `roots` in the configuration."
        ),
        numbers={
            "runs": listed,
            "active_jobs": [{"job": job, "run": run} for job, run in active.items()],
            "roots": roots,
            "targets": [f"{target.alias} ({target.kind})" for target in house.targets.all()],
            "missing_extras": {**missing(), **missing_modules(), **house.toolchains.missing(), **drawing},
            "tolerance_cap": settings.tolerance_cap,
            "least_validation": settings.least_validation,
            "metrics_allowed": list(settings.metrics) or "every installed one",
        },
        next=[*following, Next(tool="profile_model", arguments=dict(PROFILE_ARGUMENTS), why="starts a run")],
    )
