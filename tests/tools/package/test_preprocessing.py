"""The preprocessing that travels is the one that was measured, bit for bit."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgewright.state.errors import Refused
from edgewright.tools.datasets.card import ImageInput, TensorInput
from edgewright.tools.datasets.transform import transform
from edgewright.tools.package.shipped.preprocessing import prepare

SIDES = st.integers(1, 40)
FLOATS = st.sampled_from(["float32", "float16", "float64"])
NUMBERS = st.floats(0.05, 4, allow_nan=False)


@st.composite
def image_inputs(draw: st.DrawFn) -> ImageInput:
    resize = st.fixed_dictionaries(
        {
            "height": SIDES,
            "width": SIDES,
            "fit": st.sampled_from(["stretch", "shorter_side", "letterbox"]),
            "interpolation": st.sampled_from(["nearest", "bilinear", "bicubic"]),
            "pad": st.integers(0, 255),
        }
    )
    colour = draw(st.sampled_from(["RGB", "BGR", "GRAY"]))
    count = draw(st.sampled_from([1, 1 if colour == "GRAY" else 3]))
    numbers = st.lists(NUMBERS, min_size=count, max_size=count)
    whole = draw(st.booleans())
    card = {
        "kind": "image",
        "resize": draw(st.none() | resize),
        "crop": draw(st.none() | st.fixed_dictionaries({"height": SIDES, "width": SIDES})),
        "colour": colour,
        "layout": draw(st.sampled_from(["NCHW", "NHWC"])),
        "dtype": draw(st.sampled_from(["uint8", "int32"])) if whole else draw(FLOATS),
    }
    if not whole:
        card |= {"scale": draw(NUMBERS), "mean": draw(numbers), "std": draw(numbers)}
    return ImageInput.model_validate_json(json.dumps(card))


@pytest.mark.promise("P9")
@settings(deadline=None, max_examples=200)
@given(image_inputs(), SIDES, SIDES, st.sampled_from([1, 3]), st.integers(0, 99))
def test_pictures_come_out_bit_for_bit_as_in_the_measurement(
    entry: ImageInput, height: int, width: int, channels: int, seed: int
) -> None:
    block = np.random.default_rng(seed).integers(0, 256, (2, height, width, channels), np.uint8)
    try:
        expected = transform(block, entry, 0)
    except Refused:
        with pytest.raises(ValueError, match=r".+"):
            prepare(block, entry.model_dump(mode="json"))
        return
    found = prepare(block, entry.model_dump(mode="json"))
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


@pytest.mark.promise("P9")
@settings(deadline=None, max_examples=100)
@given(FLOATS, NUMBERS, st.sampled_from([1, 5]), st.integers(0, 99))
def test_tensors_come_out_bit_for_bit_as_in_the_measurement(dtype: str, scale: float, count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    card = {"kind": "tensor", "dtype": dtype, "scale": scale, "mean": rng.random(count).tolist(), "std": [0.5] * count}
    entry = TensorInput.model_validate_json(json.dumps(card))
    block = rng.standard_normal((3, 4, 5)).astype(np.float32)
    np.testing.assert_array_equal(prepare(block, entry.model_dump(mode="json")), transform(block, entry, 0))


def test_a_picture_without_a_channel_axis_is_gray() -> None:
    entry = ImageInput.model_validate_json('{"kind": "image", "colour": "GRAY", "dtype": "uint8", "layout": "NHWC"}')
    pixels = np.arange(12, dtype=np.uint8).reshape(1, 3, 4)
    np.testing.assert_array_equal(prepare(pixels, entry.model_dump(mode="json")), pixels[..., np.newaxis])


@pytest.mark.parametrize(
    "pixels", [np.zeros((1, 4, 4, 3), np.float32), np.zeros((1, 4, 4, 2), np.uint8), np.zeros((1, 4), np.uint8)]
)
def test_what_is_no_picture_is_named(pixels: "np.ndarray[tuple[int, ...], np.dtype[np.generic]]") -> None:
    entry = ImageInput(kind="image").model_dump(mode="json")
    with pytest.raises(ValueError, match="pictures are uint8"):
        prepare(pixels, entry)
