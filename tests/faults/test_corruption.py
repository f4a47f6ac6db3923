"""What was changed on disk behind the server's back is noticed, named, and not used; the server goes on."""

import random
import sqlite3
from pathlib import Path

import pytest
from workflow import Connect, demo_arguments, done, refused, small_demo

from edgewright.server.settings import Settings

pytestmark = pytest.mark.anyio


@pytest.mark.promise("P3", "P11")
async def test_a_stored_model_with_a_flipped_bit_is_not_used(connect: Connect, settings: Settings, root: Path) -> None:
    small_demo(root)
    async with connect() as client:
        run = (await done(client, "profile_model", **demo_arguments(root)))["run"]
        candidate = await done(client, "quantize", run=run, scheme="fp16")
        flip(stored(settings, candidate["numbers"]["sha256"]))
        refusal = await refused(client, "benchmark", run=run)
        assert candidate["numbers"]["sha256"] in refusal["why"]
        assert (await done(client, "get_state", run=run))["phase"] == "BENCHMARK"


@pytest.mark.promise("P3", "P11")
async def test_an_event_that_was_edited_makes_its_run_unusable_and_no_other(
    connect: Connect, settings: Settings, root: Path
) -> None:
    small_demo(root)
    async with connect() as client:
        edited = (await done(client, "profile_model", **demo_arguments(root)))["run"]
        other = (await done(client, "profile_model", **demo_arguments(root, accuracy_tolerance=0.01)))["run"]
        edit(settings, edited)
        for tool in ("get_state", "package"):
            refusal = await refused(client, tool, run=edited)
            assert refusal["code"] == "CORRUPT"
            assert "does not follow from the one before it" in refusal["why"]
        assert (await done(client, "get_state", run=other))["phase"] == "OPTIMIZE"
        overview = await done(client, "get_state")
        assert any(edited in line and "CORRUPT" in line for line in overview["numbers"]["runs"])


def stored(settings: Settings, sha256: str) -> Path:
    return settings.state_folder / "objects" / "sha256" / sha256[:2] / sha256


def flip(path: Path) -> None:
    """Flip one bit somewhere in a file."""
    path.chmod(0o600)
    content = bytearray(path.read_bytes())
    content[random.Random(5).randrange(len(content))] ^= 1
    path.write_bytes(content)


def edit(settings: Settings, run: str) -> None:
    """Do to the ledger what its triggers would not allow: loosen a tolerance."""
    with sqlite3.connect(settings.state_folder / "edgewright.db") as db:
        for (trigger,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            db.execute(f"DROP TRIGGER {trigger}")
        db.execute(
            "UPDATE events SET data = replace(data, '\"accuracy_tolerance\":0.02', '\"accuracy_tolerance\":0.2') "
            "WHERE run = ? AND number = 1",
            [run],
        )
    db.close()
