import json
import resource
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import psutil
import pytest
from onnx.helper import make_node as node
from onnx.helper import make_tensor_value_info as value
from onnx_models import I64, F, model
from probe_models import (
    FEW_RUNS,
    keep_model,
    keep_ragged,
    keep_regular,
    new_workspace,
    product,
    spelled,
    vector_model,
)

from edgewright.state.artifacts import Artifact, Format, Recipe
from edgewright.state.errors import Code, Refused, WorkerFailed
from edgewright.state.evidence import Dataset, Label
from edgewright.tools.targets import host as host_module
from edgewright.tools.targets.host import Host
from edgewright.tools.targets.request import LATENCY, MEMORY, OUTPUTS, ProbeRequest
from edgewright.tools.workspace import Workspace

RNG = np.random.default_rng(11)
X = RNG.standard_normal((6, 8)).astype(np.float32)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return new_workspace(tmp_path)


def refusal(artifact: Artifact, data: Dataset, workspace: Workspace) -> Refused:
    with pytest.raises(Refused) as caught:
        Host().run(ProbeRequest(OUTPUTS, {"model": artifact}, data.index, 1, data.n), workspace)
    assert not any(clause.endswith(".") for clause in (caught.value.refusal.why, caught.value.refusal.do))
    return caught.value


@pytest.mark.promise("P6")
@pytest.mark.promise("P10")
def test_the_environment_is_recorded_and_labelled_as_the_hosts(workspace: Workspace) -> None:
    request = ProbeRequest(
        MEMORY, {"m": keep_model(product("n"), workspace)}, keep_regular(workspace, {"x": X}).index, 2, 3
    )
    environment = Host("landlock abi 7").run(request, workspace).environments["m"]
    assert environment.label is Label.HOST
    assert (environment.runtime, environment.threads, environment.sandbox) == ("onnxruntime", 2, "landlock abi 7")
    assert environment.runtime_version
    assert environment.runtime_version[0].isdigit()
    assert environment.boot_id == Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    assert environment.memory_bytes == psutil.virtual_memory().total


def test_the_probe_gets_an_environment_of_its_own_with_telemetry_off(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_SECRET", "token")
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "0")
    replace_probe(monkeypatch, "import os, json; print(json.dumps(dict(os.environ)))")
    with pytest.raises(WorkerFailed) as caught:
        start(workspace)
    environment = json.loads(str(caught.value).splitlines()[-1])
    assert "A_SECRET" not in environment
    assert environment["ORT_DISABLE_TELEMETRY"] == "1"
    assert environment["TMPDIR"].startswith(str(workspace.folder))


@pytest.mark.promise("P9")
@pytest.mark.parametrize(
    ("inputs", "why"),
    [
        ({"image": X}, "the model takes the inputs x, the data has image"),
        ({"x": X, "y": X}, "the model takes the inputs x, the data has x, y"),
        (
            {"x": X.astype(np.float64)},
            "input x: the model takes float32 (?, 8), the data has float64 (8) in sample 0, without a batch dimension",
        ),
        (
            {"x": X[:, :7]},
            "input x: the model takes float32 (?, 8), the data has float32 (7) in sample 0, without a batch dimension",
        ),
        (
            {"x": X[:, None, None]},
            "input x: the model takes float32 (?, 8), the data has float32 (1, 1, 8) in sample 0, without a batch "
            "dimension",
        ),
    ],
)
def test_data_that_does_not_fit_is_refused_with_both_sides_named(
    workspace: Workspace, inputs: dict[str, np.ndarray], why: str
) -> None:
    found = refusal(keep_model(product("n"), workspace), keep_regular(workspace, inputs), workspace).refusal
    assert (found.code, found.why, found.promises) == (Code.DATA_MISMATCH, why, ("P9",))


@pytest.mark.promise("P9")
def test_the_one_ragged_sample_that_does_not_fit_is_named(workspace: Workspace) -> None:
    samples = [np.zeros((2, 4), np.float32), np.zeros((3, 4), np.float32), np.zeros((3, 5), np.float32)]
    wants = model([node("Identity", ["x"], ["y"])], [value("x", F, [1, "t", 4])], [value("y", F, [1, "t", 4])])
    found = refusal(keep_model(wants, workspace), keep_ragged("x", samples, workspace), workspace).refusal
    assert found.why == (
        "input x: the model takes float32 (1, ?, 4), the data has float32 (3, 5) in sample 2, without a batch dimension"
    )


