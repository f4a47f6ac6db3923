"""Which calibration sets INT8 ranges may be taken from."""

from pathlib import Path

import numpy as np
import pytest
from data_desk import IMAGE_CARD, TENSOR_CARD, Array, Card, Desk, picture, scenes, with_fields
from PIL import Image, ImageDraw

from edgewright.state.errors import Code, Refusal, Refused
from edgewright.state.evidence import Dataset
from edgewright.tools.datasets.calibration import (
    NOISE_CORRELATION,
    Finding,
    Severity,
    calibration_findings,
    choose_samples,
    require_fit,
)
from edgewright.tools.datasets.neighbours import neighbour_correlation
from edgewright.tools.datasets.prepare import prepare
from edgewright.tools.datasets.prepared import open_dataset
from edgewright.tools.datasets.ranges import wrong_range
from edgewright.tools.orders import DataSource
from edgewright.tools.probe.columns import Column

DEMO = Path(__file__).parents[3] / "server" / "demo" / "fashion_mnist"
RNG = np.random.default_rng(4)
SCALED = with_fields(IMAGE_CARD, colour="GRAY", scale=1 / 255)
pytestmark = pytest.mark.promise("P7")


@pytest.fixture
def validation(desk: Desk) -> Dataset:
    return desk.prepare(desk.npz("validation", image=scenes(60, seed=1)), SCALED)


def findings(desk: Desk, calibration: Dataset, validation: Dataset, least: int = 10) -> dict[str, Finding]:
    sets = (open_dataset(dataset, desk.workspace) for dataset in (calibration, validation))
    return {finding.kind: finding for finding in calibration_findings(*sets, least=least)}


def unfit(desk: Desk, calibration: Dataset, validation: Dataset, least: int = 10) -> Refusal:
    with pytest.raises(Refused) as caught:
        require_fit(calibration, validation, desk.workspace, least=least)
    refusal = caught.value.refusal
    assert refusal.code is Code.CALIBRATION_UNFIT
    assert "P7" in refusal.promises
    return refusal


def pictures(desk: Desk, images: Array, card: Card = SCALED, name: str = "calibration") -> Dataset:
    return desk.prepare(desk.npz(name, image=images), card)


def test_the_demos_calibration_set_is_fit(desk: Desk) -> None:
    sets = [
        prepare(DataSource(str(DEMO / f"{name}.npz")), (str(DEMO),), desk.workspace, name)
        for name in ("calibration", "validation")
    ]
    assert require_fit(*sets, desk.workspace, least=500, wanted=1000) == (
        "500 calibration samples are enough, 1000 would be better",
        "the calibration set covers 10 of the 10 classes",
    )


def test_real_pictures_of_another_kind_are_fit(desk: Desk, validation: Dataset) -> None:
    assert require_fit(pictures(desk, scenes(60, seed=2)), validation, desk.workspace, least=50) == ()


def test_what_a_person_accepted_word_for_word_is_a_note_and_nothing_else_is_accepted(
    desk: Desk, validation: Dataset
) -> None:
    few = pictures(desk, scenes(40, seed=2))
    found = unfit(desk, few, validation, least=50)
    notes = require_fit(few, validation, desk.workspace, least=50, accepted=found.why)
    assert notes == (f"ACCEPTED BY A PERSON: {found.why}",)
    for other in (found.why + " ", found.why[:-1], "it has 39 different samples, and at least 50 are needed"):
        with pytest.raises(Refused):
            require_fit(few, validation, desk.workspace, least=50, accepted=other)


@pytest.mark.parametrize("least", [500, 200, 100])
def test_too_few_samples_are_refused_with_the_numbers_of_the_format(
    desk: Desk, validation: Dataset, least: int
) -> None:
    refusal = unfit(desk, pictures(desk, scenes(99)), validation, least)
    assert refusal.facts["findings"] == {"few": {"samples": 99, "least": least}}
    assert f"at least {least}" in refusal.why


def test_repeating_samples_does_not_make_them_more(desk: Desk, validation: Dataset) -> None:
    refusal = unfit(desk, pictures(desk, np.tile(scenes(25), (5, 1, 1, 1))), validation, least=100)
    assert refusal.facts["findings"] == {
        "few": {"samples": 25, "least": 100},
        "duplicated": {"count": 100, "samples": 125},
    }


