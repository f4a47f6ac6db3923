"""The server is killed (-9) at random moments of whole runs; what it acknowledged is still there."""

import hashlib
import os
import random
import signal
from pathlib import Path
from typing import Any

import anyio
import psutil
import pytest
from mcp import Client
from workflow import Connect, content, demo_arguments, done, small_demo

from edgewright.server.settings import Settings
from edgewright.state.ledger import Ledger
from edgewright.state.store import Store
from edgewright.tools.job_folder import JobFolder

pytestmark = pytest.mark.anyio

LONGEST_LIFE_S = 2.5


@pytest.mark.promise("P2", "P11")
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kills", [10, pytest.param(50, marks=pytest.mark.system)])
async def test_kills_lose_no_acknowledged_state_and_leave_no_half_written_file(
    connect: Connect, settings: Settings, root: Path, kills: int
) -> None:
    small_demo(root)
    moments = random.Random(23)
    acknowledged: dict[str, list[str]] = {}
    packaged = 0
    for _ in range(kills):
        packaged += await live_and_die(connect, root, moments.uniform(0, LONGEST_LIFE_S), acknowledged)
        check(settings, acknowledged)
    assert sum(map(len, acknowledged.values())) > kills // 2
    await finish(connect, settings, root)


async def live_and_die(connect: Connect, root: Path, life_s: float, acknowledged: dict[str, list[str]]) -> int:
    """Start a server, follow its recommendations, and kill it after `life_s`; return the packages it wrote."""
    packages = 0
    try:
        async with connect("stdio") as client, anyio.create_task_group() as tasks:
            tasks.start_soon(kill_after, life_s)
            while True:
                packages += await one_call(client, root, acknowledged)
    except BaseExceptionGroup:  # whatever way the client notices that its server is gone
        return packages


async def kill_after(life_s: float) -> None:
    await anyio.sleep(life_s)  # the moment is the point of the test, not a wait for something
    for child in psutil.Process().children():
        if "edgewright.server" in child.cmdline():
            os.kill(child.pid, signal.SIGKILL)


async def one_call(client: Client, root: Path, acknowledged: dict[str, list[str]]) -> int:
    """Make the recommended call, and note what the server has said to be recorded."""
    runs = (await done(client, "get_state"))["numbers"]["runs"]
    open_runs = [name.split(" ")[0] for name in runs if "PACKAGE)" not in name]
    tool, arguments = "profile_model", demo_arguments(root)
    if open_runs:
        state = content(await client.call_tool("get_state", {"run": open_runs[0], "detail": "full"}))
        acknowledged[open_runs[0]] = [event["hash"] for event in state["detail"]["events"]]
        advised = state["next"][0]
        if advised["tool"] != "profile_model":
            tool, arguments = advised["tool"], advised["arguments"]
    reply = content(await client.call_tool(tool, arguments))
    return int(tool == "package" and reply.get("status") == "done")


def check(settings: Settings, acknowledged: dict[str, list[str]]) -> None:
    """Compare the ledger and the store with what was acknowledged, and with themselves."""
    with Ledger(settings.state_folder / "edgewright.db").read() as look:
        for run, hashes in acknowledged.items():
            records = look.records(run)
            assert [record.hash for record in records][: len(hashes)] == hashes
            profiled = look.run(run).profiled  # folds: every move is one that the phase table knows
            assert profiled is None or Store(settings.state_folder / "objects").path(profiled.original.sha256).exists()
    for path in (settings.state_folder / "objects").rglob("*"):
        if path.is_file():
            assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name


async def finish(connect: Connect, settings: Settings, root: Path) -> None:
    """After all that, a server adopts what is at work, and an honest run ends packaged."""
    async with connect("stdio") as client:
        with anyio.fail_after(300):
            while not await one_call(client, root, {}):
                pass
        state: dict[str, Any] = await done(client, "get_state")
    for entry in state["numbers"]["active_jobs"]:
        assert JobFolder(settings.state_folder / "jobs" / entry["job"]).is_alive()


@pytest.mark.promise("P11")
async def test_a_job_that_ends_while_no_server_is_there_is_adopted_by_the_next(
    connect: Connect, settings: Settings, root: Path
) -> None:
    small_demo(root)
    async with connect("stdio", given=settings.model_copy(update={"wait_s": 0.0})) as client:
        first = content(await client.call_tool("profile_model", demo_arguments(root)))
        assert first["status"] == "running"
    folder = JobFolder(settings.state_folder / "jobs" / first["job"])
    assert folder.is_alive()
    with anyio.fail_after(120):
        while folder.is_alive():
            await anyio.sleep(0.05)
    async with connect("stdio") as client:
        reply = await done(client, "get_state", run=first["run"])
        assert reply["phase"] == "OPTIMIZE"
        adopted = content(await client.call_tool("get_job", {"job": first["job"]}))
        assert adopted["status"] == "done"
