"""A run whose model, data and recorded outputs are real and whose times are not, ready to be packaged."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import onnx_models as models
import run_builder as past
from numpy.typing import NDArray
from onnx import ModelProto
from probe_models import keep_array, new_workspace

from edgewright.state.artifacts import Artifact, Format, Recipe
from edgewright.state.events import AccuracyRecorded, CandidateMade, Event, Kept, Profiled
from edgewright.state.evidence import Accuracy, Dataset
from edgewright.state.files import file_sha256
from edgewright.state.ledger import Ledger, Record
from edgewright.state.paired import Paired
from edgewright.state.run import Run
from edgewright.tools.benchmark.outputs import run_outputs
from edgewright.tools.datasets.prepare import prepare
from edgewright.tools.orders import DataSource, Original, PackageOrder
from edgewright.tools.package.package import PackageMade, package
from edgewright.tools.package.report import report
from edgewright.tools.package.statement import statement
from edgewright.tools.profile.inspect import inputs_of, outputs_of
from edgewright.tools.targets.host import Host
from edgewright.tools.workspace import Workspace

Array = NDArray[np.generic]
Card = Mapping[str, object]
RUN = "run-1"

PICTURES: Card = {
    "inputs": {
        "image": {
            "kind": "image",
            "array": "picture",
            "resize": {"height": 20, "width": 20},
            "crop": {"height": 16, "width": 16},
            "scale": 1 / 255,
            "mean": [0.485, 0.456, 0.406],
            "std": [0.229, 0.224, 0.225],
        }
    },
    "label": "label",
}


@dataclass
class Shop:
    """Where packages are made from real parts."""

    folder: Path
    workspace: Workspace
    model: ModelProto
    original: Path
    shipped: Artifact
    validation: Dataset
    records: tuple[Record, ...]
    run: Run

    def order(self, **changes: object) -> PackageOrder:
        order = PackageOrder(
            artifact=self.run.current or self.shipped,
            original=Original(str(self.original), file_sha256(self.original)),
            validation=self.validation,
            statement=json.loads(json.dumps(statement(self.run, self.records))),
            report=report(self.run, past.NOW.date()),
            created=past.NOW.isoformat(),
            folder_name="made",
        )
        return replace(order, **changes)  # type: ignore[arg-type]

    def package(self, **changes: object) -> tuple[Path, PackageMade]:
        made = package(self.order(**changes), self.workspace, Host())
        return self.workspace.folder / made.folder, made


ShopOf = Callable[..., Shop]
"""`shop_of(model, arrays, card, kept=True, raw=True, name="toy")`, see `open_shop`."""


def pictures(n: int = 6) -> dict[str, Array]:
    rng = np.random.default_rng(5)
    return {"picture": rng.integers(0, 256, (n, 24, 28, 3), np.uint8), "label": np.arange(n) % 10}


def open_shop(
    folder: Path,
    model: ModelProto | None = None,
    arrays: Mapping[str, Array] | None = None,
    card: Card = PICTURES,
    *,
    kept: bool = True,
    raw: bool = True,
    name: str = "toy",
) -> Shop:
    """Set a run up around a model.

    Args:
        folder: An empty folder.
        model: The original.
        arrays: What its data file holds.
        card: What the data means.
        kept: Whether a candidate was kept.
        raw: Whether the dataset keeps raw samples.
        name: Of the model.
    """
    proto, samples = model or models.conv_net(), arrays or pictures()
    workspace = new_workspace(folder)
    root = folder / "secret-folder"
    root.mkdir()
    np.savez(root / "data.npz", **samples)  # type: ignore[arg-type]
    data = prepare(DataSource(str(root / "data.npz"), card), (str(root),), workspace, "validation data")
    data = with_raw(data, samples, workspace, kept=raw)
    original_path = root / f"{name}.onnx"
    onnx.save(proto, original_path)
    original = keep(proto, original_path.name, workspace)
    changed = onnx.ModelProto()
    changed.CopyFrom(proto)
    changed.producer_version = "2"
    candidate = keep(changed, f"{name}_simplify_fp32.onnx", workspace, parent=original)
    started = past.started(model_path=str(original_path), model_name=name)
    paired = Paired(original.sha256, 0.0, -0.005, 0.005, 0.95, "imagined")
    events: list[Event] = [started, profile(original, data, workspace)]
    if kept:
        events += [
            CandidateMade(candidate, ("removed 0 nodes",)),
            benchmark_of(candidate, original),
            AccuracyRecorded(accuracy(candidate, data, workspace, paired=paired), ()),
            Kept(candidate.sha256),
        ]
    ledger = Ledger(folder / "ledger.db")
    with ledger.change() as change:
        run = change.append(RUN, *events)
        records = tuple(change.records(RUN))
    shipped = candidate if kept else original
    return Shop(folder, workspace, proto, original_path, shipped, data, records, run)


def keep(proto: ModelProto, name: str, workspace: Workspace, parent: Artifact | None = None) -> Artifact:
    path = workspace.scratch("model.onnx")
    onnx.save(proto, path)
    recipe = (
        Recipe("convert", "simplify", {"operations": ["simplify"]}, {"onnx": "1"}) if parent else Recipe("original")
    )
    return Artifact(
        sha256=workspace.keep(path),
        name=name,
        format=Format.ONNX,
        precision="fp32",
        size_bytes=path.stat().st_size,
        parent=parent.sha256 if parent else None,
        recipe=recipe,
        inputs=inputs_of(proto),
        outputs=outputs_of(proto),
    )


def profile(original: Artifact, data: Dataset, workspace: Workspace) -> Profiled:
    made = past.profiled(original, validation=data, calibration=None)
    measured = accuracy(original, data, workspace, agreement=None)
    return replace(made, baseline=replace(made.baseline, accuracy=measured, reference=measured))


def accuracy(artifact: Artifact, data: Dataset, workspace: Workspace, **changes: object) -> Accuracy:
    outputs = run_outputs(artifact, data, 1, workspace, Host())
    where = {"dataset": data.digest, "preprocessing": data.preprocessing, "outputs": outputs.index, "n": data.n}
    return past.accuracy(artifact.sha256, 0.9, **{**where, **changes})


def benchmark_of(candidate: Artifact, original: Artifact) -> Event:
    made = past.benchmarked(candidate.sha256)
    times = replace(made.benchmark.baseline, artifact=original.sha256)
    return replace(made, benchmark=replace(made.benchmark, baseline=times))


def with_raw(data: Dataset, samples: Mapping[str, Array], workspace: Workspace, *, kept: bool) -> Dataset:
    """Return the dataset with the first raw samples in its index, or with none."""
    index = json.loads(workspace.path_of(data.index).read_text(encoding="utf-8"))
    index.pop("raw", None)
    if kept:
        arrays = {name: array for name, array in samples.items() if name != "label" and f"{name}.shapes" not in samples}
        index["raw"] = {name: [keep_array(row, workspace) for row in array[:4]] for name, array in arrays.items()}
    return replace(data, index=workspace.keep_json(index, "index.json"))
