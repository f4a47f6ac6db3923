"""What server, supervisor and worker say to each other: files in one folder a job, each written whole.

```
JOB/
  order.json        what is to be done, within which limits (server)
  lease             held under flock by the supervisor as long as it lives; nobody else holds it
  result.json       how the job ended; written last, when no process of the job is left (supervisor)
  log               everything that anything printed
  returns/N/        what the target of the job answered to errand N (courier); the worker can only read it
  work/             all that the confined worker can write; whoever reads from here believes nothing
    progress.json   how far the work is
    answer.json     what the work found
    scratch/ ...    its files
    lasting/ ...    files that spare the next job of the same kind some work, should this one end without an answer
```
"""

import fcntl
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from edgewright.state.codec import decode, decode_event, encode
from edgewright.state.errors import Refusal
from edgewright.state.events import Event, JobOutcome
from edgewright.state.files import write_whole
from edgewright.tools.orders import Order
from edgewright.tools.targets.enrolled import Enrolled
from edgewright.tools.workspace import LASTING, NewFile

T = TypeVar("T")


@dataclass(frozen=True)
class Limits:
    """What a job may use before it is ended.

    Attributes:
        seconds: Wall time.
        memory_bytes: Resident memory of all its processes together.
        file_bytes: Size of any one file that it writes.
    """

    seconds: float
    memory_bytes: int
    file_bytes: int


@dataclass(frozen=True)
class Envelope:
    """An order with everything around it.

    Attributes:
        job: The job's handle.
        run: The run it works for.
        order: What is to be done.
        limits: What it may use.
        objects: The store's folder.
        host_lock: File whose lock a timing on this host holds.
        readable: Folders that the worker may read beside the store and the interpreter's own.
        toolchains: Folder of the environments that frameworks live in; the worker may read it and run what is there.
        target: The enrolled target that the run measures on; nothing where that is this host.
        leftovers: What earlier jobs with the same inputs had done when they ended without an answer.
    """

    job: str
    run: str
    order: Order
    limits: Limits
    objects: str
    host_lock: str
    readable: tuple[str, ...]
    target: Enrolled | None = None
    leftovers: tuple[str, ...] = ()
    toolchains: str = ""


@dataclass(frozen=True)
class Progress:
    """How far the work is."""

    done: int
    total: int
    message: str


@dataclass(frozen=True)
class Found:
    """A piece of evidence, ready for the ledger."""

    kind: str
    data: str

    @classmethod
    def of(cls, event: Event) -> "Found":
        """Return an event in the form in which it travels."""
        return cls(type(event).__name__, encode(event))

    @property
    def event(self) -> Event:
        """The event again."""
        return decode_event(self.kind, self.data)


@dataclass(frozen=True)
class Answer:
    """What a worker says when it is through: evidence with new files, or a refusal.

    Attributes:
        sandbox: How the worker was confined.
        found: The evidence.
        refusal: Why there is none.
        files: Files to move into the store.
        package: A finished package's folder inside the job's, to be moved among the packages.
    """

    sandbox: str
    found: Found | None = None
    refusal: Refusal | None = None
    files: tuple[NewFile, ...] = ()
    package: str | None = None


@dataclass(frozen=True)
class Result:
    """How a job ended."""

    outcome: JobOutcome
    seconds: float
    answer: Answer = field(default_factory=lambda: Answer(sandbox="none"))


class JobFolder:
    """One job's folder and the files in it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def work(self) -> Path:
        """The worker's own folder."""
        return self.path / "work"

    @property
    def lasting(self) -> Path:
        """What a job that ends without an answer leaves for the next one."""
        return self.work / LASTING

    @property
    def returns(self) -> Path:
        """Where the courier puts what a target answered."""
        return self.path / "returns"

    @property
    def log(self) -> Path:
        """Everything that the job's processes printed."""
        return self.path / "log"

    def write_envelope(self, envelope: Envelope) -> None:
        """Make the folder and put the order into it."""
        self.work.mkdir(parents=True)
        write_whole(self.path / "order.json", encode(envelope).encode())

    def envelope(self) -> Envelope:
        """Return the order with everything around it."""
        return decode(Envelope, (self.path / "order.json").read_bytes())

    def write_progress(self, progress: Progress) -> None:
        """Say how far the work is."""
        write_whole(self.work / "progress.json", encode(progress).encode())

    def progress(self) -> Progress | None:
        """Return how far the work was when it last said so."""
        return self._read(Progress, self.work / "progress.json")

    def write_answer(self, answer: Answer) -> None:
        """Say what the work found."""
        write_whole(self.work / "answer.json", encode(answer).encode())

    def answer(self) -> Answer | None:
        """Return what the work found, if it came to an end of its own."""
        return self._read(Answer, self.work / "answer.json")

    def write_result(self, result: Result) -> None:
        """Say how the job ended."""
        write_whole(self.path / "result.json", encode(result).encode())

    def result(self) -> Result | None:
        """Return how the job ended, if it did."""
        return self._read(Result, self.path / "result.json")

    def _read(self, kind: type[T], path: Path) -> T | None:
        """Return what a file says, or nothing where it is missing or says something else."""
        try:
            return decode(kind, path.read_bytes())
        except (FileNotFoundError, ValidationError):
            return None

    def take_lease(self) -> int:
        """Return a descriptor that holds the lease. It passes to whoever inherits the descriptor, and ends with him.

        Raises:
            BlockingIOError: If somebody holds it.
        """
        descriptor = os.open(self.path / "lease", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise
        return descriptor

    def is_alive(self) -> bool:
        """Whether a supervisor holds the lease. Being a lock and not a number, it cannot outlive its holder."""
        if not self.path.exists():
            return False
        try:
            os.close(self.take_lease())
        except BlockingIOError:
            return True
        return False
