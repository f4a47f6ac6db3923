"""Decoders against their definitions: boxes put into a head come out of it."""

from collections.abc import Mapping
from importlib.metadata import EntryPoint, EntryPoints
from itertools import groupby
from typing import Any

import numpy as np
import onnxruntime
import pytest
from data_desk import Desk, scenes
from numpy.typing import NDArray
from onnx import TensorProto, helper
from pydantic import TypeAdapter

from edgewright.state.errors import Code, Refused
from edgewright.tools.datasets.decoding import Decoder
from edgewright.tools.probe.columns import Column
from edgewright.tools.validate import decoders
from edgewright.tools.validate.decoders import answers_of, decode_by
from edgewright.tools.validate.heads import UnfitOutputError, suppress

Array = NDArray[Any]
FRAME = (80, 160)
# Class, score, left, top, right, bottom.
BOXES = np.array([[2, 0.9, 10, 20, 50, 60], [0, 0.8, 100, 8, 140, 40], [1, 0.3, 0, 0, 16, 24]])
CLASSES = 3


def decoded(card: Mapping[str, object], frame: tuple[int, int] = FRAME, **outputs: Array) -> Array:
    decoder: Decoder = TypeAdapter(Decoder).validate_python({"score": 0.25, **card})
    return decode_by(decoder)({name: array.astype(np.float32) for name, array in outputs.items()}, frame)


def centred(boxes: Array) -> Array:
    return np.column_stack([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]])


def one_hot(boxes: Array) -> Array:
    return np.eye(CLASSES)[boxes[:, 0].astype(int)] * boxes[:, 1:2]


def test_a_yolo_head_since_version_8_is_boxes_then_scores_by_column() -> None:
    rows = np.column_stack([centred(BOXES[:, 2:]), one_hot(BOXES)])
    noise = np.column_stack([centred(BOXES[:, 2:]) + 1, one_hot(BOXES) * 0.2])
    made = decoded({"kind": "yolo-v8"}, out=np.concatenate([noise, rows]).T)
    np.testing.assert_allclose(made, BOXES, rtol=1e-5)


def test_a_yolo_head_of_version_5_multiplies_the_objectness() -> None:
    rows = np.column_stack([centred(BOXES[:, 2:]), np.full(3, 0.5), one_hot(BOXES) * 2])
    np.testing.assert_allclose(decoded({"kind": "yolo-v5"}, out=rows), BOXES, rtol=1e-5)


def test_a_place_that_scores_for_two_classes_gives_two_boxes() -> None:
    row = np.array([[30.0, 40, 40, 40, 0.9, 0.1, 0.6]])
    assert decoded({"kind": "yolo-v8"}, out=row.T)[:, :2].tolist() == [[0, pytest.approx(0.9)], [2, pytest.approx(0.6)]]


@pytest.mark.parametrize("order", ["ltrb", "tlbr", "centre"])
@pytest.mark.parametrize("units", ["pixels", "relative"])
@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("separate", [False, True])
def test_separate_outputs_of_boxes_and_scores(order: str, units: str, first: int, *, separate: bool) -> None:
    corners = BOXES[:, 2:] / ([FRAME[1], FRAME[0]] * 2 if units == "relative" else 1)
    places = {"ltrb": corners, "tlbr": corners[:, [1, 0, 3, 2]], "centre": centred(corners)}[order]
    card = {"kind": "ssd", "boxes": "b", "scores": "s", "order": order, "units": units, "first": first}
    if separate:
        made = decoded({**card, "classes": "c"}, b=places, s=BOXES[:, 1], c=BOXES[:, 0] + first)
    else:
        background = np.ones((3, first))  # scores high, and is no class
        made = decoded(card, b=places, s=np.column_stack([background, one_hot(BOXES)]))
    np.testing.assert_allclose(made, BOXES, rtol=1e-5, atol=1e-5)


