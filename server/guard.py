"""The one door: every tool call passes here, in this order, and nothing else changes a run.

1. Arguments are of the tool's form, with nothing unknown among them.
2. Whatever work of the run has ended is settled first, so that the call meets the run as it is.
3. In one transaction: the run exists, the phase table has the call, its guards pass; then the plan's events, or the
   start of its job, are written. A refusal writes its own event and nothing else.
4. A job is waited for as long as a client can be expected to hold the line.
"""

import hashlib
import json
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from pydantic import ValidationError

from edgewright.server import plans, questions, requests
from edgewright.server.catalog import ToolSpec
from edgewright.server.house import House
from edgewright.server.jobs import new_job
from edgewright.state.errors import Code, CorruptLedger, EdgewrightError, Refusal, Refused
from edgewright.state.events import CallRefused, JobStarted
from edgewright.state.guards import first_refusal, refusal_for
from edgewright.state.ledger import RememberedCall, Transaction
from edgewright.state.phases import START
from edgewright.state.run import Run
from edgewright.tools.job_folder import Envelope
from edgewright.tools.orders import Order

# Far more than any data card needs, far less than any decoder bears.
DEEPEST = 20


@dataclass(frozen=True)
class Granted:
    """A call that was let through.

    Attributes:
        run: The run as it stands.
        number: The event that the call led to.
        job: The work that began, or that an earlier equal call began.
    """

    run: Run
    number: int
    job: str | None = None


def parse(spec: ToolSpec, arguments: dict[str, object]) -> requests.Request:
    """Return the arguments in the tool's form.

    Raises:
        Refused: If one is unknown, missing, of another type or out of bounds.
    """
    unknown = sorted(set(arguments) - set(spec.request.model_fields))
    if unknown:
        raise Refused.because(
            Code.UNKNOWN_ARGUMENT,
            f"{spec.name} with unknown argument(s) {', '.join(map(repr, unknown))}",
            "no argument is ignored in silence",
            f"{spec.name} takes: {', '.join(spec.request.model_fields)}",
            "P4",
            unknown=unknown,
        )
    try:
        request = spec.request.model_validate(arguments)
        _check_recordable(request)
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False)]
        raise Refused.because(
            Code.INVALID_ARGUMENT,
            f"{spec.name} with these arguments",
            "; ".join(problems[:5]),
            "correct them and call again; the tool's input schema has every bound",
            problems=problems[:5],
        ) from error
    return request


def _check_recordable(request: requests.Request) -> None:
    """Refuse what the ledger could not write down and read again.

    Raises:
        Refused: INVALID_ARGUMENT, for nesting beyond `DEEPEST` or text that is not Unicode.
    """
    content = request.model_dump(mode="python")
    depth = _depth(content)
    try:
        json.dumps(content if depth <= DEEPEST else None, ensure_ascii=False, default=str).encode()
        why = f"an argument is nested {depth} deep, and {DEEPEST} is the most" if depth > DEEPEST else ""
    except UnicodeEncodeError:
        why = "an argument holds half a surrogate pair, which is no text"
    if why:
        raise Refused.because(Code.INVALID_ARGUMENT, "a call that cannot be recorded", why, "correct it and call again")


def _depth(content: object, level: int = 0) -> int:
    """Return how deep plain data is nested, as far as it matters."""
    inner = content.values() if isinstance(content, dict) else content if isinstance(content, list) else ()
    return level if level > DEEPEST else max([level, *(_depth(entry, level + 1) for entry in inner)])


Start = Callable[[], None]


