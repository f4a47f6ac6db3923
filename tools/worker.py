"""A job's own process: confines itself, does what the order says, and writes the answer.

Started by the supervisor as `python -I -m edgewright.tools.worker FOLDER [FD]`; the descriptor leads to the courier of
a job that measures on an enrolled target. Whatever goes wrong in here ends in a refusal or in the death of this
process, never of another.
"""

import errno
import os
import socket
import sys
import time
import traceback
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import MappingProxyType

from edgewright.state.errors import Code, CorruptArtifact, Refusal, Refused, WorkerFailed
from edgewright.tools.confinement import confine, device_files, interpreter_folders
from edgewright.tools.job_folder import Answer, Envelope, Found, JobFolder, Progress
from edgewright.tools.orders import (
    AnalyzeOrder,
    BenchmarkOrder,
    ConvertOrder,
    Done,
    Order,
    PackageOrder,
    ProfileOrder,
    QuantizeOrder,
    SustainOrder,
    TwinOrder,
    ValidateOrder,
)
from edgewright.tools.original import check_original
from edgewright.tools.targets.host import Host
from edgewright.tools.targets.remote import Remote
from edgewright.tools.targets.target import Places
from edgewright.tools.toolchains.table import Toolchains
from edgewright.tools.workspace import Workspace

PROGRESS_INTERVAL_S = 0.2
PROGRESS_TOTAL = 1000


# Named, not imported: a worker loads the libraries of its own work and of no other.
WORK = MappingProxyType(
    {
        ProfileOrder: "edgewright.tools.profile.work",
        AnalyzeOrder: "edgewright.tools.optimize.work",
        TwinOrder: "edgewright.tools.profile.twin",
        QuantizeOrder: "edgewright.tools.optimize.work",
        ConvertOrder: "edgewright.tools.optimize.work",
        BenchmarkOrder: "edgewright.tools.benchmark.work",
        SustainOrder: "edgewright.tools.benchmark.work",
        ValidateOrder: "edgewright.tools.validate.work",
        PackageOrder: "edgewright.tools.package.work",
    }
)


def main() -> None:
    """Do the job of the folder named on the command line."""
    folder = JobFolder(Path(sys.argv[1]))
    envelope = folder.envelope()
    courier = socket.socket(fileno=int(sys.argv[2])) if len(sys.argv) > 2 else None
    sandbox = _confine(folder, envelope)
    folder.write_answer(answer(folder, envelope, sandbox, courier))


def answer(folder: JobFolder, envelope: Envelope, sandbox: str, courier: socket.socket | None) -> Answer:
    """Return what the order's work found, or why it found nothing."""
    leftovers = tuple(map(Path, envelope.leftovers))
    workspace = Workspace(folder.work, Path(envelope.objects), _reporter(folder), leftovers)
    toolchains = Toolchains(Path(envelope.toolchains) if envelope.toolchains else None)
    host = Host(sandbox, Path(envelope.host_lock), toolchains)
    device = Remote(envelope.target, courier) if envelope.target and courier else host
    try:
        done = _work(envelope.order, workspace, Places(host, device, toolchains))
    except Refused as refused:
        return Answer(sandbox, refusal=refused.refusal)
    except (MemoryError, OSError, WorkerFailed, CorruptArtifact) as error:
        traceback.print_exc()
        return Answer(sandbox, refusal=_named(error))
    return Answer(sandbox, Found.of(done.evidence), files=workspace.new_files, package=done.package)


def _work(order: Order, workspace: Workspace, places: Places) -> Done:
    """Do the work, with the caller's own file the same before and after it (P5)."""
    original = None if isinstance(order, ProfileOrder) else order.original
    if original is not None:
        check_original(original)
    work: Callable[[Order, Workspace, Places], Done] = import_module(WORK[type(order)]).work
    done = work(order, workspace, places)
    if original is not None:
        check_original(original)
    return done


def _confine(folder: JobFolder, envelope: Envelope) -> str:
    temporary = folder.work / "tmp"
    temporary.mkdir(exist_ok=True)
    os.environ.update(TMPDIR=str(temporary), HOME=str(temporary))
    given = (envelope.objects, envelope.host_lock, envelope.toolchains, *envelope.readable, *envelope.leftovers)
    readable = [*interpreter_folders(), *(Path(path) for path in given if path)]
    return confine([folder.path, *readable], [folder.work, *device_files()])


def _reporter(folder: JobFolder) -> Callable[[int, int, str], None]:
    """Return what writes progress down, at most a few times a second. It never falls, whatever the parts report."""
    last_s, reached = 0.0, 0

    def report(done: int, total: int, message: str) -> None:
        nonlocal last_s, reached
        now = time.monotonic()
        if now - last_s >= PROGRESS_INTERVAL_S or done >= total:
            last_s, reached = now, max(reached, PROGRESS_TOTAL * done // max(total, 1))
            folder.write_progress(Progress(reached, PROGRESS_TOTAL, message))

    return report


def _named(error: MemoryError | OSError | WorkerFailed | CorruptArtifact) -> Refusal:
    """Return what broke in the words of a refusal."""
    if isinstance(error, MemoryError):
        return Refusal(
            Code.MEMORY_LIMIT,
            "the work of this job",
            "it asked for more memory than its limit",
            "use a smaller model or dataset, or have the operator raise `job_memory_bytes`",
        )
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return Refusal(
            Code.DISK_FULL,
            "writing the job's files",
            f"the disk takes no more ({error.strerror})",
            "free space on the disk of the state folder and call again; nothing was changed",
            {},
            ("P11",),
        )
    return Refusal(
        Code.WORKER_CRASHED,
        "the work of this job",
        str(error),
        "see the job's log; the server and the run are unharmed",
        {},
        ("P11",),
    )


if __name__ == "__main__":
    main()
