"""A run on an emulated ARM64 machine over SSH: real aarch64 runtimes, real results, times that mean nothing."""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from far_end import remote
from linear_model import write_linear_classifier
from optimize_bench import Bench, adopted, build_bench
from probe_models import keep_model, keep_regular, new_workspace, product
from sshd import SshServer, arm64_server, free_port
from tflite_bench import DEMO, build_tflite_bench, pi_arguments
from workflow import Connect, demo_arguments, done, refused, small_demo, state_of

from edgewright.server.settings import Settings
from edgewright.state.artifacts import Artifact, Device
from edgewright.state.evidence import Dataset, Environment, Label
from edgewright.tools.datasets.prepare import prepare
from edgewright.tools.orders import DataSource
from edgewright.tools.probe.columns import Column
from edgewright.tools.targets import ssh
from edgewright.tools.targets.enrolled import Targets
from edgewright.tools.targets.host import Host
from edgewright.tools.targets.request import OUTPUTS, ProbeRequest
from edgewright.tools.targets.target import Target
from edgewright.tools.workspace import Workspace

pytestmark = [pytest.mark.system, pytest.mark.anyio, pytest.mark.timeout(1800)]

Arguments = Callable[..., dict[str, object]]
TREE = Path(sys.prefix) / "system" / "arm64"

# Float32 sums in another order differ in their last bits; the toy model adds up 24 products of numbers about 1.
FLOAT_TOLERANCE = 1e-5
# Of the largest output. The sums are of integers and exact; their scaling to 8 bits may round the other way, a step of
# 255, and so may a sample's own range in dynamic INT8.
INT8_TOLERANCE = 1 / 255
SAMPLES = 40


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    assert (TREE / ".complete").exists(), f"{TREE} is missing: run tests/system/install {sys.prefix}/bin"
    with arm64_server(TREE, tmp_path_factory.mktemp("arm64") / "keys", free_port()) as server:
        yield server


def enrol(server: SshServer, folder: Path, kind: Device) -> Targets:
    targets = Targets(folder)
    targets.add(
        "arm",
        kind,
        host="127.0.0.1",
        user="root",
        port=server.port,
        identity=str(server.keys / "id"),
        python="python3",
        host_keys=ssh.scan("127.0.0.1", server.port),
    )
    return targets


def outputs_of(place: Target, model: Artifact, data: Dataset, workspace: Workspace) -> tuple[np.ndarray, Environment]:
    """Return the outputs of a model's only output, and where they were computed."""
    answer = place.run(ProbeRequest(OUTPUTS, {"m": model}, data.index, 1, data.n), workspace)
    (output,) = answer.models["m"].outputs.values()
    column = Column.open(output.model_dump(exclude_none=True), lambda name: str(answer.folder / name))
    return column.batch(0, data.n), answer.environments["m"]


@pytest.mark.promise("P6")
def test_an_emulated_machine_computes_what_this_one_does_and_never_passes_as_hardware(
    server: SshServer, tmp_path: Path
) -> None:
    made = new_workspace(tmp_path)
    (tmp_path / "job" / "work").mkdir()
    workspace = Workspace(tmp_path / "job" / "work", made.objects)
    x = np.random.default_rng(5).standard_normal((20, 8)).astype(np.float32)
    model, data = keep_model(product("n"), workspace), keep_regular(workspace, {"x": x})
    target = enrol(server, tmp_path / "targets", Device.RASPBERRY_PI_5).named("arm")
    assert target
    with remote(target, tmp_path / "job", workspace, seconds=600) as place:
        there, environment = outputs_of(place, model, data, workspace)
    here, _ = outputs_of(Host(), model, data, workspace)
    assert np.abs(there - here).max() <= FLOAT_TOLERANCE
    assert (environment.label, environment.machine) == (Label.EMULATED, "aarch64")


def image_bench(folder: Path, model: Path) -> Bench:
    """Return a bench of an ONNX model with some of the demo's pictures."""
    bench = build_bench(onnx.load(model), folder, 0)
    card = json.loads((DEMO / "validation.card.json").read_text(encoding="utf-8"))
    data = {}
    for name, count in (("validation", SAMPLES), ("calibration", 200)):
        with np.load(DEMO / f"{name}.npz") as arrays:
            np.savez(folder / "roots" / f"{name}.npz", **{array: arrays[array][:count] for array in arrays.files})
        source = DataSource(str(folder / "roots" / f"{name}.npz"), card)
        data[name] = prepare(source, (str(folder / "roots"),), bench.workspace, f"{name} data")
    return replace(bench, **data)


