"""Runs the probe on this machine, in a process of its own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from pydantic import ValidationError

from edgewright.state.errors import WorkerFailed
from edgewright.state.lock import held
from edgewright.tools.inheritance import inherited
from edgewright.tools.targets.answer import Facts, ProbeAnswer, ProgressNote
from edgewright.tools.targets.bundle import write_bundle
from edgewright.tools.targets.reading import read_answer
from edgewright.tools.targets.request import LATENCY, ProbeRequest, document, open_index, toolchain_of
from edgewright.tools.toolchains.table import NO_TOOLCHAINS, SAFE, Toolchains
from edgewright.tools.workspace import Progress, Workspace

POLL_S = 0.2
LAST_LINES = 8


class Host:
    """This machine."""

    def __init__(self, sandbox: str = "none", lock: Path | None = None, toolchains: Toolchains | None = None) -> None:
        """Take what only the caller knows.

        Args:
            sandbox: How this process, and so the probe, is confined; recorded with every number.
            lock: File whose lock each timing holds, so that two never run beside each other.
            toolchains: Environments of their own; a model that needs one runs in its interpreter.
        """
        self._sandbox = sandbox
        self._lock = lock
        self._toolchains = toolchains or NO_TOOLCHAINS

    def run(
        self, request: ProbeRequest[Facts], workspace: Workspace, progress: Progress | None = None
    ) -> ProbeAnswer[Facts]:
        """Run the probe once; see `Target.run`."""
        toolchain = toolchain_of(request)
        python = self._toolchains.python(toolchain) if toolchain else Path(sys.executable)
        folder = workspace.scratch(f"probe-{request.task.name}")
        folder.mkdir()
        bundle, request_path = folder / "probe.pyz", folder / "request.json"
        write_bundle(bundle)
        index = open_index(request, workspace)
        asked = document(request, index, str(folder), lambda digest: str(workspace.path_of(digest)))
        request_path.write_text(json.dumps(asked), encoding="utf-8")
        report = progress or workspace.progress
        try:
            with self._alone(report) if request.task.name == LATENCY.name else nullcontext():
                status = _wait(_start([python, bundle, request_path], folder, request.threads), folder, report)
        except ValidationError as error:
            raise WorkerFailed(f"what the probe wrote cannot be read: {error}") from error
        _require_answer(folder, status)
        return read_answer(request, folder, workspace, sandbox=self._sandbox)

    @contextmanager
    def _alone(self, progress: Progress) -> Iterator[None]:
        """Hold the host's lock; wait for it as long as the job may run."""
        if self._lock is None:
            yield
            return
        with held(self._lock, lambda: progress(0, 1, "waiting for another measurement on this host")):
            yield


def _start(program: list[Path], folder: Path, threads: int) -> "subprocess.Popen[bytes]":
    # NumPy's own threads only stack arrays here; the runtime gets its number through its options.
    limits = {"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    with (folder / "output.log").open("wb") as log:
        return subprocess.Popen(
            [str(program[0]), "-I", *map(str, program[1:]), str(os.getpid())],
            cwd=folder,
            env=inherited(**limits, **SAFE, LANG="C.UTF-8", TMPDIR=str(folder), HOME=str(folder)),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def _wait(process: "subprocess.Popen[bytes]", folder: Path, progress: Progress) -> int:
    """Forward progress until the process ends; return its status. Nothing outlives this call."""
    last = ""
    try:
        while True:
            try:
                return process.wait(POLL_S)
            except subprocess.TimeoutExpired:
                pass
            path = folder / "progress.json"
            text = path.read_text(encoding="utf-8") if path.exists() else ""
            if text != last:
                last = text
                note = ProgressNote.model_validate_json(text)
                progress(note.done, note.total, note.message)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _require_answer(folder: Path, status: int) -> None:
    if status == 0 and (folder / "answer.json").exists():
        return
    log = (folder / "output.log").read_text(encoding="utf-8", errors="replace").splitlines()
    raise WorkerFailed(
        "\n".join([f"the probe {manner(status)} without an answer; its last lines:", *log[-LAST_LINES:]])
    )


def manner(status: int) -> str:
    """Return how a process ended, as a clause about it."""
    return f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
