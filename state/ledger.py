"""The append-only record of every run: SQLite, one transaction a change, events chained by hash.

Several server processes may share one ledger. A change is decided *inside* its transaction (`BEGIN IMMEDIATE`), so what
a guard saw is what the change applies to. The journal is TRUNCATE with `synchronous=FULL`, not WAL: SQLite before
3.51.3 can corrupt a WAL database that several connections write (https://sqlite.org/wal.html#walresetbug).
"""

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError
from sqlite_utils import Database

from edgewright.state.artifacts import Ancestor
from edgewright.state.codec import decode, decode_event, encode
from edgewright.state.errors import Code, CorruptLedger, Refused
from edgewright.state.events import CandidateMade, Event, JobEnded, JobStarted, Profiled, SourceProfiled, TwinMade
from edgewright.state.migrations import migrations
from edgewright.state.run import Run, apply, fold

BUSY_TIMEOUT_MS = 10_000
GENESIS = hashlib.sha256(b"edgewright ledger 1").hexdigest()


@dataclass(frozen=True)
class Record:
    """One event as stored.

    Attributes:
        run: The run it belongs to.
        number: Its place in the run, from 1.
        at: When it was written, ISO 8601 in UTC.
        kind: Class name of the event.
        data: The event as canonical JSON.
        previous: Hash of the record before it.
        hash: SHA-256 over everything above.
    """

    run: str
    number: int
    at: str
    kind: str
    data: str
    previous: str
    hash: str

    @property
    def event(self) -> Event:
        """The event itself.

        Raises:
            CorruptLedger: If this version knows no such event.
        """
        try:
            return decode_event(self.kind, self.data)
        except (KeyError, ValidationError) as error:
            raise CorruptLedger(f"Run {self.run}: event {self.number} ({self.kind}) cannot be read.") from error

    def digest(self) -> str:
        """Return the hash that this record must have."""
        parts = (self.previous, self.run, str(self.number), self.at, self.kind, self.data)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def verify_chain(records: list[Record]) -> None:
    """Check hashes, order and completeness of one run's records.

    Raises:
        CorruptLedger: If anything was changed, inserted or left out before the last record.
    """
    previous = GENESIS
    for number, record in enumerate(records, start=1):
        if record.number != number or record.previous != previous or record.hash != record.digest():
            raise CorruptLedger(f"Run {record.run}: event {number} does not follow from the one before it.")
        previous = record.hash


@dataclass(frozen=True)
class RememberedCall:
    """A call that came with an idempotency key.

    Attributes:
        key: The key.
        digest: SHA-256 of the call and its arguments.
        run: The run it was about.
        job: The job it began, empty where it began none.
        number: The run's event that the call led to.
    """

    key: str
    digest: str
    run: str
    job: str
    number: int


