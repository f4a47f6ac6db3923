"""Background work: started detached, watched, cancelled, and settled into the ledger by whoever comes first.

A job belongs to the state folder, not to the server that started it: clients and servers come and go.
"""

import errno
import logging
import os
import shutil
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from secrets import token_hex

import anyio
from pydantic import ValidationError

from edgewright.state.errors import Code, CorruptArtifact, CorruptLedger, EdgewrightError, Refusal, Refused
from edgewright.state.events import Event, JobEnded, JobOutcome, Packaged
from edgewright.state.files import sync_folder
from edgewright.state.ledger import Ledger
from edgewright.state.lock import held
from edgewright.state.run import Run
from edgewright.state.store import Store
from edgewright.tools.authority.enrolment import Authority
from edgewright.tools.inheritance import inherited_with_agent
from edgewright.tools.job_folder import Answer, Envelope, JobFolder, Progress, Result
from edgewright.tools.orders import EVIDENCE_OF, Order, PackageOrder, ProfileOrder, QuantizeOrder
from edgewright.tools.package.attestation import attest
from edgewright.tools.workspace import SCRATCH

logger = logging.getLogger(__name__)

POLL_S = 0.05
LEASE_FD = 3
# Each may be as large as the data it comes from.
MOST_LEFTOVERS = 2
Watcher = Callable[[Progress], Awaitable[None]]


def new_job() -> str:
    """Return a handle that cannot be guessed."""
    return f"job-{token_hex(8)}"


