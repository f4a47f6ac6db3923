"""The search for the fastest mix of 8 bits and float32, through a real client, on a model that 8 bits break."""

import os
import signal
from pathlib import Path

import numpy as np
import onnx
import pytest
from mcp import Client
from search_bench import broken_network
from workflow import Connect, content, demo_arguments, done, small_demo

from edgewright.server.jobs import supervisor_of
from edgewright.server.settings import Settings
from edgewright.tools.job_folder import JobFolder

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def broken(root: Path) -> None:
    small_demo(root)
    onnx.save(broken_network(), root / "fashion_mnist_cnn.onnx")


@pytest.mark.promise("P2", "P3")
async def test_where_uniform_int8_fails_the_advice_leads_to_a_mix_that_passes(connect: Connect, root: Path) -> None:
    async with connect() as client:
        run = (await done(client, "profile_model", **demo_arguments(root)))["run"]
        await done(client, "quantize", run=run, scheme="int8_static", base="original")
        await done(client, "benchmark", run=run)
        failed = await done(client, "validate", run=run)
        assert failed["numbers"]["verdict"] == "FAIL"
        instead = next(advice for advice in failed["next"] if advice["tool"] == "quantize")
        assert instead["arguments"] == {"run": run, "scheme": "int8_mixed", "base": "original"}
        await done(client, "decide", run=run, decision="revert")
        told = await done(client, "analyze_sensitivity", run=run)
        assert told["phase"] == "OPTIMIZE"
        assert {group["name"] for group in told["numbers"]["groups"][:2]} == {"node_Conv_130", "node_Conv_136"}
        assert all(group["saved_share_of_time"] is not None for group in told["numbers"]["groups"])
        assert "job" not in await done(client, "analyze_sensitivity", run=run)
        made = await done(client, instead["tool"], **instead["arguments"])
        assert "fashion_mnist_cnn_mixed_int8.onnx" in made["summary"]
        assert any(note.startswith("in float32: node_Conv_130 (Conv): alone in int8") for note in made["notes"])
        await done(client, "benchmark", run=run)
        passed = await done(client, "validate", run=run)
        assert passed["numbers"]["verdict"] == "PASS"
        assert (await done(client, "decide", run=run, decision="keep"))["phase"] == "OPTIMIZE"


@pytest.mark.system
@pytest.mark.promise("P11")
@pytest.mark.timeout(900)
async def test_a_search_that_is_killed_ten_times_ends_with_the_candidate_of_one_that_was_left_alone(
    connect: Connect, settings: Settings, root: Path
) -> None:
    moments = np.random.default_rng(3).integers(1, 3, 10)
    async with connect(given=settings.model_copy(update={"wait_s": 0.0})) as client:
        # For another device than this one times are estimates, so that both searches decide alike.
        arguments = demo_arguments(root, target_device="raspberry-pi-5")
        killed, whole = [await waited(client, await call(client, "profile_model", **arguments)) for _ in range(2)]
        step = {"scheme": "int8_mixed", "base": "original"}
        before: list[str] = []
        for more in moments:
            job = str((await call(client, "quantize", run=killed["run"], **step))["job"])
            folder = JobFolder(settings.state_folder / "jobs" / job)
            while len(found(folder)) < len(before) + more:
                assert (await call(client, "get_job", job=job, wait_seconds=0.1))["status"] == "running"
            supervisor = supervisor_of(folder)
            assert supervisor is not None
            os.kill(supervisor, signal.SIGKILL)
            await client.call_tool("get_job", {"job": job, "wait_seconds": 45})
            assert found(folder)[: len(before)] == before
            before = found(folder)
        resumed, other = [
            await waited(client, await call(client, "quantize", run=each["run"], **step)) for each in (killed, whole)
        ]
    assert resumed["numbers"] == other["numbers"]


def found(folder: JobFolder) -> list[str]:
    """Return the whole lines that a search has written."""
    return [line for path in folder.lasting.glob("*") for line in path.read_text(encoding="utf-8").split("\n")[:-1]]


async def call(client: Client, tool: str, **arguments: object) -> dict[str, object]:
    return content(await client.call_tool(tool, arguments))


async def waited(client: Client, reply: dict[str, object]) -> dict[str, object]:
    """Return the reply of a job's end."""
    while reply["status"] == "running":
        reply = await call(client, "get_job", job=reply["job"], wait_seconds=45)
    assert reply["status"] == "done", reply
    return reply