class Transaction:
    """One atomic change, or one consistent look. Made by `Ledger.change` and `Ledger.read`."""

    def __init__(self, db: Database) -> None:
        self._db = db
        # Nobody else can change what this transaction sees, so a run is read, checked and folded once in it.
        self._seen: dict[str, tuple[list[Record], Run | None]] = {}

    def run(self, run: str) -> Run:
        """Return a run as it stands.

        Raises:
            Refused: If there is none of that name.
            CorruptLedger: If its record does not hold.
        """
        state = self._look(run)[1]
        if state is None:
            raise Refused.because(
                Code.UNKNOWN_RUN,
                f"run {run!r}",
                "there is none of that name in this state folder",
                "call get_state() without a run to list the runs, or profile_model to start one",
            )
        return state

    def records(self, run: str) -> list[Record]:
        """Return a run's records in order, their chain checked.

        Raises:
            CorruptLedger: If it does not hold.
        """
        return list(self._look(run)[0])

    def _look(self, run: str) -> tuple[list[Record], Run | None]:
        """Return a run's records and what they add up to."""
        if run not in self._seen:
            rows = self._db.table("events").rows_where("run = ?", [run], order_by="number")
            records = [Record(**row) for row in rows]
            verify_chain(records)
            state = fold(run, (record.event for record in records)) if records else None
            self._seen[run] = (records, state)
        return self._seen[run]

    def runs(self) -> list[str]:
        """Return the handles of all runs, the newest first."""
        rows = self._db.query("SELECT run FROM events WHERE number = 1 ORDER BY at DESC, rowid DESC")
        return [row["run"] for row in rows]

    def append(self, run: str, *events: Event) -> Run:
        """Write events to a run, or begin one; return the run after them.

        Raises:
            CorruptLedger: If the phase table forbids one of them; then nothing of the transaction is written.
        """
        records, state = self._look(run)
        previous = records[-1].hash if records else GENESIS
        states = []
        for event in events:
            state = apply(state, event) if state else fold(run, [event])
            states.append(state)
        if state is None:
            raise CorruptLedger(f"Run {run} was given no event to begin with.")
        del self._seen[run]  # what is read next is what is written now
        for number, (event, after) in enumerate(zip(events, states, strict=True), start=len(records) + 1):
            previous = self._insert(run, number, event, previous)
            self._index(after, event)
        return state

    def _insert(self, run: str, number: int, event: Event, previous: str) -> str:
        kind = type(event).__name__
        unsigned = Record(run, number, datetime.now(UTC).isoformat(), kind, encode(event), previous, "")
        row = {**vars(unsigned), "hash": unsigned.digest()}
        self._db.table("events").insert(row)
        return str(row["hash"])

    def _index(self, run: Run, event: Event) -> None:
        """Keep the tables beside the events in step with them."""
        match event:
            case JobStarted():
                self._db.table("jobs").insert({"job": event.job, "run": run.id, "active": 1})
            case JobEnded():
                self._db.table("jobs").update(event.job, {"active": 0})
            case CandidateMade() if run.profiled is not None:
                ancestor = Ancestor(run.id, run.profiled.root, run.profiled.tolerance)
                self._remember("descent", event.artifact.sha256, ancestor)
            case TwinMade() if run.source is not None:
                ancestor = Ancestor(run.id, run.source.root, run.source.tolerance)
                self._remember("descent", event.twin.artifact.sha256, ancestor)
            case Profiled() | SourceProfiled():
                table = "originals" if event.inherited_from is None else "descent"
                self._remember(table, event.original.sha256, Ancestor(run.id, event.root, event.tolerance))
            case _:
                pass

    def _remember(self, table: str, sha256: str, ancestor: Ancestor) -> None:
        row = {"sha256": sha256, "run": ancestor.run, "ancestor": encode(ancestor)}
        self._db.table(table).insert(row, ignore=True)

    def ancestors(self) -> dict[str, Ancestor]:
        """Return what every artifact ever made here descends from; of several makers the strictest."""
        return self._strictest("descent")

    def originals(self) -> dict[str, Ancestor]:
        """Return every original that a run here began from; of several runs the strictest."""
        return self._strictest("originals")

    def _strictest(self, table: str) -> dict[str, Ancestor]:
        found: dict[str, Ancestor] = {}
        for row in self._db.table(table).rows:
            ancestor = decode(Ancestor, row["ancestor"])
            known = found.get(row["sha256"])
            if known is None or ancestor.tolerance < known.tolerance:
                found[row["sha256"]] = ancestor
        return found

    def active_jobs(self) -> dict[str, str]:
        """Return the jobs that have not been settled, each with its run."""
        return {row["job"]: row["run"] for row in self._db.table("jobs").rows_where("active = 1")}

    def run_of_job(self, job: str) -> str | None:
        """Return the run that a job belongs to."""
        return next((row["run"] for row in self._db.table("jobs").rows_where("job = ?", [job])), None)

    def remember(self, call: RememberedCall) -> None:
        """Bind an idempotency key to the call that it came with."""
        self._db.table("calls").insert(vars(call))

    def remembered(self, key: str) -> RememberedCall | None:
        """Return the call that a key came with first."""
        rows = self._db.table("calls").rows_where("key = ?", [key])
        return next((RememberedCall(**row) for row in rows), None)


class Ledger:
    """The ledger in one database file, which is made on first use."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        with _naming_trouble(), self._connected() as db:
            db.execute("BEGIN IMMEDIATE")  # two servers that start at once migrate one after the other
            migrations.apply(db)
            db.conn.execute("COMMIT")

    @contextmanager
    def change(self) -> Iterator[Transaction]:
        """Open a transaction that is committed on a normal exit and rolled back on any other.

        Raises:
            Refused: With DISK_FULL, where there is no room to write it.
        """
        with _naming_trouble(), self._connected() as db:
            db.conn.execute("BEGIN IMMEDIATE")
            try:
                yield Transaction(db)
            except BaseException:
                db.conn.rollback()
                raise
            db.conn.execute("COMMIT")

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """Open a consistent look at the ledger.

        Raises:
            CorruptLedger: If the file is no database any more.
        """
        with _naming_trouble(), self._connected() as db:
            db.conn.execute("BEGIN")
            try:
                yield Transaction(db)
            finally:
                db.conn.rollback()

    @contextmanager
    def _connected(self) -> Iterator[Database]:
        """Open a connection for one transaction: cheap, and safe from any thread."""
        connection = sqlite3.connect(self._path, isolation_level=None, timeout=BUSY_TIMEOUT_MS / 1000)
        try:
            connection.execute("PRAGMA journal_mode=TRUNCATE")
            connection.execute("PRAGMA synchronous=FULL")
            yield Database(connection, execute_plugins=False)
        finally:
            connection.close()


@contextmanager
def _naming_trouble() -> Iterator[None]:
    """Turn what SQLite may meet on a real machine into words.

    Raises:
        Refused: DISK_FULL where there is no room; BUSY where others hold the ledger longer than `BUSY_TIMEOUT_MS`.
        CorruptLedger: Where the file is no database any more.
    """
    try:
        yield
    except sqlite3.OperationalError as error:
        if "disk is full" in str(error) or "disk I/O error" in str(error):
            raise Refused.because(
                Code.DISK_FULL,
                "writing to the ledger",
                f"the state folder's disk takes no more ({error})",
                "free space on that disk and call again; nothing was changed",
                "P11",
            ) from error
        if "locked" in str(error):
            raise Refused.because(
                Code.BUSY,
                "writing to the ledger",
                f"other servers on this state folder held it for {BUSY_TIMEOUT_MS / 1000:g} s",
                "call again; nothing was changed",
                "P11",
            ) from error
        raise
    except sqlite3.DatabaseError as error:
        if type(error) is not sqlite3.DatabaseError:  # its kinds, such as a broken constraint, are faults of ours
            raise
        raise CorruptLedger(f"The ledger's file cannot be read: {error}.") from error
