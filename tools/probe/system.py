"""One machine to read: a root of files and a way to run commands. Nothing here changes anything.

Readers of devices get both from here, so that recorded files and recorded answers can stand in for a board.
"""

from __future__ import annotations

import os
import select
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, List, Optional, Protocol, Sequence, Tuple

UNKNOWN = "unknown"
# The tools that are asked answer within milliseconds; one that has not after this is taken to hang.
COMMAND_S = 2.0
# A killed process is gone at once, unless a driver holds it.
KILLED_S = 0.5
# Starting a process ten times a second would take a noticeable part of a small board's core.
REMEMBER_S = 1.0


class Runner(Protocol):
    """Asks a command."""

    def __call__(self, argv: Sequence[str], *, first_line: bool = False) -> Optional[str]:
        """Return what it prints, or its first line only; `None` where it does not answer."""


def run_command(argv: Sequence[str], *, first_line: bool = False) -> Optional[str]:
    """Return what a command prints, `None` where it is missing, fails or takes longer than `COMMAND_S`.

    A command that hangs inside the kernel cannot be ended; it is killed and left behind.

    Args:
        argv: The command and its arguments; no shell reads them.
        first_line: End it after its first line; for those that go on until they are ended.
    """
    try:
        process = subprocess.Popen(
            list(argv), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    except OSError:
        return None
    deadline = time.monotonic() + COMMAND_S
    try:
        output = _read(process, deadline, first_line=first_line)
        if output is None or first_line:
            return output
        return output if process.wait(max(0.0, deadline - time.monotonic())) == 0 else None
    except subprocess.TimeoutExpired:
        return None
    finally:
        process.kill()
        with suppress(subprocess.TimeoutExpired):
            process.wait(KILLED_S)


def _read(process: "subprocess.Popen[bytes]", deadline: float, *, first_line: bool) -> Optional[str]:
    assert process.stdout is not None  # noqa: S101  (it was asked for)
    output = b""
    with process.stdout as stream:
        while not (first_line and b"\n" in output):
            if not select.select([stream], [], [], max(0.0, deadline - time.monotonic()))[0]:
                return None
            chunk = os.read(stream.fileno(), 1 << 16)
            if not chunk:
                break
            output += chunk
    return output.decode("utf-8", errors="replace")


class Remembered:
    """A runner that asks again only when an answer is older than `REMEMBER_S`, and never after a failure."""

    def __init__(self, runner: Runner, now: Callable[[], float] = time.monotonic) -> None:
        self._runner = runner
        self._now = now
        self._answers: Dict[Tuple[str, ...], Tuple[float, Optional[str]]] = {}

    def __call__(self, argv: Sequence[str], *, first_line: bool = False) -> Optional[str]:
        """Return the answer, at most `REMEMBER_S` old; one that failed once would stall every later reading."""
        key = tuple(argv)
        if key in self._answers:
            asked, answer = self._answers[key]
            if answer is None or self._now() - asked < REMEMBER_S:
                return answer
        asked = self._now()
        self._answers[key] = (asked, self._runner(argv, first_line=first_line))
        return self._answers[key][1]

    def forget(self) -> None:
        """Ask anew from now on, except what failed."""
        self._answers = {key: answer for key, answer in self._answers.items() if answer[1] is None}


@dataclass(frozen=True)
class System:
    """Where to read.

    Attributes:
        root: Folder in which `proc`, `sys` and `etc` lie.
        runner: Returns what a command prints, `None` where it does not answer.
    """

    root: Path = Path("/")
    runner: Runner = run_command

    def text(self, path: str) -> Optional[str]:
        """Return a file's text without line ends and the zeros of a device tree, `None` where it cannot be read."""
        try:
            return (self.root / path).read_text(encoding="utf-8", errors="replace").strip("\0\n ")
        except OSError:
            return None

    def number(self, path: str) -> Optional[int]:
        """Return a file's decimal number, `None` where there is none."""
        try:
            return int(self.text(path) or "")
        except ValueError:
            return None

    def paths(self, pattern: str) -> List[str]:
        """Return the paths below the root that match, sorted."""
        return sorted(str(path.relative_to(self.root)) for path in self.root.glob(pattern))

    def link(self, path: str) -> Optional[str]:
        """Return what a symbolic link names, `None` where it cannot be read."""
        try:
            return os.readlink(self.root / path)
        except OSError:
            return None

    def run(self, *argv: str) -> Optional[str]:
        """Return what a command prints, `None` where it does not answer."""
        return self.runner(argv)

    def first_line(self, *argv: str) -> Optional[str]:
        """Return the first line of a command that goes on until it is ended, `None` where it does not answer."""
        return self.runner(argv, first_line=True)
