"""Scenes with a person: a portrait (NASA's of Eileen Collins, in the public domain) cut out by hand, on other grounds.

The outline was drawn for this project on the portrait of 512 x 512 pixels that scikit-image brings (`astronaut.png`).
"""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

SIDE = 512
OUTLINE = (
    (190, 25), (205, 20), (228, 15), (255, 20), (280, 35), (295, 60), (300, 85), (295, 110), (282, 128), (272, 131),
    (266, 150), (258, 174), (280, 185), (298, 210), (305, 235), (303, 258), (325, 254), (345, 275), (355, 300),
    (358, 346), (375, 345), (400, 345), (430, 352), (460, 375), (480, 405), (492, 440), (497, 465), (508, 475),
    (512, 512), (20, 512), (25, 480), (20, 410), (25, 340), (40, 290), (70, 250), (100, 225), (118, 215), (112, 195),
    (118, 175), (135, 158), (160, 150), (183, 148), (181, 125), (165, 115), (153, 90), (157, 65), (170, 40),
)  # fmt: skip
GROUNDS = ("coffee", "chelsea", "brick", "grass", "gravel", "rocket", "motorcycle_left")


def folder_of_people(folder: Path, pictures: Path, count: int, size: tuple[int, int], card: dict[str, object]) -> Path:
    """Write scenes with a COCO file of outlines.

    Args:
        folder: Where they go.
        pictures: Folder of scikit-image's pictures.
        count: Scenes.
        size: Their width and height.
        card: Their data card, but for the label.
    """
    (folder / "images").mkdir(parents=True)
    rng, outlines = np.random.default_rng(6), []
    portrait = Image.open(pictures / "astronaut.png").convert("RGB")
    for number in range(count):
        ground = GROUNDS[number % len(GROUNDS)]
        path = next(pictures.glob(f"{ground}.*"))
        scene = Image.open(path).convert("RGB").resize(size, Image.Resampling.BILINEAR)
        outline = _placed(rng, size)
        scene = _pasted(scene, portrait, outline)
        bright = np.asarray(scene, np.float64) * rng.uniform(0.75, 1.15)
        Image.fromarray(np.clip(bright, 0, 255).astype(np.uint8)).save(folder / "images" / f"{number:02}.png")
        outlines.append({"image_id": number, "category_id": 1, "segmentation": [outline.ravel().tolist()]})
    images = [{"id": number, "file_name": f"{number:02}.png"} for number in range(count)]
    coco = {"images": images, "categories": [{"id": 1, "name": "person"}], "annotations": outlines}
    (folder / "people.json").write_text(json.dumps(coco))
    label = {"coco": "people.json", "images": "images", "marks": "masks"}
    (folder / "card.json").write_text(json.dumps({**card, "label": label}))
    return folder


def _placed(rng: np.random.Generator, size: tuple[int, int]) -> NDArray[np.float64]:
    """Return the outline somewhere at the lower edge of a scene, perhaps mirrored; shape (k, 2)."""
    width, height = size
    side = height * rng.uniform(0.7, 1.0)
    corners = np.array(OUTLINE, np.float64) / SIDE
    if rng.random() < 0.5:
        corners[:, 0] = 1 - corners[:, 0]
    return corners * side + [rng.uniform(0, width - side), height - side]


def _pasted(scene: Image.Image, portrait: Image.Image, outline: NDArray[np.float64]) -> Image.Image:
    """Return the scene with the person inside the outline."""
    source = np.array(OUTLINE, np.float64)
    # The outline is a scaled, shifted and perhaps mirrored copy: two corners give the map back to the portrait.
    ones = np.column_stack([outline, np.ones(len(outline))])
    to_source, *_ = np.linalg.lstsq(ones, source, rcond=None)
    back = tuple(to_source.T.ravel().tolist())
    person = portrait.transform(scene.size, Image.Transform.AFFINE, back, Image.Resampling.BILINEAR)
    cut = Image.new("L", scene.size)
    ImageDraw.Draw(cut).polygon([tuple(corner) for corner in outline.tolist()], fill=255)
    return Image.composite(person, scene, cut)
