"""The demo's TFLite model in the middle of OPTIMIZE, with its real data laid out as it takes it."""

import shutil
from pathlib import Path

import numpy as np
from optimize_bench import Bench
from workflow import demo_arguments

from edgewright.server.demo.script import LITE_CARD
from edgewright.state.artifacts import Artifact, Device, Format, Recipe
from edgewright.state.evidence import Dataset
from edgewright.tools.datasets.prepare import prepare
from edgewright.tools.formats import tflite_model
from edgewright.tools.orders import DataSource
from edgewright.tools.targets.host import Host
from edgewright.tools.workspace import Workspace

DEMO = Path(__file__).parents[2] / "server/demo/fashion_mnist"
MODEL = "fashion_mnist_mobile.tflite"
CARD = dict(LITE_CARD)


def pi_arguments(root: Path, model: str = MODEL, **changed: object) -> dict[str, object]:
    """Return the arguments of `profile_model` for the demo's TFLite model, with the cards in the call."""
    data = {name: {"path": str(root / f"{name}.npz"), "card": CARD} for name in ("validation", "calibration")}
    return demo_arguments(root, model_path=str(root / model), **{"target_device": "raspberry-pi-5", **data, **changed})


def build_tflite_bench(
    folder: Path, model: Path = DEMO / MODEL, *, validation: int = 1000, calibration: int = 200
) -> Bench:
    """Set a bench up around a TFLite file.

    Args:
        folder: An empty folder.
        model: The base.
        validation: Samples of the demo's validation set that are used.
        calibration: Samples of its calibration set.
    """
    roots, job, objects = (folder / name for name in ("roots", "job", "objects"))
    for part in (roots, job, objects):
        part.mkdir()
    workspace = Workspace(job, objects)
    original, copy = roots / model.name, job / "copy.tflite"
    shutil.copyfile(model, original)
    shutil.copyfile(model, copy)
    return Bench(
        workspace=workspace,
        target=Host("none"),
        original=original,
        base=artifact_of(copy, model.name, workspace),
        validation=_data("validation", validation, roots, workspace),
        calibration=_data("calibration", calibration, roots, workspace) if calibration else None,
        device=Device.RASPBERRY_PI_5,
    )


def artifact_of(path: Path, name: str, workspace: Workspace) -> Artifact:
    model = tflite_model.admit(path)
    return Artifact(
        sha256=workspace.keep(path),
        name=name,
        format=Format.TFLITE,
        precision=model.precision,
        size_bytes=path.stat().st_size,
        parent=None,
        recipe=Recipe("original"),
        inputs=model.inputs,
        outputs=model.outputs,
    )


def _data(name: str, count: int, folder: Path, workspace: Workspace) -> Dataset:
    with np.load(DEMO / f"{name}.npz") as data:
        np.savez(folder / f"{name}.npz", **{array: data[array][:count] for array in data.files})
    return prepare(DataSource(str(folder / f"{name}.npz"), CARD), (str(folder),), workspace, f"{name} data")
