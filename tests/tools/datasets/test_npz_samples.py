"""What an .npz file may hold, and how every other one is answered."""

import io
import json
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from data_desk import IMAGE_CARD, TENSOR_CARD, Card, Desk, scenes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgewright.state.errors import Code, Refused

RNG = np.random.default_rng(5)
LABELLED: Card = {**TENSOR_CARD, "label": "y"}


def npy(header: bytes, body: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    return b"\x93NUMPY" + version + struct.pack("<H", len(header)) + header + body


def claiming(descr: str, shape: str, body: bytes) -> bytes:
    return npy(f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}}}\n".encode(), body)


def archive(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as packed:
        for name, content in members.items():
            packed.writestr(name, content)
    return path


def test_rows_become_samples(desk: Desk) -> None:
    x, y = RNG.standard_normal((700, 5)).astype(np.float32), np.arange(700) % 3
    data = desk.open(desk.npz(x=x, y=y), LABELLED)
    np.testing.assert_array_equal(data.inputs["x"].batch(0, 700), x)
    assert data.labels is not None
    np.testing.assert_array_equal(data.labels.batch(0, 700), y)
    assert data.dataset.classes == {"0": 234, "1": 233, "2": 233}


def test_several_arrays_feed_several_inputs(desk: Desk) -> None:
    tokens, mask = np.arange(12).reshape(4, 3), np.ones((4, 3), bool)
    card = {
        "inputs": {
            "ids": {"kind": "tensor", "array": "t", "dtype": "int64"},
            "mask": {"kind": "tensor", "array": "m", "dtype": "bool"},
        }
    }
    data = desk.open(desk.npz(t=tokens, m=mask), card)
    assert {name: column.dtype for name, column in data.inputs.items()} == {"ids": "int64", "mask": "bool"}
    np.testing.assert_array_equal(data.inputs["ids"][3], [9, 10, 11])


def test_samples_of_different_shapes_are_flattened_with_their_shapes(desk: Desk) -> None:
    samples = [np.arange(n * 2, dtype=np.float32).reshape(n, 2) for n in (3, 1, 4)]
    flat, shapes = np.concatenate([s.ravel() for s in samples]), np.array([s.shape for s in samples])
    data = desk.open(desk.npz(**{"x": flat, "x.shapes": shapes}))
    assert not data.inputs["x"].regular
    for number, sample in enumerate(samples):
        np.testing.assert_array_equal(data.inputs["x"][number], sample)


def test_pictures_of_different_sizes_meet_in_one_size(desk: Desk) -> None:
    pictures = [scenes(1, side)[0] for side in (20, 31)]
    flat, shapes = np.concatenate([p.ravel() for p in pictures]), np.array([p.shape for p in pictures])
    card = {"inputs": {"x": {"kind": "image", "colour": "GRAY", "resize": {"height": 16, "width": 16}}}}
    data = desk.open(desk.npz(**{"image": flat, "image.shapes": shapes}), card)
    assert (data.inputs["x"].regular, data.inputs["x"][0].shape) == (True, (1, 16, 16))


def test_big_endian_numbers_are_read_as_what_they_mean(desk: Desk) -> None:
    data = desk.open(desk.npz(x=np.arange(6, dtype=">f8").reshape(3, 2), y=np.array([1, 0, 1], ">i2")), LABELLED)
    np.testing.assert_array_equal(data.inputs["x"][2], np.float32([4, 5]))
    assert data.labels is not None
    assert data.labels.batch(0, 3).tolist() == [1, 0, 1]


def test_gray_pictures_without_a_channel_axis_are_pictures(desk: Desk) -> None:
    flat, stacked = scenes(4)[..., 0], scenes(4)
    contents = [
        desk.open(desk.npz(name, image=array), IMAGE_CARD).contents for name, array in (("a", flat), ("b", stacked))
    ]
    np.testing.assert_array_equal(*contents)


@pytest.mark.parametrize(
    ("arrays", "card", "said"),
    [
        ({"z": np.zeros((3, 2))}, TENSOR_CARD, "no array 'x'; its arrays are z"),
        ({"x": np.zeros((3, 2))}, LABELLED, "no array 'y'"),
        ({"x": np.float64(1)}, TENSOR_CARD, "single value"),
        ({"x": np.zeros((3, 0))}, TENSOR_CARD, "hold no values"),
        ({"x": np.array(["a", "b"])}, TENSOR_CARD, "does not hold numbers"),
        ({"x": np.zeros(3, np.complex64)}, TENSOR_CARD, "does not hold numbers"),
        ({"x": np.zeros(3, [("a", "f4")])}, TENSOR_CARD, "does not hold numbers"),
        ({"x": np.zeros(3, "datetime64[s]")}, TENSOR_CARD, "does not hold numbers"),
        ({"x": np.asfortranarray(np.zeros((3, 2)))}, TENSOR_CARD, "ascontiguousarray"),
        ({"x": np.zeros((3, 2)), "y": np.zeros(2)}, LABELLED, "2 rows for 3 samples"),
        ({"x": np.zeros((3, 2)), "y": np.float64(1)}, LABELLED, "single value for 3 samples"),
        ({"x": np.zeros((3, 2)), "y": np.array([0, np.nan, np.inf])}, LABELLED, "2 of 3 labels .* index 1"),
        ({"x": np.zeros((3, 2)), "y": np.array(["a", "b", "c"])}, LABELLED, "holds names"),
        ({"x": np.zeros((3, 2)), "y": np.zeros((3, 0))}, LABELLED, "no values"),
        ({"x": np.zeros((3, 2)), "y": np.full((3, 2), "a")}, LABELLED, "names in the shape"),
        ({"x": np.zeros((3, 2)), "y": np.full(3, 2**64 - 1, np.uint64)}, LABELLED, "above the range"),
        ({"x": np.zeros(3), "x.shapes": np.array([[2], [2]])}, TENSOR_CARD, "4 values against 3"),
        ({"x": np.zeros(3), "x.shapes": np.array([[3], [0]])}, TENSOR_CARD, "without empty samples|do not add up"),
        ({"x": np.zeros(4), "x.shapes": np.array([[2**62, 4], [2, 2]])}, TENSOR_CARD, "do not add up"),
        ({"x": np.zeros(4), "x.shapes": np.array([[-2, -2]])}, TENSOR_CARD, "do not add up"),
        ({"x": np.zeros((2, 2)), "x.shapes": np.array([[2], [2]])}, TENSOR_CARD, "no ragged array"),
        ({"x": np.zeros(3), "x.shapes": np.array([[1.5], [1.5]])}, TENSOR_CARD, "no ragged array"),
        ({"image": np.zeros((3, 8, 8), np.float32)}, IMAGE_CARD, "no 8-bit pictures"),
        ({"image": np.zeros((3, 8), np.uint8)}, IMAGE_CARD, "no 8-bit pictures"),
        ({"image": np.zeros((3, 3, 8, 8), np.uint8)}, IMAGE_CARD, "8 channels"),
    ],
)
def test_arrays_that_are_no_samples_are_refused(
    desk: Desk, arrays: dict[str, np.ndarray], card: Card, said: str
) -> None:
    refusal = desk.refusal(desk.npz(**arrays), card)
    assert refusal.code is Code.DATA_INVALID
    with pytest.raises(Refused, match=said):
        raise Refused(refusal)


def test_arrays_of_different_lengths_are_refused_with_both(desk: Desk) -> None:
    card = {"inputs": {name: {"kind": "tensor", "array": name} for name in ("a", "b")}}
    refusal = desk.refusal(desk.npz(a=np.zeros((3, 1)), b=np.zeros((4, 1))), card)
    assert (refusal.code, "a 3, b 4" in refusal.why) == (Code.DATA_INVALID, True)


def test_no_samples_is_a_refusal_of_its_own(desk: Desk) -> None:
    assert desk.refusal(desk.npz(x=np.zeros((0, 4)))).code is Code.DATA_EMPTY


def test_nan_and_infinity_are_counted_and_the_first_is_named(desk: Desk) -> None:
    x = np.zeros((100_000, 60), np.float32)  # more than one block
    x[[70_000, 99_999], [3, 5]] = [np.nan, np.inf]
    refusal = desk.refusal(desk.npz(x=x))
    assert (refusal.code, refusal.facts) == (Code.DATA_INVALID, {"count": 2, "first": 70_000})


def test_class_names_become_numbers_in_the_order_of_the_card(desk: Desk) -> None:
    path = desk.npz(x=np.zeros((3, 2)), y=np.array(["dog", "cat", "dog"]))
    data = desk.open(path, {**LABELLED, "classes": ["cat", "dog", "cow"]})
    assert data.labels is not None
    assert data.labels.batch(0, 3).tolist() == [1, 0, 1]
    assert data.dataset.classes == {"cat": 1, "dog": 2, "cow": 0}
    assert "cow" not in desk.refusal(path, {**LABELLED, "classes": ["cow", "cat"]}).sentence.split(":")[-2]


def test_class_numbers_outside_the_cards_classes_are_refused(desk: Desk) -> None:
    path = desk.npz(x=np.zeros((4, 2)), y=np.array([0, 2, 1, 7]))
    refusal = desk.refusal(path, {**LABELLED, "classes": ["cat", "dog"]})
    assert (refusal.code, refusal.facts) == (Code.DATA_INVALID, {"count": 2, "first": 1})


def test_vectors_are_labels_too(desk: Desk) -> None:
    y = RNG.standard_normal((3, 7))
    data = desk.open(desk.npz(x=np.zeros((3, 2)), y=y), LABELLED)
    assert data.labels is not None
    np.testing.assert_array_equal(data.labels.batch(0, 3), y)
    assert data.dataset.classes == {}


def test_an_array_of_objects_is_never_unpickled(desk: Desk) -> None:
    trap = desk.root / "trap"

    class Trap:
        def __reduce__(self) -> tuple[object, ...]:
            return (open, (str(trap), "w"))

    path = desk.root / "data.npz"
    np.savez(path, x=np.array([Trap(), Trap()], dtype=object))
    refusal = desk.refusal(path)
    assert (refusal.code, "objects" in refusal.why, trap.exists()) == (Code.DATA_INVALID, True, False)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (claiming("<f4", "(1048576, 1048576)", bytes(64)), "claims 4398046511104 bytes"),
        (claiming("<f4", "(4, 4)", bytes(60)), "claims 64 bytes"),
        (claiming("<f4", "(4, 4)", bytes(68)), "claims 64 bytes"),
        (claiming("<f4", "(-4, -4)", bytes(64)), "claims 64 bytes"),
        (claiming("|S0", "(1000000000000,)", b""), "does not hold numbers"),
        (claiming("<f4", "(1000000000000, 0)", b""), "hold no values"),
        (
            npy(b"{'descr': '<f4', 'fortran_order': False, 'shape': " + b"(" * 3000 + b")" * 3000 + b"}\n"),
            "no readable",
        ),
        (npy(b"{'descr': '<f4', 'shape': (1,)}\n", bytes(4)), "no readable"),
        (npy(b"__import__('os').abort()\n"), "no readable"),
        (npy(b"x" * 9000), "no readable"),
        (b"\x93NUMPY\x01\x00" + struct.pack("<H", 60000) + b"{'descr'", "no readable"),
        (b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**32 - 1) + b"{'descr'", "no readable"),
        (b"\x93NUMPY\x09\x00" + bytes(100), "no readable"),
        (b"", "no readable"),
        (b"not an array at all", "no readable"),
    ],
)
def test_a_header_that_lies_is_found_out_before_memory_is_taken(desk: Desk, content: bytes, said: str) -> None:
    refusal = desk.refusal(archive(desk.root / "data.npz", {"x.npy": content}))
    assert (refusal.code, said in refusal.why) == (Code.DATA_INVALID, True), refusal.why
    assert len(refusal.sentence) < 1000