class Door:
    """The door of one house."""

    def __init__(self, house: House) -> None:
        self._house = house

    def enter(self, spec: ToolSpec, request: requests.Request) -> Granted:
        """Let a changing call through, or refuse it.

        Raises:
            Refused: With what was refused, why, and what to do; the run is as it was.
        """
        run = getattr(request, "run", None)
        if run is not None:
            self.settle(run)
        try:
            with ExitStack() as leases:
                with self._house.ledger.change() as change:
                    granted, start = self._decide(change, spec, request, leases)
                if start:
                    start()  # only now: what the ledger has not taken must not begin
                return granted
        except Refused as refused:
            if run is not None and refused.refusal.code is not Code.UNKNOWN_RUN:
                self._write_down(run, spec, refused.refusal)
            raise

    def settle(self, run: str) -> None:
        """Settle the run's work if it has ended.

        Raises:
            Refused: If there is no such run.
        """
        with self._house.ledger.read() as look:
            job = look.run(run).job
        if job is not None:
            self._house.jobs.settle(job.id)

    def _decide(
        self, change: Transaction, spec: ToolSpec, request: requests.Request, leases: ExitStack
    ) -> tuple[Granted, Start | None]:
        """Grant the call and write down that it was, or raise what refuses it."""
        if spec.plan is None:
            raise EdgewrightError(f"{spec.name} changes no run and has no business at the door")
        earlier = self._earlier(change, spec, request) or self._same_at_work(change, request)
        if earlier:
            return earlier, None
        question = questions.asked(request, self._house)
        if isinstance(request, requests.ProfileModel):
            _pass(first_refusal(START.guards, None, question))
            run = change.append(*plans.new_run(self._house, request))
        else:
            run = change.run(str(getattr(request, "run", "")))
            _pass(refusal_for(run, question))
        plan = spec.plan(self._house, change, run, request)
        if plan.order is None:
            run = change.append(run.id, *plan.events)
            self._remember(change, request, run, "")
            return Granted(run, run.version), None
        _pass(self._crowded(change))
        job = new_job()
        start = leases.enter_context(self._house.jobs.prepared(self._envelope(job, run, plan.order)))
        run = change.append(run.id, JobStarted(job, question.call, _arguments(request)))
        self._remember(change, request, run, job)
        return Granted(run, run.version, job), start

    def _crowded(self, change: Transaction) -> Refusal | None:
        """Refuse more work at once than the operator wants on this machine."""
        active = change.active_jobs()
        if len(active) < self._house.settings.jobs_at_once:
            return None
        return Refusal(
            Code.BUSY,
            "starting another job",
            f"{len(active)} are at work, and the operator's limit is {self._house.settings.jobs_at_once}",
            f"wait for one with get_job(job='{next(iter(active))}')",
            {"active": list(active)},
        )

    def _envelope(self, job: str, run: Run, order: Order) -> Envelope:
        settings = self._house.settings
        return Envelope(
            job=job,
            run=run.id,
            order=order,
            limits=settings.limits,
            objects=str(self._house.store.folder),
            host_lock=str(self._house.host_lock),
            readable=settings.real_roots,
            target=plans.target_of(self._house, run),
            leftovers=self._house.jobs.leftovers(order),
            toolchains=str(self._house.toolchains.folder),
        )

    def _earlier(self, change: Transaction, spec: ToolSpec, request: requests.Request) -> Granted | None:
        """Return what the same call with the same idempotency key was granted before."""
        key = getattr(request, "idempotency_key", None)
        known = change.remembered(key) if key else None
        if known is None:
            return None
        if known.digest != _digest(request):
            raise Refused.because(
                Code.IDEMPOTENCY,
                f"{spec.name} with idempotency key {key!r}",
                "that key came before with another call or other arguments",
                "use a new key for a new call",
                "P12",
            )
        return Granted(change.run(known.run), known.number, known.job or None)

    def _same_at_work(self, change: Transaction, request: requests.Request) -> Granted | None:
        """Return the job that is doing exactly this already: asking twice is asking once."""
        named = getattr(request, "run", None)
        for job, name in change.active_jobs().items():
            if named not in {None, name}:
                continue
            try:
                run = change.run(name)
            except CorruptLedger:  # another run's trouble, unless this is it: then the guards meet it next
                continue
            if run.job is not None and run.job.arguments == _arguments(request):
                return Granted(run, run.version, job)
        return None

    def _remember(self, change: Transaction, request: requests.Request, run: Run, job: str) -> None:
        if key := getattr(request, "idempotency_key", None):
            change.remember(RememberedCall(key, _digest(request), run.id, job, run.version))

    def _write_down(self, run: str, spec: ToolSpec, refusal: Refusal) -> None:
        """Record the refusal. Where even that finds no room, the refusal itself still goes out."""
        try:
            with self._house.ledger.change() as change:
                change.append(run, CallRefused(spec.name, refusal))
        except Refused:
            return


def _pass(refusal: Refusal | None) -> None:
    if refusal is not None:
        raise Refused(refusal)


def _arguments(request: requests.Request) -> dict[str, object]:
    """Return what was asked, with the tool's name, as it goes into the ledger."""
    asked = request.model_dump(mode="json", exclude={"idempotency_key"})
    return {"tool": type(request).__name__, **asked}


def _digest(request: requests.Request) -> str:
    return hashlib.sha256(json.dumps(_arguments(request), sort_keys=True).encode()).hexdigest()
