"""Profiling: everything is measured of the unmodified model, or the run does not begin."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import onnx_models as models
import onnxruntime
import pytest
from onnx import ModelProto

from edgewright.state.artifacts import Ancestor, Artifact, Device, Format, Recipe
from edgewright.state.errors import Code, Refusal, Refused
from edgewright.state.events import Profiled
from edgewright.state.files import file_sha256
from edgewright.state.protocols import Protocol, ProtocolName
from edgewright.tools.orders import DataSource, ProfileOrder
from edgewright.tools.profile import work as subject
from edgewright.tools.profile.inspect import inputs_of, outputs_of
from edgewright.tools.profile.lineage import stamp
from edgewright.tools.targets.host import Host
from edgewright.tools.targets.target import Places
from edgewright.tools.workspace import Workspace

CARD = {"inputs": {"x": {"kind": "tensor", "array": "x"}}, "label": "label"}
SHORT = Protocol(ProtocolName.QUICK, 2, 0.0, 130, 0.0, 1)


@dataclass
class Desk:
    """An allowed root with a model and data in it, and the order to profile them."""

    root: Path
    workspace: Workspace
    order: ProfileOrder

    @property
    def model(self) -> Path:
        return Path(self.order.model_path)

    def put(self, model: ModelProto) -> None:
        onnx.save(model, self.model)

    def data(self, name: str, n: int, seed: int) -> DataSource:
        """Write samples labelled by the model itself, every fifth one wrongly."""
        samples = np.random.default_rng(seed).standard_normal((n, 12)).astype(np.float32)
        session = onnxruntime.InferenceSession(models.mlp().SerializeToString())
        answers = np.argmax(session.run(None, {"x": samples})[0], axis=1)
        path = self.root / f"{name}.npz"
        np.savez(path, x=samples, label=(answers + (np.arange(n) % 5 == 0)) % 5)
        return DataSource(str(path), CARD)

    def profile(self, **changes: object) -> Profiled:
        order = replace(self.order, **changes)  # type: ignore[arg-type]
        host = Host()
        evidence = subject.work(order, self.workspace, Places(host, host)).evidence
        assert isinstance(evidence, Profiled)
        return evidence

    def refusal(self, **changes: object) -> Refusal:
        with pytest.raises(Refused) as caught:
            self.profile(**changes)
        return caught.value.refusal


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    root, job, objects = (tmp_path / name for name in ("root", "job", "objects"))
    for folder in (root, job, objects):
        folder.mkdir()
    order = ProfileOrder(
        model_path=str(root / "net.onnx"),
        roots=(str(root),),
        validation=DataSource(""),
        calibration=None,
        metric="top-1",
        tolerance=0.02,
        latency_target_ms=None,
        target_device=Device.CPU_GENERIC,
        protocol=SHORT,
        threads=1,
        least_validation=50,
    )
    desk = Desk(root, Workspace(job, objects), order)
    desk.put(models.mlp())
    desk.order = replace(order, validation=desk.data("validation", 60, 1))
    return desk


def stored(model: ModelProto, workspace: Workspace) -> Artifact:
    path = workspace.scratch("stored.onnx")
    onnx.save(model, path)
    size_bytes = path.stat().st_size
    return Artifact(
        workspace.keep(path),
        "first.onnx",
        Format.ONNX,
        "fp32",
        size_bytes,
        None,
        Recipe("original"),
        inputs_of(model),
        outputs_of(model),
    )


def other_mlp() -> ModelProto:
    other = models.mlp()
    other.graph.initializer[0].CopyFrom(models.weights("w1", 12, 32, seed=9))
    return other


@pytest.mark.promise("P1")
def test_the_baseline_is_complete_before_anything_is_optimised(desk: Desk) -> None:
    before = file_sha256(desk.model)
    profiled = desk.profile()
    baseline = profiled.baseline
    assert profiled.original.sha256 == before == file_sha256(desk.model)
    assert baseline.latency.runs >= 100
    assert baseline.latency.warmup_runs >= 2
    assert baseline.memory.peak_bytes > baseline.memory.empty_runtime_bytes > 0
    assert (baseline.accuracy.metric, baseline.accuracy.n) == ("top-1", 60)
    assert profiled.original.size_bytes == desk.model.stat().st_size
    assert baseline.graph.parameters == 581
    assert {operator.op_type for operator in baseline.hot_spots}
    assert {measured.artifact for measured in (baseline.latency, baseline.memory, baseline.accuracy)} == {
        profiled.original.sha256
    }


def test_every_item_of_the_preflight_is_reported_in_order(desk: Desk) -> None:
    checks = desk.profile().checks
    assert [check.item for check in checks] == [
        "source model",
        "framework",
        "target device",
        "validation set",
        "metric",
        "tolerance",
        "latency target",
        "calibration set",
        "disk space",
    ]
    assert {check.status for check in checks} <= {"ok", "warning"}
    status = {check.item: check.status for check in checks}
    assert (status["latency target"], status["calibration set"]) == ("warning", "warning")


@pytest.mark.promise("P7")
def test_calibration_data_out_of_the_validation_set_is_noted_at_once(desk: Desk) -> None:
    checks = {check.item: check for check in desk.profile(calibration=desk.order.validation).checks}
    assert checks["calibration set"].status == "warning"
    assert "in the validation set" in checks["calibration set"].detail


@pytest.mark.promise("P3")
def test_a_validation_set_below_the_operators_least_is_refused(desk: Desk) -> None:
    refusal = desk.refusal(least_validation=61)
    assert refusal.code is Code.VALIDATION_TOO_SMALL
    assert (refusal.facts["n"], refusal.facts["least"]) == (60, 61)
    assert refusal.promises == ("P3",)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"metric": "magic"}, Code.METRIC_UNKNOWN),
        ({"model_path": "/etc/passwd"}, Code.PATH_OUTSIDE_ROOTS),
        ({"roots": ("/nowhere",)}, Code.PATH_OUTSIDE_ROOTS),
    ],
)
def test_what_cannot_be_profiled_is_refused_before_it_is_measured(
    desk: Desk, changes: Mapping[str, object], code: Code
) -> None:
    assert desk.refusal(**changes).code is code


def test_a_model_that_is_none_is_refused(desk: Desk) -> None:
    desk.model.write_text("not a model")
    assert desk.refusal().code is Code.MODEL_FORMAT_UNKNOWN
    desk.model.unlink()
    assert desk.refusal().code is Code.NOT_FOUND


@pytest.mark.promise("P9")
def test_data_of_another_shape_than_the_model_takes_is_refused(desk: Desk) -> None:
    desk.put(models.branch_net())
    refusal = desk.refusal()
    assert refusal.code is Code.DATA_MISMATCH
    assert "(4)" in refusal.why or "any, 4" in refusal.why


@pytest.mark.promise("P5")
def test_an_original_that_changed_meanwhile_is_noticed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    measure = subject.measure_operators

    def changing(*arguments: object, **named: object) -> object:
        desk.put(other_mlp())
        return measure(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(subject, "measure_operators", changing)
    assert desk.refusal().code is Code.ORIGINAL_CHANGED


@pytest.mark.promise("P3")
@pytest.mark.parametrize("known_by", ["digest", "mark"])
def test_a_descendant_is_judged_by_the_original_of_the_run_that_made_it(desk: Desk, known_by: str) -> None:
    first = stored(models.mlp(), desk.workspace)
    descendant = other_mlp()
    if known_by == "mark":
        stamp(descendant, first.sha256)
    desk.put(descendant)
    key = file_sha256(desk.model) if known_by == "digest" else "f" * 64
    profiled = desk.profile(ancestors={key: Ancestor("run-1", first, 0.01)})
    assert profiled.root == first
    assert (profiled.inherited_from, profiled.tolerance) == ("run-1", 0.01)
    assert profiled.baseline.reference.artifact == first.sha256
    assert profiled.baseline.accuracy.artifact == profiled.original.sha256 != first.sha256
    assert profiled.baseline.reference.dataset == profiled.baseline.accuracy.dataset


@pytest.mark.promise("P3")
def test_a_forged_descent_from_a_worse_model_does_not_lower_the_floor(desk: Desk) -> None:
    worse = stored(other_mlp(), desk.workspace)
    claiming = models.mlp()
    stamp(claiming, worse.sha256)
    desk.put(claiming)
    profiled = desk.profile(ancestors={"f" * 64: Ancestor("run-1", worse, 0.02)})
    assert profiled.baseline.reference == profiled.baseline.accuracy


@pytest.mark.promise("P3")
@pytest.mark.parametrize("blind", ["one class", "labels of other samples"])
def test_a_validation_set_that_a_shuffled_model_passes_is_refused(desk: Desk, blind: str) -> None:
    path = Path(desk.order.validation.path)
    with np.load(path) as data:
        samples, labels = data["x"], data["label"]
    labels = np.zeros_like(labels) if blind == "one class" else np.roll(labels, 7)
    np.savez(path, x=samples, label=labels)
    refusal = desk.refusal()
    assert refusal.code is Code.DATA_INVALID
    assert "shuffled" in refusal.why


@pytest.mark.promise("P3")
def test_a_sample_that_comes_again_counts_once(desk: Desk) -> None:
    path = Path(desk.order.validation.path)
    with np.load(path) as data:
        np.savez(path, x=np.tile(data["x"][:20], (3, 1)), label=np.tile(data["label"][:20], 3))
    refusal = desk.refusal()
    assert refusal.code is Code.VALIDATION_TOO_SMALL
    assert (refusal.facts["n"], refusal.facts["distinct"]) == (60, 20)


@pytest.mark.promise("P3")
def test_a_descendant_of_an_original_that_nobody_knows_is_refused(desk: Desk) -> None:
    descendant = models.mlp()
    stamp(descendant, "c" * 64)
    desk.put(descendant)
    refusal = desk.refusal()
    assert refusal.code is Code.LINEAGE_UNKNOWN
    assert refusal.facts["original"] == "c" * 64


def test_a_model_that_answers_with_nan_is_refused(desk: Desk) -> None:
    model = models.mlp()
    model.graph.node[-1].output[0] = "sum"
    model.graph.node.append(onnx.helper.make_node("Sub", ["sum", "sum"], ["zero"]))
    model.graph.node.append(onnx.helper.make_node("Div", ["zero", "zero"], ["y"]))
    desk.put(model)
    assert desk.refusal().code is Code.MODEL_NOT_FINITE
