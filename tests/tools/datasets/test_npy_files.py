"""Arrays in files of their own: several named inputs, a state, lengths that differ, and everything wrong with them."""

from pathlib import Path

import numpy as np
import pytest
from data_desk import TENSOR_CARD, Array, Card, Desk, picture

from edgewright.state.errors import Code

RNG = np.random.default_rng(3)
SOUND, STATE = RNG.standard_normal((5, 3000)).astype(np.float32), np.zeros((5, 2, 4), np.float32)
LENGTHS = np.array([[3], [1], [4], [2], [6]], np.int64)
WORDS = RNG.integers(0, 9, int(LENGTHS.sum()))
CARD: Card = {
    "inputs": {
        "input": {"kind": "tensor", "array": "sound", "scale": 2.0},
        "state": {"kind": "tensor", "array": "state"},
        "words": {"kind": "tensor", "array": "words", "dtype": "int64"},
    },
    "label": "label",
}


def written(desk: Desk, **arrays: Array) -> Path:
    folder = desk.root / "set"
    folder.mkdir(exist_ok=True)
    given = {"sound": SOUND, "state": STATE, "words": WORDS, "words.shapes": LENGTHS, "label": np.arange(5)}
    for name, array in {**given, **arrays}.items():
        np.save(folder / f"{name}.npy", array)
    return folder


@pytest.mark.promise("P9")
def test_a_folder_of_arrays_is_read_as_an_archive_of_them_is(desk: Desk) -> None:
    folder = written(desk)
    archive = desk.npz(**{path.stem: np.load(path) for path in folder.glob("*.npy")})
    one, other = desk.open(folder, CARD), desk.open(archive, CARD)
    assert one.dataset.digest == other.dataset.digest
    np.testing.assert_array_equal(one.inputs["input"].batch(0, 5), SOUND * 2)
    assert [len(one.inputs["words"][row]) for row in range(5)] == LENGTHS[:, 0].tolist()
    assert one.labels is not None
    assert one.labels.batch(0, 5).tolist() == [0, 1, 2, 3, 4]


def test_its_card_lies_inside_and_one_array_alone_has_its_card_beside_it(desk: Desk) -> None:
    folder = written(desk)
    refusal = desk.refusal(folder, None)
    assert (refusal.code, refusal.facts["expected_at"]) == (Code.CARD_MISSING, f"{folder}/card.json")
    np.save(desk.root / "x.npy", SOUND)
    assert desk.refusal(desk.root / "x.npy", None).facts["expected_at"] == str(desk.root / "x.card.json")
    (desk.root / "x.card.json").write_text('{"inputs": {"input": {"kind": "tensor", "array": "x"}}}')
    np.testing.assert_array_equal(desk.open(desk.root / "x.npy", None).inputs["input"].batch(0, 5), SOUND)


def test_an_array_that_feeds_two_inputs_and_is_the_label_is_read_once_for_each(desk: Desk) -> None:
    entry = {"kind": "tensor", "array": "sound"}
    card = {"inputs": {"a": entry, "b": {**entry, "scale": 3.0}}, "label": "sound"}
    data = desk.open(written(desk), card)
    np.testing.assert_allclose(data.inputs["b"].batch(0, 5), 3 * data.inputs["a"].batch(0, 5))
    assert data.labels is not None
    np.testing.assert_array_equal(data.labels.batch(0, 5), SOUND)


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"state": STATE[:4]}, "its arrays have different numbers of samples: sound 5, state 4, words 5"),
        ({"words.shapes": LENGTHS + 1}, "do not add up"),
        ({"state": np.asfortranarray(STATE)}, "stored column by column"),
        ({"label": np.array([0.0, 1, np.nan, 3, 4])}, "1 of 5 labels are NaN or infinite, the first at index 2"),
        ({"sound": np.where(np.arange(15_000).reshape(5, 3000) == 7000, np.inf, SOUND)}, "the first is sample 2"),
    ],
)
def test_what_is_wrong_with_an_array_is_refused(desk: Desk, arrays: dict[str, Array], said: str) -> None:
    refusal = desk.refusal(written(desk, **arrays), CARD)
    assert (refusal.code, said in refusal.why) == (Code.DATA_INVALID, True)


def test_objects_damage_and_lies_about_size_are_refused(desk: Desk) -> None:
    folder = written(desk)
    np.save(folder / "state.npy", np.array([{}] * 5, object), allow_pickle=True)
    assert "holds Python objects" in desk.refusal(folder, CARD).why
    np.save(folder / "state.npy", STATE)
    (folder / "state.npy").write_bytes((folder / "state.npy").read_bytes()[:-1])
    refusal = desk.refusal(folder, CARD)
    assert "claims 160 bytes of values, and its file holds 159" in refusal.why
    (folder / "state.npy").write_bytes(b"no array")
    assert "no readable header" in desk.refusal(folder, CARD).why
    (folder / "state.npy").unlink()
    assert "it has no array 'state'; its arrays are label, sound, words" in desk.refusal(folder, CARD).why


def test_a_folder_with_pictures_beside_an_array_is_one_of_pictures(desk: Desk) -> None:
    picture(desk.root / "set" / "a.png", np.zeros((8, 8), np.uint8))
    np.save(desk.root / "set" / "means.npy", SOUND)
    card = {"inputs": {"x": {"kind": "image"}}}
    assert "1 files are no pictures and were left out: means.npy" in desk.prepare(desk.root / "set", card).echo


def test_more_arrays_than_any_model_takes_are_refused(desk: Desk) -> None:
    (desk.root / "set").mkdir()
    for number in range(101):
        np.save(desk.root / "set" / f"{number}.npy", SOUND)
    assert "it holds 101 arrays, and 100 are the most" in desk.refusal(desk.root / "set", TENSOR_CARD).why
