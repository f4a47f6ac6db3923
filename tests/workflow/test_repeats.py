"""Asking twice is asking once: with a key, in parallel, through two servers, and after a restart."""

from contextlib import AsyncExitStack
from pathlib import Path
from threading import Thread
from typing import Any

import anyio
import pytest
from faulty_models import never_ends
from fragile_model import fragile
from mcp import Client
from workflow import Connect, call, content, demo_arguments, done, kinds_of, refused

from edgewright.server.house import House
from edgewright.server.settings import Settings
from edgewright.tools.authority.enrolment import Authority
from edgewright.tools.orders import PackageOrder
from edgewright.tools.package.attestation import attest

pytestmark = pytest.mark.anyio


@pytest.mark.promise("P2", "P11")
async def test_a_key_takes_effect_once_across_servers_and_restarts(
    connect: Connect, settings: Settings, root: Path
) -> None:
    never_ends(root / "loop.onnx")
    arguments = demo_arguments(root, model_path=str(root / "loop.onnx"), idempotency_key="once")
    impatient = settings.model_copy(update={"wait_s": 0.0})
    async with connect("stdio", given=impatient) as client, connect("memory", given=impatient) as other:
        first = content(await client.call_tool("profile_model", arguments))
        for again in (client, other):
            assert who(content(await again.call_tool("profile_model", arguments))) == who(first)
    async with connect("stdio", given=impatient) as client:
        assert who(content(await client.call_tool("profile_model", arguments))) == who(first)
        await client.call_tool("cancel_job", {"job": first["job"]})
        # What the call came to is what it comes to again; a new key begins anew.
        assert (await refused(client, "profile_model", **arguments))["code"] == "CANCELLED"
        assert len((await done(client, "get_state"))["numbers"]["runs"]) == 1
        second = content(await client.call_tool("profile_model", {**arguments, "idempotency_key": "twice"}))
        assert second["run"] != first["run"]
        await client.call_tool("cancel_job", {"job": second["job"]})


def who(reply: dict[str, Any]) -> tuple[str, str]:
    return reply["run"], reply["job"]


@pytest.mark.promise("P2", "P12")
@pytest.mark.parametrize(("transport", "era"), [("memory", "auto"), ("stdio", "legacy")])
async def test_a_key_that_came_with_other_arguments_or_another_call_is_refused(
    connect: Connect, root: Path, transport: str, era: str
) -> None:
    (root / "notes.onnx").write_text("not a model", encoding="utf-8")
    arguments = demo_arguments(root, model_path=str(root / "notes.onnx"), idempotency_key="k")
    async with connect(transport, era) as client:
        run = (await refused(client, "profile_model", **arguments))["run"]
        kinds = await kinds_of(client, run)
        for tool, others in (
            ("profile_model", {**arguments, "accuracy_tolerance": 0.01}),
            ("validate", {"run": run, "idempotency_key": "k"}),
        ):
            refusal = await refused(client, tool, **others)
            assert refusal["code"] == "IDEMPOTENCY"
            assert "'k'" in refusal["refused"]
        assert [kind for kind in await kinds_of(client, run) if kind != "CallRefused"] == kinds
        assert len((await done(client, "get_state"))["numbers"]["runs"]) == 1


@pytest.mark.promise("P2", "P11")
async def test_every_call_sent_three_times_at_once_to_two_servers_takes_effect_once(
    connect: Connect, root: Path
) -> None:
    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(connect("stdio")) for _ in range(2)]
        clients = [servers[0], servers[1], servers[1]]
        run = the_one([reply["run"] for reply in await at_once(clients, "profile_model", **fragile(root))])
        for tool, given in (
            ("quantize", {"scheme": "int8_dynamic"}),
            ("benchmark", {}),
            ("validate", {}),
        ):
            replies = await at_once(clients, tool, run=run, **given)
            assert [reply["status"] for reply in replies] == ["done"] * 3, replies
            the_one([reply["job"] for reply in replies])
        await opposite_decisions_at_once(servers, run)
        package = await at_once(clients, "package", run=run)
        the_one([reply["job"] for reply in package])
        the_one([reply["summary"] for reply in package])

        await at_once(clients, "convert", run=run, operations=["simplify"], base="original")
        keyed = await at_once(clients, "decide", run=run, decision="revert", idempotency_key="put it aside")
        assert [reply["status"] for reply in keyed] == ["done"] * 3, keyed
        kinds = [kind for kind in await kinds_of(servers[0], run) if kind not in {"CallRefused", "JobEnded"}]
    evidence = ["Profiled", "CandidateMade", "BenchmarkRecorded", "AccuracyRecorded"]
    assert kinds[:9] == ["Started", *(kind for fact in evidence for kind in ("JobStarted", fact))]
    assert kinds[9] in {"Kept", "Reverted"}
    assert kinds[10:] == ["JobStarted", "Packaged", "JobStarted", "CandidateMade", "Reverted"]