@pytest.mark.promise("P9")
def test_inputs_that_cannot_share_a_batch_are_refused(workspace: Workspace) -> None:
    def two(first: list[int], second: list[int]) -> Artifact:
        return keep_model(
            model(
                [node("Identity", ["x"], ["y"]), node("Identity", ["z"], ["w"])],
                [value("x", F, first), value("z", I64, second)],
                [value("y", F, first), value("w", I64, second)],
            ),
            workspace,
        )

    data = keep_regular(workspace, {"x": X, "z": np.arange(6)})
    assert "fixes the batch sizes 2, 4 at once" in str(refusal(two([2, 8], [4]), data, workspace))
    assert "some inputs take a batch of 2 and others a single sample" in str(refusal(two([2, 8], []), data, workspace))


def test_a_file_that_the_runtime_does_not_load_is_refused_by_name_and_without_a_path(workspace: Workspace) -> None:
    path = workspace.scratch("model")
    path.write_bytes(b"this is no model")
    artifact = Artifact(workspace.keep(path), "broken.onnx", Format.ONNX, "fp32", 16, None, Recipe("original"), (), ())
    found = refusal(artifact, keep_regular(workspace, {"x": X}), workspace).refusal
    assert (found.code, found.what) == (Code.MODEL_INVALID, "running broken.onnx")
    assert found.why.startswith("it does not load: ")
    assert str(workspace.folder) not in found.why


@pytest.mark.promise("P9")
def test_of_two_models_the_one_that_does_not_fit_is_named(workspace: Workspace) -> None:
    fits = keep_model(product("n"), workspace, "fits.onnx")
    differs = keep_model(product("n", width=9), workspace, "differs.onnx")
    data = keep_regular(workspace, {"x": X})
    with pytest.raises(Refused) as caught:
        Host().run(ProbeRequest(LATENCY, {"a": fits, "b": differs}, data.index, 1, 6, FEW_RUNS), workspace)
    assert caught.value.refusal.what == "running differs.onnx"


def test_a_model_that_fails_on_the_data_is_refused(workspace: Workspace) -> None:
    gather = model(
        [node("Gather", ["x", "at"], ["y"])], [value("x", F, [8]), value("at", I64, [1])], [value("y", F, [1])]
    )
    data = keep_regular(workspace, {"x": X, "at": np.full((6, 1), 9)})
    found = refusal(keep_model(gather, workspace), data, workspace).refusal
    assert found.code is Code.MODEL_INVALID
    assert found.why.startswith("it fails on the data: ")


def test_outputs_that_are_not_numbers_are_refused(workspace: Workspace) -> None:
    found = refusal(keep_model(spelled(), workspace), keep_regular(workspace, {"x": X[:, :2]}), workspace).refusal
    assert found.code is Code.MODEL_UNSUPPORTED
    assert found.why == "output label is string, not an array of numbers"


def test_a_format_without_a_runtime_is_refused_before_anything_starts(workspace: Workspace) -> None:
    artifact = Artifact("0" * 64, "m.engine", Format.TENSORRT, "fp32", 1, None, Recipe("original"), (), ())
    assert refusal(artifact, keep_regular(workspace, {"x": X}), workspace).refusal.code is Code.MODEL_UNSUPPORTED


def test_memory_that_runs_out_is_not_called_an_invalid_model(workspace: Workspace) -> None:
    # 2^45 float32 numbers: more than any address space limit or machine gives.
    expand = model([node("ConstantOfShape", ["size"], ["y"])], [value("size", I64, [5])], [value("y", F, [None] * 5)])
    data = keep_regular(workspace, {"size": np.full((1, 5), 2**9)})
    found = refusal(keep_model(expand, workspace), data, workspace).refusal
    assert found.code is Code.MEMORY_LIMIT


@pytest.mark.promise("P11")
def test_a_disk_that_is_full_is_refused_as_that(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    real = host_module._start

    def with_small_files(program: list[Path], folder: Path, threads: int) -> subprocess.Popen[bytes]:
        process = real(program, folder, threads)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (4096, 4096))
        return process

    monkeypatch.setattr(host_module, "_start", with_small_files)
    artifact = keep_model(product("n"), workspace)
    many = keep_regular(workspace, {"x": np.zeros((2000, 8), np.float32)})
    assert refusal(artifact, many, workspace).refusal.code is Code.DISK_FULL


