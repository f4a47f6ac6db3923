"""What somebody changes in the ledger's file behind its back is refused by the database, or noticed by the chain."""

import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import run_builder as build

from edgewright.state.errors import CorruptLedger, Refused
from edgewright.state.events import CallRefused
from edgewright.state.ledger import Ledger

Tampering = Callable[[sqlite3.Connection], object]


def tamper(path: Path, change: Tampering) -> None:
    """Change a ledger behind its back, triggers removed."""
    with sqlite3.connect(path) as connection:
        for verb in ("update", "delete"):
            connection.execute(f"DROP TRIGGER IF EXISTS events_refuse_{verb}")
        change(connection)
    connection.close()


def edit(column: str, value: object, number: int) -> Tampering:
    return lambda c: c.execute(f"UPDATE events SET {column} = ? WHERE number = ?", (value, number))


def look_at_everything(path: Path) -> None:
    with Ledger(path).read() as look:
        for run in {"run", *look.runs()}:
            look.run(run)


@pytest.mark.promise("P11")
class TestAppendOnly:
    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE events SET data = '{}' WHERE number = 3",
            "UPDATE events SET run = 'other'",
            "DELETE FROM events WHERE number = 16",
            "DELETE FROM events",
            "UPDATE OR IGNORE events SET hash = 'x'",
            *(
                f"{verb} INTO events SELECT run, number, at, kind, '{{}}', previous, hash FROM events "
                f"WHERE number = {number}"
                for verb, number in (("INSERT OR REPLACE", 16), ("REPLACE", 3))
            ),
        ],
    )
    def test_the_database_itself_refuses_to_change_an_event(self, written: Path, statement: str) -> None:
        connection = sqlite3.connect(written)
        with pytest.raises(sqlite3.IntegrityError):
            connection.execute(statement)
        connection.close()
        look_at_everything(written)

    def test_an_event_of_the_same_number_cannot_be_added_beside_the_first(self, written: Path) -> None:
        connection = sqlite3.connect(written)
        with pytest.raises(sqlite3.IntegrityError):
            connection.execute("INSERT INTO events SELECT * FROM events WHERE number = 2")
        connection.close()


@pytest.mark.promise("P11")
class TestChain:
    EDITS = ("run", "number", "at", "kind", "data", "previous", "hash")

    @pytest.mark.parametrize("column", EDITS)
    def test_an_edit_of_any_field_of_any_event_is_noticed(self, written: Path, column: str) -> None:
        value = {"number": 99, "data": "{}"}.get(column, "forged")
        last = len(build.one_of_each())
        for number in range(1, last + (column != "run")):  # the last event moved elsewhere is a run that ends sooner
            copy = written.with_name("copy.db")
            shutil.copy(written, copy)
            tamper(copy, edit(column, value, number))
            with pytest.raises(CorruptLedger):
                look_at_everything(copy)

    def test_one_changed_character_of_the_evidence_is_noticed(self, written: Path) -> None:
        tamper(written, lambda c: c.execute("UPDATE events SET data = replace(data, '\"value\":0.8', '\"value\":0.9')"))
        with pytest.raises(CorruptLedger):
            look_at_everything(written)

    @pytest.mark.parametrize("number", range(1, len(build.one_of_each())))
    def test_a_missing_event_before_the_last_is_noticed(self, written: Path, number: int) -> None:
        tamper(written, lambda c: c.execute("DELETE FROM events WHERE number = ?", (number,)))
        with pytest.raises((CorruptLedger, Refused)):
            look_at_everything(written)

    def test_a_missing_event_is_noticed_though_the_rest_is_renumbered(self, written: Path) -> None:
        def close_the_gap(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM events WHERE number = 5")
            for number in range(6, 17):
                connection.execute("UPDATE events SET number = ? WHERE number = ?", (number - 1, number))

        tamper(written, close_the_gap)
        with pytest.raises(CorruptLedger):
            look_at_everything(written)

    def test_two_events_in_each_others_place_are_noticed(self, written: Path) -> None:
        def swap(connection: sqlite3.Connection) -> None:
            for old, new in ((7, 100), (8, 7), (100, 8)):
                connection.execute("UPDATE events SET number = ? WHERE number = ?", (new, old))

        tamper(written, swap)
        with pytest.raises(CorruptLedger):
            look_at_everything(written)

    def test_an_event_copied_from_another_run_is_noticed(self, written: Path) -> None:
        with Ledger(written).change() as change:
            change.append("other", build.started())
        copied = "INSERT INTO events SELECT 'other', 2, at, kind, data, previous, hash FROM events WHERE number = 2"
        tamper(written, lambda c: c.execute(copied))
        with pytest.raises(CorruptLedger):
            look_at_everything(written)

    @pytest.mark.parametrize(("column", "value", "number"), [("at", "then", 5), ("number", 99, 16)])
    def test_an_edit_is_noticed_though_its_own_hash_is_made_anew(
        self, written: Path, column: str, value: object, number: int
    ) -> None:
        with Ledger(written).read() as look:
            record = look.records("run")[number - 1]
        forged = replace(record, **{column: value})  # type: ignore[arg-type]

        def forge(connection: sqlite3.Connection) -> None:
            edit("hash", forged.digest(), number)(connection)
            edit(column, value, number)(connection)

        tamper(written, forge)
        with pytest.raises(CorruptLedger):
            look_at_everything(written)

    def test_a_whole_run_copied_under_another_name_is_noticed(self, written: Path) -> None:
        copied = "INSERT INTO events SELECT 'other', number, at, kind, data, previous, hash FROM events"
        tamper(written, lambda c: c.execute(copied))
        with pytest.raises(CorruptLedger):
            look_at_everything(written)

    def test_a_forged_event_with_a_good_hash_is_noticed_when_the_table_forbids_it(self, written: Path) -> None:
        def forge(connection: sqlite3.Connection) -> None:
            with Ledger(written).read() as look:
                last = look.records("run")[-1]
            forged = replace(last, number=last.number + 1, kind="Kept", data='{"artifact":"x"}', previous=last.hash)
            row = {**vars(forged), "hash": forged.digest()}
            connection.execute("INSERT INTO events VALUES (:run, :number, :at, :kind, :data, :previous, :hash)", row)

        tamper(written, forge)
        with pytest.raises(CorruptLedger, match="cannot happen"):
            look_at_everything(written)

    def test_a_corrupt_run_is_not_written_to_and_another_run_still_is(self, written: Path) -> None:
        tamper(written, lambda c: c.execute("UPDATE events SET at = 'then' WHERE number = 3"))
        ledger = Ledger(written)
        with pytest.raises(CorruptLedger), ledger.change() as change:
            change.append("run", CallRefused("keep", build.refusal()))
        with ledger.change() as change:
            assert change.append("other", build.started()).version == 1
