"""The process above one job: starts its worker, holds it to its limits, leaves no process behind, says how it ended.

Where the run measures on an enrolled target it starts a courier too, the only process of the job that may connect.

Started by the server as `python -I -m edgewright.tools.supervisor FOLDER LEASE_FD` in a session of its own, so it
outlives the server. It runs none of the work and loads no model.
"""

import ctypes
import fcntl
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event

from edgewright.state.errors import Code, Refusal
from edgewright.state.events import JobOutcome
from edgewright.tools.inheritance import SSH_AGENT
from edgewright.tools.job_folder import Answer, Envelope, JobFolder, Limits, Result

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
WORKER, COURIER = "edgewright.tools.worker", "edgewright.tools.targets.courier"
POLL_S = 0.05
LOG_TAIL_BYTES = 600
# Address space is reserved far beyond what is used (thread stacks, arenas); this only stops a single absurd request.
ADDRESS_SPACE_HEADROOM_BYTES = 8 << 30

_libc = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    """Run the job of the folder named on the command line."""
    folder = JobFolder(Path(sys.argv[1]))
    fcntl.fcntl(
        int(sys.argv[2]), fcntl.F_SETFD, fcntl.FD_CLOEXEC
    )  # the lease ends with this process, not with the worker
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # orphans of the worker come to us, not to init
    cancelled = Event()
    signal.signal(signal.SIGTERM, lambda _signal, _frame: cancelled.set())
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})  # one that came before we were ready counts too
    supervise(folder, cancelled)


def supervise(folder: JobFolder, cancelled: Event) -> None:
    """Run the worker to its end, whichever that is, then write the result."""
    envelope = folder.envelope()
    began = time.monotonic()
    refusal = _run(folder, envelope, cancelled)
    sweep()
    answer = folder.answer()
    if refusal is None and answer is not None:
        outcome = JobOutcome.REFUSED if answer.refusal else JobOutcome.DONE
    else:
        is_cancelled = refusal is not None and refusal.code is Code.CANCELLED
        outcome = JobOutcome.CANCELLED if is_cancelled else JobOutcome.FAILED
        answer = Answer(sandbox=answer.sandbox if answer else "unknown", refusal=refusal)
    folder.write_result(Result(outcome, time.monotonic() - began, answer))


def _run(folder: JobFolder, envelope: Envelope, cancelled: Event) -> Refusal | None:
    """Start the worker and wait; return why it had to be ended or broke, or `None` where it answered."""
    worker = _start(folder, envelope)
    deadline = time.monotonic() + envelope.limits.seconds
    while worker.poll() is None:
        if cancelled.is_set():
            return _ended(Code.CANCELLED, envelope, "it was cancelled", "call the step again when it is wanted")
        if time.monotonic() > deadline:
            why = f"it passed its limit of {envelope.limits.seconds:g} s"
            return _ended(Code.TIME_LIMIT, envelope, why, "use a smaller model or dataset, or raise `job_seconds`")
        if (used := _resident_bytes()) > envelope.limits.memory_bytes:
            why = (
                f"its processes held {used >> 20} MiB, more than the limit of {envelope.limits.memory_bytes >> 20} MiB"
            )
            return _ended(Code.MEMORY_LIMIT, envelope, why, "use a smaller model, or raise `job_memory_bytes`")
        time.sleep(POLL_S)
    if worker.returncode == 0 and folder.answer() is not None:
        return None
    return _ended(
        Code.WORKER_CRASHED,
        envelope,
        f"its process {_manner(worker.returncode)}; last output: {_log_tail(folder)}",
        "if the model is sound, report this; the server and the run are unharmed",
    )


def _start(folder: JobFolder, envelope: Envelope) -> "subprocess.Popen[bytes]":
    """Start the worker and, where it has errands to a target, the courier that runs them; each ends with us."""
    if envelope.target is None:
        return _child(WORKER, folder, [], lambda: _limit(envelope.limits))
    ours, theirs = socket.socketpair()
    with ours, theirs:
        _child(COURIER, folder, [ours.fileno()], _end_with_us)
        return _child(WORKER, folder, [theirs.fileno()], lambda: _limit(envelope.limits))


def _child(
    module: str, folder: JobFolder, descriptors: list[int], prepare: Callable[[], None]
) -> "subprocess.Popen[bytes]":
    kept = {name: value for name, value in os.environ.items() if module == COURIER or name != SSH_AGENT}
    return subprocess.Popen(
        [sys.executable, "-I", "-m", module, str(folder.path), *map(str, descriptors)],
        stdin=subprocess.DEVNULL,
        cwd=folder.work,
        env=kept,
        pass_fds=descriptors,
        start_new_session=True,
        preexec_fn=prepare,  # noqa: PLW1509 - this process has one thread
    )


def _end_with_us() -> None:
    """Bind a child, between fork and exec, to our life."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _limit(limits: Limits) -> None:
    """Bind the worker, between fork and exec, to its limits and to our life."""
    _end_with_us()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (limits.file_bytes, limits.file_bytes))
    space = limits.memory_bytes + ADDRESS_SPACE_HEADROOM_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (space, space))


def sweep() -> None:
    """End and reap every process that descends from us, those in sessions of their own included.

    Killed parents hand their children to us (we are their subreaper), so rounds go on until none is left.
    """
    while pids := _children(os.getpid()):
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        for pid in pids:
            os.waitpid(pid, 0)


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for listing in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(child) for child in listing.read_text(encoding="ascii").split()]
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def _resident_bytes() -> int:
    """Return the resident memory of all our descendants."""
    total, waiting = 0, _children(os.getpid())
    while waiting:
        pid = waiting.pop()
        waiting += _children(pid)
        try:
            pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += pages * resource.getpagesize()
    return total


def _ended(code: Code, envelope: Envelope, why: str, do: str) -> Refusal:
    call = type(envelope.order).__name__.removesuffix("Order").lower()
    return Refusal(code, f"the work of {call} (job {envelope.job})", why, do, {}, ("P11",))


def _manner(status: int) -> str:
    if status >= 0:
        return f"ended with status {status} and no answer"
    return f"was ended by {signal.Signals(-status).name}"


def _log_tail(folder: JobFolder) -> str:
    try:
        with folder.log.open("rb") as log:
            log.seek(max(0, folder.log.stat().st_size - LOG_TAIL_BYTES))
            content = log.read(LOG_TAIL_BYTES)
    except FileNotFoundError:
        return "none"
    return " / ".join(content.decode("utf-8", "replace").split("\n")[-6:]).strip() or "none"


if __name__ == "__main__":
    main()
