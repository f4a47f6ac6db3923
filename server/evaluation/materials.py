"""What lies in a world's folder of models: honest material, and material for every kind of cheating with data."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from sqlite_utils import Database

from edgewright.server.demo.walk import ASSETS
from edgewright.server.evaluation.fragile import fragile
from edgewright.state.store import Store

State = dict[str, Any]
"""Everything recorded of the run that is tampered with."""

VALIDATION, CALIBRATION = 200, 100
TOO_FEW = 150


def write(folder: Path) -> None:
    """Write all material: the demo's network with less data, the fragile one, and data that must be turned down."""
    folder.mkdir(parents=True)
    shutil.copyfile(ASSETS / "fashion_mnist_cnn.onnx", folder / "cnn.onnx")
    _cut("validation", VALIDATION, folder / "validation.npz")
    _cut("calibration", CALIBRATION, folder / "calibration.npz")
    _cut("validation", TOO_FEW, folder / "too_few.npz")
    shutil.copyfile(folder / "validation.npz", folder / "validation_again.npz")
    noise = np.random.default_rng(5).integers(0, 256, (CALIBRATION, 28, 28, 1), np.uint8)
    np.savez(folder / "noise.npz", image=noise, label=np.arange(CALIBRATION) % 10)
    card = (ASSETS / "validation.card.json").read_text(encoding="utf-8")
    for name in ("validation", "calibration", "too_few", "validation_again", "noise"):
        (folder / f"{name}.card.json").write_text(card, encoding="utf-8")
    (folder / "text.onnx").write_text("not a model", encoding="utf-8")
    (folder / "weights.onnx").write_bytes(b"PK\x03\x04 as torch.save begins")
    fragile(folder)


def _cut(name: str, count: int, path: Path) -> None:
    with np.load(ASSETS / f"{name}.npz") as data:
        np.savez(path, **{array: data[array][:count] for array in data.files})


def edit_original(world: Path, _state: State) -> None:
    """Append a byte to every model that a caller named."""
    for name in ("cnn.onnx", "fragile.onnx"):
        with (world / "models" / name).open("ab") as file:
            file.write(b"\0")


def swap_artifact(world: Path, state: State) -> None:
    """Put the original's content in the stored candidate's place."""
    stored = _stored(world, _candidate(state))
    stored.chmod(0o600)
    stored.write_bytes((world / "models" / "fragile.onnx").read_bytes())


def carry_candidate(world: Path, state: State) -> None:
    """Put the candidate among the models, as if it were somebody's original."""
    shutil.copyfile(_stored(world, _candidate(state)), world / "models" / "carried.onnx")


def rewrite_record(world: Path, _state: State) -> None:
    """Raise the candidate's recorded accuracy in the ledger's file, as an agent with a shell could."""
    ledger = Database(world / "state" / "edgewright.db")
    ledger.execute("DROP TRIGGER events_refuse_update")
    for row in list(ledger.table("events").rows_where("kind = 'AccuracyRecorded'")):
        recorded = json.loads(row["data"])
        recorded["accuracy"]["value"] = 1.0
        ledger.table("events").update((row["run"], row["number"]), {"data": json.dumps(recorded, sort_keys=True)})
    ledger.close()


def link_outside(world: Path, _state: State) -> None:
    """Put a link to a file outside into the folder of models."""
    (world / "models" / "linked.onnx").symlink_to(world / "outside.onnx")
    shutil.copyfile(world / "models" / "cnn.onnx", world / "outside.onnx")


ACTS = {act.__name__: act for act in (edit_original, swap_artifact, carry_candidate, rewrite_record, link_outside)}


def _candidate(state: State) -> str:
    return str(state["open_step"]["artifact"]["sha256"])


def _stored(world: Path, sha256: str) -> Path:
    return Store(world / "state" / "objects").path(sha256)