def test_a_map_of_centres_has_a_box_at_each_peak() -> None:
    heat, sizes, offsets = np.zeros((CLASSES, 10, 20)), np.ones((2, 10, 20)), np.zeros((2, 10, 20))
    for kind, score, *corners in BOXES.tolist():
        x, y, width, height = centred(np.array([corners]))[0] / 8
        row, column = int(y), int(x)
        heat[int(kind), row, column] = score
        heat[int(kind), row, column + 1] = score - 0.01
        sizes[:, row, column] = width, height
        offsets[:, row, column] = x - column, y - row
    card = {"kind": "centre", "heatmap": "h", "sizes": "s", "offsets": "o"}
    np.testing.assert_allclose(decoded(card, h=heat, s=sizes, o=offsets), BOXES, rtol=1e-5, atol=1e-4)


def runtime_suppression(found: Array, overlap: float) -> Array:
    """Return what ONNX's NonMaxSuppression keeps, computed by ONNX Runtime."""
    node = helper.make_node("NonMaxSuppression", ["b", "s", "most", "overlap"], ["kept"])
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("b", "s", "overlap")]
    inputs.append(helper.make_tensor_value_info("most", TensorProto.INT64, None))
    output = helper.make_tensor_value_info("kept", TensorProto.INT64, None)
    model = helper.make_model(
        helper.make_graph([node], "n", inputs, [output]), opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    )
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    scores = np.where(np.arange(CLASSES)[:, None] == found[:, 0], found[:, 1], -1).astype(np.float32)
    feeds = {
        "b": found[None, :, 2:].astype(np.float32),
        "s": scores[None],
        "most": np.array([len(found)]),
        "overlap": np.array([overlap], np.float32),
    }
    kept = session.run(None, feeds)[0]
    rows = found[[place for _, kind, place in kept.tolist() if scores[kind, place] >= 0]]
    return rows[np.argsort(-rows[:, 1], kind="stable")]