class Jobs:
    """The jobs of one state folder."""

    def __init__(self, folder: Path, packages: Path, ledger: Ledger, store: Store, authority: Authority) -> None:
        self._folder = folder
        self._packages = packages
        self._ledger = ledger
        self._store = store
        self._authority = authority
        self._started: dict[str, int] = {}
        self._moved: SimpleQueue[str] = SimpleQueue()
        folder.mkdir(parents=True, exist_ok=True)

    def folder(self, job: str) -> JobFolder:
        """Return the folder of a job."""
        return JobFolder(self._folder / job)

    @contextmanager
    def prepared(self, envelope: Envelope) -> Iterator[Callable[[], None]]:
        """Make a job's folder and hold its lease; yield what starts its supervisor.

        The ledger must learn of the job inside this block and before the start: another server that sees a job without
        a holder of its lease takes it for interrupted.

        Raises:
            Refused: With DISK_FULL, where there is no room for the folder.
        """
        folder = self.folder(envelope.job)
        try:
            folder.write_envelope(envelope)
            lease = folder.take_lease()
        except OSError as error:
            raise _not_started(error) from error
        started = False

        def start() -> None:
            nonlocal started
            try:
                self._started[envelope.job] = self._spawn(folder, lease)
            except OSError as error:
                raise _not_started(error) from error
            started = True

        try:
            yield start
        finally:
            os.close(lease)  # the supervisor's copy holds it from here on
            if not started:
                shutil.rmtree(folder.path, ignore_errors=True)

    def _spawn(self, folder: JobFolder, lease: int) -> int:
        command = [sys.executable, "-I", "-m", "edgewright.tools.supervisor", str(folder.path), str(LEASE_FD)]
        environment = {**inherited_with_agent(), "TORCH_FORCE_WEIGHTS_ONLY_LOAD": "1", "HF_HUB_OFFLINE": "1"}
        return os.posix_spawn(
            sys.executable,
            command,
            environment,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(folder.log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
                (os.POSIX_SPAWN_DUP2, lease, LEASE_FD),
            ],
            setsid=True,
            setsigmask=[signal.SIGTERM],  # until the supervisor is ready to be cancelled
        )

    def settle(self, job: str) -> Run | None:
        """Write a finished job's evidence into the ledger; return the run, or `None` while the job is at work.

        Doing it twice, or in two servers at once, is doing it once.
        """
        with self._ledger.read() as look:
            name = look.run_of_job(job)
            if name is None or job not in look.active_jobs():
                self._reap(job)
                return look.run(name) if name else None
        folder = self.folder(job)
        alive = folder.is_alive()
        result = folder.result() or (None if alive else _interrupted(job))
        if result is None:
            return None
        try:
            found = self._take(folder, result)
        except (CorruptArtifact, ValidationError, KeyError) as error:
            found, result = None, _unsound(job, result, error)
        run = self._record(name, job, found, result)
        self._reap(job)
        for done_with in (folder.work / SCRATCH, folder.returns, *self._used_up(folder, result)):
            shutil.rmtree(done_with, ignore_errors=True)
        return run

    def leftovers(self, order: Order) -> tuple[str, ...]:
        """Return what earlier jobs with the same inputs had done when they ended without an answer, the latest last.

        Whatever a job had to do with other models or data is none of this one's business. Older ones are removed.
        """
        if _inputs(order) is None:
            return ()
        # A link there would open to the next worker what lies elsewhere.
        left = [folder for path in self._folder.iterdir() if _is_folder((folder := JobFolder(path)).lasting)]
        left = sorted((one for one in left if not one.is_alive()), key=lambda one: one.lasting.stat().st_mtime)
        for old in left[:-MOST_LEFTOVERS]:
            shutil.rmtree(old.lasting, ignore_errors=True)
        same = [one for one in left[-MOST_LEFTOVERS:] if _inputs(one.envelope().order) == _inputs(order)]
        return tuple(str(one.lasting) for one in same)

    def _used_up(self, folder: JobFolder, result: Result) -> tuple[Path, ...]:
        """Return what nobody needs any more: all of it after an answer, and what takes the disk's last room."""
        refusal = result.answer.refusal
        full = refusal is not None and refusal.code is Code.DISK_FULL
        answered = result.outcome is JobOutcome.DONE
        earlier = map(Path, folder.envelope().leftovers) if answered else ()
        return (*([folder.lasting] if answered or full else []), *earlier)

    def _take(self, folder: JobFolder, result: Result) -> Event | None:
        """Take a finished job's files where they belong; return its evidence. Nothing that the worker said is believed.

        Raises:
            CorruptArtifact: If a file is not what it was announced as, or not the job's own.
            pydantic.ValidationError, KeyError: If the evidence is none.
            Refused: With DISK_FULL, where there is no room.
        """
        answer = result.answer
        if result.outcome is not JobOutcome.DONE or answer.found is None:
            return None
        event = answer.found.event
        order = folder.envelope().order
        if not isinstance(event, EVIDENCE_OF[type(order)]):  # least of all a person's word
            raise CorruptArtifact(f"The worker of a {type(order).__name__} has no business with {answer.found.kind}.")
        # One at a time: what another thread or server moves away meanwhile cannot be looked at.
        with held(folder.path):
            for new in answer.files:
                self._store.adopt(_own(folder, new.path), new.sha256)
            if isinstance(event, Packaged) and isinstance(order, PackageOrder):
                self._take_package(folder, answer, event, order)
        return event

    def _take_package(self, folder: JobFolder, answer: Answer, event: Packaged, order: PackageOrder) -> None:
        if answer.package is None or (event.artifact, event.folder) != (order.artifact.sha256, order.folder_name):
            raise CorruptArtifact("The package is not the one that was ordered.")
        source = _own(folder, answer.package)
        if source.exists():
            attest(source, order, event.manifest, self._authority)
        self._move_package(source, event.folder)

    def _move_package(self, source: Path, name: str) -> None:
        """Move a finished package among the packages; doing it twice, or in two servers, is doing it once."""
        final = self._packages / name
        if name != Path(name).name:
            raise CorruptArtifact(f"{name!r} is no name of a package.")
        self._packages.mkdir(parents=True, exist_ok=True)
        try:
            source.rename(final)
        except FileNotFoundError:
            if not final.exists():
                raise CorruptArtifact(f"The package {name} is not there.") from None
        sync_folder(self._packages)

    def _record(self, name: str, job: str, found: Event | None, result: Result) -> Run:
        with self._ledger.change() as change:
            if job not in change.active_jobs():
                return change.run(name)
            try:
                run = change.append(name, *([found] if found else []), _end(job, result))
            except CorruptLedger as error:  # the evidence does not follow from the run: it counts for nothing
                run = change.append(name, _end(job, _unsound(job, result, error)))
        self._moved.put(name)
        return run

    def _reap(self, job: str) -> None:
        """Take leave of a supervisor that this process started; others' go to their own parents."""
        pid = self._started.pop(job, None)
        if pid is not None:
            os.waitpid(pid, 0)

    def settle_all(self) -> list[str]:
        """Settle whatever has ended, whoever started it; return the runs that settling has moved since the last call.

        Those that a call settled on its way are among them: each move is reported once, here.
        """
        with self._ledger.read() as look:
            active = look.active_jobs()
        for job in active:
            try:
                self.settle(job)
            except (EdgewrightError, OSError) as error:  # one job's trouble is its own; it is tried again
                logger.warning("job %s cannot be settled yet: %s", job, error)
        return [self._moved.get() for _ in range(self._moved.qsize())]

    def progress(self, job: str) -> Progress:
        """Return how far a job is."""
        return self.folder(job).progress() or Progress(0, 1000, "starting")

    async def wait(self, job: str, seconds: float, watcher: Watcher) -> Run | None:
        """Wait for a job's end, reporting progress; return the run once settled, `None` when the time is up."""
        deadline = time.monotonic() + seconds
        last: Progress | None = None
        while True:
            run, progress = await anyio.to_thread.run_sync(self._look, job)
            if run is not None:
                return run
            if progress != last:
                await watcher(progress)
                last = progress
            if time.monotonic() >= deadline:
                return None
            await anyio.sleep(POLL_S)

    def _look(self, job: str) -> tuple[Run | None, Progress]:
        return self.settle(job), self.progress(job)

    def cancel(self, job: str) -> None:
        """Ask a job to end, with everything it started. Its end is then to be waited for."""
        folder = self.folder(job)
        if folder.is_alive() and (pid := supervisor_of(folder)) is not None:
            with suppress(ProcessLookupError):  # it may have ended in between
                os.kill(pid, signal.SIGTERM)


