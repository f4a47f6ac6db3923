"""One SSH connection with a keeper at its far end: files there by digest, the probe run there, files back.

The keeper's source goes first over the line and runs as it is; see `edgewright.tools.probe.keeper` for the messages.
"""

import hashlib
import json
import os
import subprocess
from collections.abc import Callable
from contextlib import suppress
from importlib.resources import files
from pathlib import Path
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Annotated, Any, BinaryIO, TypeVar

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, ValidationError

from edgewright.state.errors import Code, Refused, WorkerFailed
from edgewright.tools.probe.keeper import GREETING
from edgewright.tools.targets import ssh
from edgewright.tools.targets.answer import FileName, ProgressNote
from edgewright.tools.targets.enrolled import Enrolled

BEAT_S = 1.0
CHUNK = 1 << 16
# A login shell may say something first; beyond this it is no greeting.
PREAMBLE_BYTES = 1 << 16
LONGEST_LINE = 1 << 20
ENDING_S = 5

Watcher = Callable[[ProgressNote], None]
M = TypeVar("M", bound=BaseModel)


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True)


class Hello(_Message):
    """What a keeper says of its machine."""

    folder: str
    machine: str
    python: str
    libc: str
    free_bytes: NonNegativeInt
    modules: dict[str, str]


class Ended(_Message):
    """How a run of the probe ended: exit status, or why it was ended; the files in its folder with their sizes."""

    status: int | str
    files: dict[FileName, NonNegativeInt]
    log: str


class Trouble(_Message):
    """Why the keeper did not do what it was told."""

    kind: Annotated[str, Field(max_length=20)]
    message: Annotated[str, Field(max_length=2000)]