def test_an_array_that_unpacks_beyond_reason_is_refused_unread(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgewright.tools.datasets.npz.BOMB_BYTES", 1 << 20)
    path = desk.npz(x=np.zeros((1024, 1024), np.uint8), y=np.zeros(1024))
    refusal = desk.refusal(path)
    assert (refusal.code, refusal.facts["unpacked_bytes"] > 1 << 20) == (Code.DATA_INVALID, True)  # type: ignore[operator]


def test_a_single_sample_of_gigabytes_is_refused_unread(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgewright.tools.datasets.read_arrays.MOST_SAMPLE_BYTES", 1000)
    assert desk.refusal(desk.npz(x=np.zeros((1, 300), np.float32))).facts["sample_bytes"] == 1200


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_packing_that_numpy_never_uses_is_refused(desk: Desk, method: int) -> None:
    content = io.BytesIO()
    np.save(content, np.zeros((2, 2)))
    assert (
        desk.refusal(archive(desk.root / "data.npz", {"x.npy": content.getvalue()}, method)).code is Code.DATA_INVALID
    )


def test_a_truncated_archive_and_a_flipped_bit_are_refused(desk: Desk) -> None:
    path = desk.npz(x=RNG.standard_normal((50, 40)))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert desk.refusal(path).code is Code.DATA_INVALID
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 0x10
    path.write_bytes(bytes(flipped))
    assert desk.refusal(path).code is Code.DATA_INVALID


def test_an_encrypted_archive_is_refused(desk: Desk) -> None:
    content = bytearray(desk.npz(x=np.zeros((2, 2))).read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + offset] |= 1
    (desk.root / "data.npz").write_bytes(bytes(content))
    assert desk.refusal(desk.root / "data.npz").code is Code.DATA_INVALID


@pytest.mark.parametrize("name", ["data.npy", "data.csv", "data.npz"])
def test_a_file_that_is_no_archive_is_refused(desk: Desk, name: str) -> None:
    (desk.root / name).write_bytes(b"x,y\n1,2\n")
    assert desk.refusal(desk.root / name).code is Code.DATA_INVALID


def test_a_card_for_folders_is_refused_for_an_npz(desk: Desk) -> None:
    card = {**TENSOR_CARD, "label": {"csv": "a", "file": "b", "label": "c"}}
    assert desk.refusal(desk.npz(x=np.zeros((2, 2))), card).code is Code.CARD_INVALID


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(places=st.lists(st.integers(0, 2**20), min_size=1, max_size=6), byte=st.integers(0, 255), cut=st.integers(0, 60))
def test_a_damaged_file_is_refused_or_read_and_never_crashes(
    desk: Desk, places: list[int], byte: int, cut: int
) -> None:
    path = desk.npz("damaged", x=np.arange(40, dtype=np.float32).reshape(10, 4), y=np.arange(10))
    content = bytearray(path.read_bytes())
    for place in places:
        content[place % len(content)] = byte
    path.write_bytes(bytes(content[: len(content) - cut]))
    outcome: object = None
    try:
        outcome = desk.prepare(path, LABELLED).n
    except Refused as refused:
        outcome = refused.refusal.code
    assert outcome in {10, Code.DATA_INVALID, Code.DATA_EMPTY}
    json.dumps(str(outcome))
