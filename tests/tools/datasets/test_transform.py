"""Preprocessing against what Pillow and NumPy do step by step."""

import json

import numpy as np
import pytest
from data_desk import scenes
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from edgewright.state.errors import Code, Refused
from edgewright.tools.datasets.card import ImageInput, TensorInput
from edgewright.tools.datasets.transform import transform

RNG = np.random.default_rng(3)
COLOUR = RNG.integers(0, 256, (2, 30, 40, 3), dtype=np.uint8)
GRAY = RNG.integers(0, 256, (2, 30, 40, 1), dtype=np.uint8)


def entry(**fields: object) -> ImageInput:
    return ImageInput.model_validate_json(json.dumps({"kind": "image", **fields}))


def tensor(**fields: object) -> TensorInput:
    return TensorInput.model_validate_json(json.dumps({"kind": "tensor", **fields}))


def test_scale_mean_and_std_are_the_textbook_formula_per_channel() -> None:
    mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    made = transform(COLOUR, entry(scale=1 / 255, mean=mean, std=std), 0)
    expected = (COLOUR / 255 - mean) / std
    assert made.dtype == np.float32
    np.testing.assert_allclose(made, expected.transpose(0, 3, 1, 2), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("layout", "shape"), [("NCHW", (2, 3, 30, 40)), ("NHWC", (2, 30, 40, 3))])
def test_layout_puts_channels_where_the_model_wants_them(layout: str, shape: tuple[int, ...]) -> None:
    assert transform(COLOUR, entry(layout=layout), 0).shape == shape


def test_colour_orders_and_gray_are_pillows() -> None:
    rgb = transform(COLOUR, entry(layout="NHWC", dtype="uint8"), 0)
    np.testing.assert_array_equal(
        transform(COLOUR, entry(layout="NHWC", dtype="uint8", colour="BGR"), 0), rgb[..., ::-1]
    )
    gray = transform(COLOUR, entry(layout="NHWC", dtype="uint8", colour="GRAY"), 0)
    for made, pixels in zip(gray, COLOUR, strict=True):
        np.testing.assert_array_equal(made[..., 0], np.asarray(Image.fromarray(pixels).convert("L")))
    repeated = transform(GRAY, entry(layout="NHWC", dtype="uint8"), 0)
    np.testing.assert_array_equal(repeated, np.repeat(GRAY, 3, axis=3))


@pytest.mark.parametrize("pixels", [COLOUR, GRAY])
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic"])
def test_stretching_is_pillows_resize(pixels: np.ndarray, interpolation: str) -> None:
    colour = "RGB" if pixels.shape[3] == 3 else "GRAY"
    resize = {"height": 17, "width": 23, "fit": "stretch", "interpolation": interpolation}
    made = transform(pixels, entry(resize=resize, layout="NHWC", dtype="uint8", colour=colour), 0)
    expected = [
        np.asarray(Image.fromarray(p.squeeze()).resize((23, 17), Image.Resampling[interpolation.upper()]))
        for p in pixels
    ]
    np.testing.assert_array_equal(made.squeeze(), expected)


def test_the_shorter_side_covers_and_the_crop_takes_the_centre() -> None:
    resize = {"height": 24, "width": 24, "fit": "shorter_side"}
    whole = transform(COLOUR, entry(resize=resize, layout="NHWC", dtype="uint8"), 0)
    assert whole.shape == (2, 24, 32, 3)
    cropped = transform(COLOUR, entry(resize=resize, crop={"height": 20, "width": 20}, layout="NHWC", dtype="uint8"), 0)
    np.testing.assert_array_equal(cropped, whole[:, 2:22, 6:26])


def test_a_letterbox_keeps_the_aspect_and_pads_evenly() -> None:
    resize = {"height": 40, "width": 40, "fit": "letterbox", "pad": 114}
    made = transform(COLOUR, entry(resize=resize, layout="NHWC", dtype="uint8"), 0)
    assert made.shape == (2, 40, 40, 3)
    assert (made[:, :5] == 114).all()
    assert (made[:, 35:] == 114).all()
    np.testing.assert_array_equal(made[:, 5:35], COLOUR)


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 60),
    width=st.integers(1, 60),
    fit=st.sampled_from(["stretch", "shorter_side", "letterbox"]),
    size=st.tuples(st.integers(1, 50), st.integers(1, 50)),
)
def test_every_fit_reaches_its_size(height: int, width: int, fit: str, size: tuple[int, int]) -> None:
    pixels = np.zeros((1, height, width, 3), np.uint8)
    resize = {"height": size[0], "width": size[1], "fit": fit}
    made = transform(pixels, entry(resize=resize, layout="NHWC"), 0).shape[1:3]
    if fit == "shorter_side":
        assert min(made[0] - size[0], made[1] - size[1]) == 0
    else:
        assert made == size


def test_a_crop_larger_than_the_picture_is_refused() -> None:
    with pytest.raises(Refused) as caught:
        transform(GRAY, entry(crop={"height": 31, "width": 10}), 7)
    assert (caught.value.refusal.code, "sample 7" in caught.value.refusal.what) == (Code.DATA_MISMATCH, True)


def test_a_tensor_is_cast_and_normalised_along_its_last_axis() -> None:
    block = np.arange(12).reshape(2, 2, 3)
    made = transform(block, tensor(scale=0.5, mean=[0.0, 1.0, 2.0], std=[1.0, 2.0, 4.0]), 0)
    np.testing.assert_allclose(made, (block * 0.5 - [0, 1, 2]) / [1, 2, 4])


def test_a_tensor_without_arithmetic_keeps_every_bit() -> None:
    block = np.array([[2**62 + 1]])
    assert transform(block, tensor(dtype="int64"), 0)[0, 0] == 2**62 + 1


@pytest.mark.parametrize("numbers", [[0.0, 1.0], [1.0] * 4])
def test_numbers_that_do_not_fit_the_last_axis_are_refused(numbers: list[float]) -> None:
    with pytest.raises(Refused) as caught:
        transform(np.zeros((2, 2, 3)), tensor(mean=numbers), 0)
    assert caught.value.refusal.code is Code.DATA_MISMATCH


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([300], "uint8"),
        ([-1], "uint8"),
        ([128], "int8"),
        ([0.5], "int32"),
        ([2], "bool"),
        ([1e300], "float32"),
        ([70000.0], "float16"),
        ([1e30], "int64"),
    ],
)
def test_a_value_that_the_element_type_cannot_hold_is_refused_with_its_sample(values: list[float], dtype: str) -> None:
    block = np.concatenate([np.zeros((3, 1)), np.array([values])]).astype(np.array(values).dtype)
    with pytest.raises(Refused) as caught:
        transform(block, tensor(dtype=dtype), 10)
    assert (caught.value.refusal.code, caught.value.refusal.facts["sample"]) == (Code.DATA_INVALID, 13)


def test_blocks_and_single_samples_come_out_the_same() -> None:
    pictures = scenes(5, 20)
    chosen = entry(colour="GRAY", scale=1 / 255, mean=[0.3], std=[0.4])
    together = transform(pictures, chosen, 0)
    apart = np.concatenate([transform(pictures[i : i + 1], chosen, i) for i in range(5)])
    np.testing.assert_array_equal(together, apart)
