"""From frameworks to devices through a real client, on trained models: source x road x precision, and hostile files.

The toolchains were installed by `tests/system/install` with the command that a person types.
"""

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import framework_files as files
import numpy as np
import pytest
from mcp import Client
from sklearn.datasets import load_digits
from workflow import Connect, demo_arguments, done, refused, state_of

from edgewright.server.settings import Settings
from edgewright.tools.toolchains.table import SAFE, TOOLCHAINS

pytestmark = [pytest.mark.anyio, pytest.mark.system]

SCRIPTS = Path(__file__).parent.parent / "support" / "toolchain"
KERAS_CARD = {"inputs": {"image": {"kind": "tensor", "scale": 1 / 16}}, "label": "label"}
TORCH_CARD = {"inputs": {"image": {"kind": "image", "colour": "GRAY", "scale": 1 / 16}}, "label": "label"}
CALIBRATION = 257  # of the images that the models were trained on; a prime, so that no batch fits it


@pytest.fixture(scope="session")
def toolchains() -> Path:
    folder = Path(sys.prefix) / "system" / "toolchains-state" / "toolchains"
    missing = [name for name in TOOLCHAINS if not (folder / name / "installed.json").exists()]
    assert not missing, f"{missing} are missing: run tests/system/install {sys.prefix}/bin"
    return folder


def in_toolchain(python: Path, script: str, *arguments: Path) -> None:
    ended = subprocess.run(
        [str(python), str(SCRIPTS / script), *map(str, arguments)],
        env={**os.environ, **SAFE},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-2000:]


