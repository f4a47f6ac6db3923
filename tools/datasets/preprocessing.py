"""Turns raw samples into what the model takes. This file is also shipped in every package, as it is.

It is the one definition of preprocessing: what accuracy was measured with is what the package does. So it imports
nothing of Edgewright.

An element becomes `(value * scale - mean) / std`; pictures before that go through resize, crop and colour, and their
axes into the model's layout last. Needs NumPy; resizing needs Pillow, whose antialiased filters are part of the result.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from PIL import Image

    Array = NDArray[Any]  # element types are known only once data is there


class UnfitSampleError(ValueError):
    """Raised for a sample that the description does not suit.

    Attributes:
        sample: Index among the samples given, where one is to blame.
        is_value: Whether a value is wrong, not a shape.
    """

    def __init__(self, message: str, sample: int = 0, *, is_value: bool = False) -> None:
        super().__init__(message)
        self.sample = sample
        self.is_value = is_value


# Luma of ITU-R BT.601 in 16-bit fixed point, exactly as Pillow converts to `L` (src/libImaging/Convert.c).
LUMA = np.array([19595, 38470, 7471], np.uint32)


def prepare(samples: Array, entry: Mapping[str, Any]) -> Array:
    """Return samples as the model takes them, without the model's batch dimension.

    Args:
        samples: Shape (k, ...). Pictures are uint8 (k, height, width, 1 or 3) or (k, height, width), red first.
        entry: One of the `inputs` of `preprocessing.json`.

    Returns:
        Shape (k, ...), of the input's element type.

    Raises:
        UnfitSampleError: The samples do not suit the entry, or hold a value that the element type cannot.
    """
    if entry["kind"] == "tensor":
        return _cast(_normalised(samples, entry), entry)
    pixels = samples[..., np.newaxis] if samples.ndim == 3 else samples
    if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[3] not in (1, 3):
        raise UnfitSampleError(f"pictures are uint8 (height, width, 1 or 3), not {samples.dtype} {samples.shape[1:]}")
    if entry["resize"] is not None:
        pixels = _resized(pixels, entry["resize"])
    if entry["crop"] is not None:
        pixels = _cropped(pixels, entry["crop"])
    values = _cast(_normalised(_coloured(pixels, entry["colour"]), entry), entry)
    return np.ascontiguousarray(values.transpose(0, 3, 1, 2)) if entry["layout"] == "NCHW" else values


def _resized(pixels: Array, resize: Mapping[str, Any]) -> Array:
    from PIL import Image  # only packages that resize need it

    gray = pixels.shape[3] == 1
    images = [Image.fromarray(picture[:, :, 0] if gray else picture) for picture in pixels]
    changed = np.stack([np.asarray(_fitted(image, resize)) for image in images])
    return changed[..., np.newaxis] if gray else changed


def _fitted(image: Image.Image, resize: Mapping[str, Any]) -> Image.Image:
    from PIL import Image

    size, corner = fitted_size(image.size, resize)
    inside = image.resize(size, getattr(Image.Resampling, resize["interpolation"].upper()))
    if resize["fit"] != "letterbox":
        return inside
    pad = resize["pad"]
    background = Image.new(image.mode, (resize["width"], resize["height"]), pad if image.mode == "L" else (pad,) * 3)
    background.paste(inside, corner)
    return background


def fitted_size(picture: tuple[int, int], resize: Mapping[str, Any]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the width and height that a picture is scaled to, and where its left top corner comes to lie: x, y."""
    height, width = resize["height"], resize["width"]
    if resize["fit"] == "stretch":
        return (width, height), (0, 0)
    pick = max if resize["fit"] == "shorter_side" else min
    ratio = pick(width / picture[0], height / picture[1])
    inside = max(1, round(picture[0] * ratio)), max(1, round(picture[1] * ratio))
    if resize["fit"] == "shorter_side":
        return inside, (0, 0)
    return inside, ((width - inside[0]) // 2, (height - inside[1]) // 2)


def _cropped(pixels: Array, crop: Mapping[str, int]) -> Array:
    height, width = pixels.shape[1:3]
    if crop["height"] > height or crop["width"] > width:
        raise UnfitSampleError(f"a {height} x {width} picture has no centre of {crop['height']} x {crop['width']}")
    # As torchvision's CenterCrop.
    top, left = round((height - crop["height"]) / 2), round((width - crop["width"]) / 2)
    return pixels[:, top : top + crop["height"], left : left + crop["width"]]


def _coloured(pixels: Array, colour: str) -> Array:
    if colour == "GRAY":
        if pixels.shape[3] == 1:
            return pixels
        return ((pixels.astype(np.uint32) @ LUMA + 0x8000) >> 16)[..., np.newaxis].astype(np.uint8)
    colours = np.repeat(pixels, 3, axis=3) if pixels.shape[3] == 1 else pixels
    return colours[..., ::-1] if colour == "BGR" else colours


def _normalised(values: Array, entry: Mapping[str, Any]) -> Array:
    """Compute in float32, as a device does; in float64 where the input is float64."""
    scale, mean, std = entry["scale"], entry["mean"], entry["std"]
    if scale == 1 and not any(mean) and all(number == 1 for number in std):
        return values
    last = values.shape[-1] if values.ndim > 1 else 1
    if len(mean) not in (1, last) or len(std) not in (1, last):
        raise UnfitSampleError(f"mean has {len(mean)} and std {len(std)} numbers for a last axis of {last} elements")
    kind = np.dtype("float64" if entry["dtype"] == "float64" else "float32")
    result: Array = values.astype(kind) * np.array(scale, kind)
    result -= np.array(mean, kind)
    result /= np.array(std, kind)
    return result


def _cast(values: Array, entry: Mapping[str, Any]) -> Array:
    with np.errstate(over="ignore", invalid="ignore"):
        cast: Array = values.astype(entry["dtype"])
        wrong = ~np.isfinite(cast) if cast.dtype.kind == "f" else cast != values
    if wrong.any():
        at = np.argwhere(wrong)[0]
        message = f"the value {values[tuple(at)]} is none that {entry['dtype']} can hold"
        raise UnfitSampleError(message, int(at[0]), is_value=True)
    return cast
