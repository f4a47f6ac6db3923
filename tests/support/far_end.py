"""A target whose SSH is a local shell: the real courier, keeper and probe, without a network in between."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
import run_builder as build

from edgewright.state.artifacts import Device
from edgewright.state.protocols import PROTOCOLS, ProtocolName
from edgewright.tools.job_folder import Envelope, JobFolder, Limits
from edgewright.tools.orders import Original, SustainOrder
from edgewright.tools.targets import ssh
from edgewright.tools.targets.courier import Courier, serve
from edgewright.tools.targets.enrolled import Enrolled, Targets
from edgewright.tools.targets.remote import Remote
from edgewright.tools.workspace import Workspace


def enrol(folder: Path, kind: Device = Device.CPU_GENERIC, python: str = "python3") -> Enrolled:
    """Enrol a target that nothing has to be reached for."""
    return Targets(folder).add(
        "bench", kind, host="localhost", user="somebody", port=22, identity="", python=python, host_keys=""
    )


def through_a_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every connection lead to a shell on this machine."""
    monkeypatch.setattr(ssh, "command", lambda _target, remote: ["sh", "-c", remote])


def python_with(folder: Path, *packages: Path) -> Path:
    """Return an interpreter that finds packages in these folders, the first one first, and nowhere else."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    found = next(folder.glob("lib/python*/site-packages"))
    (found / "packages.pth").write_text("\n".join(map(str, packages)), encoding="utf-8")
    return folder / "bin/python"


def numpy_alone(folder: Path) -> Path:
    """Return a folder of packages with NumPy and no runtime in it."""
    folder.mkdir()
    for part in Path(np.__file__).parents[1].glob("numpy*"):
        (folder / part.name).symlink_to(part)
    return folder


@contextmanager
def remote(target: Enrolled, folder: Path, workspace: Workspace, seconds: float = 60) -> Iterator[Remote]:
    """Yield a target as a worker sees it, with its courier at work in a thread."""
    job = JobFolder(folder)
    envelope = Envelope(
        job="job",
        run="run",
        order=_any_order(),
        limits=Limits(seconds, 1 << 30, 1 << 30),
        objects=str(workspace.objects),
        host_lock="",
        readable=(),
        target=target,
    )
    ours, theirs = socket.socketpair()
    with ours, ExitStack() as session:
        courier = Thread(target=serve, args=(Courier(job, envelope, session), theirs))
        courier.start()
        try:
            yield Remote(target, ours)
        finally:
            ours.shutdown(socket.SHUT_RDWR)
            courier.join()


def _any_order() -> SustainOrder:
    original = Original("/models/toy.onnx", build.ORIGINAL.sha256)
    data = build.dataset("validation")
    return SustainOrder(build.ORIGINAL, original, data, PROTOCOLS[ProtocolName.QUICK], 1)