def convolutions(folder: Path) -> Bench:
    return image_bench(folder, DEMO / "fashion_mnist_cnn.onnx")


def products(folder: Path) -> Bench:
    write_linear_classifier(folder / "linear.onnx", DEMO / "validation.npz", first=200)
    return image_bench(folder, folder / "linear.onnx")


def lite(folder: Path) -> Bench:
    return build_tflite_bench(folder, validation=SAMPLES)


@pytest.mark.promise("P6")
@pytest.mark.parametrize(
    ("bench_of", "scheme"),
    [
        (convolutions, "int8_static"),
        (products, "int8_static"),
        (products, "int8_dynamic"),
        (lite, "int8_static"),
        (lite, "int8_dynamic"),
    ],
)
def test_eight_bits_give_on_arm_what_they_give_here(
    server: SshServer, tmp_path: Path, bench_of: Callable[[Path], Bench], scheme: str
) -> None:
    (tmp_path / "bench").mkdir()
    bench = bench_of(tmp_path / "bench")
    candidate = bench.quantize(scheme, samples=200).artifact
    (tmp_path / "job" / "work").mkdir(parents=True)
    workspace = Workspace(tmp_path / "job" / "work", adopted(bench.workspace).folder)
    target = enrol(server, tmp_path / "targets", Device.CPU_GENERIC).named("arm")
    assert target
    with remote(target, tmp_path / "job", workspace, seconds=600) as place:
        there, environment = outputs_of(place, candidate, bench.validation, workspace)
    here, _ = outputs_of(Host(), candidate, bench.validation, workspace)
    assert environment.machine == "aarch64"
    assert np.abs(there - here).max() <= INT8_TOLERANCE * np.abs(here).max()
    assert np.mean(there.argmax(1) == here.argmax(1)) >= 1 - 1 / SAMPLES


def linear_arguments(root: Path, **changed: object) -> dict[str, object]:
    return demo_arguments(root, model_path=str(root / "linear.onnx"), **changed)


@pytest.mark.promise("P6", "P8")
@pytest.mark.parametrize(
    ("device", "arguments", "scheme"),
    [
        (Device.CPU_GENERIC, linear_arguments, "int8_static"),
        (Device.RASPBERRY_PI_5, pi_arguments, "int8_static"),
    ],
    ids=["ONNX Runtime", "LiteRT"],
)
async def test_the_whole_workflow_over_ssh_is_labelled_emulated_to_the_end(
    connect: Connect,
    server: SshServer,
    root: Path,
    tmp_path: Path,
    *,
    device: Device,
    arguments: Arguments,
    scheme: str,
) -> None:
    write_linear_classifier(root / "linear.onnx", root / "validation.npz", first=200)
    small_demo(root, calibration=200)
    state = tmp_path / "state"
    enrol(server, state / "targets", device)
    settings = Settings(state_folder=state, roots=(root,), standard_s=0.1, sustained_s=0.5)
    asked = arguments(root, target="arm")
    async with connect(given=settings) as client:
        profiled = await done(client, "profile_model", **asked)
        run = profiled["run"]
        assert profiled["numbers"]["latency_ms"]["label"] == Label.EMULATED
        await done(client, "quantize", run=run, scheme=scheme, base="original")
        await done(client, "benchmark", run=run)
        host = await done(client, "validate", run=run)
        device_own = await done(client, "validate", run=run, on_target=True)
        assert device_own["numbers"]["verdict"] == host["numbers"]["verdict"] == "PASS"
        # One of 200 samples: rounding of 8-bit sums may turn over a tie.
        assert abs(device_own["numbers"]["candidate"] - host["numbers"]["candidate"]) <= 1 / 200
        await done(client, "decide", run=run, decision="keep")
        assert (await refused(client, "package", run=run))["code"] == "SUSTAINED_MISSING"
        await done(client, "benchmark", run=run, protocol="sustained")
        packaged = await done(client, "package", run=run)
        found = await state_of(client, run)
    assert found["steps"][0]["benchmark"]["candidate"]["environment"]["label"] == Label.EMULATED
    folder = Path(packaged["summary"].split("Package written and run: ")[1].split(". ")[0])
    for name in ("manifest.json", "report.md"):
        text = (folder / name).read_text(encoding="utf-8")
        assert Label.EMULATED in text
        assert Label.TARGET not in text