def supervisor_of(folder: JobFolder) -> int | None:
    """Return the process that supervises this job: the one whose command line names its folder."""
    wanted = ["edgewright.tools.supervisor", str(folder.path)]
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
        except OSError:
            continue
        if command[3:5] == wanted:
            return int(process.name)
    return None


def _own(folder: JobFolder, named: str) -> Path:
    """Return a path that the worker named, if it lies in the worker's own folder or in what its courier brought.

    Raises:
        CorruptArtifact: If it leads anywhere else.
    """
    path = (folder.work / named).resolve()
    if not any(path.is_relative_to(own.resolve()) for own in (folder.work, folder.returns)):
        raise CorruptArtifact(f"{named!r} lies outside the job's own folder.")
    return path


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _inputs(order: Order) -> object:
    """Return what decides whether an order can use what another one left; nothing where that is of no use to it."""
    match order:
        case ProfileOrder():
            return order.model_path, order.validation, order.calibration
        case QuantizeOrder():
            return order.base.sha256, order.scheme, order.calibration and order.calibration.digest
        case _:
            return None


def _end(job: str, result: Result) -> JobEnded:
    return JobEnded(job, result.outcome, result.seconds, result.answer.sandbox, result.answer.refusal)


def _unsound(job: str, result: Result, error: Exception) -> Result:
    """Return the result of a job that is not what it said it was: it counts for nothing."""
    refusal = Refusal(
        Code.WORKER_CRASHED,
        f"the result of job {job}",
        str(error).rstrip("."),
        "call the step again; nothing of it was recorded",
        {"job": job},
        ("P11",),
    )
    return Result(JobOutcome.FAILED, result.seconds, Answer(sandbox=result.answer.sandbox, refusal=refusal))


def _not_started(error: OSError) -> Refused:
    full = error.errno in {errno.ENOSPC, errno.EDQUOT}
    room = "free space on the disk of the state folder"
    return Refused.because(
        Code.DISK_FULL if full else Code.INTERRUPTED,
        "starting a job",
        f"the system refused its folder or its process ({error.strerror})",
        f"{room if full else 'look at the limits and rights of the account that runs the server'} and call again",
        "P11",
    )


def _interrupted(job: str) -> Result:
    refusal = Refusal(
        Code.INTERRUPTED,
        f"the work of job {job}",
        "its processes were gone before they answered (killed, or the machine was restarted)",
        "call the step again; nothing of it was recorded",
        {"job": job},
        ("P11",),
    )
    return Result(JobOutcome.INTERRUPTED, 0.0, Answer(sandbox="unknown", refusal=refusal))
