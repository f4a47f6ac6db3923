"""A TFLite model from PROFILE to a Raspberry Pi package through a real client, and what is refused on the way."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tflite_models as models
from tflite_bench import MODEL, pi_arguments
from workflow import Connect, demo_arguments, done, refused, small_demo

from edgewright.state.evidence import Label

pytestmark = pytest.mark.anyio


@pytest.fixture
def small(root: Path) -> Path:
    small_demo(root, validation=200, calibration=200)
    return root


def folder_of(reply: dict[str, Any]) -> Path:
    return Path(reply["summary"].split("Package written and run: ")[1].split(". ")[0])


@pytest.mark.promise("P1", "P3", "P5", "P6", "P8", "P9")
async def test_an_int8_package_for_a_pi_takes_raw_samples_and_answers_as_measured(
    connect: Connect, small: Path
) -> None:
    original = small / MODEL
    before = hashlib.sha256(original.read_bytes()).hexdigest()
    async with connect() as client:
        profiled = await done(client, "profile_model", **pi_arguments(small, latency_target_ms=5.0))
        run = profiled["run"]
        assert profiled["numbers"]["time_by_operator"] == {}
        assert profiled["next"][0]["arguments"]["scheme"] == "fp16"
        made = await done(client, "quantize", run=run, scheme="int8_static", base="original", io_dtype="int8")
        await done(client, "benchmark", run=run)
        verdict = await done(client, "validate", run=run)
        # On this host int8 may be slower than float32; that is no reason to advise against it on a Pi.
        assert verdict["next"][0]["arguments"] == {"run": run, "decision": "keep"}
        await done(client, "decide", run=run, decision="keep")
        packaged = await done(client, "package", run=run)
        state = await done(client, "get_state", run=run)
        # The candidate comes back under another name, as if it were an original.
        stored = next(small.parent.joinpath("state").rglob(made["numbers"]["sha256"]))
        (small / "again.tflite").write_bytes(stored.read_bytes())
        again = await done(client, "profile_model", **pi_arguments(small, "again.tflite"))
    assert verdict["numbers"]["verdict"] == "PASS"
    assert "source_format: tflite" in state["summary"]
    assert Label.HOST in state["summary"]
    assert any(f"made in {run}" in warning for warning in again["warnings"])
    assert hashlib.sha256(original.read_bytes()).hexdigest() == before
    check_package(folder_of(packaged), small / "validation.npz")


def check_package(folder: Path, validation: Path) -> None:
    """Use a package as its receiver would: raw pictures in, class scores out."""
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["model"]["file"].endswith("_static_int8.tflite")
    assert {spec["dtype"] for spec in manifest["model"]["inputs"]} == {"int8"}
    [entry] = json.loads((folder / "preprocessing.json").read_text())["inputs"]
    assert entry["steps"][-2:] == ["quantization", "batch_size"]
    assert entry["quantization"] == {"dtype": "int8", **manifest["model"]["inputs"][0]["quantization"]}
    with np.load(validation) as data:
        np.savez(folder.parent / "sample.npz", image=data["image"][0])
        label = int(data["label"][0])
    ended = inference(folder, str(folder.parent / "sample.npz"))
    [scores] = json.loads(ended.stdout)["outputs"]["logits"]
    assert (int(np.argmax(scores)), len(set(scores)) > 5) == (label, True)
    # A preprocessing that disagrees with the model, its manifest made to match: only running it can tell.
    entry["quantization"]["zero_point"] += 1
    path = folder / "preprocessing.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "inputs": [entry]}))
    listed = next(file for file in manifest["files"] if file["path"] == path.name)
    listed["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))
    ended = inference(folder, "--verify")
    assert (ended.returncode, "input image" in ended.stderr) == (1, True)


def inference(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-I", str(folder / "inference.py"), *arguments],
        check=False,
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"]},
    )


@pytest.mark.promise("P7", "P8", "P12")
async def test_a_format_that_the_device_does_not_run_is_not_packaged(connect: Connect, small: Path) -> None:
    async with connect() as client:
        lite = pi_arguments(small, target_device="cpu-generic", calibration=None)
        run = (await done(client, "profile_model", **lite))["run"]
        refusal = await refused(client, "package", run=run)
        assert (refusal["code"], refusal["numbers"]["wanted"]) == ("FORMAT_DEVICE", "onnx")
        refusal = await refused(client, "quantize", run=run, scheme="int16x8")
        assert (refusal["code"], "needs 200 samples" in refusal["why"]) == ("CALIBRATION_MISSING", True)
        onnx = demo_arguments(small, target_device="raspberry-pi-4", calibration=None)
        run = (await done(client, "profile_model", **onnx))["run"]
        refusal = await refused(client, "package", run=run)
        assert (refusal["code"], refusal["numbers"]["wanted"]) == ("FORMAT_DEVICE", "tflite")
        assert "convert(format='tflite'" in refusal["do"]


def damaged(path: Path) -> None:
    path.write_bytes(models.broken_containers()["half a file"])


def custom_operator(path: Path) -> None:
    models.changed(models.UNSOUND["a custom operator"][0], path)


def weights_as_text(path: Path) -> None:
    models.changed(models.weights_as_text, path)


def gather_outside(path: Path) -> None:
    models.changed(models.gather_outside, path)


@pytest.mark.promise("P11", "P12")
async def test_files_that_no_interpreter_should_run_are_refused_and_the_server_lives(
    connect: Connect, small: Path
) -> None:
    rows = np.random.default_rng(0).standard_normal((200, models.FEATURES)).astype(np.float32)
    np.savez(small / "rows.npz", x=rows, label=np.arange(200) % models.CLASSES)
    card = {"inputs": {"x": {"kind": "tensor", "array": "x"}}, "label": "label"}
    data = {"path": str(small / "rows.npz"), "card": card}
    makers: dict[Callable[[Path], None], str] = {
        damaged: "MODEL_INVALID",
        custom_operator: "MODEL_UNSUPPORTED",
        weights_as_text: "MODEL_INVALID",
        gather_outside: "MODEL_INVALID",
    }
    async with connect("stdio") as client:
        for maker, code in makers.items():
            path = small / f"{maker.__name__}.tflite"
            maker(path)
            refusal = await refused(
                client, "profile_model", **pi_arguments(small, path.name, validation=data, calibration=None)
            )
            assert (refusal["code"], bool(refusal["why"]), bool(refusal["do"])) == (code, True, True)
        assert len((await done(client, "get_state"))["numbers"]["runs"]) == len(makers)
