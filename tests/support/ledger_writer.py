"""Processes that write a ledger while a test watches, kills or starves them. Run as a script or through `spawn`."""

import json
import os
import resource
import sys
from pathlib import Path

import run_builder as build

from edgewright.state.errors import Refused
from edgewright.state.events import CallRefused, CandidateMade, Reverted
from edgewright.state.files import file_sha256, write_whole
from edgewright.state.ledger import Ledger
from edgewright.state.phases import Phase
from edgewright.state.store import Store


def say(**facts: object) -> None:
    """Tell the watching test, in one write."""
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


def append_pairs(path: str, run: str, writer: str, pairs: int) -> None:
    """Append pairs of events, each pair in one change that notes which version of the run it saw."""
    ledger = Ledger(Path(path))
    for number in range(pairs):
        with ledger.change() as change:
            seen = change.run(run).version
            for half in ("first", "second"):
                facts = {"writer": writer, "number": number, "half": half, "seen": seen}
                change.append(run, CallRefused("quantize", build.refusal(**facts)))


def content(run: str, number: int) -> bytes:
    """Return the bytes of the file that a writer makes as its `number`th, about a megabyte."""
    return f"{run} {number:06}".encode() * 80_000


def write_until_killed(folder: Path, run: str) -> None:
    """Make and revert candidates for ever; print what the ledger holds after each acknowledged change."""
    ledger, store = Ledger(folder / "ledger.db"), Store(folder / "store")
    with ledger.change() as change:
        change.append(run, *build.past(Phase.OPTIMIZE))
    number = 0
    while True:
        number += 1
        source = folder / f"{run}-{number}.partial"
        write_whole(source, content(run, number))
        sha256 = file_sha256(source)
        store.adopt(source, sha256)
        made = build.artifact(f"{run}-{number}", build.ORIGINAL, sha256=sha256)
        for event in (CandidateMade(made, ()), Reverted(sha256)):
            with ledger.change() as change:
                version = change.append(run, event).version
            say(version=version, sha256=sha256)


def raise_writers(folder: Path) -> None:
    """Fork a writer for each run named on standard input, so that none waits for imports; say when it is gone."""
    for line in sys.stdin:
        writer = os.fork()
        if writer == 0:
            say(writer=os.getpid())
            write_until_killed(folder, line.strip())
        status = os.waitpid(writer, 0)[1]
        say(ended=os.waitstatus_to_exitcode(status))


def fill(folder: Path) -> None:
    """Write until the disk refuses, look at what is there, make room, go on; print what was seen."""
    ballast = folder / "ballast"
    ballast.write_bytes(b"x" * 200_000)
    ledger = Ledger(folder / "ledger.db")
    with ledger.change() as change:
        change.append("run", build.started())
    acknowledged, code = 1, ""
    while not code:
        try:
            with ledger.change() as change:
                change.append("run", CallRefused("quantize", build.refusal(text="x" * 20_000)))
            acknowledged += 1
        except Refused as refused:
            code = str(refused.refusal.code)
    with Ledger(folder / "ledger.db").read() as look:
        readable = look.run("run").version
    ballast.unlink()
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    with ledger.change() as change:
        after = change.append("run", CallRefused("quantize", build.refusal())).version
    say(code=code, acknowledged=acknowledged, readable=readable, after=after)


def adopt_without_room(folder: Path) -> None:
    """Adopt a file where no further folder can be made; print what the store says and what is left."""
    source = folder / "finished"
    source.write_bytes(b"weights")
    taken = 0
    try:
        while True:
            (folder / f"filler-{taken}").touch()
            taken += 1
    except OSError:
        pass
    sha256, store = file_sha256(source), Store(folder / "store")
    try:
        store.adopt(source, sha256)
        code = ""
    except Refused as refused:
        code = str(refused.refusal.code)
    visible = store.path(sha256).exists()
    intact = file_sha256(source) == sha256
    say(code=code, visible=visible, intact=intact)


def open_without_room(folder: Path) -> None:
    """Make a ledger on a disk that has no room for one; print what it says."""
    (folder / "ballast").write_bytes(b"x" * 28_000)
    try:
        Ledger(folder / "ledger.db")
        code = ""
    except Refused as refused:
        code = str(refused.refusal.code)
    say(code=code)


def main(what: str, folder: str, *rest: str) -> None:
    if what == "nursery":
        raise_writers(Path(folder))
    elif what == "fill":
        fill(Path(folder))
    elif what == "fill-limited":
        soft = int(rest[0])
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, resource.RLIM_INFINITY))
        fill(Path(folder))
    elif what == "open":
        open_without_room(Path(folder))
    elif what == "adopt":
        adopt_without_room(Path(folder))


if __name__ == "__main__":
    main(*sys.argv[1:])