@pytest.fixture(scope="session")
def trained(toolchains: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with trained models of both frameworks and the digits that they were not trained on."""
    folder = tmp_path_factory.mktemp("digits")
    digits = load_digits()
    order = np.random.default_rng(0).permutation(len(digits.images))
    image, label = digits.images.astype(np.uint8)[order, ..., np.newaxis], digits.target.astype(np.int64)[order]
    parts = {"train": slice(1000), "calibration": slice(CALIBRATION), "validation": slice(1000, 1540)}
    for name, rows in parts.items():
        np.savez(folder / f"{name}.npz", image=image[rows], label=label[rows])
    in_toolchain(toolchains / "keras/bin/python", "train_keras_nets.py", folder / "train.npz", folder)
    in_toolchain(toolchains / "torch/bin/python", "train_torch_nets.py", folder / "train.npz", folder)
    return folder


@pytest.fixture
def given(tmp_path: Path, trained: Path, toolchains: Path) -> Settings:
    """Settings of a server that may read the trained models and has the toolchains."""
    state = tmp_path / "state"
    state.mkdir()
    (state / "toolchains").symlink_to(toolchains)
    return Settings(state_folder=state, roots=(trained,))


def profile_arguments(trained: Path, model: str, device: str) -> dict[str, object]:
    card = TORCH_CARD if model.endswith(".pt2") else KERAS_CARD
    data = {part: {"path": str(trained / f"{part}.npz"), "card": card} for part in ("validation", "calibration")}
    return demo_arguments(trained, model_path=str(trained / model), target_device=device, **data)


@dataclass(frozen=True)
class Cell:
    """A source and the format that its device runs.

    Attributes:
        model: The source's file.
        to: The format.
        code: How the conversion is refused, where no true one is to be had.
        because: A part of the reason.
        schemes: What is tried afterwards, one after the other.
        least: Top-1 of the source that the training reaches at least.
    """

    model: str
    to: str
    code: str = ""
    because: str = ""
    schemes: tuple[str, ...] = ()
    least: float = 0.95

    def __str__(self) -> str:
        return f"{self.model} to {self.to}"


CELLS = (
    Cell("cnn.keras", "tflite", schemes=("fp16", "int8_static")),
    Cell("cnn.h5", "tflite"),
    Cell("lstm.keras", "tflite", schemes=("fp16",), least=0.88),
    Cell("attention.keras", "tflite", schemes=("fp16", "int8_dynamic")),
    Cell("cnn.keras", "onnx", schemes=("int8_static",)),
    Cell("lstm.keras", "onnx", least=0.88),
    # tf2onnx writes an operator that ONNX does not have; every rung of the ladder says so.
    Cell("attention.keras", "onnx", "MODEL_UNSUPPORTED", "Erfc"),
    Cell("cnn.pt2", "onnx", schemes=("int8_static",)),
    Cell("lstm.pt2", "onnx", least=0.88),
    Cell("attention.pt2", "onnx"),
    Cell("cnn.pt2", "tflite", schemes=("fp16", "int8_static")),
    Cell("attention.pt2", "tflite"),
    # onnx2tf's LSTM loads, runs, and answers wrongly.
    Cell("lstm.pt2", "tflite", "CONVERSION_DIVERGED", "cosine", least=0.88),
)
DEVICES = {"tflite": "raspberry-pi-5", "onnx": "cpu-generic"}


@pytest.mark.promise("P1", "P2", "P3", "P5", "P8", "P9")
@pytest.mark.parametrize("cell", CELLS, ids=str)
async def test_every_cell_is_proven_equal_or_refused_with_its_reason(
    cell: Cell, connect: Connect, given: Settings, trained: Path
) -> None:
    async with connect(given=given) as client:
        reply = await done(client, "profile_model", **profile_arguments(trained, cell.model, DEVICES[cell.to]))
        run = reply["run"]
        assert (reply["phase"], reply["next"][0]["arguments"]) == ("PROFILE", {"run": run, "format": cell.to})
        source = (await state_of(client, run))["source"]
        assert source["accuracy"]["value"] >= cell.least
        assert source["accuracy"]["environment"]["runtime"] in {"keras", "torch"}
        if cell.code:
            refusal = await refused(client, "convert", run=run, format=cell.to)
            assert (refusal["code"], cell.because in refusal["why"]) == (cell.code, True)
            state = await state_of(client, run)
            assert (state["phase"], state["profiled"], state["steps"]) == ("PROFILE", None, [])
            return
        made = await done(client, "convert", run=run, format=cell.to)
        assert made["phase"] == "OPTIMIZE"
        assert any("transposes and" in note for note in made["notes"])
        profiled = (await state_of(client, run))["profiled"]
        twin, baseline = profiled["twin"], profiled["baseline"]
        assert twin["accuracy"]["agreement"] >= 0.99
        assert baseline["reference"]["artifact"] == source["original"]["sha256"]
        assert baseline["latency"]["artifact"] == twin["artifact"]["sha256"]
        for scheme in cell.schemes:
            await take(client, run, scheme)
        packaged = await done(client, "package", run=run)
    assert "outputs differ from the recorded ones" in packaged["summary"]


async def take(client: Client, run: str, scheme: str) -> None:
    """Make a candidate of the twin, and keep it if it passes."""
    await done(client, "quantize", run=run, scheme=scheme, base="original")
    timed = await done(client, "benchmark", run=run)
    assert timed["numbers"]["candidate_ms"]["runs"] >= 100
    verdict = (await done(client, "validate", run=run))["numbers"]
    loss = verdict["baseline"] - verdict["candidate"]
    # float16 within 0.1 points; INT8 within 1 point, and two of these 540 images are 0.37 points.
    assert loss <= (0.001 if scheme == "fp16" else 0.01)
    await done(client, "decide", run=run, decision="keep" if verdict["verdict"] == "PASS" else "revert")


@pytest.mark.promise("P2", "P8", "P9")
async def test_an_onnx_model_reaches_a_raspberry_pi_by_a_conversion_that_is_a_step(
    connect: Connect, root: Path, tmp_path: Path, toolchains: Path
) -> None:
    settings = Settings(state_folder=tmp_path / "state", roots=(root,))
    settings.state_folder.mkdir()
    (settings.state_folder / "toolchains").symlink_to(toolchains)
    async with connect(given=settings) as client:
        reply = await done(client, "profile_model", **demo_arguments(root, target_device="raspberry-pi-5"))
        run = reply["run"]
        step = reply["next"][0]
        assert (step["tool"], step["arguments"]["format"]) == ("convert", "tflite")
        made = await done(client, "convert", **step["arguments"])
        assert made["phase"] == "BENCHMARK"
        await done(client, "benchmark", run=run)
        verdict = await done(client, "validate", run=run)
        assert verdict["numbers"]["agreement_with_original"] >= 0.99
        kept = await done(client, "decide", run=run, decision="keep")
        following = [entry["arguments"] for entry in kept["next"] if entry["tool"] == "quantize"]
        # What a Pi runs is made from the conversion, not from the ONNX file.
        assert {entry["base"] for entry in following} == {made["numbers"]["sha256"]}
        packaged = await done(client, "package", run=run)
        manifest = json.loads(Path(packaged["summary"].split(": ")[1].split(". ")[0], "manifest.json").read_text())
    assert manifest["model"]["format"] == "tflite"
    assert [link["format"] for link in manifest["provenance"]["chain"]] == ["onnx", "tflite"]


Write = Callable[[Path, Path], list[str]]


def keras_files(root: Path, marker: Path) -> list[str]:
    hostile = files.hostile_keras(marker)
    for number, members in enumerate(hostile.values()):
        files.write_zip(root / f"hostile-{number}.keras", members)
    (root / "cut-off.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(500))
    return [*(f"hostile-{number}.keras" for number in range(len(hostile))), "cut-off.h5"]


def torch_files(root: Path, marker: Path) -> list[str]:
    hostile = files.hostile_pt2(marker)
    for number, members in enumerate(hostile.values()):
        files.write_zip(root / f"hostile-{number}.pt2", members)
    for name, content in files.pickles(marker).items():
        (root / name).write_bytes(content)
    return [*(f"hostile-{number}.pt2" for number in range(len(hostile))), *files.pickles(marker)]


@pytest.mark.promise("P5", "P11", "P12")
@pytest.mark.parametrize("write", [keras_files, torch_files])
async def test_hostile_files_run_nothing_and_the_server_lives(
    write: Write, connect: Connect, root: Path, tmp_path: Path, toolchains: Path
) -> None:
    settings = Settings(state_folder=tmp_path / "state", roots=(root,))
    settings.state_folder.mkdir()
    (settings.state_folder / "toolchains").symlink_to(toolchains)
    marker = tmp_path / "state" / "jobs" / "EXECUTED"
    marker.parent.mkdir()
    async with connect(given=settings) as client:
        for name in write(root, marker):
            refusal = await refused(client, "profile_model", **demo_arguments(root, model_path=str(root / name)))
            assert refusal["code"] in {"MODEL_UNSUPPORTED", "MODEL_INVALID", "MODEL_FORMAT_UNKNOWN"}, (name, refusal)
        assert not (await client.call_tool("get_state", {})).is_error
    assert not marker.exists()


@pytest.mark.promise("P5")
async def test_a_pickle_inside_a_program_is_not_unpickled_by_pytorch_itself(
    trained: Path, toolchains: Path, tmp_path: Path
) -> None:
    marker = tmp_path / "EXECUTED"
    payload = files.pickles(marker)["payload.pt"]
    with zipfile.ZipFile(trained / "cnn.pt2") as old, zipfile.ZipFile(tmp_path / "net.pt2", "w") as new:
        for name in old.namelist():
            new.writestr(name, payload if "sample_inputs" in name else old.read(name))
    load = "import sys, torch; torch.export.load(sys.argv[1])"
    for environment, executed in ((SAFE, False), ({}, True)):
        subprocess.run(
            [str(toolchains / "torch/bin/python"), "-I", "-c", load, str(tmp_path / "net.pt2")],
            env={"PATH": os.environ["PATH"], **environment},
            capture_output=True,
            check=False,
        )
        assert marker.exists() is executed
