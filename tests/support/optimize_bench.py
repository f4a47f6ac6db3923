"""A run in the middle of OPTIMIZE: a base in the store, an original beside it, real-looking data, this machine."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import onnx
from onnx import ModelProto

from edgewright.state.artifacts import Artifact, Device, Format, Recipe
from edgewright.state.evidence import Dataset
from edgewright.state.files import file_sha256
from edgewright.state.store import Store
from edgewright.tools.datasets.prepare import prepare
from edgewright.tools.optimize.convert import convert
from edgewright.tools.optimize.quantize import quantize
from edgewright.tools.optimize.step import Made, Step, make
from edgewright.tools.orders import ConvertOrder, DataSource, Original, QuantizeOrder, SearchTerms
from edgewright.tools.profile.inspect import inputs_of, outputs_of, precision_of
from edgewright.tools.targets.host import Host
from edgewright.tools.targets.target import Places, Target
from edgewright.tools.workspace import Workspace


@dataclass
class Bench:
    """One base model and what can be done to it."""

    workspace: Workspace
    target: Target
    original: Path
    base: Artifact
    validation: Dataset
    calibration: Dataset | None
    device: Device = Device.CPU_GENERIC
    terms: SearchTerms | None = None

    def quantize(self, scheme: str, *, samples: int | None = 100, **parameters: object) -> Made:
        order = self.quantize_order(scheme, samples=samples, **parameters)
        return quantize(order, self.workspace, Places(self.target, self.target))

    def convert(self, *operations: str, opset: int | None = None, to: Format = Format.ONNX) -> Made:
        return convert(self.convert_order(*operations, opset=opset, to=to), self.workspace, self.target)

    def convert_order(self, *operations: str, opset: int | None = None, to: Format = Format.ONNX) -> ConvertOrder:
        return ConvertOrder(
            base=self.base,
            original=Original(str(self.original), self.base.sha256),
            model_name="My net",
            format=to,
            operations=operations,
            opset=opset,
            validation=self.validation,
            target_device=self.device,
            lineage=self.base.sha256,
        )

    def make(self, step: Step) -> Made:
        return make(step, self.quantize_order("fp16"), self.workspace, self.target)

    def quantize_order(self, scheme: str, *, samples: int | None = 100, **parameters: object) -> QuantizeOrder:
        return QuantizeOrder(
            base=self.base,
            original=Original(str(self.original), file_sha256(self.original)),
            model_name="My net",
            scheme=scheme,
            parameters=parameters,
            calibration=self.calibration,
            calibration_samples=samples,
            validation=self.validation,
            target_device=self.device,
            lineage=self.base.sha256,
            terms=self.terms,
        )

    def load(self, made: Made) -> ModelProto:
        return onnx.load(self.workspace.path_of(made.artifact.sha256))


def samples_for(model: ModelProto, n: int, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    spec = inputs_of(model)[0]
    shape = [size or 1 for size in spec.shape]
    # Samples of one step of a recurrent net have all its dimensions; others lose the batch dimension in front.
    shape = shape[1:] if spec.shape[0] is None else shape
    return {spec.name: rng.standard_normal((n, *shape)).astype(np.float32)}


def dataset_of(arrays: Mapping[str, np.ndarray], folder: Path, name: str, workspace: Workspace) -> Dataset:
    path = folder / f"{name}.npz"
    np.savez(path, **arrays)
    named = [key for key in arrays if not key.endswith(".shapes")]
    card = {"inputs": {key: {"array": key, "kind": "tensor", "dtype": "float32"} for key in named}}
    return prepare(DataSource(str(path), card), (str(folder),), workspace, f"{name} data")


def figure_of(made: Made, figure: str) -> float:
    """Return a figure of the comparison with the base, such as `cosine`, from the finding that says it."""
    found = re.search(rf"{figure} ([0-9.e+-]+)", next(said for said in made.findings if "against the base's" in said))
    assert found
    return float(found[1])


def adopted(workspace: Workspace) -> Store:
    """Return the store with what a workspace has made, as settling its job would put it there."""
    store = Store(workspace.objects)
    for new in workspace.new_files:
        store.adopt(workspace.folder / new.path, new.sha256)
    return store


class BenchOf(Protocol):
    """Builds the bench of a model, once a test."""

    def __call__(self, model: ModelProto, calibration: int = 120) -> Bench: ...


def build_bench(model: ModelProto, folder: Path, calibration: int) -> Bench:
    roots, job, objects = (folder / name for name in ("roots", "job", "objects"))
    for part in (roots, job, objects):
        part.mkdir()
    original, copy = roots / "net.onnx", job / "copy.onnx"
    onnx.save(model, original)
    copy.write_bytes(original.read_bytes())
    workspace = Workspace(job, objects)
    base = Artifact(
        sha256=workspace.keep(copy),
        name="net.onnx",
        format=Format.ONNX,
        precision=precision_of(model),
        size_bytes=copy.stat().st_size,
        parent=None,
        recipe=Recipe("original"),
        inputs=inputs_of(model),
        outputs=outputs_of(model),
    )
    return Bench(
        workspace=workspace,
        target=Host("none"),
        original=original,
        base=base,
        validation=dataset_of(samples_for(model, 70, 1), roots, "validation", workspace),
        calibration=dataset_of(samples_for(model, calibration, 2), roots, "calibration", workspace)
        if calibration
        else None,
    )
