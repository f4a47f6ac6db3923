"""`edgewright enrol` and `edgewright approve`: a person's own step, out of any client's band.

At L2 a passphrase is typed at this terminal or into a page on loopback; at L3 a statement is signed elsewhere.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from edgewright.server import terminal
from edgewright.server.acceptances import (
    HOURS_AT_MOST,
    draft,
    figures,
    grant,
    pending,
    read_signed,
    require_enrolled,
    signed,
)
from edgewright.server.acceptances import write_draft as write_statement
from edgewright.server.house import House
from edgewright.server.settings import Settings
from edgewright.state.errors import EdgewrightError, Refused
from edgewright.state.policy import Level
from edgewright.state.run import Run
from edgewright.tools.authority.enrolment import LEAST_CHARACTERS
from edgewright.tools.authority.signatures import Namespace

WORD = "ACCEPT"


def enrol(settings: Settings) -> int:
    """Ask for a passphrase twice, make the keys and print what to pin."""
    authority = House.open(settings).authority
    if authority.is_enrolled:
        raise EdgewrightError(f"somebody is enrolled in {authority.folder} already")
    passphrase = terminal.secret(f"New passphrase ({LEAST_CHARACTERS} characters or more): ")
    if terminal.secret("Once more: ") != passphrase:
        raise EdgewrightError("the two are not the same; nothing was enrolled")
    pinned = authority.enrol(passphrase)
    terminal.show(
        "Enrolled. The passphrase is kept nowhere: whoever forgets it enrols anew.",
        "Pin these lines where no agent reaches; `edgewright verify PACKAGE --allowed-signers FILE` reads them:",
        "",
        *pinned.splitlines(),
    )
    return 0


def approve(settings: Settings, arguments: argparse.Namespace) -> int:
    """Let a person accept what is refused on a run; return 1 where nothing was accepted."""
    house = House.open(settings)
    if not 0 < arguments.hours <= HOURS_AT_MOST:
        raise EdgewrightError(f"an acceptance is good for {HOURS_AT_MOST} hours at most")
    try:
        run = _way(arguments)(house, arguments)
    except Refused as refused:
        print(refused.refusal.sentence, file=sys.stderr)
        return 1
    if run is not None:
        waiver = run.waivers[-1]
        terminal.show(f"Accepted at {waiver.level} ({waiver.level.meaning}), once, until {waiver.expires}.")
    return 0


Way = Callable[[House, argparse.Namespace], Run | None]


def _way(arguments: argparse.Namespace) -> Way:
    if arguments.signed:
        return _signed
    if arguments.draft:
        return _draft
    if arguments.page:
        from edgewright.server import approval_page  # brings a web server, which a terminal does not wait for

        return approval_page.approve
    return _typed


def _typed(house: House, arguments: argparse.Namespace) -> Run:
    """Show the figures, ask, and take the passphrase at this terminal."""
    run, subject = pending(house, arguments.run, arguments.kind)
    require_enrolled(house.authority)
    terminal.show(*figures(run, subject), "")
    if terminal.line(f"Type {WORD} to accept exactly this, anything else to leave it: ") != WORD:
        raise EdgewrightError("nothing was accepted")
    name = arguments.name or terminal.line("Your name: ")
    reason = arguments.reason or terminal.line("Why: ")
    waiver = draft(run, subject, Level.OUT_OF_BAND, approver=name, reason=reason, hours=arguments.hours)
    passphrase = terminal.secret("Passphrase: ")
    return grant(house, signed(waiver, house.authority, passphrase))


def _draft(house: House, arguments: argparse.Namespace) -> None:
    """Write the statement that a key out of the agent's reach is to sign."""
    if not arguments.name or not arguments.reason:
        raise EdgewrightError("--draft needs --name, as the list of allowed signers calls the signer, and --reason")
    run, subject = pending(house, arguments.run, arguments.kind)
    given = {"approver": arguments.name, "reason": arguments.reason, "hours": arguments.hours}
    write_statement(arguments.draft, draft(run, subject, Level.SIGNED, **given))
    terminal.show(
        *figures(run, subject),
        "",
        f"Sign it:   ssh-keygen -Y sign -n {Namespace.WAIVER} -f KEY {arguments.draft}",
        f"Then:      edgewright approve {run.id} --signed {arguments.draft}",
    )


def _signed(house: House, arguments: argparse.Namespace) -> Run:
    """Take a statement and the signature beside it."""
    statement: Path = arguments.signed
    signature = statement.with_name(f"{statement.name}.sig")
    try:
        content, armored = statement.read_bytes(), signature.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise EdgewrightError(f"the statement or its signature cannot be read: {error}") from error
    waiver = read_signed(house, content, armored)
    if waiver.run != arguments.run:
        raise EdgewrightError(f"the statement is about {waiver.run}")
    return grant(house, waiver)
