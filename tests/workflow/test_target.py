"""A run that measures on an enrolled target, from PROFILE to PACKAGE. `ssh` is a stand-in that runs a local shell.

Everything else is real: server, supervisor, courier, keeper, probe. The network's part is in tests/system.
"""

import json
import sys
from pathlib import Path

import jsonschema
import pytest
from linear_model import write_linear_classifier
from workflow import Connect, demo_arguments, done, refused, small_demo, state_of

from edgewright.server.settings import Settings
from edgewright.state.artifacts import Device
from edgewright.tools.package.manifest import manifest_schema
from edgewright.tools.package.verification import verify_package
from edgewright.tools.targets.enrolled import Targets

pytestmark = pytest.mark.anyio


@pytest.fixture
def settings(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The operator enrolled this machine as a target, and shortened the long protocols."""
    write_linear_classifier(root / "linear.onnx", root / "validation.npz", first=200)
    small_demo(root)
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    (bin_folder / "ssh").write_text('#!/bin/sh\nfor last; do :; done\nexec sh -c "$last"\n', encoding="utf-8")
    (bin_folder / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin_folder}:/usr/bin:/bin")
    state = tmp_path / "state"
    Targets(state / "targets").add(
        "bench",
        Device.CPU_GENERIC,
        host="localhost",
        user="somebody",
        port=22,
        identity="",
        python=sys.executable,
        host_keys="",
    )
    return Settings(state_folder=state, roots=(root,), standard_s=0.3, sustained_s=0.6)


@pytest.mark.promise("P6", "P10")
async def test_a_run_with_a_target_is_measured_there_and_packaged_after_it_lasted(
    connect: Connect, root: Path, tmp_path: Path
) -> None:
    async with connect() as client:
        assert (await done(client, "get_state"))["numbers"]["targets"] == ["bench (cpu-generic)"]
        named = await refused(client, "profile_model", **demo_arguments(root))
        assert (named["code"], named["numbers"]["enrolled"]) == ("TARGET_REQUIRED", ["bench"])

        profiled = await done(
            client, "profile_model", **demo_arguments(root, target="bench", model_path=str(root / "linear.onnx"))
        )
        run = profiled["run"]
        assert "standard" in profiled["numbers"]["latency_ms"]["protocol"]
        await done(client, "quantize", run=run, scheme="int8_static", base="original")
        hurried = await refused(client, "benchmark", run=run, protocol="quick")
        assert hurried["code"] == "PROTOCOL_TOO_SHORT"
        await done(client, "benchmark", run=run)
        await done(client, "validate", run=run)
        there = await done(client, "validate", run=run, on_target=True)
        assert any("The kernels of bench" in note for note in there["notes"]), there
        await done(client, "decide", run=run, decision="keep")

        early = await refused(client, "package", run=run)
        assert early["code"] == "SUSTAINED_MISSING"
        advised = [step for step in early["next"] if step["tool"] == "benchmark"]
        assert advised[0]["arguments"]["protocol"] == "sustained"
        lasted = await done(client, "benchmark", **advised[0]["arguments"])
        assert lasted["phase"] == "OPTIMIZE"
        packaged = await done(client, "package", run=run)
        assert packaged["phase"] == "PACKAGE"
        state = await state_of(client, run)

    folder = Path(packaged["summary"].split("Package written and run: ")[1].split(". ")[0])
    assert any("INTEGRITY ONLY" in finding for finding in verify_package(folder).findings)
    manifest = json.loads((folder / "manifest.json").read_text())
    jsonschema.validate(manifest, json.loads(manifest_schema()), jsonschema.Draft202012Validator)
    assert manifest["benchmarks"]["sustained"]["environment"]["target"] == "bench"
    assert manifest["benchmarks"]["sustained"]["artifact"] == manifest["model"]["sha256"]
    step = state["steps"][0]
    for taken in (
        step["benchmark"]["candidate"],
        step["benchmark"]["candidate_memory"],
        state["sustained"][0]["latency"],
    ):
        assert taken["environment"]["target"] == "bench"
    assert state["profiled"]["baseline"]["latency"]["environment"]["target"] == "bench"
    assert state["profiled"]["baseline"]["accuracy"]["environment"]["target"] == ""


@pytest.mark.promise("P6")
async def test_a_run_without_a_target_has_no_kernels_to_ask_and_stops_where_one_is_enrolled_meanwhile(
    connect: Connect, root: Path, settings: Settings
) -> None:
    targets = Targets(settings.state_folder / "targets")
    targets.remove("bench")
    async with connect() as client:
        run = (await done(client, "profile_model", **demo_arguments(root, model_path=str(root / "linear.onnx"))))["run"]
        await done(client, "quantize", run=run, scheme="fp16")
        await done(client, "benchmark", run=run)
        assert (await refused(client, "validate", run=run, on_target=True))["code"] == "TARGET_REQUIRED"
        await done(client, "decide", run=run, decision="revert")
        targets.add(
            "later", Device.CPU_GENERIC, host="h", user="u", port=22, identity="", python="python3", host_keys=""
        )
        for tool, arguments in (("benchmark", {"protocol": "sustained"}), ("package", {})):
            assert (await refused(client, tool, run=run, **arguments))["code"] == "TARGET_REQUIRED"
