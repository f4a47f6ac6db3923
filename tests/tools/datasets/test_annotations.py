"""Boxes in COCO, YOLO and Pascal VOC files: the same boxes from each, and a place for everything that is wrong."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data_desk import Card, Desk, picture, with_fields

from edgewright.state.errors import Code

NAMES = ["cat", "dog"]
# Two pictures of 40 x 80 and 60 x 30 pixels (height x width) and one without a box; class, left, top, right, bottom.
SIZES = ((40, 80), (60, 30), (20, 20))
TRUTH: list[list[list[float]]] = [[[1, 8, 4, 40, 20], [0, 40, 10, 80, 40]], [[0, 3, 6, 30, 60]], []]
KEYS = {
    "coco": {"coco": "boxes.json", "images": "images"},
    "yolo": {"yolo": "labels", "images": "images"},
    "voc": {"voc": "labels", "images": "images"},
}


def card(notation: str, **fields: object) -> Card:
    image = {"kind": "image", "resize": {"height": 32, "width": 32, "fit": "letterbox"}}
    decoder = {"kind": "yolo-v8"}
    return {"inputs": {"x": image}, "label": KEYS[notation], "classes": NAMES, "decoder": decoder, **fields}


def coco() -> dict[str, Any]:
    return {
        "images": [{"id": 7 + n, "file_name": f"{n}.png"} for n in range(3)],
        "categories": [{"id": 1, "name": "dog"}, {"id": 5, "name": "cat"}],
        "annotations": [
            {"image_id": 7 + n, "category_id": [5, 1][int(kind)], "bbox": [a, b, c - a, d - b], "iscrowd": 0}
            for n, boxes in enumerate(TRUTH)
            for kind, a, b, c, d in boxes
        ],
    }


def written(desk: Desk, notation: str) -> Path:
    folder = desk.root / "set"
    rng = np.random.default_rng(0)
    for number, size in enumerate(SIZES):
        picture(folder / "images" / f"{number}.png", rng.integers(0, 255, (*size, 3), np.uint8))
    (folder / "labels").mkdir()
    if notation == "coco":
        (folder / "boxes.json").write_text(json.dumps(coco()))
    for number, ((height, width), boxes) in enumerate(zip(SIZES, TRUTH, strict=True)):
        if notation == "yolo" and boxes:
            lines = [
                f"{kind} {(a + c) / 2 / width} {(b + d) / 2 / height} {(c - a) / width} {(d - b) / height}"
                for kind, a, b, c, d in boxes
            ]
            (folder / "labels" / f"{number}.txt").write_text("\n".join(lines))
        if notation == "voc":
            (folder / "labels" / f"{number}.xml").write_text(
                f"<annotation>{''.join(map(voc_object, boxes))}</annotation>"
            )
    return folder


def voc_object(box: list[float], difficult: int = 0) -> str:
    kind, a, b, c, d = box
    corners = f"<xmin>{a + 1}</xmin><ymin>{b + 1}</ymin><xmax>{c}</xmax><ymax>{d}</ymax>"
    name = f"<name>{NAMES[int(kind)]}</name><difficult>{difficult}</difficult>"
    return f"<object>{name}<bndbox>{corners}</bndbox></object>"


@pytest.mark.promise("P9")
@pytest.mark.parametrize("notation", KEYS)
def test_boxes_lie_where_the_model_sees_them(desk: Desk, notation: str) -> None:
    data = desk.open(written(desk, notation), card(notation))
    assert data.labels is not None
    # 80 x 40 becomes 32 x 16, 8 pixels down; 30 x 60 becomes 16 x 32, 8 pixels to the right.
    expected = [
        np.array([[1, 3.2, 9.6, 16, 16, 0], [0, 16, 12, 32, 24, 0]]),
        np.array([[0, 1.6 + 8, 3.2, 16 + 8, 32, 0]]),
        np.zeros((0, 6)),
    ]
    for row, boxes in enumerate(expected):
        np.testing.assert_allclose(data.labels[row], boxes, atol=1e-6)


@pytest.mark.promise("P9")
@pytest.mark.parametrize("fit", ["stretch", "shorter_side", "letterbox"])
def test_a_box_encloses_the_same_pixels_as_before_whatever_is_done_to_the_picture(desk: Desk, fit: str) -> None:
    pixels = np.zeros((40, 80), np.uint8)
    pixels[8:24, 32:64] = 255
    boxes = np.array([[0, 32, 8, 64, 24]])
    path = desk.npz(image=pixels[None], **{"y": boxes.ravel(), "y.shapes": np.array([[1, 5]])})
    image = {"kind": "image", "colour": "GRAY", "layout": "NHWC", "dtype": "uint8", "array": "image"}
    fitted = {**image, "resize": {"height": 40, "width": 40, "fit": fit, "interpolation": "nearest"}}
    data = desk.open(path, {"inputs": {"x": fitted}, "label": "y", "decoder": {"kind": "yolo-v8"}})
    assert data.labels is not None
    rows, columns = np.nonzero(data.inputs["x"][0][:, :, 0])
    enclosed = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    np.testing.assert_allclose(data.labels[0][0, 1:5], enclosed, atol=0.5)


def test_without_classes_in_the_card_cocos_categories_are_numbered_by_their_ids(desk: Desk) -> None:
    data = desk.open(written(desk, "coco"), card("coco", classes=None))
    assert data.card.classes == ("dog", "cat")
    assert data.labels is not None
    assert data.labels[0][:, 0].tolist() == [0, 1]
    assert "boxes of the first sample as the model sees it: dog (3, 10, 16, 16)" in " ".join(data.dataset.echo)


def test_crowds_and_difficult_objects_are_marked(desk: Desk) -> None:
    folder = written(desk, "coco")
    content = coco()
    content["annotations"][1]["iscrowd"] = 1
    (folder / "boxes.json").write_text(json.dumps(content))
    (folder / "labels" / "0.xml").write_text(f"<a>{voc_object(TRUTH[0][0])}{voc_object(TRUTH[0][1], 1)}</a>")
    for number in (1, 2):
        (folder / "labels" / f"{number}.xml").write_text("<a/>")
    for notation in ("coco", "voc"):
        labels = desk.open(folder, card(notation)).labels
        assert labels is not None
        assert labels[0][:, 5].tolist() == [0, 1]


def changed_coco(desk: Desk, change: Callable[[dict[str, Any]], object]) -> tuple[Code, str]:
    folder, content = written(desk, "coco"), coco()
    change(content)
    (folder / "boxes.json").write_text(json.dumps(content))
    refusal = desk.refusal(folder, card("coco"))
    return refusal.code, f"{refusal.what}: {refusal.why}"


def set_box(content: dict[str, Any], box: list[float]) -> None:
    content["annotations"][1]["bbox"] = box


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda c: set_box(c, [90, 0, 5, 5]),
            "annotations[1]: the box (90, 0, 95, 5) lies outside its picture of 80 x 40",
        ),
        (lambda c: set_box(c, [9, 9, 0, 5]), "annotations[1]: the box (9, 9, 9, 14) has no area"),
        (lambda c: set_box(c, [9, 9, float("nan"), 5]), "annotations[1].bbox[2]"),
        (lambda c: set_box(c, [9, 9, 5]), "annotations[1].bbox[3]: Field required"),
        (lambda c: c["annotations"][0].update(category_id=9), "annotations[0] names a category"),
        (lambda c: c["annotations"][0].update(image_id=99), "annotations[0] names a picture"),
        (lambda c: c["categories"][0].update(name="wolf"), "not among the card's 2 classes: wolf"),
        (lambda c: c.pop("images"), "images: Field required"),
        (lambda c: c["images"][0].update(file_name="gone.png"), "gone.png"),
        (lambda c: c["images"][0].update(file_name="../../secret.png"), "climbs"),
    ],
)
def test_what_is_wrong_in_a_coco_file_is_refused_with_its_place(
    desk: Desk, change: Callable[[dict[str, Any]], object], said: str
) -> None:
    assert said in changed_coco(desk, change)[1]


def test_a_file_that_is_no_coco_is_refused(desk: Desk) -> None:
    folder = written(desk, "coco")
    (folder / "boxes.json").write_text("[1, 2")
    assert desk.refusal(folder, card("coco")).code is Code.DATA_INVALID


def test_a_box_that_reaches_out_of_its_picture_is_reported(desk: Desk) -> None:
    folder, content = written(desk, "coco"), coco()
    set_box(content, [60, 10, 40, 20])
    (folder / "boxes.json").write_text(json.dumps(content))
    assert "boxes of 1 samples reach out of their pictures, the first of sample 0" in " ".join(
        desk.prepare(folder, card("coco")).echo
    )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("0 0.5 0.5 0.2", "line 2 is no box"),
        ("dog 0.5 0.5 0.2 0.2", "line 2 is no box"),
        ("2 0.5 0.5 0.2 0.2", "line 2: the class 2 is unknown"),
        ("0.5 0.5 0.5 0.2 0.2", "line 2: the class 0.5 is unknown"),
        ("0 40 20 10 10", "line 2: a share is not between 0 and 1"),
        ("0 nan 0.5 0.2 0.2", "line 2: a share is not between 0 and 1"),
        ("0 0.5 0.5 0 0.2", "line 2: the box (40, 16, 40, 24) has no area"),
    ],
)
def test_what_is_wrong_in_a_yolo_file_is_refused_with_its_line(desk: Desk, line: str, said: str) -> None:
    folder = written(desk, "yolo")
    (folder / "labels" / "0.txt").write_text(f"0 0.5 0.5 0.5 0.5\n{line}\n")
    refusal = desk.refusal(folder, card("yolo"))
    assert (refusal.code, said in refusal.why, "labels/0.txt" in refusal.what) == (Code.DATA_INVALID, True, True)


def test_pictures_without_a_yolo_file_have_no_box_and_are_counted(desk: Desk) -> None:
    echo = desk.prepare(written(desk, "yolo"), card("yolo")).echo
    assert "1 of 3 pictures have no label file and so no box" in echo


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("<annotation>", "it is no XML"),
        ('<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', "declares a document type"),
        ("<a><object><name>wolf</name></object></a>", "object 1: the class 'wolf' is not among the card's 2"),
        ("<a><object><name>cat</name><bndbox><xmin>1</xmin></bndbox></object></a>", "object 1: its box lacks a number"),
        (f"<a>{voc_object([0, 90, 0, 99, 9])}</a>", "object 1: the box (90, 0, 99, 9) lies outside"),
    ],
)
def test_what_is_wrong_in_a_voc_file_is_refused_with_its_object(desk: Desk, content: str, said: str) -> None:
    folder = written(desk, "voc")
    (folder / "labels" / "0.xml").write_text(content)
    refusal = desk.refusal(folder, card("voc"))
    assert (refusal.code, said in refusal.why, "labels/0.xml" in refusal.what) == (Code.DATA_INVALID, True, True)


def test_a_missing_voc_file_is_refused(desk: Desk) -> None:
    folder = written(desk, "voc")
    (folder / "labels" / "1.xml").unlink()
    assert desk.refusal(folder, card("voc")).code is Code.NOT_FOUND


def test_cards_that_cannot_go_with_boxes_are_refused(desk: Desk) -> None:
    folder = written(desk, "voc")
    assert "Pascal VOC names classes" in desk.refusal(folder, card("voc", classes=None)).why
    cropped = with_fields(card("coco"), crop={"height": 8, "width": 8})
    (folder / "boxes.json").write_text(json.dumps(coco()))
    assert "cut through" in desk.refusal(folder, cropped).why
    boxes = {"y": np.array([0.0, 1, 1, 2, 2]), "y.shapes": np.array([[1, 5]])}
    tensor = {"inputs": {"x": {"kind": "tensor", "array": "x"}}, "label": "y", "decoder": {"kind": "yolo-v8"}}
    assert "no input is a picture" in desk.refusal(desk.npz(x=np.zeros((1, 3)), **boxes), tensor).why


@pytest.mark.parametrize(
    ("boxes", "said"),
    [
        ([[5, 1, 1, 2, 2]], "sample 0 has a box of no class"),
        ([[0.5, 1, 1, 2, 2]], "sample 0 has a box of no class"),
        ([[0, 1, 1, 2, np.inf]], "NaN or infinite"),
        ([[0, 5, 1, 2, 2]], "sample 0, box 0: the box (5, 1, 2, 2) has no area"),
        ([[0, 1, 1]], "the label of sample 0 has the shape (1, 3)"),
    ],
)
def test_what_is_wrong_with_boxes_in_an_npz_is_refused_with_its_sample(
    desk: Desk, boxes: list[list[float]], said: str
) -> None:
    array = np.array(boxes)
    path = desk.npz(image=np.zeros((1, 8, 8), np.uint8), **{"y": array.ravel(), "y.shapes": np.array([array.shape])})
    plain: Card = {"inputs": {"x": {"kind": "image"}}, "label": "y", "classes": NAMES, "decoder": {"kind": "yolo-v8"}}
    assert said in desk.refusal(path, plain).why
