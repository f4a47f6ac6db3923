"""The ledger's schema, one numbered function a change; each runs once, in one transaction with its own record."""

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

migrations = Migrations("edgewright")


@migrations()
def m001_events(db: Database) -> None:
    """Events are appended and never touched again; the triggers hold that against ourselves too."""
    db.table("events").create(
        {"run": str, "number": int, "at": str, "kind": str, "data": str, "previous": str, "hash": str},
        pk=("run", "number"),
        not_null={"run", "number", "at", "kind", "data", "previous", "hash"},
    )
    for verb in ("UPDATE", "DELETE"):
        db.execute(
            f"CREATE TRIGGER events_refuse_{verb.lower()} BEFORE {verb} ON events "
            "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
        )


@migrations()
def m002_descent(db: Database) -> None:
    """Which run made which artifact, and began from which original, so that a new run inherits the floor."""
    db.table("descent").create({"sha256": str, "run": str, "ancestor": str}, pk=("sha256", "run"))
    db.table("originals").create({"sha256": str, "run": str, "ancestor": str}, pk=("sha256", "run"))


@migrations()
def m003_calls(db: Database) -> None:
    """Idempotency keys with the digest of the arguments they came with."""
    db.table("calls").create({"key": str, "digest": str, "run": str, "job": str, "number": int}, pk="key")


@migrations()
def m004_jobs(db: Database) -> None:
    """Where each job belongs, so that a job's handle alone finds its run."""
    db.table("jobs").create({"job": str, "run": str, "active": int}, pk="job")
    db.table("jobs").create_index(["active"])


@migrations()
def m005_replace(db: Database) -> None:
    """REPLACE deletes without the delete trigger unless `recursive_triggers` is on; so a place is taken only once."""
    db.execute(
        "CREATE TRIGGER events_refuse_replace BEFORE INSERT ON events "
        "WHEN EXISTS (SELECT 1 FROM events WHERE run = NEW.run AND number = NEW.number) "
        "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
    )