def test_a_repeated_sample_in_a_hundred_is_no_finding(desk: Desk, validation: Dataset) -> None:
    images = scenes(100)
    images[99] = images[0]
    assert findings(desk, pictures(desk, images), validation) == {}


def test_constant_samples_are_refused(desk: Desk, validation: Dataset) -> None:
    images = scenes(60)
    images[::4] = np.arange(15, dtype=np.uint8).reshape(15, 1, 1, 1)
    found = findings(desk, pictures(desk, images), validation)["constant"]
    assert (found.severity, found.facts) == (Severity.UNFIT, {"count": 15, "samples": 60})


def test_a_constant_mask_beside_real_tokens_is_no_constant_sample(desk: Desk) -> None:
    card = {"inputs": {name: {"kind": "tensor", "array": name, "dtype": "int64"} for name in ("ids", "mask")}}
    mask = np.ones((30, 20), np.int64)
    sets = [desk.prepare(desk.npz(name, ids=RNG.integers(0, 99, (30, 20)), mask=mask), card) for name in "ab"]
    assert findings(desk, *sets) == {}


def test_a_sample_of_the_validation_set_refuses_the_set_with_the_count(desk: Desk, validation: Dataset) -> None:
    images = np.concatenate([scenes(57), scenes(60, seed=1)[:3]])
    found = findings(desk, pictures(desk, images), validation)["overlapping"]
    assert (found.severity, found.facts["count"]) == (Severity.UNFIT, 3)


def test_an_overlap_is_found_between_picture_files_and_an_array(desk: Desk, validation: Dataset) -> None:
    for number, image in enumerate(np.concatenate([scenes(20), scenes(60, seed=1)[:1]])):
        picture(desk.root / "set" / f"{number:02}.png", image[:, :, 0])
    assert findings(desk, desk.prepare(desk.root / "set", SCALED), validation)["overlapping"].facts["count"] == 1


