"""A detector on drawn scenes from PROFILE to VALIDATE through a real client: mAP, and what INT8 does to its head."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn_scenes import CLASSES, draw
from PIL import Image
from workflow import Connect, done, state_of

from edgewright.server.settings import Settings
from edgewright.state.store import Store

DETECTOR = Path(__file__).parent.parent.parent / "examples" / "shapes_detector" / "shapes_detector.onnx"
VALIDATION, CALIBRATION = 200, 100
CARD: dict[str, Any] = {
    "inputs": {"image": {"kind": "image", "scale": 1 / 255}},
    "classes": list(CLASSES),
    "decoder": {"kind": "yolo-v8", "score": 0.01, "most": 100},
}

pytestmark = pytest.mark.anyio


def coco_folder(folder: Path, count: int, seed: int) -> None:
    """Write scenes as pictures with a COCO file and a data card."""
    (folder / "images").mkdir(parents=True)
    images, annotations = [], []
    for number, scene in enumerate(draw(count, seed)):
        Image.fromarray(scene.image).save(folder / "images" / f"{number}.png")
        images.append({"id": number, "file_name": f"{number}.png"})
        for kind, left, top, right, bottom in scene.boxes.tolist():
            box = [left, top, right - left, bottom - top]
            annotations.append({"image_id": number, "category_id": 10 + int(kind), "bbox": box, "iscrowd": 0})
    categories = [{"id": 10 + number, "name": name} for number, name in enumerate(CLASSES)]
    coco = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "boxes.json").write_text(json.dumps(coco))
    card = {**CARD, "label": {"coco": "boxes.json", "images": "images"}}
    (folder / "card.json").write_text(json.dumps(card))


@pytest.fixture
def scenes(root: Path) -> dict[str, Any]:
    """The arguments of a run of the detector."""
    shutil.copy(DETECTOR, root)
    coco_folder(root / "scenes", VALIDATION, seed=2)
    np.savez(root / "unlabelled.npz", image=np.stack([scene.image for scene in draw(CALIBRATION, seed=3)]))
    calibration = {"path": str(root / "unlabelled.npz"), "card": {**CARD}}
    return {
        "model_path": str(root / DETECTOR.name),
        "validation": str(root / "scenes"),
        "calibration": calibration,
        "metric": "map50-95",
        "target_device": "cpu-generic",
    }


@pytest.mark.promise("P3", "P9")
async def test_a_detector_is_judged_by_its_boxes_and_int8_ruins_its_joint_head(
    connect: Connect, settings: Settings, scenes: dict[str, Any]
) -> None:
    async with connect() as client:
        profiled = await done(client, "profile_model", **scenes)
        run = profiled["run"]
        await done(client, "quantize", run=run, scheme="int8_static", base="original")
        await done(client, "benchmark", run=run)
        judged = (await done(client, "validate", run=run))["numbers"]
        accuracy = (await state_of(client, run))["open_step"]["accuracy"]
    assert "map50-95 0.93" in profiled["summary"]
    assert "as the model sees it: triangle (13, 37, 29, 51)" in profiled["summary"]
    assert (judged["metric"], judged["verdict"], judged["n"]) == ("map50-95", "FAIL", VALIDATION)
    assert set(accuracy["per_class"]) == set(CLASSES)
    # Boxes up to 64 pixels and scores up to 1 share the 256 steps of one tensor, so that a score is a quarter or none.
    objects = Store(settings.state_folder / "objects")
    index = json.loads(objects.path(accuracy["outputs"]).read_text())
    outputs = np.load(objects.path(index["outputs"]["detections"]["values"]))
    assert len(np.unique(outputs[:, 4:])) <= 6
    assert len(np.unique(outputs[:, :4])) > 100
