"""Runs the probe on this machine, in a process of its own."""

import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Protocol

from pydantic import TypeAdapter, ValidationError

from edgewright.state.artifacts import Artifact
from edgewright.state.errors import Code, Refused, WorkerFailed
from edgewright.state.evidence import Environment
from edgewright.tools.inheritance import inherited
from edgewright.tools.probe import environment
from edgewright.tools.targets.answer import ErrorDocument, Facts, FactsDocument, ProbeAnswer, ProbeFailure, ProgressNote
from edgewright.tools.targets.bundle import write_bundle
from edgewright.tools.targets.label import label_of
from edgewright.tools.targets.request import LATENCY, ProbeRequest, runtime_of
from edgewright.tools.workspace import Progress, Workspace

POLL_S = 0.2
LAST_LINES = 8
LONGEST_MESSAGE = 600

_DOCUMENT: TypeAdapter[FactsDocument | ErrorDocument] = TypeAdapter(FactsDocument | ErrorDocument)


class Target(Protocol):
    """A place where a measurement is taken."""

    def run(
        self, request: ProbeRequest[Facts], workspace: Workspace, progress: Progress | None = None
    ) -> ProbeAnswer[Facts]:
        """Run the probe once, in a fresh process.

        Args:
            request: What to do.
            workspace: Where the files of the request are, and where those of the answer go.
            progress: Told how far the probe is; the workspace's own where it is not given.

        Raises:
            Refused: The model or the data is the reason that there is no answer.
            WorkerFailed: The probe ended without one.
        """


class Host:
    """This machine."""

    def __init__(self, sandbox: str = "none", lock: Path | None = None) -> None:
        """Take what only the caller knows.

        Args:
            sandbox: How this process, and so the probe, is confined; recorded with every number.
            lock: File whose lock each timing holds, so that two never run beside each other.
        """
        self._sandbox = sandbox
        self._lock = lock

    def run(
        self, request: ProbeRequest[Facts], workspace: Workspace, progress: Progress | None = None
    ) -> ProbeAnswer[Facts]:
        """Run the probe once; see `Target.run`."""
        folder = workspace.scratch(f"probe-{request.task.name}")
        folder.mkdir()
        bundle, request_path = folder / "probe.pyz", folder / "request.json"
        write_bundle(bundle)
        request_path.write_text(json.dumps(_wire(request, workspace, folder)), encoding="utf-8")
        report = progress or workspace.progress
        try:
            with self._alone(report) if request.task.name == LATENCY.name else nullcontext():
                status = _wait(_start(bundle, request_path, folder, request.threads), folder, report)
            document = _read(folder, status)
            if isinstance(document, ErrorDocument):
                raise _refused(document.error, request, workspace)
            adapter = TypeAdapter(request.task.facts)
            facts = {name: adapter.validate_python(document.models.get(name)) for name in request.models}
        except ValidationError as error:
            raise WorkerFailed(f"what the probe wrote cannot be read: {error}") from error
        return ProbeAnswer(facts, self._environments(request, document), folder)

    @contextmanager
    def _alone(self, progress: Progress) -> Iterator[None]:
        """Hold the host's lock; wait for it as long as the job may run."""
        if self._lock is None:
            yield
            return
        with self._lock.open("rb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                progress(0, 1, "waiting for another measurement on this host")
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _environments(self, request: ProbeRequest[Facts], document: FactsDocument) -> Mapping[str, Environment]:
        machine, here = document.environment, environment.facts()
        label = label_of(machine, host_machine=here["machine"], host_boot_id=here["boot_id"])
        known = machine.model_dump(exclude={"runtimes"})
        return {
            name: Environment(
                label=label,
                runtime=runtime_of(artifact),
                runtime_version=machine.runtimes.get(runtime_of(artifact), "unknown"),
                threads=request.threads,
                sandbox=self._sandbox,
                **known,
            )
            for name, artifact in request.models.items()
        }


def _wire(request: ProbeRequest[Facts], workspace: Workspace, folder: Path) -> dict[str, object]:
    index = json.loads(workspace.path_of(request.dataset).read_text(encoding="utf-8"))
    digests = {spec[part] for spec in index["inputs"].values() for part in ("values", "shapes") if part in spec}
    return {
        "version": 1,
        "task": request.task.name,
        "folder": str(folder),
        "parent_pid": os.getpid(),
        "models": [
            {
                "name": name,
                "runtime": runtime_of(artifact),
                "path": str(workspace.path_of(artifact.sha256)),
                "threads": request.threads,
            }
            for name, artifact in request.models.items()
        ],
        "index": index,
        "objects": {digest: str(workspace.path_of(digest)) for digest in sorted(digests)},
        "samples": request.samples,
        "protocol": asdict(request.protocol) if request.protocol else None,
    }


def _start(bundle: Path, request_path: Path, folder: Path, threads: int) -> "subprocess.Popen[bytes]":
    # NumPy's own threads only stack arrays here; the runtime gets its number through its options.
    limits = {"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    with (folder / "output.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-I", str(bundle), str(request_path)],
            cwd=folder,
            env=inherited(**limits, LANG="C.UTF-8", TMPDIR=str(folder)),
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


def _read(folder: Path, status: int) -> FactsDocument | ErrorDocument:
    answer = folder / "answer.json"
    if status != 0 or not answer.exists():
        how = f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
        log = (folder / "output.log").read_text(encoding="utf-8", errors="replace").splitlines()
        raise WorkerFailed("\n".join([f"the probe {how} without an answer; its last lines:", *log[-LAST_LINES:]]))
    return _DOCUMENT.validate_json(answer.read_bytes())


def _refused(failure: ProbeFailure, request: ProbeRequest[Facts], workspace: Workspace) -> Refused:
    blamed = [request.models[failure.model]] if failure.model in request.models else request.models.values()
    what = f"running {', '.join(artifact.name for artifact in blamed)}"
    why = _clause(failure.message, request.models, workspace)
    match failure.kind:
        case "load":
            do = "check the file with the tool that wrote it, and export it again with a supported operator set"
            return Refused.because(Code.MODEL_INVALID, what, f"it does not load: {why}", do)
        case "input":
            do = "correct the data card, or export the model with the inputs that the preprocessing yields"
            return Refused.because(Code.DATA_MISMATCH, what, why, do, "P9")
        case "memory":
            do = "use a smaller model or input, or raise the memory limit in the operator's configuration"
            return Refused.because(Code.MEMORY_LIMIT, what, f"memory ran out: {why}", do)
        case "disk":
            do = "free space on the disk of the state folder and call again; nothing was changed"
            return Refused.because(Code.DISK_FULL, what, f"the disk takes no more: {why}", do, "P11")
        case "output":
            do = "give the model outputs that are arrays of numbers, one entry a sample"
            return Refused.because(Code.MODEL_UNSUPPORTED, what, why, do)
        case "run":
            do = "run the model once with the framework that it comes from, on the same sample, and export it again"
            return Refused.because(Code.MODEL_INVALID, what, f"it fails on the data: {why}", do)


def _clause(message: str, models: Mapping[str, Artifact], workspace: Workspace) -> str:
    """Return a runtime's message as one line of bounded length, models called by name instead of by path."""
    for artifact in models.values():
        message = message.replace(str(workspace.path_of(artifact.sha256)), artifact.name)
    line = "".join(character if character.isprintable() else " " for character in message)
    return " ".join(line.split())[:LONGEST_MESSAGE].rstrip(". ")
