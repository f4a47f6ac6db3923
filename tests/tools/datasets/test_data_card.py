"""What a data card may say, and how a wrong one is answered."""

import json
from pathlib import Path

import numpy as np
import pytest
from data_desk import IMAGE_CARD, Card, Desk, picture, scenes, with_fields

from edgewright.state.errors import Code, Refused
from edgewright.tools.datasets.card import example_card, parse_card
from edgewright.tools.datasets.guide import CARD_GUIDE

NAMED = {"inputs": {"x": {"kind": "image"}}}


def image(**fields: object) -> Card:
    return with_fields(IMAGE_CARD, **fields)


@pytest.mark.parametrize(
    ("card", "field"),
    [
        ({}, "inputs"),
        ({"inputs": {}}, "inputs"),
        ({"inputs": {"x": {}}}, "inputs.x.kind"),
        ({"inputs": {"x": {"kind": "video"}}}, "inputs.x.kind"),
        (image(sclae=1), "inputs.x.sclae"),
        (image(scale="1/255"), "inputs.x.scale"),
        (image(scale=float("nan")), "inputs.x.scale"),
        (image(mean=[0.1, "a", 0.2]), "inputs.x.mean.1"),
        (image(mean=True), "inputs.x.mean.0"),
        (image(std=[0.0]), "inputs.x.std.0"),
        (image(dtype="complex64"), "inputs.x.dtype"),
        (image(layout="CHW"), "inputs.x.layout"),
        (image(colour="HSV"), "inputs.x.colour"),
        (image(resize={"height": 0, "width": 4}), "inputs.x.resize.height"),
        (image(resize={"height": 4, "width": 4, "fit": "fill"}), "inputs.x.resize.fit"),
        (image(crop={"height": 4}), "inputs.x.crop.width"),
        ({**NAMED, "label": 3}, "label"),
        ({**NAMED, "label": {"csv": "a.csv"}}, "label"),
        ({**NAMED, "classes": []}, "classes"),
        ({**NAMED, "labels": "y"}, "labels"),
    ],
)
@pytest.mark.promise("P9")
def test_a_wrong_field_is_named_with_an_example_of_a_right_one(card: Card, field: str) -> None:
    with pytest.raises(Refused) as caught:
        parse_card(json.dumps(card), "the card")
    refusal = caught.value.refusal
    assert (refusal.code, refusal.facts["field"]) == (Code.CARD_INVALID, field)
    assert field in refusal.why
    assert '"' in refusal.do
    assert "pydantic" not in refusal.sentence


@pytest.mark.parametrize(
    ("card", "said"),
    [
        (image(dtype="uint8", scale=0.5), "floating dtype"),
        (image(scale=0), "a scale of 0"),
        (image(mean=[0.1, 0.2]), "mean has 2 numbers, and RGB has 3"),
        (image(std=[0.1, 0.2, 0.3], colour="GRAY"), "std has 3 numbers, and GRAY has 1"),
        ({**NAMED, "classes": ["cat", "cat"]}, "a class twice"),
    ],
)
def test_fields_that_contradict_each_other_are_refused(card: Card, said: str) -> None:
    with pytest.raises(Refused, match=said) as caught:
        parse_card(json.dumps(card), "the card")
    assert caught.value.refusal.code is Code.CARD_INVALID


@pytest.mark.parametrize("text", ["", "[]", "null", "{", '{"inputs":' * 100_000, "\x00", b"\xff\xfe{"])
def test_text_that_is_no_card_is_refused(text: str | bytes) -> None:
    with pytest.raises(Refused) as caught:
        parse_card(text, "the card")
    assert caught.value.refusal.code is Code.CARD_INVALID
    assert len(caught.value.refusal.sentence) < 800


def test_one_number_stands_for_a_list_of_one() -> None:
    one, listed = (parse_card(json.dumps(image(mean=m, std=s)), "") for m, s in ((0.5, 2), ([0.5], [2.0])))
    assert one == listed


@pytest.mark.promise("P9")
def test_digests_know_meaning_from_spelling() -> None:
    def digests(card: Card) -> tuple[str, str]:
        parsed = parse_card(json.dumps(card), "")
        return parsed.digest, parsed.preprocessing_digest

    plain = digests(image())
    assert digests(image(colour="RGB", layout="NCHW", scale=1)) == plain
    assert digests(image(layout="NHWC"))[1] != plain[1]
    assert digests(image(mean=1e-9))[1] != plain[1]
    other_array = digests(image(array="pixels"))
    assert (other_array[0] != plain[0], other_array[1]) == (True, plain[1])


@pytest.mark.parametrize(
    "text", [example_card(), example_card("x", image=False, label=None), example_card(label="folder")]
)
def test_the_examples_in_refusals_are_cards(text: str) -> None:
    parse_card(text, "")