def noise(kind: str, n: int = 60, side: int = 32, channels: int = 1) -> Array:
    shape = (n, side, side, channels)
    match kind:
        case "uniform":
            return RNG.integers(0, 256, shape, dtype=np.uint8)
        case "gaussian":
            return np.clip(RNG.normal(128, 40, shape), 0, 255).astype(np.uint8)
        case "binary":
            return (255 * RNG.integers(0, 2, shape)).astype(np.uint8)
        case _:
            return np.clip(RNG.normal(0, 20, shape) + RNG.uniform(0, 255, (n, 1, 1, channels)), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("kind", ["uniform", "gaussian", "binary", "tinted"])
@pytest.mark.parametrize(("side", "channels"), [(16, 1), (28, 1), (32, 3), (224, 3)])
def test_random_noise_is_refused(desk: Desk, validation: Dataset, kind: str, side: int, channels: int) -> None:
    n = 60 if side < 100 else 12
    found = findings(desk, pictures(desk, noise(kind, n, side, channels)), validation)["noise"]
    assert found.severity is Severity.UNFIT
    assert found.facts["count"] > 0.9 * n  # type: ignore[operator]


def test_a_set_that_is_noise_in_part_is_refused(desk: Desk, validation: Dataset) -> None:
    images = np.concatenate([scenes(50), noise("uniform", 10)])
    assert findings(desk, pictures(desk, images), validation)["noise"].facts["count"] == 10


def test_noise_is_seen_before_resizing_smooths_it(desk: Desk) -> None:
    enlarged = with_fields(SCALED, resize={"height": 96, "width": 96})
    validation = pictures(desk, scenes(60, seed=1), enlarged, "validation")
    assert "noise" in findings(desk, pictures(desk, noise("uniform"), enlarged), validation)


def test_numbers_that_are_no_pictures_may_look_like_noise(desk: Desk) -> None:
    sets = [desk.prepare(desk.npz(name, x=RNG.standard_normal((60, 32, 32))), TENSOR_CARD) for name in "ab"]
    assert findings(desk, *sets) == {}


def drawing(number: int, width: int) -> Array:
    rng = np.random.default_rng(number)
    image = Image.new("L", (64, 64), 255)
    pen = ImageDraw.Draw(image)
    for _ in range(6):
        pen.line([tuple(rng.integers(0, 64, 2).tolist()) for _ in range(2)], fill=0, width=width)
    return np.asarray(image)[..., np.newaxis]


@pytest.mark.parametrize("width", [1, 3])
def test_line_drawings_are_no_noise(desk: Desk, width: int) -> None:
    drawings = np.stack([drawing(number, width) for number in range(120)])
    sets = pictures(desk, drawings[:60], name="a"), pictures(desk, drawings[60:], name="b")
    assert findings(desk, *sets) == {}


def test_garments_lie_far_above_the_threshold_and_noise_below() -> None:
    garments = neighbour_correlation(np.load(DEMO / "validation.npz")["image"])
    assert np.quantile(garments, 0.01) > 3 * NOISE_CORRELATION
    assert neighbour_correlation(noise("uniform", 500, 28)).max() < NOISE_CORRELATION


def test_the_correlation_does_not_change_with_brightness_or_contrast() -> None:
    images = scenes(20)
    np.testing.assert_allclose(
        neighbour_correlation(images), neighbour_correlation((images // 2 + 60).astype(np.uint8)), atol=0.02
    )


@pytest.mark.parametrize("shape", [(2, 15, 40, 1), (2, 40, 15, 3), (2, 1, 1, 1)])
def test_pictures_too_small_to_judge_are_not_judged(shape: tuple[int, ...]) -> None:
    assert np.isnan(neighbour_correlation(RNG.integers(0, 256, shape, dtype=np.uint8))).all()


def test_pixels_left_unscaled_are_refused_with_both_ranges(desk: Desk) -> None:
    x = RNG.random((60, 8, 8))
    sets = desk.prepare(desk.npz("a", x=x * 255)), desk.prepare(desk.npz("b", x=RNG.random((60, 8, 8))))
    found = findings(desk, *sets)["range"]
    assert found.severity is Severity.UNFIT
    assert "input x lies in 2." in found.sentence
    assert "validation set in 0.0" in found.sentence


@pytest.mark.parametrize(
    ("mean", "std", "wrong"), [(0, 1, False), (1, 1.1, False), (0, 255, True), (5, 1, True), (0, 0.2, True)]
)
def test_a_forgotten_scale_or_mean_is_another_range_and_chance_is_not(mean: float, std: float, *, wrong: bool) -> None:
    column, reference = Column(mean + std * RNG.standard_normal((50, 40))), Column(RNG.standard_normal((50, 40)))
    assert (wrong_range(column, reference) is not None) is wrong


def test_rare_ones_in_a_mask_are_no_other_range() -> None:
    few, some = (Column((RNG.random((50, 400)) < share).astype(np.int64)) for share in (0.002, 0.05))
    assert wrong_range(few, some) is None
    assert wrong_range(Column(np.zeros((5, 4))), Column(np.zeros((5, 4)))) is None


def test_an_outlier_is_no_other_range() -> None:
    x = RNG.standard_normal((50, 400))
    x[0, 0] = 1e6
    assert wrong_range(Column(x), Column(RNG.standard_normal((50, 400)))) is None


@pytest.mark.promise("P9")
def test_another_preprocessing_than_the_validation_sets_is_refused(desk: Desk, validation: Dataset) -> None:
    refusal = unfit(desk, pictures(desk, scenes(60), with_fields(SCALED, mean=0.5)), validation)
    assert refusal.promises == ("P7", "P9")
    assert list(refusal.facts["findings"]) == ["preprocessing"]  # type: ignore[call-overload]


@pytest.mark.promise("P7")
@pytest.mark.parametrize("kind", ["float32", "float64", "int16"])
def test_a_validation_sample_is_recognised_whatever_its_element_type(desk: Desk, kind: str) -> None:
    values = np.random.default_rng(0).integers(-100, 100, (120, 8))
    card = {"inputs": {"x": {"kind": "tensor", "array": "x"}}}
    validation = desk.prepare(desk.npz("validation", x=values.astype(np.float32)), card)
    refusal = unfit(desk, desk.prepare(desk.npz("calibration", x=values.astype(kind)), card), validation, least=100)
    assert "overlapping" in refusal.facts["findings"]  # type: ignore[operator]


def test_every_finding_is_listed_at_once(desk: Desk, validation: Dataset) -> None:
    images = np.concatenate([noise("uniform", 10), np.zeros((5, 32, 32, 1), np.uint8), scenes(60, seed=1)[:1]])
    refusal = unfit(desk, pictures(desk, images, with_fields(SCALED, std=0.5)), validation, least=100)
    assert set(refusal.facts["findings"]) == {  # type: ignore[call-overload]
        "few",
        "duplicated",
        "constant",
        "overlapping",
        "noise",
        "preprocessing",
    }
    assert refusal.why.count(";") == 5


def labelled(desk: Desk, name: str, labels: Array, card: Card = SCALED) -> Dataset:
    path = desk.npz(name, image=scenes(len(labels), seed=len(name)), y=labels)
    return desk.prepare(path, {**card, "label": "y", "classes": ["cat", "dog", "cow"]})


def test_missing_classes_are_a_note_that_names_them(desk: Desk) -> None:
    sets = labelled(desk, "calibration", np.zeros(30, np.int64)), labelled(desk, "v", np.arange(30) % 3)
    (note,) = require_fit(*sets, desk.workspace, least=20)
    assert note == "the calibration set covers 1 of the 3 classes; without samples: dog, cow"


def test_the_subset_is_spread_over_classes_and_always_the_same(desk: Desk) -> None:
    labels = np.repeat([0, 1, 2], [60, 30, 10])
    dataset = labelled(desk, "calibration", labels)
    chosen = choose_samples(dataset, desk.workspace, 45, seed=1)
    counts = np.bincount(labels[list(chosen)])
    assert (counts.sum(), counts[2], abs(counts[0] - counts[1])) == (45, 10, 1)
    assert chosen == choose_samples(dataset, desk.workspace, 45, seed=1)
    assert chosen != choose_samples(dataset, desk.workspace, 45, seed=2)
    assert choose_samples(dataset, desk.workspace, 1000) == tuple(range(100))


@pytest.mark.parametrize("count", [1, 7, 39, 40, 41])
def test_a_subset_without_labels_has_the_wanted_size_and_no_repeats(desk: Desk, count: int) -> None:
    dataset = desk.prepare(desk.npz(x=np.arange(40.0).reshape(40, 1)))
    chosen = choose_samples(dataset, desk.workspace, count)
    assert len(set(chosen)) == len(chosen) == min(count, 40)


def test_pictures_that_differ_by_one_grey_level_are_one_picture(desk: Desk, validation: Dataset) -> None:
    few = np.clip(scenes(25), 1, 254)
    jitter = [few.astype(np.int16) + RNG.integers(-1, 1, few.shape) for _ in range(4)]
    refusal = unfit(desk, pictures(desk, np.concatenate([few, *jitter]).astype(np.uint8)), validation, least=100)
    assert refusal.facts["findings"] == {
        "few": {"samples": 25, "least": 100},
        "duplicated": {"count": 100, "samples": 125},
    }


@pytest.mark.parametrize("fields", [{}, {"mean": 0.5, "std": 0.25}, {"resize": {"height": 24, "width": 24}}])
def test_a_validation_picture_changed_by_one_grey_level_still_overlaps(desk: Desk, fields: dict[str, object]) -> None:
    card = with_fields(SCALED, **fields)
    validation = desk.prepare(desk.npz("validation", image=scenes(60, seed=1)), card)
    images = scenes(60)
    images[:3] = np.clip(scenes(60, seed=1)[:3], 0, 254) + 1
    assert findings(desk, pictures(desk, images, card), validation)["overlapping"].facts["count"] == 3


def test_pictures_of_one_brightness_that_differ_are_not_one(desk: Desk, validation: Dataset) -> None:
    # Each row is turned on its own, so that every band has the same mean.
    image = scenes(1)[0]
    turned = [np.stack([np.roll(row, shift) for row in image]) for shift in range(30)]
    assert findings(desk, pictures(desk, np.stack(turned)), validation, least=30) == {}


def test_tokens_that_differ_by_one_are_other_tokens(desk: Desk) -> None:
    card = {"inputs": {"ids": {"kind": "tensor", "array": "ids", "dtype": "int64"}}}
    ids = RNG.integers(0, 99, (30, 20))
    sets = [desk.prepare(desk.npz(name, ids=ids + shift), card) for name, shift in (("a", 0), ("b", 1))]
    assert findings(desk, *sets) == {}
