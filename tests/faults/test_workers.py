"""A worker that hangs, eats memory, crashes or is cancelled ends its job with the reason, and nothing else."""

import os
import signal
from pathlib import Path

import anyio
import psutil
import pytest
import run_builder as build
from faulty_models import eats_memory, never_ends
from mcp import Client
from workflow import Connect, content, demo_arguments, done, refused

from edgewright.server.jobs import supervisor_of
from edgewright.server.settings import Settings
from edgewright.state.events import JobOutcome
from edgewright.state.phases import Phase
from edgewright.tools.job_folder import Answer, Found, JobFolder, Result

pytestmark = pytest.mark.anyio


@pytest.mark.promise("P11")
@pytest.mark.parametrize("transport", ["memory", "stdio"])
async def test_a_model_that_never_ends_is_ended_at_the_time_limit(
    connect: Connect, settings: Settings, root: Path, transport: str
) -> None:
    never_ends(root / "loop.onnx")
    limited = settings.model_copy(update={"job_seconds": 8.0})
    async with connect(transport, given=limited) as client:
        refusal = await refused(client, "profile_model", **demo_arguments(root, model_path=str(root / "loop.onnx")))
        assert refusal["code"] == "TIME_LIMIT"
        assert "8 s" in refusal["why"]
        assert await is_idle_and_well(client)


@pytest.mark.promise("P11")
async def test_a_model_that_eats_memory_is_ended_at_the_memory_limit(
    connect: Connect, settings: Settings, root: Path
) -> None:
    eats_memory(root / "huge.onnx")
    limited = settings.model_copy(update={"job_memory_bytes": 1 << 30})
    async with connect(given=limited) as client:
        refusal = await refused(client, "profile_model", **demo_arguments(root, model_path=str(root / "huge.onnx")))
        assert refusal["code"] == "MEMORY_LIMIT"
        assert await is_idle_and_well(client)


@pytest.mark.promise("P11")
async def test_a_killed_worker_ends_its_job_with_the_signal(connect: Connect, settings: Settings, root: Path) -> None:
    async with connect(given=settings.model_copy(update={"wait_s": 0.0})) as client:
        job, tree = await begin(client, settings, root)
        worker = next(process for process in tree if "edgewright.tools.worker" in process.cmdline())
        os.kill(worker.pid, signal.SIGKILL)
        result = await client.call_tool("get_job", {"job": job, "wait_seconds": 45})
        assert content(result)["code"] == "WORKER_CRASHED"
        assert "SIGKILL" in content(result)["why"]
        assert survivors(tree) == []
        assert await is_idle_and_well(client)


@pytest.mark.promise("P3", "P4")
async def test_a_worker_that_answers_with_a_persons_acceptance_is_not_believed(
    connect: Connect, settings: Settings, root: Path
) -> None:
    async with connect(given=settings.model_copy(update={"wait_s": 0.0})) as client:
        job, tree = await begin(client, settings, root)
        folder = JobFolder(settings.state_folder / "jobs" / job)
        os.kill(tree[0].pid, signal.SIGSTOP)  # so that this answer is the one that is found
        waiver = build.waived(build.run_in(Phase.VALIDATE, build.FAILING))
        folder.write_result(Result(JobOutcome.DONE, 1.0, Answer("none", Found.of(waiver))))
        os.kill(tree[0].pid, signal.SIGKILL)
        result = await client.call_tool("get_job", {"job": job, "wait_seconds": 45})
        assert content(result)["code"] == "WORKER_CRASHED"
        assert "no business with WaiverGranted" in content(result)["why"]


@pytest.mark.promise("P11")
async def test_a_killed_supervisor_takes_its_worker_along_and_the_job_counts_as_interrupted(
    connect: Connect, settings: Settings, root: Path
) -> None:
    async with connect(given=settings.model_copy(update={"wait_s": 0.0})) as client:
        job, tree = await begin(client, settings, root)
        os.kill(tree[0].pid, signal.SIGKILL)
        result = await client.call_tool("get_job", {"job": job, "wait_seconds": 45})
        assert content(result)["code"] == "INTERRUPTED"
        assert survivors(tree) == []
        assert await is_idle_and_well(client)


@pytest.mark.promise("P11")
async def test_cancelling_leaves_no_process_and_an_unchanged_run(
    connect: Connect, settings: Settings, root: Path
) -> None:
    async with connect(given=settings.model_copy(update={"wait_s": 0.0})) as client:
        job, tree = await begin(client, settings, root)
        result = await client.call_tool("cancel_job", {"job": job})
        assert not result.is_error
        assert "was cancelled" in content(result)["summary"]
        assert survivors(tree) == []
        assert await is_idle_and_well(client)


@pytest.mark.promise("P2", "P11")
async def test_the_same_call_joins_the_job_and_another_is_told_to_wait(
    connect: Connect, settings: Settings, root: Path
) -> None:
    async with connect(given=settings.model_copy(update={"wait_s": 0.0})) as client:
        first = content(await client.call_tool("profile_model", demo_arguments(root)))
        again = content(await client.call_tool("profile_model", demo_arguments(root)))
        assert (again["run"], again["job"]) == (first["run"], first["job"])
        busy = await refused(client, "quantize", run=first["run"], scheme="fp16")
        assert busy["code"] in {"BUSY", "PHASE"}
        assert (busy["next"][0]["tool"], busy["next"][0]["arguments"]) == ("get_job", {"job": first["job"]})
        await client.call_tool("cancel_job", {"job": first["job"]})


async def begin(client: Client, settings: Settings, root: Path) -> tuple[str, list[psutil.Process]]:
    """Start a job that goes on for ever; return it and its processes, the supervisor first."""
    never_ends(root / "loop.onnx")
    result = await client.call_tool("profile_model", demo_arguments(root, model_path=str(root / "loop.onnx")))
    job = content(result)["job"]
    folder = JobFolder(settings.state_folder / "jobs" / job)
    with anyio.fail_after(30):
        while True:
            pid = supervisor_of(folder)
            tree = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)] if pid else []
            if any("probe.pyz" in " ".join(process.cmdline()) for process in tree if process.is_running()):
                return job, tree
            await anyio.lowlevel.checkpoint()


def survivors(tree: list[psutil.Process]) -> list[psutil.Process]:
    """Return the processes that are still there when every one has had time to be reaped."""
    return psutil.wait_procs(tree, timeout=10)[1]


async def is_idle_and_well(client: Client) -> bool:
    """Whether the server answers, with no job at work."""
    return (await done(client, "get_state"))["numbers"]["active_jobs"] == []
