"""From a source to columns in the store, and back; and whether they fit a model."""

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest
from data_desk import IMAGE_CARD, TENSOR_CARD, Array, Card, Desk, picture, scenes, with_fields

from edgewright.state.artifacts import TensorSpec
from edgewright.state.codec import decode, encode
from edgewright.state.errors import Code, Refused
from edgewright.state.evidence import Dataset
from edgewright.state.store import Store
from edgewright.tools.datasets.prepare import prepare
from edgewright.tools.datasets.prepared import check_fits, open_dataset
from edgewright.tools.orders import DataSource
from edgewright.tools.workspace import Workspace

DEMO = Path(__file__).parents[3] / "server" / "demo" / "fashion_mnist"
RNG = np.random.default_rng(9)
GRAY: Card = {**with_fields(IMAGE_CARD, colour="GRAY", scale=1 / 255), "label": "y"}


@pytest.fixture
def path(desk: Desk) -> Path:
    return desk.npz(image=scenes(6), y=np.array([2, 0, 1, 0, 1, 1]))


def test_the_demos_validation_set_is_prepared_as_it_was_trained(desk: Desk) -> None:
    dataset = prepare(DataSource(str(DEMO / "validation.npz")), (str(DEMO),), desk.workspace, "validation data")
    data = open_dataset(dataset, desk.workspace)
    raw = np.load(DEMO / "validation.npz")
    expected = ((raw["image"].astype(np.float64) / 255 - 0.2860) / 0.3530).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(data.inputs["image"].batch(0, 1000), expected, atol=1e-6)
    assert data.labels is not None
    np.testing.assert_array_equal(data.labels.batch(0, 1000), raw["label"])
    assert sum(dataset.classes.values()) == 1000
    assert list(dataset.classes)[9] == "Ankle boot"
    check_fits(data, (TensorSpec("image", "float32", (None, 1, 28, 28)),))


@pytest.mark.promise("P9")
def test_the_echo_shows_one_sample_before_and_after_and_the_first_labels(desk: Desk, path: Path) -> None:
    echo = desk.prepare(path, {**GRAY, "classes": ["hat", "shoe", "bag"]}).echo
    assert 3 <= len(echo) <= 6
    assert echo[0] == "6 samples from data.npz"
    assert "decoded uint8 (32, 32, 1) from 0 to" in echo[1]
    assert "as the model takes it float32 (1, 32, 32) from 0 to" in echo[1]
    assert echo[2] == "first labels: 2 (bag), 0 (hat), 1 (shoe), 0 (hat), 1 (shoe)"


def test_the_index_names_every_file_in_the_format_of_the_probe(desk: Desk, path: Path) -> None:
    dataset = desk.prepare(path, GRAY)
    index = json.loads(desk.workspace.path_of(dataset.index).read_text())
    assert (index["version"], index["n"]) == (1, 6)
    assert index["inputs"]["x"] == {"kind": "regular", "dtype": "float32", "values": dataset.arrays["input x"]}
    assert index["labels"]["values"] == dataset.arrays["labels"]
    kept = {file.sha256 for file in desk.workspace.new_files}
    raw = {digest for digests in index["raw"].values() for digest in digests}
    assert {dataset.index, index["samples"], *dataset.arrays.values(), *raw} == kept
    assert [len(digests) for digests in index["raw"].values()] == [4]


def test_sample_digests_are_those_of_the_raw_content(desk: Desk, path: Path) -> None:
    first = hashlib.sha256(b"(32, 32, 1)" + scenes(6)[0].tobytes()).digest()
    assert desk.open(path, GRAY).contents[0].tobytes() == first


@pytest.mark.promise("P7")
def test_sample_digests_do_not_depend_on_the_element_type(desk: Desk) -> None:
    whole, real = RNG.integers(0, 255, (4, 9)), RNG.standard_normal((4, 9)).astype(np.float32)
    for values, kinds in ((whole, ("uint8", "int64", "float32")), (whole - 300, ("int16", "float64")), (real, ("f8",))):
        first = desk.open(desk.npz("first", x=values), TENSOR_CARD).contents
        for kind in kinds:
            again = desk.open(desk.npz("again", x=values.astype(kind)), TENSOR_CARD).contents
            np.testing.assert_array_equal(first, again)
    assert len({tuple(row) for row in desk.open(desk.npz("all", x=np.vstack([whole, whole + 1]))).contents}) == 8


def test_the_same_data_has_the_same_digest_and_any_change_another(desk: Desk, path: Path) -> None:
    digest = desk.prepare(path, GRAY).digest
    assert desk.prepare(path, GRAY).digest == digest
    changed = scenes(6)
    changed[5, 0, 0] ^= 1
    others = [
        desk.prepare(desk.npz("pixel", image=changed, y=np.array([2, 0, 1, 0, 1, 1])), GRAY),
        desk.prepare(desk.npz("label", image=scenes(6), y=np.array([2, 0, 1, 0, 1, 2])), GRAY),
        desk.prepare(path, {**GRAY, "classes": ["a", "b", "c"]}),
        desk.prepare(path, with_fields(GRAY, layout="NHWC")),
    ]
    assert len({digest, *(other.digest for other in others)}) == 5


@pytest.mark.promise("P11")
def test_a_dataset_survives_the_ledger_and_the_store(desk: Desk, path: Path) -> None:
    dataset = desk.prepare(path, GRAY)
    store = Store(desk.workspace.objects)
    for file in desk.workspace.new_files:
        store.adopt(Path(file.path), file.sha256)
    later = Workspace(desk.root, desk.workspace.objects)
    data = open_dataset(decode(Dataset, encode(dataset)), later)
    assert (data.n, data.card.inputs["x"].scale) == (6, 1 / 255)
    np.testing.assert_allclose(data.inputs["x"].batch(0, 6), scenes(6).transpose(0, 3, 1, 2) / 255, rtol=1e-6)


