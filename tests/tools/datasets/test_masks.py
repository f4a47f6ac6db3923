"""Masks beside pictures, and masks in arrays: prepared as the pictures are, without ever averaging two classes."""

from pathlib import Path

import numpy as np
import pytest
from data_desk import Card, Desk, picture
from PIL import Image

from edgewright.state.errors import Code

MASK = np.zeros((20, 40), np.uint8)
MASK[5:15, 10:30] = 2
MASK[0, :] = 255
IMAGE = {"kind": "image", "colour": "GRAY", "layout": "NHWC", "dtype": "uint8"}


def card(**fields: object) -> Card:
    label = {"masks": "masks", "images": "images"}
    classes = ["ground", "road", "car"]
    return {"inputs": {"x": {**IMAGE, **fields}}, "label": label, "classes": classes}


def written(desk: Desk, mask: Image.Image | None = None) -> Path:
    folder = desk.root / "set"
    picture(folder / "images" / "a.jpg", np.full((20, 40, 3), 90, np.uint8))
    (folder / "masks").mkdir()
    (mask or Image.fromarray(MASK)).save(folder / "masks" / "a.png")
    return folder


@pytest.mark.promise("P9")
@pytest.mark.parametrize("palette", [False, True])
def test_a_mask_is_resized_as_its_picture_and_padding_does_not_count(desk: Desk, *, palette: bool) -> None:
    indexed = Image.fromarray(MASK)
    if palette:
        indexed.putpalette([number % 256 for number in range(7, 7 + 768)])
    resize = {"height": 20, "width": 20, "fit": "letterbox"}
    data = desk.open(written(desk, indexed), card(resize=resize))
    assert data.labels is not None
    made = data.labels[0]
    assert (made.shape, made.dtype) == ((20, 20), np.uint8)
    assert set(np.unique(made).tolist()) <= {0, 2, 255}
    assert (made[:5] == 255).all()
    assert (made[15:] == 255).all()
    assert (made[8:12, 6:14] == 2).all()


def test_a_mask_is_cropped_as_its_picture(desk: Desk) -> None:
    data = desk.open(written(desk), card(crop={"height": 10, "width": 20}))
    assert data.labels is not None
    assert (data.labels[0] == 2).all()


@pytest.mark.parametrize(
    ("mask", "said"),
    [
        (Image.fromarray(MASK[:10]), "10 x 40 pixels, and its picture 20 x 40"),
        (Image.fromarray(MASK + np.uint8(2)), "it holds the number 4, and the card names 3 classes"),
        (Image.new("RGB", (40, 20)), "its mode is RGB"),
        (Image.new("I;16", (40, 20)), "its mode is I;16"),
    ],
)
def test_what_is_wrong_with_a_mask_is_refused_with_its_file(desk: Desk, mask: Image.Image, said: str) -> None:
    refusal = desk.refusal(written(desk, mask), card())
    assert (refusal.code, said in refusal.why, "masks/a.png" in refusal.what) == (Code.DATA_INVALID, True, True)


def test_a_mask_of_more_pixels_than_allowed_is_refused(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = written(desk, Image.new("L", (900, 900)))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500_000)
    assert "more than the 500000 pixels allowed" in desk.refusal(folder, card()).why


def test_missing_and_damaged_masks_are_refused(desk: Desk) -> None:
    folder = written(desk)
    (folder / "masks" / "a.png").write_bytes(b"no picture")
    assert "cannot be decoded" in desk.refusal(folder, card()).why
    (folder / "masks" / "a.png").unlink()
    assert desk.refusal(folder, card()).code is Code.NOT_FOUND


def test_masks_of_an_npz_need_the_decoder_that_says_so(desk: Desk) -> None:
    path = desk.npz(image=np.zeros((1, 20, 40), np.uint8), y=MASK[None])
    fields = {"resize": {"height": 10, "width": 20}}
    plain = {"inputs": {"x": {**IMAGE, **fields}}, "label": "y", "decoder": {"kind": "segmentation"}}
    data = desk.open(path, plain)
    assert data.labels is not None
    assert data.labels[0].shape == (10, 20)
    wrong = desk.npz("wrong", image=np.zeros((1, 20, 40), np.uint8), y=MASK[None].astype(np.int64) * 200)
    assert "no mask of numbers from 0 to 255" in desk.refusal(wrong, plain).why
