"""Whatever a phase does not allow is refused with the way on, and leaves no trace but the refusal."""

from pathlib import Path
from typing import Any

import pytest
from faulty_models import never_ends
from fragile_model import fragile
from mcp import Client
from workflow import Connect, call, content, demo_arguments, done, refused, state_of

from edgewright.server.settings import Settings

pytestmark = pytest.mark.anyio

CHANGING: dict[str, tuple[str, dict[str, object]]] = {
    "quantize": ("quantize", {"scheme": "fp16"}),
    "convert": ("convert", {"operations": ["simplify"]}),
    "benchmark": ("benchmark", {}),
    "validate": ("validate", {}),
    "keep": ("decide", {"decision": "keep"}),
    "revert": ("decide", {"decision": "revert"}),
    "package": ("package", {}),
}
# The table of SPEC.md, written again: a row too many in `edgewright.state.phases` must not pass unseen.
LEGAL = {
    "PROFILE": set(),
    "OPTIMIZE": {"quantize", "convert", "package"},
    "BENCHMARK": {"benchmark", "revert"},
    "VALIDATE": {"validate", "keep", "revert"},
    "PACKAGE": {"quantize", "convert", "package"},
}


class Walker:
    """A caller that tries every shortcut of a phase, then takes the call that the refusals name first."""

    def __init__(self, client: Client, settings: Settings, run: str) -> None:
        self.client = client
        self.run = run
        self._settings = settings

    async def try_shortcuts(self, phase: str, *, also: tuple[str, ...] = ()) -> dict[str, Any]:
        """Try what is illegal in `phase`; check that nothing changes; return the first legal call named."""
        before, files = await state_of(self.client, self.run), self._files()
        assert before["phase"] == phase
        named = []
        for name in (*sorted(set(CHANGING) - LEGAL[phase]), *also):
            refusal = await self._refused(name)
            assert refusal["phase"] == phase, name
            named.append(refusal["next"][0])
        assert await state_of(self.client, self.run) == before
        assert self._files() == files
        assert all((first["tool"], first["arguments"]) == (named[0]["tool"], named[0]["arguments"]) for first in named)
        return named[0]

    async def _refused(self, name: str) -> dict[str, Any]:
        tool, arguments = CHANGING[name]
        refusal = await refused(self.client, tool, run=self.run, **arguments)
        assert refusal["code"] in {"PHASE", "BUSY", "EVIDENCE_MISSING", "ACCURACY_BELOW_FLOOR"}, name
        assert all(refusal[part] for part in ("refused", "why", "do", "promises", "next")), refusal
        if refusal["code"] == "PHASE":
            assert refusal["numbers"]["phase"] == refusal["phase"]
            assert refusal["numbers"]["legal"] or refusal["phase"] == "PROFILE"
        return refusal

    async def take(self, named: dict[str, Any], tool: str) -> dict[str, Any]:
        """Make a call exactly as it was named; it must be the tool that is expected, and accepted."""
        assert named["tool"] == tool
        return await done(self.client, named["tool"], **named["arguments"])

    def _files(self) -> set[Path]:
        return {
            path
            for folder in ("objects", "jobs", "packages")
            for path in (self._settings.state_folder / folder).rglob("*")
        }


@pytest.mark.promise("P1", "P2", "P3", "P12")
async def test_every_shortcut_of_every_phase_is_refused_and_the_call_named_first_leads_on(
    connect: Connect, settings: Settings, root: Path
) -> None:
    async with connect() as client:
        # 1.5 % will be lost to the first scheme that is recommended, and 1 % is allowed.
        started = await done(client, "profile_model", **fragile(root), accuracy_tolerance=0.01)
        walker = Walker(client, settings, started["run"])
        await walker.take(await walker.try_shortcuts("OPTIMIZE"), "quantize")
        await walker.take(await walker.try_shortcuts("BENCHMARK"), "benchmark")
        verdict = await walker.take(await walker.try_shortcuts("VALIDATE", also=("keep",)), "validate")
        assert verdict["numbers"]["verdict"] == "FAIL"
        await keep_is_refused_with_all_numbers(client, walker.run, verdict["numbers"])
        await walker.take(await walker.try_shortcuts("VALIDATE", also=("keep",)), "decide")

        package = await done(client, "package", run=walker.run)
        assert package_of(package, "model") == [(root / "fragile.onnx").read_bytes()]
        await walker.take(await walker.try_shortcuts("PACKAGE"), "get_state")

        await done(client, "convert", run=walker.run, operations=["simplify"])
        await walker.take(await walker.try_shortcuts("BENCHMARK"), "benchmark")
        verdict = await walker.take(await walker.try_shortcuts("VALIDATE", also=("keep",)), "validate")
        assert verdict["numbers"]["verdict"] == "PASS"
        await walker.try_shortcuts("VALIDATE")
        assert (await done(client, "decide", run=walker.run, decision="keep"))["phase"] == "OPTIMIZE"


