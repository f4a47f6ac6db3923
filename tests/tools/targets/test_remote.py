"""A worker's measurements through its courier: the real keeper and probe, behind a shell instead of a network."""

import json
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from far_end import enrol, numpy_alone, python_with, remote, through_a_shell
from probe_models import (
    FEW_RUNS,
    keep_model,
    keep_ragged,
    keep_regular,
    new_workspace,
    product,
    sequence_gru,
    vector_model,
)

from edgewright.state.artifacts import Artifact, Device, Format, Recipe
from edgewright.state.errors import Code, Refused, WorkerFailed
from edgewright.state.evidence import Label
from edgewright.tools.probe.columns import Column
from edgewright.tools.targets.connection import Connection
from edgewright.tools.targets.errand import Carried, Errand
from edgewright.tools.targets.host import Host
from edgewright.tools.targets.remote import Remote
from edgewright.tools.targets.request import LATENCY, MEMORY, OUTPUTS, ProbeRequest
from edgewright.tools.workspace import Workspace

Asking = Callable[..., Carried]
RNG = np.random.default_rng(5)
X = RNG.standard_normal((90, 8)).astype(np.float32)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """The worker's room, where a job's folder has it."""
    made = new_workspace(tmp_path)
    (tmp_path / "job" / "work").mkdir()
    return Workspace(tmp_path / "job" / "work", made.objects)


