"""A run in a terminal: the same facts as in the chat, with live progress; a server's log stays plain beside it."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec

import pytest
import run_builder as build

from edgewright.server import cli
from edgewright.server.house import House
from edgewright.server.settings import Settings
from edgewright.state.phases import Call, Phase
from edgewright.tools.job_folder import Progress

RUN = "run-abc"
SECONDS = 60
JOB = "job-0123456789abcdef"


def held(settings: Settings) -> House:
    house = House.open(settings)
    with house.ledger.change() as change:
        change.append(RUN, *build.past(Phase.VALIDATE, build.FAILING))
    return house


def command(settings: Settings, run: str = RUN) -> list[str]:
    return [sys.executable, "-m", "edgewright.server", "watch", run, "--state-folder", str(settings.state_folder)]


def watched(settings: Settings, run: str = RUN) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(settings, run), capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "110"}
    )


@pytest.mark.promise("P3", "P6")
def test_where_nobody_watches_it_prints_the_run_once_with_the_stop_and_every_variant(settings: Settings) -> None:
    held(settings)
    ended = watched(settings)
    assert ended.returncode == 0, ended.stderr
    text = " ".join(re.sub(r"[│╭╮╰╯─┏┓┡┩┃━┴┬└┘┼╇]", " ", ended.stdout).split())
    for words in (
        "toy for cpu-generic",
        "PROFILE OPTIMIZE BENCHMARK VALIDATE PACKAGE",
        "ON HOLD. FAIL: top1 0.8000 against 0.9000",
        f"edgewright approve {RUN}",
        "Host Estimate (not target hardware)",
        "0.80x (0.75 to 0.85)",
        "baseline_accuracy 0.9",
    ):
        assert words in text, words
    assert "\x1b" not in ended.stdout


def test_an_unknown_run_is_refused_in_one_line(settings: Settings) -> None:
    held(settings)
    ended = watched(settings, "run-none")
    assert ended.returncode == 1
    assert "run-none" in ended.stderr
    assert "Traceback" not in ended.stderr


@contextmanager
def at_work(house: House) -> Iterator[Callable[[Progress], None]]:
    """Have a job at work on the run; yield what moves its progress."""
    folder = house.jobs.folder(JOB)
    folder.work.mkdir(parents=True)
    lease = folder.take_lease()
    with house.ledger.change() as change:
        change.append(RUN, build.job_started(Call.VALIDATE, JOB))
    yield folder.write_progress
    os.close(lease)


def until(terminal: int, words: bytes) -> bytes:
    """Read from a terminal until it has shown these words."""
    seen, deadline = b"", time.monotonic() + SECONDS
    while words not in seen:
        assert time.monotonic() < deadline, seen.decode(errors="replace")
        if select.select([terminal], [], [], 1)[0]:
            seen += os.read(terminal, 65536)
    return seen


def test_a_person_sees_the_progress_move_and_leaves_when_seen_enough(settings: Settings) -> None:
    with at_work(held(settings)) as move:
        move(Progress(100, 1000, "timing the model"))
        pid, terminal = pty.fork()
        if pid == 0:
            os.execve(
                sys.executable, command(settings), {**os.environ, "TERM": "xterm", "COLUMNS": "110", "LINES": "60"}
            )
        until(terminal, b"10%")
        move(Progress(750, 1000, "timing the model"))
        until(terminal, b"75%")
        os.kill(pid, signal.SIGINT)
        deadline = time.monotonic() + SECONDS
        ended = (0, 0)
        while ended[0] == 0 and time.monotonic() < deadline:  # what it still says has to be read, or it waits
            if select.select([terminal], [], [], 0.05)[0]:
                with suppress(OSError):  # the other end is gone
                    os.read(terminal, 65536)
            ended = os.waitpid(pid, os.WNOHANG)
        os.close(terminal)
    assert os.waitstatus_to_exitcode(ended[1]) == 0


def test_without_rich_the_command_says_what_installs_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "find_spec", lambda _name: None)
    monkeypatch.setattr(sys, "argv", command(settings)[2:])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert "pip install 'edgewright[watch]'" in str(caught.value)


LOGGED = """
import logging, sys
from unittest.mock import patch
from edgewright.server import cli

sys.argv = ["edgewright", "serve", "--state-folder", sys.argv[1]]
with patch("mcp.server.MCPServer.run", lambda *_: logging.getLogger("edgewright").warning("%s", "word " * 60)):
    cli.main()
"""


def test_with_rich_installed_the_servers_log_stays_one_plain_line_a_message(settings: Settings) -> None:
    assert find_spec("rich") is not None  # otherwise this shows nothing
    ended = subprocess.run(
        [sys.executable, "-c", LOGGED, str(settings.state_folder)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "COLUMNS": "40", "FORCE_COLOR": "1"},
    )
    assert ended.stderr == f"WARNING edgewright: {'word ' * 60}\n"