async def opposite_decisions_at_once(servers: list[Client], run: str) -> None:
    """One keeps what the other reverts: exactly one wins, and the other is told what is legal now."""
    answers: dict[str, dict[str, Any]] = {}

    async def decide(client: Client, decision: str) -> None:
        answers[decision] = content(await call(client, "decide", run=run, decision=decision))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(decide, servers[0], "keep")
        tasks.start_soon(decide, servers[1], "revert")
    assert sorted(answer["status"] for answer in answers.values()) == ["done", "refused"], answers
    loser = next(answer for answer in answers.values() if answer["status"] == "refused")
    assert (loser["code"], loser["phase"]) == ("PHASE", "OPTIMIZE")
    assert loser["next"]


async def at_once(clients: list[Client], tool: str, **arguments: object) -> list[dict[str, Any]]:
    """Send one call through every client at the same time; return the answers."""
    answers: list[dict[str, Any]] = []

    async def send(client: Client) -> None:
        answers.append(content(await call(client, tool, **arguments)))

    async with anyio.create_task_group() as tasks:
        for client in clients:
            tasks.start_soon(send, client)
    return answers


def the_one(values: list[str]) -> str:
    assert len(set(values)) == 1, values
    return values[0]


@pytest.mark.promise("P11", "P12")
async def test_a_repeated_decision_is_answered_as_it_was_whatever_came_after_it(connect: Connect, root: Path) -> None:
    async with connect() as client:
        run = (await done(client, "profile_model", **fragile(root)))["run"]
        await done(client, "convert", run=run, operations=["simplify"])
        decision = {"run": run, "decision": "revert", "idempotency_key": "put it aside"}
        first = await done(client, "decide", **decision)
        await refused(client, "validate", run=run)
        assert (await done(client, "decide", **decision))["summary"] == first["summary"]


@pytest.mark.promise("P11")
async def test_many_who_settle_one_finished_job_at_once_settle_it_once(
    connect: Connect, settings: Settings, root: Path
) -> None:
    impatient = settings.model_copy(update={"wait_s": 0.0})
    async with connect("stdio", given=impatient) as client:
        started = content(await client.call_tool("profile_model", fragile(root)))
    houses = [House.open(settings) for _ in range(8)]
    failures: list[BaseException] = []

    def settle(house: House) -> None:
        try:
            while house.jobs.settle(started["job"]) is None:
                pass
        except BaseException as error:  # whatever it is, it must not be there
            failures.append(error)

    async with anyio.create_task_group() as tasks:
        for house in houses:
            tasks.start_soon(anyio.to_thread.run_sync, settle, house)
    assert failures == []
    with houses[0].ledger.read() as look:
        kinds = [record.kind for record in look.records(started["run"])]
    assert kinds == ["Started", "JobStarted", "Profiled", "JobEnded"]


@pytest.mark.promise("P11")
async def test_a_package_that_two_settle_at_once_is_looked_at_before_the_other_moves_it(
    connect: Connect, settings: Settings, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house, seconds = House.open(settings), list[Thread]()

    there = []

    def attest_late(folder: Path, order: PackageOrder, manifest: str, authority: Authority) -> None:
        if not seconds:
            with house.ledger.read() as look:
                (job,) = look.active_jobs()
            seconds.append(Thread(target=house.jobs.settle, args=(job,)))
            seconds[0].start()
            seconds[0].join(0.5)  # it would move the folder now, if it were not made to wait
        there.append(folder.exists())
        attest(folder, order, manifest, authority)

    monkeypatch.setattr("edgewright.server.jobs.attest", attest_late)
    async with connect() as client:
        run = (await done(client, "profile_model", **fragile(root)))["run"]
        made = await done(client, "package", run=run)
        assert made["summary"].startswith("Package written and run")
    seconds[0].join()
    assert there == [True]
