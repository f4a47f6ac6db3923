"""Masks drawn from the outlines of COCO files: polygons and runs, and a place for everything that is wrong."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data_desk import Array, Card, Desk, picture
from pycocotools import mask as packed

from edgewright.state.errors import Code

HEIGHT, WIDTH = 20, 40
NAMES = ["background", "cat", "dog"]
IMAGE = {"kind": "image", "colour": "GRAY", "layout": "NHWC", "dtype": "uint8"}
LABEL = {"coco": "outlines.json", "images": "images", "marks": "masks"}


def square(left: int, top: int, right: int, bottom: int) -> Array:
    """Return a mask of a rectangle."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[top:bottom, left:right] = 1
    return mask


def runs(mask: Array) -> dict[str, Any]:
    """Return a mask as lengths of runs, column by column, zeros first."""
    flat = np.append(np.insert(mask.ravel(order="F"), 0, 0), 2)
    ends = np.flatnonzero(np.diff(flat.astype(int))) + 1
    counts = np.diff(np.insert(ends - 1, 0, 0)).tolist()
    return {"counts": counts, "size": list(mask.shape)}


def outlines(**segmentations: object) -> dict[str, Any]:
    """Return a file of one picture with a cat and a dog, or other outlines by the names of their classes."""
    given = segmentations or {"cat": [[2, 4, 12, 4, 12, 10, 2, 10]], "dog": runs(square(20, 5, 30, 15))}
    return {
        "images": [{"id": 3, "file_name": "a.png"}],
        "categories": [{"id": 7, "name": "cat"}, {"id": 9, "name": "dog"}],
        "annotations": [
            {"image_id": 3, "category_id": 7 if name.startswith("cat") else 9, "segmentation": outline, "iscrowd": 0}
            for name, outline in given.items()
        ],
    }


def card(**fields: object) -> Card:
    return {"inputs": {"x": IMAGE}, "label": LABEL, "classes": NAMES, "decoder": {"kind": "segmentation"}, **fields}


def written(desk: Desk, content: object) -> Path:
    folder = desk.root / "set"
    picture(folder / "images" / "a.png", np.full((HEIGHT, WIDTH), 90, np.uint8))
    (folder / "outlines.json").write_text(json.dumps(content))
    return folder


def mask_of(desk: Desk, content: object, **fields: object) -> Array:
    labels = desk.open(written(desk, content), card(**fields)).labels
    assert labels is not None
    return labels[0]


@pytest.mark.promise("P9")
def test_polygons_and_runs_become_one_mask(desk: Desk) -> None:
    expected = square(2, 4, 12, 10) + 2 * square(20, 5, 30, 15)
    np.testing.assert_array_equal(mask_of(desk, outlines()), expected)


@pytest.mark.parametrize("seed", range(3))
def test_packed_runs_are_the_same_as_plain_ones(desk: Desk, seed: int) -> None:
    mask = square(3, 0, 9, 20) | square(0, 7, 40, 9)
    if seed:
        mask ^= (np.random.default_rng(seed).random(mask.shape) < 0.1 * seed).astype(np.uint8)
    text = packed.encode(np.asfortranarray(mask))["counts"].decode()
    for outline in (runs(mask), {"counts": text, "size": [HEIGHT, WIDTH]}):
        np.testing.assert_array_equal(mask_of(desk, outlines(cat=outline)), mask)


def test_pixels_of_a_crowd_and_of_two_classes_do_not_count(desk: Desk) -> None:
    content = outlines(cat=runs(square(0, 0, 10, 10)), dog=runs(square(5, 0, 15, 10)), cat2=runs(square(30, 0, 40, 10)))
    content["annotations"][2]["iscrowd"] = 1
    mask = mask_of(desk, content)
    assert (mask[:10, :5] == 1).all()
    assert (mask[:10, 5:10] == 255).all()
    assert (mask[:10, 10:15] == 2).all()
    assert (mask[:10, 30:] == 255).all()


def test_two_outlines_of_one_class_are_one_area(desk: Desk) -> None:
    mask = mask_of(desk, outlines(cat=runs(square(0, 0, 10, 10)), cat2=runs(square(5, 0, 15, 10))))
    np.testing.assert_array_equal(mask, square(0, 0, 15, 10))


def test_without_a_class_for_the_rest_the_rest_does_not_count_and_the_echo_says_so(desk: Desk) -> None:
    data = desk.open(written(desk, outlines()), card(classes=None))
    assert data.labels is not None
    assert np.unique(data.labels[0]).tolist() == [0, 1, 255]
    assert data.card.classes == ("cat", "dog")
    assert any("do not count: no class is called background" in said for said in data.dataset.echo)


def change(**fields: object) -> Callable[[dict[str, Any]], None]:
    return lambda content: content["annotations"][0].update(fields)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (change(segmentation=[[1, 2, 3, 4]]), "annotations[0].segmentation.polygons[0]"),
        (change(segmentation=[[1, 2, 3, 4, 5, 6, 7]]), "annotations[0]: an outline has 7 numbers"),
        (change(segmentation=[[1, 2, float("nan"), 4, 5, 6]]), "annotations[0].segmentation.polygons[0][2]"),
        (change(segmentation=[[50, 2, 60, 4, 55, 6]]), "lies outside its picture of 40 x 20"),
        (change(segmentation=[[0, 0, 1e9, 0, 5, 5]]), "lies outside its picture of 40 x 20"),
        (change(segmentation=[]), "annotations[0].segmentation.polygons"),
        (change(segmentation={"counts": [3, 4], "size": [20, 40]}), "add up to 7 pixels, not 800"),
        (change(segmentation={"counts": [0, 801], "size": [20, 40]}), "add up to 801 pixels, not 800"),
        (change(segmentation={"counts": "34", "size": [20, 40]}), "add up to 7 pixels, not 800"),
        (change(segmentation={"counts": "zzzzzz", "size": [20, 40]}), "its packed runs cannot be read (after 0 runs)"),
        (change(segmentation={"counts": "34X", "size": [20, 40]}), "cannot be read (it ends too early)"),
        (change(segmentation={"counts": "", "size": [20, 40]}), "cannot be read (it ends too early)"),
        (change(segmentation={"counts": [800], "size": [40, 20]}), "of a picture of 20 x 40, and it is 40 x 20"),
        (change(segmentation={"counts": [-3, 803], "size": [20, 40]}), "annotations[0].segmentation.runs.counts"),
        (change(category_id=1), "annotations[0] names a category that the file does not list"),
        (change(image_id=1), "annotations[0] names a picture that the file does not list"),
    ],
)
def test_what_is_wrong_with_an_outline_is_refused_with_its_place(
    desk: Desk, wrong: Callable[[dict[str, Any]], None], said: str
) -> None:
    content = outlines()
    wrong(content)
    refusal = desk.refusal(written(desk, content), card())
    assert (refusal.code, said in refusal.why, "outlines.json" in refusal.what) == (Code.DATA_INVALID, True, True)


@pytest.mark.promise("P9")
def test_a_label_that_the_decoder_contradicts_is_refused(desk: Desk) -> None:
    folder = written(desk, outlines())
    boxes = {"label": {**LABEL, "marks": "boxes"}}
    assert "marks boxes, and its decoder gives map" in desk.refusal(folder, card(**boxes)).why
    assert "marks masks, and its decoder gives boxes" in desk.refusal(folder, card(decoder={"kind": "yolo-v8"})).why