async def keep_is_refused_with_all_numbers(client: Client, run: str, measured: dict[str, Any]) -> None:
    refusal = await refused(client, "decide", run=run, decision="keep")
    assert refusal["code"] == "ACCURACY_BELOW_FLOOR"
    assert "P3" in refusal["promises"]
    expected = {
        "metric": "top-1",
        "baseline": 1.0,
        "candidate": measured["candidate"],
        "floor": 0.99,
        "drop": measured["drop_rel"],
        "tolerance": 0.01,
        "n": 400,
        "rule": "point",
    }
    assert {name: refusal["numbers"][name] for name in expected} == pytest.approx(expected)
    for number in ("1.0000", "0.9900", "1.00%", "400"):
        assert number in refusal["why"]


def package_of(reply: dict[str, Any], stem: str) -> list[bytes]:
    """Return the model files of the package that a reply announces."""
    folder = Path(reply["summary"].split("Package written and run: ")[1].split(". ")[0])
    return [path.read_bytes() for path in folder.rglob("*.onnx")]


@pytest.mark.promise("P1", "P2", "P12")
@pytest.mark.parametrize(("transport", "era"), [("memory", "auto"), ("stdio", "legacy")])
async def test_while_the_baseline_is_measured_nothing_can_be_done_to_the_model(
    connect: Connect, settings: Settings, root: Path, transport: str, era: str
) -> None:
    never_ends(root / "loop.onnx")
    async with connect(transport, era, given=settings.model_copy(update={"wait_s": 0.0})) as client:
        arguments = demo_arguments(root, model_path=str(root / "loop.onnx"))
        started = content(await client.call_tool("profile_model", arguments))
        before = await state_of(client, started["run"])
        for tool, given in CHANGING.values():
            refusal = await refused(client, tool, run=started["run"], **given)
            assert refusal["code"] in {"PHASE", "BUSY"}
            assert refusal["phase"] == "PROFILE"
            assert refusal["next"][0]["tool"] == "get_job"
            waited = content(await client.call_tool("get_job", {**refusal["next"][0]["arguments"], "wait_seconds": 0}))
            assert waited["status"] == "running"
        assert await state_of(client, started["run"]) == before
        await client.call_tool("cancel_job", {"job": started["job"]})
        assert (await state_of(client, started["run"]))["phase"] == "PROFILE"
        for tool, given in CHANGING.values():
            # A conversion completes the baseline of a source, and this run has none.
            wanted = "EVIDENCE_MISSING" if tool == "convert" else "PHASE"
            assert (await refused(client, tool, run=started["run"], **given))["code"] == wanted


@pytest.mark.promise("P2", "P12")
async def test_while_a_step_is_at_work_no_other_call_gets_in(connect: Connect, settings: Settings, root: Path) -> None:
    async with connect() as client:
        run = (await done(client, "profile_model", **fragile(root)))["run"]
    async with connect(given=settings.model_copy(update={"wait_s": 0.0})) as client:
        job = content(await client.call_tool("quantize", {"run": run, "scheme": "int8_dynamic"}))["job"]
        before = await state_of(client, run)
        for tool, given in CHANGING.values():
            refusal = content(await client.call_tool(tool, {"run": run, **given}))
            assert (refusal["status"], refusal["next"][0]["tool"]) == ("refused", "get_job"), tool
            other_phase = {"validate", "decide"}
            assert refusal["code"] == ("PHASE" if tool in other_phase else "BUSY")
        assert await state_of(client, run) == before
        assert (await done(client, "get_job", job=job, wait_seconds=45))["phase"] == "BENCHMARK"


@pytest.mark.promise("P12")
async def test_after_a_profile_that_failed_the_call_named_first_can_be_made_as_it_is_named(
    connect: Connect, root: Path
) -> None:
    (root / "notes.onnx").write_text("not a model", encoding="utf-8")
    async with connect() as client:
        refusal = await refused(client, "profile_model", **demo_arguments(root, model_path=str(root / "notes.onnx")))
        named = refusal["next"][0]
        again = await call(client, named["tool"], **named["arguments"])
        assert content(again).get("code") != "INVALID_ARGUMENT", content(again)