class Connection:
    """A session on a target, from the greeting to the end; leaving it leaves nothing there.

    Attributes:
        hello: What the keeper said of its machine.
    """

    hello: Hello

    def __init__(self, target: Enrolled, log: Path, environment: dict[str, str]) -> None:
        """Take where to go.

        Args:
            target: The enrolled target.
            log: File for what `ssh` says.
            environment: Of the `ssh` process.
        """
        self._target = target
        self._log = log
        self._environment = environment
        self._writing = Lock()
        self._over = Event()
        self._sent: set[str] = set()

    def __enter__(self) -> "Connection":
        source = files("edgewright.tools.probe").joinpath("keeper.py").read_bytes()
        remote = f"exec {self._target.python} -I -c 'import sys;exec(sys.stdin.buffer.read({len(source)}))'"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                ssh.command(self._target, remote),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=self._environment,
            )
        try:
            self._write(source)
            self._await_greeting()
            Thread(target=self._beat, daemon=True).start()
            self.hello = self._hello()
        except BaseException:
            self._hang_up()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._hang_up()

    def put(self, stream: BinaryIO, name: str, sha256: str) -> None:
        """Send a file, once a session; the keeper checks its digest.

        Raises:
            Refused: DISK_FULL there; TARGET_LOST.
            WorkerFailed: The file is not the one that was announced.
        """
        if name in self._sent:
            return
        size = os.fstat(stream.fileno()).st_size
        with self._writing:
            self._write(_line({"do": "put", "name": name, "size": size, "sha256": sha256}))
            while part := stream.read(CHUNK):
                self._write(part)
        self._confirm()
        self._sent.add(name)

    def put_bytes(self, content: bytes, name: str) -> None:
        """Send a small file that is made for this run.

        Raises:
            Refused: DISK_FULL there; TARGET_LOST.
        """
        digest = hashlib.sha256(content).hexdigest()
        with self._writing:
            self._write(_line({"do": "put", "name": name, "size": len(content), "sha256": digest}) + content)
        self._confirm()

    def lock_clocks(self, bundle: str) -> None:
        """Have the clocks there held until the session ends, with what is in the probe's file.

        Raises:
            Refused: TARGET_UNFIT, where the operator there does not allow it; TARGET_LOST.
        """
        self._say({"do": "lock", "bundle": bundle})
        self._read()

    def run(self, *, bundle: str, folder: str, threads: int, limit_s: float, watcher: Watcher) -> Ended:
        """Run the probe on the request in a folder there; tell `watcher` how far it is.

        Raises:
            Refused: TARGET_LOST.
        """
        self._say({"do": "run", "bundle": bundle, "folder": folder, "threads": threads, "limit_s": limit_s})
        while True:
            message = self._read()
            if "progress" not in message:
                return self._parsed(Ended, message)
            watcher(self._parsed(ProgressNote, message["progress"]))

    def get(self, folder: str, name: str, into: Path) -> None:
        """Fetch a file of a folder there.

        Raises:
            Refused: TARGET_LOST.
        """
        self._say({"do": "get", "folder": folder, "name": name})
        left = int(self._read()["size"])
        with into.open("xb") as stream:
            while left:
                part = self._stdout.read(min(left, CHUNK))
                if not part:
                    raise self._lost()
                stream.write(part)
                left -= len(part)

    def drop(self, folder: str) -> None:
        """Remove a folder there: its files were fetched."""
        self._say({"do": "drop", "folder": folder})
        self._confirm()

    def _confirm(self) -> None:
        message = self._read()
        if message != {"ok": True}:
            raise WorkerFailed(f"{self._target.alias} answered {message!r} where it should confirm")

    def _await_greeting(self) -> None:
        seen = 0
        while seen < PREAMBLE_BYTES:
            line = self._stdout.readline(LONGEST_LINE)
            if not line:
                raise ssh.failure(self._target, self._process.wait(), self._log)
            if f'"{GREETING}"'.encode() in line:
                return
            seen += len(line)
        raise self._unfit("its login shell does not stop talking, and no keeper of ours answers")

    def _hello(self) -> Hello:
        return self._parsed(Hello, self._read())

    def _read(self) -> dict[str, Any]:
        """Return the next message.

        Raises:
            Refused: The line broke, the disk there is full, or somebody else measures there.
            WorkerFailed: It is no message.
        """
        line = self._stdout.readline(LONGEST_LINE)
        if not line.endswith(b"\n"):
            raise self._lost()
        try:
            message = json.loads(line)
        except ValueError as error:
            raise WorkerFailed(f"{self._target.alias} said something that is no message: {line[:200]!r}") from error
        if not isinstance(message, dict):
            raise WorkerFailed(f"{self._target.alias} said something that is no message: {line[:200]!r}")
        if "error" in message:
            raise self._trouble(self._parsed(Trouble, message["error"]))
        return message

    def _parsed(self, kind: type[M], message: object) -> M:
        try:
            return kind.model_validate(message)
        except ValidationError as error:
            raise WorkerFailed(f"what {self._target.alias} said cannot be read: {error}") from error

    def _trouble(self, trouble: Trouble) -> Exception:
        alias = self._target.alias
        if trouble.kind == "busy":
            return Refused.because(
                Code.TARGET_BUSY,
                f"measuring on {alias}",
                "another measurement, from this host or another one, is at work there",
                "wait until it has ended and call again",
                "P10",
            )
        if trouble.kind == "clocks":
            return Refused.because(
                Code.TARGET_UNFIT,
                f"holding the clocks of {alias}",
                trouble.message.rstrip("."),
                "have a person allow these commands there in a sudoers file, or enrol the target without --lock-clocks",
                "P10",
            )
        if trouble.kind == "disk":
            return Refused.because(
                Code.DISK_FULL,
                f"sending files to {alias}",
                f"the disk there takes no more ({trouble.message})",
                "have a person free space there and call again; nothing was changed",
                "P11",
            )
        return WorkerFailed(f"{alias} could not go on: {trouble.message}")

    def _lost(self) -> Refused:
        self._hang_up()
        text = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return Refused.because(
            Code.TARGET_LOST,
            f"measuring on {self._target.alias}",
            f"the connection broke ({text[-1] if text else 'without a word'}); what ran there has ended and its files "
            "are removed",
            "check its network and power, and call again; nothing was recorded",
            "P11",
        )

    def _unfit(self, why: str) -> Refused:
        do = f"have a person run `edgewright target check {self._target.alias}`"
        return Refused.because(Code.TARGET_UNFIT, f"measuring on {self._target.alias}", why, do)

    @property
    def _stdout(self) -> BinaryIO:
        assert self._process.stdout is not None  # noqa: S101 - it was opened as a pipe
        return self._process.stdout  # type: ignore[return-value]  # a buffered reader is one

    def _say(self, message: dict[str, object]) -> None:
        with self._writing:
            self._write(_line(message))

    def _write(self, content: bytes) -> None:
        """Write to the line; where it is broken, reading says so."""
        try:
            assert self._process.stdin is not None  # noqa: S101 - it was opened as a pipe
            self._process.stdin.write(content)
            self._process.stdin.flush()
        except (BrokenPipeError, ValueError):
            return

    def _beat(self) -> None:
        """Tell the keeper, as long as this process lives, that it does."""
        while not self._over.wait(BEAT_S):
            self._say({"do": "beat"})

    def _hang_up(self) -> None:
        """End the session: the keeper removes its folder, then ends, and `ssh` with it."""
        self._over.set()
        process = self._process
        # Whoever is stuck in writing holds the lock: the network is gone, and waiting for it is no use.
        if process.stdin is not None and self._writing.acquire(timeout=BEAT_S):
            with suppress(BrokenPipeError):
                process.stdin.close()
            self._writing.release()
            with suppress(subprocess.TimeoutExpired):
                process.wait(ENDING_S)
        if process.poll() is None:
            process.kill()
            process.wait()
        self._stdout.close()


def _line(message: dict[str, object]) -> bytes:
    return json.dumps(message).encode() + b"\n"