def start(workspace: Workspace) -> None:
    artifact = keep_model(vector_model(), workspace)
    Host().run(ProbeRequest(OUTPUTS, {"m": artifact}, keep_regular(workspace, {"x": X}).index, 1, 6), workspace)


def replace_probe(monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    def write(path: Path) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("__main__.py", source)

    monkeypatch.setattr(host_module, "write_bundle", write)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import os\nprint('on the way', flush=True)\nos.abort()", ("was ended by SIGABRT", "on the way")),
        ("raise SystemExit('no room')", ("ended with status 1", "no room")),
        ("", ("ended with status 0",)),
    ],
)
def test_a_probe_that_dies_says_how_and_what_it_said_last(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, source: str, said: tuple[str, ...]
) -> None:
    replace_probe(monkeypatch, source)
    with pytest.raises(WorkerFailed) as caught:
        start(workspace)
    for words in said:
        assert words in str(caught.value)


@pytest.mark.parametrize(
    "answer",
    [
        "{",
        '{"version": 2, "error": {"kind": "load", "message": "m"}}',
        '{"version": 1, "error": {"kind": "made up", "message": "m"}}',
        '{"version": 1, "environment": {}, "models": {}}',
    ],
)
def test_an_answer_of_another_shape_is_not_believed(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    replace_probe(monkeypatch, f"open('answer.json', 'w').write({answer!r})")
    with pytest.raises(WorkerFailed, match="cannot be read"):
        start(workspace)


def test_progress_of_another_shape_is_not_believed(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    source = """open("progress.json", "w").write('{"done": "all"}')\nimport signal\nsignal.pause()"""
    replace_probe(monkeypatch, source)
    with pytest.raises(WorkerFailed, match="cannot be read"):
        start(workspace)


def test_an_answer_cannot_name_a_file_outside_its_folder(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    artifact = keep_model(vector_model(), workspace)
    request = ProbeRequest(LATENCY, {"m": artifact}, keep_regular(workspace, {"x": X}).index, 1, 6, FEW_RUNS)
    answer = Host().run(request, workspace)
    honest = json.loads((answer.folder / "answer.json").read_text(encoding="utf-8"))
    honest["models"]["m"]["times"] = "../elsewhere.npy"
    replace_probe(monkeypatch, f"open('answer.json', 'w').write({json.dumps(honest)!r})")
    with pytest.raises(WorkerFailed, match="cannot be read"):
        Host().run(request, workspace)


WORKER = """
import sys
sys.path[:0] = {path!r}
from pathlib import Path
from probe_models import *
from edgewright.tools.targets.host import Host
from edgewright.tools.targets.request import LATENCY, ProbeRequest

workspace = new_workspace(Path({folder!r}))
endless = Protocol(ProtocolName.SUSTAINED, 1, 0.0, 1, 3600.0, 1)
data = keep_regular(workspace, {{"x": np.zeros((2, 8), np.float32)}})
request = ProbeRequest(LATENCY, {{"m": keep_model(vector_model(), workspace)}}, data.index, 1, 2, endless)
Host().run(request, workspace, lambda done, total, message: print(message, flush=True))
"""


def test_the_probe_dies_with_the_process_that_asked(tmp_path: Path) -> None:
    source = WORKER.format(path=sys.path, folder=str(tmp_path))
    with subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline()
        probes = psutil.Process(worker.pid).children()
        assert len(probes) == 1
        worker.kill()
    _, alive = psutil.wait_procs(probes, timeout=20)
    assert alive == []


def test_the_probe_dies_when_its_caller_stops_waiting(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []
    real = host_module._start

    def watched(program: list[Path], folder: Path, threads: int) -> subprocess.Popen[bytes]:
        started.append(real(program, folder, threads))
        return started[0]

    def interrupt(done: int, total: int, message: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(host_module, "_start", watched)
    replace_probe(
        monkeypatch,
        "import pathlib, signal\n"
        """pathlib.Path("progress.json").write_text('{"done": 1, "total": 2, "message": "half"}')\n"""
        "signal.pause()",
    )
    artifact = keep_model(vector_model(), workspace)
    request = ProbeRequest(OUTPUTS, {"m": artifact}, keep_regular(workspace, {"x": X}).index, 1, 6)
    with pytest.raises(KeyboardInterrupt):
        Host().run(request, workspace, interrupt)
    assert started[0].returncode == -9
