"""The ledger and the store among processes that race, are killed, or run out of disk."""

import hashlib
import json
import multiprocessing
import os
import random
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import ledger_writer
import pytest
import run_builder as build

from edgewright.state.events import CallRefused, CandidateMade
from edgewright.state.ledger import Ledger
from edgewright.state.store import Store

ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
KILLS = 30
PAIRS = 40


def script(*arguments: str) -> list[str]:
    return [sys.executable, str(ledger_writer.__file__), *arguments]


@pytest.mark.promise("P11")
def test_two_processes_lose_no_change_and_decide_on_what_they_change(memory_folder: Path) -> None:
    ledger = Ledger(memory_folder / "ledger.db")
    with ledger.change() as change:
        change.append("run", build.started())
    spawn = multiprocessing.get_context("spawn")
    path = str(memory_folder / "ledger.db")
    writers = [
        spawn.Process(target=ledger_writer.append_pairs, args=(path, "run", name, PAIRS)) for name in ("one", "two")
    ]
    for writer in writers:
        writer.start()
    looks = 0
    while any(writer.is_alive() for writer in writers):
        with ledger.read() as look:
            first, again = look.run("run"), look.run("run")
        assert first == again
        assert first.version % 2 == 1, "half a change was seen"
        looks += 1
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert looks > 1
    with ledger.read() as look:
        records = look.records("run")
    facts = [record.event.refusal.facts for record in records if isinstance(record.event, CallRefused)]
    assert len(facts) == 2 * 2 * PAIRS
    assert [fact["seen"] for fact in facts] == [1 + 2 * (place // 2) for place in range(len(facts))]
    for name in ("one", "two"):
        own = [(fact["number"], fact["half"]) for fact in facts if fact["writer"] == name]
        assert own == [(number, half) for number in range(PAIRS) for half in ("first", "second")]


@pytest.mark.promise("P11")
def test_several_processes_may_make_the_ledger_at_once(tmp_path: Path) -> None:
    make = (
        f"from pathlib import Path; from edgewright.state.ledger import Ledger; Ledger(Path({str(tmp_path / 'l')!r}))"
    )
    makers = [subprocess.Popen([sys.executable, "-c", make], env=ENVIRONMENT) for _ in range(4)]
    assert [maker.wait(60) for maker in makers] == [0] * 4


@pytest.mark.promise("P11")
def test_a_killed_writer_loses_nothing_acknowledged_and_leaves_no_half_written_file(tmp_path: Path) -> None:
    chance = random.Random(2026)
    store = Store(tmp_path / "store")
    acknowledged: dict[str, dict[str, object]] = {}
    command = script("nursery", str(tmp_path))
    nursery = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=ENVIRONMENT)
    for number in range(KILLS):
        run = f"run-{number}"
        acknowledged[run] = _write_and_kill(nursery, run, chance, store)
        _assert_held(Ledger(tmp_path / "ledger.db"), store, run, acknowledged[run])
    nursery.communicate(timeout=60)
    assert sum(int(str(last["version"])) for last in acknowledged.values()) > 3 * KILLS
    ledger = Ledger(tmp_path / "ledger.db")
    for run, last in acknowledged.items():
        _assert_held(ledger, store, run, last)
    for path in (tmp_path / "store").rglob("*"):
        if path.is_file():
            assert store.verify(path.name) == path


def _write_and_kill(
    nursery: "subprocess.Popen[bytes]", run: str, chance: random.Random, store: Store
) -> dict[str, object]:
    """Have a writer born and kill it; return the last that it acknowledged.

    Every other one dies at a random moment after its first words, the rest as soon as their next file is to be seen.
    """
    assert nursery.stdin is not None
    assert nursery.stdout is not None
    nursery.stdin.write(f"{run}\n".encode())
    nursery.stdin.flush()
    writer = json.loads(nursery.stdout.readline())["writer"]
    acknowledgements = chance.randrange(1, 8)
    said = [json.loads(nursery.stdout.readline()) for _ in range(acknowledgements)]
    if chance.random() < 0.5:
        select.select([nursery.stdout], [], [], chance.uniform(0, 0.012))
    else:
        following = store.path(hashlib.sha256(ledger_writer.content(run, acknowledgements // 2 + 2)).hexdigest())
        deadline = time.monotonic() + 10
        while not following.exists() and time.monotonic() < deadline:
            pass
    os.kill(writer, signal.SIGKILL)
    while "ended" not in said[-1]:
        said.append(json.loads(nursery.stdout.readline()))
    assert said[-1]["ended"] == -signal.SIGKILL
    last: dict[str, object] = said[-2]
    return last


def _assert_held(ledger: Ledger, store: Store, run: str, last: dict[str, object]) -> None:
    with ledger.read() as look:
        state = look.run(run)
        events = [record.event for record in look.records(run)]
    made = [event.artifact.sha256 for event in events if isinstance(event, CandidateMade)]
    assert state.version >= int(str(last["version"]))
    assert last["sha256"] in made
    assert all(store.verify(sha256).exists() for sha256 in made)


def in_small_disk(folder: Path, options: str, *arguments: str) -> dict[str, object]:
    """Run the writer on a small disk of its own, which needs no root where users may make namespaces."""
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-Urm", "true"], check=False).returncode:
        pytest.skip("this machine lets no user make a mount namespace (unshare -Urm)")
    mount = f'mount -t tmpfs -o {options} none "$1" && shift && exec "$@"'
    command = ["unshare", "-Urm", "sh", "-c", mount, "sh", str(folder), *script(*arguments)]
    return answer(command)


def answer(command: list[str]) -> dict[str, object]:
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    said: dict[str, object] = json.loads(done.stdout)
    return said


@pytest.mark.promise("P11")
@pytest.mark.parametrize("size_kb", [700, 1024, 1324])
def test_a_full_disk_is_refused_by_name_and_the_ledger_stays_readable(tmp_path: Path, size_kb: int) -> None:
    said = in_small_disk(tmp_path, f"size={size_kb}k", "fill", str(tmp_path))
    assert said["code"] == "DISK_FULL"
    assert said["readable"] == said["acknowledged"]
    assert said["after"] == int(str(said["acknowledged"])) + 1


@pytest.mark.promise("P11")
def test_a_file_size_limit_is_refused_by_name_and_the_ledger_stays_readable(tmp_path: Path) -> None:
    said = answer(script("fill-limited", str(tmp_path), "500000"))
    assert said["code"] == "DISK_FULL"
    assert said["readable"] == said["acknowledged"]
    assert said["after"] == int(str(said["acknowledged"])) + 1


@pytest.mark.promise("P11")
def test_a_store_without_room_says_so_and_leaves_the_file_where_it_was(tmp_path: Path) -> None:
    said = in_small_disk(tmp_path, "size=1m,nr_inodes=20", "adopt", str(tmp_path))
    assert said == {"code": "DISK_FULL", "visible": False, "intact": True}


@pytest.mark.promise("P11")
def test_a_disk_full_from_the_beginning_is_refused_by_name(tmp_path: Path) -> None:
    said = in_small_disk(tmp_path, "size=32k", "open", str(tmp_path))
    assert said == {"code": "DISK_FULL"}