@pytest.fixture
def bench(tmp_path: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Iterator[Remote]:
    through_a_shell(monkeypatch)
    with remote(enrol(tmp_path / "targets", python=sys.executable), tmp_path / "job", workspace) as target:
        yield target


@pytest.mark.promise("P6")
def test_outputs_of_a_target_are_the_hosts_and_carry_its_alias_and_the_label_of_its_boot(
    bench: Remote, workspace: Workspace
) -> None:
    model, data = keep_model(product("n"), workspace), keep_regular(workspace, {"x": X})
    request = ProbeRequest(OUTPUTS, {"m": model}, data.index, 1, data.n)
    answers = [place.run(request, workspace) for place in (bench, Host())]
    columns = [
        Column.open(
            answer.models["m"].outputs["y"].model_dump(exclude_none=True), lambda name, a=answer: str(a.folder / name)
        )
        for answer in answers
    ]
    assert np.array_equal(columns[0].batch(0, 90), columns[1].batch(0, 90))
    environment = answers[0].environments["m"]
    assert (environment.label, environment.target) == (Label.HOST, "bench")  # the same boot: no other machine


@pytest.mark.promise("P10")
def test_times_of_a_target_come_from_the_samples_that_the_host_would_have_picked(
    bench: Remote, workspace: Workspace
) -> None:
    model, data = keep_model(vector_model(), workspace), keep_regular(workspace, {"x": X[:, :8]})
    request = ProbeRequest(LATENCY, {"a": model, "b": model}, data.index, 1, 30, FEW_RUNS)
    answer = bench.run(request, workspace)
    times = [np.load(answer.folder / facts.times) for facts in answer.models.values()]
    assert [len(series) for series in times] == [20, 20]
    sent = list(workspace.folder.glob("scratch/*-excerpt.npy"))
    assert len(sent) == 1
    assert np.array_equal(np.load(sent[0]), X[::3])


def test_samples_of_different_shapes_travel_too(bench: Remote, workspace: Workspace) -> None:
    samples = [RNG.standard_normal((steps, 4)).astype(np.float32) for steps in range(2, 9)]
    model, data = keep_model(sequence_gru(), workspace), keep_ragged("x", samples, workspace)
    facts = bench.run(ProbeRequest(MEMORY, {"m": model}, data.index, 1, 4), workspace).models["m"]
    assert facts.peak_bytes > facts.empty_runtime_bytes > 0


def test_a_file_is_sent_once_for_all_errands_of_a_job(
    bench: Remote, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    real = Connection._write

    def write(self: Connection, content: bytes) -> None:
        if content.startswith(b'{"do": "put"'):
            sent.append(json.loads(content.split(b"\n")[0])["name"])
        real(self, content)

    monkeypatch.setattr(Connection, "_write", write)
    model, data = keep_model(product("n"), workspace), keep_regular(workspace, {"x": X})
    for _ in range(2):
        bench.run(ProbeRequest(MEMORY, {"m": model}, data.index, 1, 4), workspace)
    requests = [name for name in sent if name.endswith("request.json")]
    files = [name for name in sent if name not in requests]
    assert (len(requests), len(files)) == (2, 3)  # the probe, the model, the samples
    assert model.sha256 in files


def test_progress_over_there_is_told_here(bench: Remote, workspace: Workspace) -> None:
    told: list[str] = []
    model, data = keep_model(product("n"), workspace), keep_regular(workspace, {"x": X})
    protocol = replace(FEW_RUNS, duration_s=1.5)
    bench.run(
        ProbeRequest(LATENCY, {"m": model}, data.index, 1, 6, protocol),
        workspace,
        lambda _done, _total, message: told.append(message),
    )
    assert "timing" in told


def broken(workspace: Workspace) -> Artifact:
    path = workspace.scratch("model")
    path.write_bytes(b"this is no model")
    return Artifact(workspace.keep(path), "broken.onnx", Format.ONNX, "fp32", 16, None, Recipe("original"), (), ())


@pytest.mark.promise("P12")
def test_a_file_that_the_runtime_there_does_not_load_is_refused_by_name_and_place(
    bench: Remote, workspace: Workspace
) -> None:
    data = keep_regular(workspace, {"x": X})
    with pytest.raises(Refused) as caught:
        bench.run(ProbeRequest(MEMORY, {"m": broken(workspace)}, data.index, 1, 4), workspace)
    refusal = caught.value.refusal
    assert (refusal.code, refusal.what) == (Code.MODEL_INVALID, "running broken.onnx on bench")
    assert "target check bench" in refusal.do


@pytest.mark.promise("P12")
@pytest.mark.parametrize("missing", ["numpy", "onnxruntime"])
def test_what_is_missing_there_is_named(
    tmp_path: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    through_a_shell(monkeypatch)
    there = [] if missing == "numpy" else [numpy_alone(tmp_path / "packages")]
    model, data = keep_model(product("n"), workspace), keep_regular(workspace, {"x": X})
    target = enrol(tmp_path / "targets", python=str(python_with(tmp_path / "bare", *there)))
    with remote(target, tmp_path / "job", workspace) as place, pytest.raises(Refused) as caught:
        place.run(ProbeRequest(MEMORY, {"m": model}, data.index, 1, 4), workspace)
    assert caught.value.refusal.code is Code.TARGET_UNFIT
    assert missing in caught.value.refusal.why


@pytest.mark.promise("P12")
def test_an_interpreter_that_is_not_there_is_named(
    tmp_path: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    through_a_shell(monkeypatch)
    model, data = keep_model(product("n"), workspace), keep_regular(workspace, {"x": X})
    target = enrol(tmp_path / "targets", python="/no/python")
    with remote(target, tmp_path / "job", workspace) as place, pytest.raises(Refused) as caught:
        place.run(ProbeRequest(MEMORY, {"m": model}, data.index, 1, 4), workspace)
    assert caught.value.refusal.code is Code.TARGET_UNFIT
    assert "/no/python is not there" in caught.value.refusal.why


@pytest.mark.promise("P6", "P8")
def test_a_machine_of_another_architecture_is_not_measured_as_the_board(
    tmp_path: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    through_a_shell(monkeypatch)
    model, data = keep_model(product("n"), workspace), keep_regular(workspace, {"x": X})
    target = enrol(tmp_path / "targets", Device.RASPBERRY_PI_5, sys.executable)
    with remote(target, tmp_path / "job", workspace) as place, pytest.raises(Refused) as caught:
        place.run(ProbeRequest(MEMORY, {"m": model}, data.index, 1, 4), workspace)
    assert caught.value.refusal.code is Code.TARGET_WRONG_MACHINE


@pytest.mark.promise("P12")
def test_a_probe_that_passes_the_jobs_limit_is_refused_as_that(
    tmp_path: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    through_a_shell(monkeypatch)
    model, data = keep_model(product("n"), workspace), keep_regular(workspace, {"x": X})
    target = enrol(tmp_path / "targets", python=sys.executable)
    endless = replace(FEW_RUNS, duration_s=600.0)
    request = ProbeRequest(LATENCY, {"m": model}, data.index, 1, 4, endless)
    with remote(target, tmp_path / "job", workspace, seconds=0.1) as place, pytest.raises(Refused) as caught:
        place.run(request, workspace)
    assert caught.value.refusal.code is Code.TIME_LIMIT


class TestTheCourierBelievesTheWorkerNothing:
    """What a worker in a hostile model's hands could ask for."""

    @pytest.fixture
    def ask(self, tmp_path: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Iterator[Asking]:
        through_a_shell(monkeypatch)
        target = enrol(tmp_path / "targets", python=sys.executable)
        with remote(target, tmp_path / "job", workspace) as place:

            def asked(**changes: object) -> Carried:
                errand = Errand(request={}, folder="errand", files={}, threads=1).model_copy(update=changes)
                place._say(errand)
                return place._await(lambda *_: None)

            yield asked

    @pytest.mark.promise("P4")
    def test_a_link_in_its_folder_is_not_followed(self, ask: Asking, workspace: Workspace, tmp_path: Path) -> None:
        secret = tmp_path / "id_ed25519"
        secret.write_text("a private key", encoding="utf-8")
        (workspace.folder / "planted").symlink_to(secret)
        assert "symbolic link" in ask(files={"0" * 64: "planted"}).trouble

    @pytest.mark.promise("P4")
    @pytest.mark.parametrize("named", ["../order.json", "/etc/passwd"])
    def test_a_path_out_of_its_folder_is_not_read(self, ask: Asking, named: str) -> None:
        assert ask(files={"0" * 64: named}).trouble

    @pytest.mark.promise("P11")
    def test_a_file_that_is_not_what_its_digest_says_is_not_run(self, ask: Asking, workspace: Workspace) -> None:
        (workspace.folder / "model").write_bytes(b"swapped")
        assert "arrived as" in ask(files={"0" * 64: "model"}).trouble

    def test_a_file_that_the_store_does_not_have_is_named(self, ask: Asking) -> None:
        assert "The store has no file" in ask(files={"0" * 64: ""}).trouble

    def test_a_message_of_another_shape_starts_nothing(self, tmp_path: Path, workspace: Workspace) -> None:
        with remote(enrol(tmp_path / "targets"), tmp_path / "job", workspace) as place:
            place._messages.write(b'{"folder": 7}\n')
            place._messages.flush()
            assert "Errand" in place._await(lambda *_: None).trouble


def test_a_courier_that_is_gone_is_noticed(workspace: Workspace, tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    theirs.close()
    model, data = keep_model(product("n"), workspace), keep_regular(workspace, {"x": X})
    with pytest.raises((WorkerFailed, BrokenPipeError)):
        Remote(enrol(tmp_path / "targets"), ours).run(ProbeRequest(MEMORY, {"m": model}, data.index, 1, 4), workspace)
    ours.close()


def test_the_request_that_travels_names_no_path_of_this_machine(
    bench: Remote, workspace: Workspace, tmp_path: Path
) -> None:
    sent: list[Errand] = []
    real = bench._say

    def say(errand: Errand) -> None:
        sent.append(errand)
        real(errand)

    bench._say = say  # type: ignore[method-assign]
    model, data = keep_model(product("n"), workspace), keep_regular(workspace, {"x": X})
    bench.run(ProbeRequest(MEMORY, {"m": model}, data.index, 1, 4), workspace)
    assert str(tmp_path) not in json.dumps(sent[0].request)
