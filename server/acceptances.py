"""How a person's acceptance comes into the ledger: drafted over what is refused now, signed, recorded once."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_hex

from pydantic import ValidationError

from edgewright.knowledge.stop import Stop, stop_of
from edgewright.server.house import House
from edgewright.state.asked import Asked
from edgewright.state.codec import decode, encode
from edgewright.state.errors import Code, EdgewrightError, Refused
from edgewright.state.events import WaiverGranted
from edgewright.state.guards import acceptable, refusal_for
from edgewright.state.phases import Call
from edgewright.state.policy import Level
from edgewright.state.run import Run
from edgewright.state.waivers import Subject, Waiver
from edgewright.tools.authority.enrolment import APPROVER, Authority
from edgewright.tools.authority.signatures import Namespace, verify

HOURS = 24
HOURS_AT_MOST = 24 * 7


def asked(house: House, kind: str = "") -> Asked:
    """Return the guards' question about an acceptance."""
    return Asked(Call.ACCEPT, house.settings.policy, datetime.now(UTC), kind=kind)


def pending(house: House, run: str, kind: str = "") -> tuple[Run, Subject]:
    """Return a run and the first thing that a person could accept of it.

    Raises:
        Refused: If there is nothing.
    """
    with house.ledger.read() as look:
        job = look.run(run).job
    if job is not None:
        house.jobs.settle(job.id)
    with house.ledger.read() as look:
        state = house.seen(look.run(run))
    question = asked(house, kind)
    if (refusal := refusal_for(state, question)) is not None:
        raise Refused(refusal)
    return state, acceptable(state, question)[0]


def figures(run: Run, subject: Subject) -> list[str]:
    """Return what a person has to read before deciding, a line each."""
    stop = stop_of(run)
    lines = [f"Run: {run.id} ({run.started.model_name} for {run.started.target_device})"]
    if stop is not None and subject.kind == "accuracy":
        lines += stop_figures(stop)
    return [*lines, f"To be accepted: {subject.sentence}"]


def stop_figures(stop: Stop) -> list[str]:
    """Return the figures of a failing verdict and what could be done instead, a line each."""
    verdict = stop.verdict
    lines = [
        f"Metric: {verdict.metric} (n={verdict.n})",
        f"Baseline: {verdict.baseline:.6g}",
        f"Candidate: {verdict.value:.6g}",
        f"Relative drop: {verdict.drop:.2%} (tolerance {verdict.tolerance:.2%}, floor {verdict.floor:.6g})",
    ]
    if stop.agreement is not None:
        lines.append(f"Agreement with the original: {stop.agreement:.2%}")
    lines += [f"Class {loss.name}: {loss.before:.4f} -> {loss.after:.4f}" for loss in stop.worst]
    instead = [f"{advice.tool} {json.dumps(dict(advice.arguments))}" for advice in stop.alternatives]
    return [*lines, f"Instead, after decide(revert): {'; '.join(instead) or 'nothing that was not tried'}"]


def draft(run: Run, subject: Subject, level: Level, *, approver: str, reason: str, hours: float = HOURS) -> Waiver:
    """Return an acceptance that is not given yet."""
    now = datetime.now(UTC)
    return Waiver(
        run=run.id,
        subject=subject,
        level=level,
        approver=approver.strip(),
        reason=reason.strip(),
        issued=now.isoformat(timespec="seconds"),
        expires=(now + timedelta(hours=hours)).isoformat(timespec="seconds"),
        nonce=token_hex(16),
    )


def require_enrolled(authority: Authority) -> None:
    """Let nobody fill in what cannot be signed.

    Raises:
        EdgewrightError: If no passphrase is enrolled.
    """
    if not authority.is_enrolled:
        raise EdgewrightError("no passphrase is enrolled; a person runs `edgewright enrol` first")


def signed(waiver: Waiver, authority: Authority, passphrase: str) -> Waiver:
    """Return an acceptance at L2, signed by the key that the passphrase makes.

    Raises:
        EdgewrightError: If the passphrase is wrong, or nothing is enrolled.
    """
    require_enrolled(authority)
    statement = encode(waiver.unsigned).encode()
    return replace(waiver, signature=authority.sign_statement(statement, passphrase))


def read_signed(house: House, statement: bytes, signature: str) -> Waiver:
    """Return an acceptance at L3 from its statement and the signature of a key on the operator's list.

    Raises:
        Refused: WAIVER_INVALID, if it is no statement of ours, or nobody on the list signed it in his own name.
        EdgewrightError: If the operator has no list, or the signature does not hold.
    """
    allowed = house.settings.allowed_signers
    if allowed is None:
        raise EdgewrightError("no signers are allowed; the operator sets `allowed_signers` in the configuration")
    principal = verify(statement, signature, Namespace.WAIVER, allowed)
    try:
        waiver = decode(Waiver, statement)
    except ValidationError as error:
        raise _invalid(f"the statement cannot be read ({error.error_count()} problems)") from error
    if encode(waiver).encode() != statement or waiver.signature:
        raise _invalid("the statement is not in the form in which Edgewright writes it")
    if waiver.level is not Level.SIGNED or principal == APPROVER or waiver.approver != principal:
        raise _invalid(f"it says {waiver.level} by {waiver.approver!r}, and the list calls the signer {principal!r}")
    return replace(waiver, signature=signature)


def grant(house: House, waiver: Waiver) -> Run:
    """Record an acceptance; return the run with it.

    Raises:
        Refused: If what it accepts is not refused now, or it does not count.
    """
    with house.ledger.change() as change:
        event = granted(house, change.run(waiver.run), waiver)
        return change.append(waiver.run, event)


def granted(house: House, run: Run, waiver: Waiver) -> WaiverGranted:
    """Return the event of an acceptance, if it is of exactly what is refused now.

    Raises:
        Refused: If it is not, or does not count.
    """
    question = asked(house, waiver.subject.kind)
    if (refusal := refusal_for(run, question)) is not None:
        raise Refused(refusal)
    if waiver.run != run.id or waiver.subject not in acceptable(run, question):
        raise _invalid("what it accepts is not what is refused now: a digest or a figure differs")
    if waiver.nonce in {earlier.nonce for earlier in run.accepted}:
        raise _invalid("it was given before, and counts once")
    if (short := waiver.shortfall(least=question.policy.least_level, now=question.now)) is not None:
        raise Refused.because(
            Code.WAIVER_INSUFFICIENT,
            f"an acceptance by {waiver.approver!r}",
            f"waiver insufficient: {short}",
            f"a person runs `edgewright approve {run.id}`",
            "P3",
        )
    if _hours(waiver) > HOURS_AT_MOST:
        raise _invalid(f"it would be good for {_hours(waiver):g} hours, and {HOURS_AT_MOST} are the most")
    return WaiverGranted(waiver)


def _hours(waiver: Waiver) -> float:
    start, end = datetime.fromisoformat(waiver.issued), datetime.fromisoformat(waiver.expires)
    return (end - start).total_seconds() / 3600


def _invalid(why: str) -> Refused:
    return Refused.because(
        Code.WAIVER_INVALID, "this acceptance", why, "draft it anew over what is refused now", "P3", "P4"
    )


def write_draft(path: Path, waiver: Waiver) -> None:
    """Write the statement that is to be signed, byte for byte as it will be checked."""
    if path.exists():
        raise EdgewrightError(f"{path} exists already")
    path.write_text(encode(waiver), encoding="utf-8")