def test_the_example_in_the_guide_is_a_card() -> None:
    parse_card(CARD_GUIDE.split("```json")[1].split("```")[0], "")


def test_a_card_beside_an_npz_is_found(desk: Desk) -> None:
    path = desk.npz(image=scenes(3))
    (desk.root / "data.card.json").write_text(json.dumps(image(colour="GRAY")))
    assert desk.prepare(path, None).card["inputs"]["x"]["colour"] == "GRAY"  # type: ignore[index]


def test_a_card_inside_a_folder_is_found_and_is_no_picture(desk: Desk) -> None:
    picture(desk.root / "set" / "a.png", scenes(1)[0, :, :, 0])
    (desk.root / "set" / "card.json").write_text(json.dumps(IMAGE_CARD))
    prepared = desk.prepare(desk.root / "set", None)
    assert (prepared.n, [line for line in prepared.echo if "left out" in line]) == (1, [])


def test_a_card_in_the_call_comes_before_one_beside_the_data(desk: Desk) -> None:
    path = desk.npz(image=scenes(3))
    (desk.root / "data.card.json").write_text("not read")
    desk.prepare(path, IMAGE_CARD)


@pytest.mark.promise("P9")
def test_a_missing_card_is_answered_with_one_that_fits_the_data(desk: Desk) -> None:
    path = desk.npz(pixels=scenes(3), kinds=np.arange(3))
    refusal = desk.refusal(path, None)
    assert (refusal.code, refusal.facts["expected_at"]) == (Code.CARD_MISSING, str(desk.root / "data.card.json"))
    card = parse_card(refusal.do[refusal.do.index("{") :], "")
    (entry,) = card.inputs.values()
    assert (entry.kind, entry.array, card.label) == ("image", "pixels", "kinds")
    desk.prepare(path, json.loads(refusal.do[refusal.do.index("{") :]))


def test_a_missing_card_of_a_folder_says_where_it_belongs(desk: Desk) -> None:
    picture(desk.root / "a.png", scenes(1)[0, :, :, 0])
    assert desk.refusal(desk.root, None).facts["expected_at"] == str(desk.root / "card.json")


def test_a_card_behind_a_link_is_refused(desk: Desk, tmp_path: Path) -> None:
    path = desk.npz(image=scenes(3))
    (tmp_path / "elsewhere.json").write_text(json.dumps(IMAGE_CARD))
    (desk.root / "data.card.json").symlink_to(tmp_path / "elsewhere.json")
    assert desk.refusal(path, None).code is Code.PATH_IS_LINK


def test_a_card_of_megabytes_is_refused(desk: Desk) -> None:
    path = desk.npz(image=scenes(3))
    (desk.root / "data.card.json").write_text(" " * (2 << 20))
    assert desk.refusal(path, None).code is Code.DATA_INVALID


def test_a_card_in_the_call_that_is_no_json_is_refused(desk: Desk) -> None:
    deep: object = 1
    for _ in range(100_000):
        deep = [deep]
    for content in (deep, {1, 2}):
        assert desk.refusal(desk.npz(image=scenes(3)), {"inputs": content}).code is Code.CARD_INVALID


@pytest.mark.promise("P9")
def test_a_card_in_the_call_that_overrules_another_one_is_reported_with_the_differing_fields(desk: Desk) -> None:
    path = desk.npz(x=np.zeros((2, 3)), y=np.arange(2))
    entry = {"kind": "tensor", "array": "x"}
    beside = desk.root / "data.card.json"
    beside.write_text(json.dumps({"inputs": {"x": {**entry, "scale": 0.5}}, "label": "y"}))
    said = f"the card in the call was used instead of the one at {beside}, which differs in inputs.x.scale, label"
    assert said in desk.prepare(path, {"inputs": {"x": entry}}).echo
    same = desk.prepare(path, {"label": "y", "inputs": {"x": {**entry, "scale": 0.5, "std": 1}}})
    assert not any("instead of" in said for said in same.echo)
    assert same.digest == desk.prepare(path, None).digest
    beside.write_text("{")
    assert any(f"the one at {beside} cannot be: " in said for said in desk.prepare(path, {"inputs": {"x": entry}}).echo)


def test_a_card_in_the_call_for_a_folder_that_has_one_is_reported_too(desk: Desk) -> None:
    folder = desk.root / "set"
    picture(folder / "a.png", np.zeros((8, 8), np.uint8))
    (folder / "card.json").write_text(json.dumps({"inputs": {"x": {"kind": "image"}}}))
    echo = desk.prepare(folder, {"inputs": {"x": {"kind": "image", "colour": "BGR"}}}).echo
    assert any("which differs in inputs.x.colour" in said for said in echo)
