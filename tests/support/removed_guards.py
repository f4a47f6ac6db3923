"""Takes named guards out of the build, to show what they hold back: in this process, and in the workers' processes.

Each removal replaces one check by nothing. A worker's process gets the same removals through `mutant_process.py`.
"""

import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest

from edgewright.server.catalog import ToolSpec
from edgewright.server.guard import Door, parse
from edgewright.server.plans import new_run
from edgewright.state import guards, phases
from edgewright.state.errors import Refused
from edgewright.state.ledger import Transaction
from edgewright.state.run import Run
from edgewright.state.store import Store

Replace = Callable[[str, str, object], None]
"""Called as `replace(module, attribute, value)`."""
MUTANT = Path(__file__).parent / "mutant_process.py"


def remove(names: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove guards from this process, and from every worker that it starts from now on."""
    take_out(names, lambda module, attribute, value: monkeypatch.setattr(import_module(module), attribute, value))
    spawn = os.posix_spawn

    def spawn_mutant(path: str, argv: list[str], environment: dict[str, str], **options: object) -> int:
        if argv[3:4] == ["edgewright.tools.supervisor"]:
            # The supervisor stands where it stood, so that cancelling finds it.
            argv = [argv[0], "-I", str(MUTANT), *argv[3:], ",".join(names)]
        return spawn(path, argv, environment, **options)

    monkeypatch.setattr(os, "posix_spawn", spawn_mutant)


def take_out(names: tuple[str, ...], replace: Replace) -> None:
    """Remove guards from this process by means of `replace`."""
    plain = [name for name in names if name in guards.GUARDS]
    if plain:
        nothing = dict.fromkeys(plain, lambda _run, _asked: None)
        replace("edgewright.state.guards", "GUARDS", {**guards.GUARDS, **nothing})
    for name in set(names) - set(plain):
        REMOVALS[name](replace)


def phase_table(replace: Replace) -> None:
    """Every call is in the row of every phase, and every fact moves every run."""
    every = [(call, row) for phase in phases.TABLE.values() for call, row in phase.items()]
    rows = {call: row for call, row in every if row.fact is not phases.Fact.SUSTAINED_MEASURED}

    def refusal_for(run: Run, asked: guards.Asked) -> object:
        return guards.first_refusal(rows[asked.call].guards, run, asked)

    def advance(_phase: object, fact: object) -> object:
        return next(row.to for _, row in every if row.fact is fact)

    replace("edgewright.server.guard", "refusal_for", refusal_for)
    replace("edgewright.state.run", "advance", advance)


def unknown_arguments(replace: Replace) -> None:
    """What a tool does not know is dropped in silence."""

    def lenient(spec: ToolSpec, arguments: dict[str, object]) -> object:
        return parse(spec, {name: value for name, value in arguments.items() if name in spec.request.model_fields})

    replace("edgewright.server.tool", "parse", lenient)


def known_run(replace: Replace) -> None:
    """A run that nobody began is made up on the spot."""
    honest = Transaction.run

    def invented(self: Transaction, run: str) -> object:
        try:
            return honest(self, run)
        except Refused:
            names = self.runs()
            return honest(self, names[0]) if names else None

    replace("edgewright.state.ledger", "Transaction", type("Transaction", (Transaction,), {"run": invented}))


def path_checks(replace: Replace) -> None:
    for name in ("check_file", "check_path"):
        replace("edgewright.server.plans", name, lambda _path, _roots: None)


def target_enrolled(replace: Replace) -> None:
    replace(
        "edgewright.server.plans",
        "new_run",
        lambda house, request: new_run(house, request.model_copy(update={"target": None})),
    )


def idempotency(replace: Replace) -> None:
    forgetful = {"_earlier": lambda *_: None, "_remember": lambda *_: None}
    replace("edgewright.server.app", "Door", type("Door", (Door,), forgetful))


def base_of_the_run(replace: Replace) -> None:
    replace("edgewright.server.plans", "_base", lambda run, _base: run.profiled.original)


def hash_chain(replace: Replace) -> None:
    replace("edgewright.state.ledger", "verify_chain", lambda _records: None)


def calibration_fit(replace: Replace) -> None:
    replace("edgewright.tools.optimize.calibrating", "require_fit", lambda *_, **__: ())


def least_validation(replace: Replace) -> None:
    replace("edgewright.tools.profile.preflight", "_require_enough", lambda *_: None)


def original_unchanged(replace: Replace) -> None:
    replace("edgewright.tools.worker", "check_original", lambda _original: None)


def artifact_digest(replace: Replace) -> None:
    careless = type("Store", (Store,), {"verify": lambda _self, _sha256: None})
    replace("edgewright.tools.workspace", "Store", careless)


REMOVALS: dict[str, Callable[[Replace], None]] = {
    removal.__name__: removal
    for removal in (
        phase_table,
        unknown_arguments,
        known_run,
        path_checks,
        target_enrolled,
        idempotency,
        base_of_the_run,
        hash_chain,
        calibration_fit,
        least_validation,
        original_unchanged,
        artifact_digest,
    )
}