def test_progress_counts_samples(desk: Desk) -> None:
    seen: list[tuple[int, int, str]] = []
    source = DataSource(str(desk.npz(x=np.zeros((90_000, 90)))), TENSOR_CARD)
    prepare(source, (str(desk.root),), desk.workspace, "validation data", lambda *told: seen.append(told))
    assert seen[-1] == (90_000, 90_000, "reading validation data")
    assert len(seen) > 1
    assert seen == sorted(seen)


def test_pictures_of_different_sizes_become_a_ragged_column(desk: Desk) -> None:
    for number, side in enumerate((20, 21)):
        picture(desk.root / "set" / f"{number}.png", scenes(1, side)[0, :, :, 0])
    data = desk.open(desk.root / "set", with_fields(IMAGE_CARD, colour="GRAY"))
    assert [data.inputs["x"][i].shape for i in range(2)] == [(1, 20, 20), (1, 21, 21)]


def test_data_named_by_no_allowed_path_is_refused(desk: Desk, tmp_path: Path) -> None:
    np.savez(tmp_path / "outside.npz", x=np.zeros((2, 2)))
    assert desk.refusal(tmp_path / "outside.npz").code is Code.PATH_OUTSIDE_ROOTS


@pytest.mark.promise("P5")
def test_preparing_changes_nothing_of_the_callers(desk: Desk, path: Path) -> None:
    before = path.read_bytes(), path.stat().st_mtime_ns, sorted(desk.root.iterdir())
    desk.prepare(path, GRAY)
    assert (path.read_bytes(), path.stat().st_mtime_ns, sorted(desk.root.iterdir())) == before


@pytest.mark.promise("P11")
def test_a_full_disk_is_a_refusal(desk: Desk, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(Workspace, "keep", full)
    assert desk.refusal(path, GRAY).code is Code.DISK_FULL


def test_memory_does_not_grow_with_the_number_of_samples(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    largest = 0
    plain = np.frombuffer

    def watched(content: bytes, *options: object) -> Array:
        nonlocal largest
        largest = max(largest, len(content))
        return plain(content, *options)  # type: ignore[call-overload,no-any-return]

    monkeypatch.setattr(np, "frombuffer", watched)
    monkeypatch.setattr("edgewright.tools.datasets.read_arrays.BLOCK_BYTES", 4000)
    desk.prepare(desk.npz(x=np.zeros((5000, 25))))
    assert largest <= 4000


@pytest.mark.promise("P9")
@pytest.mark.parametrize(
    ("specs", "said"),
    [
        ((TensorSpec("y", "float32", (None, 1, 32, 32)),), "takes the inputs y, and the card describes x"),
        ((), "takes the inputs none"),
        ((TensorSpec("x", "uint8", (None, 1, 32, 32)),), 'write "dtype": "uint8"'),
        ((TensorSpec("x", "float32", (None, 32, 32, 1)),), 'change "layout"'),
        ((TensorSpec("x", "float32", (None, 3, 32, 32)),), '"colour"'),
        ((TensorSpec("x", "float32", (None, 1, 28, 28)),), '"resize"'),
        ((TensorSpec("x", "float32", (None, 1024)),), "without its batch dimension"),
        ((TensorSpec("x", "float32", (None, 1, 32, 32, 1)),), "without its batch dimension"),
    ],
)
def test_data_that_does_not_fit_the_model_is_refused_with_both_sides(
    desk: Desk, path: Path, specs: tuple[TensorSpec, ...], said: str
) -> None:
    with pytest.raises(Refused) as caught:
        check_fits(desk.open(path, GRAY), specs)
    assert caught.value.refusal.code is Code.DATA_MISMATCH
    assert said in caught.value.refusal.sentence


@pytest.mark.parametrize("shape", [(None, 1, 32, 32), (1, 1, 32, 32), (8, None, None, None), (1, 32, 32), (None,) * 4])
def test_data_fits_with_or_without_a_batch_dimension(desk: Desk, path: Path, shape: tuple[int | None, ...]) -> None:
    check_fits(desk.open(path, GRAY), (TensorSpec("x", "float32", shape),))


def test_one_sample_of_another_size_is_found_among_many(desk: Desk) -> None:
    samples = [np.zeros((4, 2), np.float32)] * 3 + [np.zeros((5, 2), np.float32)]
    flat, shapes = np.concatenate([s.ravel() for s in samples]), np.array([s.shape for s in samples])
    data = desk.open(desk.npz(**{"x": flat, "x.shapes": shapes}))
    check_fits(data, (TensorSpec("x", "float32", (None, None, 2)),))
    with pytest.raises(Refused) as caught:
        check_fits(data, (TensorSpec("x", "float32", (None, 4, 2)),))
    assert caught.value.refusal.facts["sample"] == 3
    assert "1 of 4 samples" in caught.value.refusal.why


def test_classes_of_one_sample_or_none_are_reported(desk: Desk) -> None:
    path = desk.npz(x=np.arange(8.0).reshape(4, 2), y=np.array([0, 0, 1, 1]))
    card = {**TENSOR_CARD, "label": "y"}
    assert not [line for line in desk.prepare(path, card).echo if "fewer than" in line]
    named = desk.prepare(path, {**card, "classes": ["cat", "dog", "owl"]}).echo
    assert named[-1] == "1 of 3 classes have fewer than 2 samples: owl"