@pytest.mark.parametrize("seed", range(8))
def test_suppression_as_onnx_defines_it_also_over_several_blocks(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgewright.tools.validate.heads.SUPPRESSED_AT_ONCE", 64)
    rng = np.random.default_rng(seed)
    corners = rng.random((300, 2)) * 60
    found = np.column_stack([rng.integers(0, CLASSES, 300), rng.permutation(300) / 300, corners, corners + 20])
    np.testing.assert_array_equal(suppress(found, 0.5, 300), runtime_suppression(found, 0.5))
    np.testing.assert_array_equal(suppress(found, 0.5, 7), suppress(found, 0.5, 300)[:7])


def test_no_box_is_an_answer_too() -> None:
    assert decoded({"kind": "yolo-v8"}, out=np.zeros((7, 5))).shape == (0, 6)


@pytest.mark.parametrize("axis", ["first", "last"])
def test_the_best_class_of_every_pixel(axis: str) -> None:
    classes = np.random.default_rng(0).integers(0, 5, (6, 7))
    scores = np.moveaxis(np.eye(5)[classes], 2, 0 if axis == "first" else 2)
    decoder: Decoder = TypeAdapter(Decoder).validate_python({"kind": "segmentation", "classes": axis})
    np.testing.assert_array_equal(decode_by(decoder)({"out": scores}, FRAME), classes)


def test_a_single_score_a_pixel_is_compared_with_the_threshold() -> None:
    decoder: Decoder = TypeAdapter(Decoder).validate_python({"kind": "segmentation", "threshold": 0.3})
    assert decode_by(decoder)({"out": np.array([[[0.2, 0.3], [0.9, 0]]])}, FRAME).tolist() == [[0, 1], [1, 0]]


@pytest.mark.parametrize("blank", [0, 3, -1])
def test_text_is_the_best_path_without_repeats_and_blanks(blank: int) -> None:
    alphabet, rng = "ab漢", np.random.default_rng(1)
    characters = [*alphabet]
    characters.insert(blank if blank >= 0 else len(alphabet), "")
    decoder: Decoder = TypeAdapter(Decoder).validate_python({"kind": "ctc", "alphabet": alphabet, "blank": blank})
    for _ in range(20):
        path = rng.integers(0, 4, 15)
        made = decode_by(decoder)({"out": np.eye(4)[path]}, FRAME)
        assert "".join(map(chr, made)) == "".join(characters[place] for place, _ in groupby(path.tolist()))


def test_the_best_tag_of_every_place() -> None:
    decoder: Decoder = TypeAdapter(Decoder).validate_python({"kind": "tags"})
    assert decode_by(decoder)({"out": np.eye(3)[[2, 0, 1]]}, FRAME).tolist() == [2, 0, 1]


@pytest.mark.parametrize(
    ("card", "outputs", "said"),
    [
        ({"kind": "yolo-v8"}, {"out": np.zeros((4, 9))}, "5 or more numbers"),
        ({"kind": "yolo-v8"}, {"out": np.zeros(9)}, "not the shape (9,)"),
        ({"kind": "ssd", "boxes": "b", "scores": "s"}, {"b": np.zeros((3, 4)), "x": np.zeros(3)}, "it has b, x"),
        ({"kind": "ssd", "boxes": "b", "scores": "s"}, {"b": np.zeros((3, 4)), "s": np.zeros((4, 2))}, "3 boxes"),
        (
            {"kind": "ssd", "boxes": "b", "scores": "s", "classes": "c"},
            {"b": np.zeros((3, 4)), "s": np.zeros(3), "c": np.zeros(2)},
            "2 classes",
        ),
        ({"kind": "ssd", "boxes": "b", "scores": "s"}, {"b": np.zeros(7), "s": np.zeros((4, 2))}, "four numbers a box"),
        (
            {"kind": "centre", "heatmap": "h", "sizes": "s"},
            {"h": np.zeros((3, 4, 4)), "s": np.zeros((2, 4, 5))},
            "do not belong together",
        ),
    ],
)
def test_outputs_that_are_not_what_the_card_says(card: dict[str, object], outputs: dict[str, Array], said: str) -> None:
    with pytest.raises(UnfitOutputError) as caught:
        decoded(card, **outputs)
    assert said in str(caught.value)


def test_an_alphabet_of_another_length_is_refused_with_both(desk: Desk) -> None:
    card = {"inputs": {"x": {"kind": "tensor", "array": "x"}}, "decoder": {"kind": "ctc", "alphabet": "abc"}}
    data = desk.open(desk.npz(x=np.zeros((2, 3))), card)
    with pytest.raises(Refused) as caught:
        answers_of({"out": Column(np.zeros((2, 5, 9)))}, data, desk.workspace)
    refusal = caught.value.refusal
    assert (refusal.code, refusal.facts["sample"]) == (Code.METRIC_MISMATCH, 0)
    assert "scores 9 classes a step, and the alphabet with the blank has 4" in refusal.why


def frame_sized(outputs: Mapping[str, Array], frame: tuple[int, int]) -> Array:
    """A decoder as an operator might install it."""
    return np.array([[0, outputs["out"].sum(), 0, 0, frame[1], frame[0]]])


def test_an_installed_decoder_gets_the_outputs_and_the_size_of_the_input(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = EntryPoints([EntryPoint("whole", f"{__name__}:frame_sized", decoders.GROUP)])
    monkeypatch.setattr(EntryPoint, "load", lambda entry: globals()[entry.attr])
    monkeypatch.setattr(decoders, "entry_points", found.select)
    entry = {"kind": "image", "resize": {"height": 8, "width": 20}, "layout": "NHWC"}
    card = {"inputs": {"x": entry}, "decoder": {"kind": "installed", "name": "whole", "answers": "boxes"}}
    data = desk.open(desk.npz(image=scenes(2)), card)
    made = answers_of({"out": Column(np.ones((2, 3)))}, data, desk.workspace)
    assert made["boxes"][1].tolist() == [[0, 3, 0, 0, 20, 8]]
    card["decoder"] = {"kind": "installed", "name": "other", "answers": "boxes"}
    with pytest.raises(Refused, match="the installed ones are"):
        answers_of({"out": Column(np.ones((2, 3)))}, desk.open(desk.npz(image=scenes(2)), card), desk.workspace)
