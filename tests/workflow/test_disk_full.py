"""A disk that takes no more ends what needs room, with the reason; the server lives, and goes on when there is room."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import psutil
import pytest
from fragile_model import fragile
from mcp import Client, StdioServerParameters
from workflow import Connect, content, demo_arguments, done, refused, state_of

from edgewright.server.app import ADOPT_EVERY_S
from edgewright.server.settings import Settings

pytestmark = pytest.mark.anyio

DISK_BYTES = 8 << 20


@dataclass(frozen=True)
class SmallDisk:
    """A server whose state folder is a disk of its own, of `DISK_BYTES`.

    Attributes:
        client: Its client.
        folder: The disk, seen from here.
    """

    client: Client
    folder: Path

    def fill(self, spare_bytes: int = 0) -> None:
        """Take all room but so much."""
        left = os.statvfs(self.folder)
        size = left.f_bavail * left.f_frsize - spare_bytes
        with (self.folder / "filler").open("wb") as filler:
            os.posix_fallocate(filler.fileno(), 0, size)

    def free(self) -> None:
        (self.folder / "filler").unlink()


@asynccontextmanager
async def small_disk(settings: Settings, wait_s: float = 45) -> AsyncIterator[SmallDisk]:
    """Serve from a tmpfs inside a user namespace of its own: needs no rights beyond the kernel's permission."""
    require_namespaces()
    folder = settings.state_folder
    folder.mkdir(parents=True)
    mount = f'mount -t tmpfs -o size={DISK_BYTES} none "$0" && exec "$@"'
    serve = [sys.executable, "-m", "edgewright.server", "serve", "--state-folder", str(folder)]
    for root in settings.roots:
        serve += ["--root", str(root)]
    environment = {name: os.environ[name] for name in ("PATH", "EDGEWRIGHT_CONFIG")}
    parameters = StdioServerParameters(
        command="unshare",
        args=["-Urm", "sh", "-c", mount, str(folder), *serve],
        env={**environment, "EDGEWRIGHT_WAIT_S": str(wait_s)},
    )
    async with Client(parameters) as client:
        await done(client, "get_state")
        # Through /proc, since the mount is visible in the server's namespace only.
        [server] = [
            child for child in psutil.Process().children() if {"edgewright.server", "serve"} <= {*child.cmdline()}
        ]
        yield SmallDisk(client, Path(f"/proc/{server.pid}/root{folder}"))


def require_namespaces() -> None:
    tried = subprocess.run(
        ["unshare", "-Urm", "sh", "-c", "mount -t tmpfs none /mnt"], capture_output=True, text=True, check=False
    )
    if tried.returncode:
        pytest.fail(f"these tests need `unshare -Urm` for a small disk, and it is not permitted here: {tried.stderr}")


@pytest.mark.promise("P11", "P12")
async def test_a_full_disk_refuses_to_begin_and_lets_go_on_once_there_is_room(settings: Settings, root: Path) -> None:
    arguments = fragile(root)
    async with small_disk(settings) as disk:
        disk.fill()
        refusal = await refused(disk.client, "profile_model", **arguments)
        assert refusal["code"] == "DISK_FULL"
        assert "P11" in refusal["promises"]
        assert "free space" in refusal["do"]
        assert (await done(disk.client, "get_state"))["numbers"]["runs"] == []
        disk.free()
        run = (await done(disk.client, "profile_model", **arguments))["run"]

        before = await state_of(disk.client, run)
        disk.fill()
        for tool, given in (("quantize", {"scheme": "int8_dynamic"}), ("package", {})):
            assert (await refused(disk.client, tool, run=run, **given))["code"] == "DISK_FULL"
        assert await state_of(disk.client, run) == before
        disk.free()
        assert (await done(disk.client, "quantize", run=run, scheme="int8_dynamic"))["phase"] == "BENCHMARK"


@pytest.mark.promise("P11", "P12")
async def test_a_disk_that_fills_under_a_job_ends_the_job_with_the_reason(settings: Settings, root: Path) -> None:
    """Room enough to begin, and not for the copy of the model and its data."""
    async with small_disk(settings) as disk:
        disk.fill(spare_bytes=2 << 20)
        refusal = await refused(disk.client, "profile_model", **demo_arguments(root))
        assert refusal["code"] == "DISK_FULL"
        state = await state_of(disk.client, refusal["run"])
        assert (state["phase"], state["profiled"], state["job"]) == ("PROFILE", None, None)
        await no_half_written_file(disk)
        disk.free()
        assert (await done(disk.client, "profile_model", **fragile(root)))["phase"] == "OPTIMIZE"


@pytest.mark.promise("P11")
@pytest.mark.timeout(60)
@pytest.mark.parametrize("spare_bytes", [0, 64 << 10])
async def test_a_disk_that_is_full_when_a_job_ends_costs_the_job_at_most(
    settings: Settings, root: Path, spare_bytes: int
) -> None:
    """Nothing can be written down then, not even that the job ended; the server has to outlive that."""
    arguments = fragile(root)
    async with small_disk(settings, wait_s=0) as disk:
        started = content(await disk.client.call_tool("profile_model", arguments))
        assert started["status"] == "running"
        disk.fill(spare_bytes)
        await the_work_is_over(disk, started["job"])
        with anyio.move_on_after(3 * ADOPT_EVERY_S):  # it looks for finished jobs on its own, too
            while True:
                answer = content(await disk.client.call_tool("get_job", {"job": started["job"], "wait_seconds": 1}))
                assert answer["status"] in {"running", "done"} or answer["code"] in ENDS, answer
        await done(disk.client, "get_state")
        disk.free()
        answer = await at_last(disk, started["job"])
        assert answer["status"] == "done" or answer["code"] in ENDS, answer
        await no_half_written_file(disk)
        assert (await done(disk.client, "profile_model", **{**arguments, "accuracy_tolerance": 0.01}))[
            "status"
        ] == "done"


ENDS = {"DISK_FULL", "WORKER_CRASHED", "INTERRUPTED"}


async def the_work_is_over(disk: SmallDisk, job: str) -> None:
    """Wait until no process of the job is left."""
    with anyio.fail_after(60):
        while any(job in " ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])):
            await anyio.sleep(0.05)


async def at_last(disk: SmallDisk, job: str) -> dict[str, Any]:
    with anyio.fail_after(60):
        while True:
            answer = content(await disk.client.call_tool("get_job", {"job": job, "wait_seconds": 5}))
            if answer["status"] != "running":
                return answer


async def no_half_written_file(disk: SmallDisk) -> None:
    """Whatever is in the store has the digest that names it."""
    for path in (disk.folder / "objects").rglob("*"):
        if path.is_file():
            named = subprocess.run(["sha256sum", str(path)], capture_output=True, text=True, check=True).stdout[:64]
            assert named == path.name


@pytest.mark.promise("P11", "P12")
async def test_a_file_above_the_limit_of_a_job_is_refused_as_a_full_disk(
    connect: Connect, settings: Settings, root: Path
) -> None:
    """The demo's model has 2.6 MB."""
    async with connect(given=settings.model_copy(update={"job_file_bytes": 1 << 20})) as client:
        refusal = await refused(client, "profile_model", **demo_arguments(root))
        assert refusal["code"] == "DISK_FULL"
        assert "job_file_bytes" in refusal["do"]
        assert (await done(client, "get_state"))["numbers"]["active_jobs"] == []
        assert (await done(client, "profile_model", **fragile(root)))["phase"] == "OPTIMIZE"
