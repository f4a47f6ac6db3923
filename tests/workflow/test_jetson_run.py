"""A run for a Jetson that nobody has at hand, through a real client: its float16, NVIDIA's parser, and no engine."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import half_models
import jsonschema
import numpy as np
import onnx
import pytest
from mcp import Client
from workflow import Connect, demo_arguments, done, refused

from edgewright.state.evidence import Label
from edgewright.tools.package.manifest import manifest_schema
from edgewright.tools.package.verification import verify_package

pytestmark = pytest.mark.anyio

MODEL = "fashion_mnist_cnn.onnx"


@pytest.fixture
def small(root: Path) -> Path:
    """The demo's data, validation cut down; calibration stays at the 500 samples that TensorRT needs."""
    with np.load(root / "validation.npz") as data:
        cut = {name: data[name][:200] for name in data.files}
    np.savez(root / "validation.npz", **cut)
    return root


def arguments(root: Path, **changed: object) -> dict[str, object]:
    return demo_arguments(root, target_device="jetson-orin-nano", **changed)


def folder_of(reply: dict[str, Any]) -> Path:
    return Path(reply["summary"].split("Package written and run: ")[1].split(". ")[0])


async def step(client: Client, tool: str, **asked: object) -> dict[str, Any]:
    """Make a candidate, have it benchmarked and validated, keep it; return the verdict's reply."""
    await done(client, tool, **asked)
    await done(client, "benchmark", run=asked["run"])
    verdict = await done(client, "validate", run=asked["run"])
    await done(client, "decide", run=asked["run"], decision="keep")
    return verdict


@pytest.mark.promise("P3", "P6", "P8", "P9")
async def test_an_int8_graph_reaches_a_package_that_says_its_engine_is_not_built(
    connect: Connect, small: Path, tmp_path: Path
) -> None:
    async with connect() as client:
        profiled = await done(client, "profile_model", **arguments(small))
        run = profiled["run"]
        assert profiled["next"][0]["arguments"]["scheme"] == "fp16"
        verdict = await step(client, "quantize", run=run, scheme="int8_static", base="original", ranges="minmax")
        assert verdict["numbers"]["verdict"] == "PASS"
        assert verdict["numbers"]["computed"] == Label.EMULATED_HALF
        assert any("float16 was emulated" in note for note in verdict["notes"])
        # Kept, and still no file for a Jetson: the next step that is advised is the one that makes it one.
        early = await refused(client, "package", run=run)
        assert early["code"] == "FORMAT_DEVICE"
        assert "convert(format='tensorrt')" in early["do"]
        state = await done(client, "get_state", run=run)
        assert (state["next"][0]["tool"], state["next"][0]["arguments"]["format"]) == ("convert", "tensorrt")
        await step(client, "convert", run=run, format="tensorrt")
        packaged = await done(client, "package", run=run)
        state = await done(client, "get_state", run=run)
        report = await done(client, "report", run=run)
    assert "convert(tensorrt) [engine not built]" in state["summary"]
    assert "not built" in json.dumps(report)
    check_package(folder_of(packaged), tmp_path)


def check_package(folder: Path, tmp_path: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    jsonschema.validate(manifest, json.loads(manifest_schema()))
    engine = manifest["engine"]
    assert engine["status"] == "not built"
    assert engine["shapes"] == {"image": [1, 1, 28, 28]}
    assert "--minShapes=image:1x1x28x28" in engine["trtexec"]
    assert "--stronglyTyped" in engine["trtexec"]
    assert any("engine: not built" in gap for gap in manifest["unmeasured"])
    assert "Engine: **not built**" in (folder / "report.md").read_text()
    assert Label.EMULATED_HALF in manifest["labels"]
    assert not list(folder.rglob("*.engine"))
    assert verify_package(folder).findings
    # What builds the engine refuses to do it anywhere else, and says why.
    ended = subprocess.run(
        [sys.executable, "-I", "-B", str(folder / engine["build"]), str(tmp_path / "out")],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        check=False,
        text=True,
    )
    assert ended.returncode == 1
    assert "an engine runs only on the kind of device that it was built on" in ended.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.system  # slow; `make test` holds the same below the client, in tests/tools/validate/test_emulated.py
@pytest.mark.promise("P3", "P6")
async def test_a_model_that_overflows_in_float16_fails_its_verdict(connect: Connect, small: Path) -> None:
    planted = half_models.overflowing_classifier(onnx.load(small / MODEL))
    onnx.save(planted, small / "planted.onnx")
    # Without calibration data nothing tells the operators that overflow: only the verdict can.
    asked = arguments(small, model_path=str(small / "planted.onnx"), calibration=None)
    async with connect() as client:
        run = (await done(client, "profile_model", **asked))["run"]
        await done(client, "quantize", run=run, scheme="fp16", base="original")
        await done(client, "benchmark", run=run)
        verdict = await done(client, "validate", run=run)
        assert verdict["numbers"]["verdict"] == "FAIL"
        assert verdict["numbers"]["computed"] == Label.EMULATED_HALF
        assert (await refused(client, "decide", run=run, decision="keep"))["code"] == "ACCURACY_BELOW_FLOOR"
        await done(client, "decide", run=run, decision="revert")


@pytest.mark.promise("P4", "P8", "P12")
async def test_what_no_jetson_may_be_given_is_refused_each_in_its_own_words(connect: Connect, small: Path) -> None:
    rng = np.random.default_rng(0)
    (small / "random.engine").write_bytes(rng.bytes(4096))
    (small / "foreign.engine").write_bytes(b"ptrt" + bytes(8) + rng.bytes(4096))
    async with connect() as client:
        random = await refused(client, "profile_model", **arguments(small, model_path=str(small / "random.engine")))
        foreign = await refused(client, "profile_model", **arguments(small, model_path=str(small / "foreign.engine")))
        plugin = await refused(client, "convert", run="run-1", format="tensorrt", plugins=["/tmp/plugin.so"])
        target = await refused(client, "profile_model", **arguments(small, target="nano"))
    assert random["code"] == "MODEL_UNSUPPORTED"
    assert "named like a TensorRT engine and is none" in random["why"]
    assert foreign["code"] == "MODEL_UNSUPPORTED"
    assert "an engine is native code" in foreign["do"]
    assert (plugin["code"], target["code"]) == ("UNKNOWN_ARGUMENT", "UNKNOWN_TARGET")
