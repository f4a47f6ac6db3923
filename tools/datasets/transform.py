"""What a data card says is done to a sample, done to a block of samples.

Pictures are resized by Pillow, whose antialiased filters are those of torchvision on PIL images; everything else is
NumPy over the whole block.
"""

from collections.abc import Callable

import numpy as np
from PIL import Image

from edgewright.state.errors import Code, Refused
from edgewright.tools.datasets.card import Crop, ImageInput, Resize, TensorInput
from edgewright.tools.datasets.samples import Array

_FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}
# Luma of ITU-R BT.601 in 16-bit fixed point, exactly as Pillow converts to `L` (src/libImaging/Convert.c).
_LUMA = np.array([19595, 38470, 7471], np.uint32)


def transform(block: Array, entry: ImageInput | TensorInput, first: int) -> Array:
    """Return a block of samples as the model takes them, without further batch dimension.

    Args:
        block: Shape (k, ...); for an image input uint8 of shape (k, height, width, 1 or 3).
        entry: What is done.
        first: Index of the block's first sample, for messages.

    Returns:
        Shape (k, ...), of the card's element type.

    Raises:
        Refused: DATA_INVALID for a value that the element type cannot hold, DATA_MISMATCH for a crop that is larger
            than the image, or numbers that do not fit the channels.
    """
    if isinstance(entry, TensorInput):
        return _cast(_normalised(block, entry), entry, first)
    pixels = block
    if entry.resize is not None:
        pixels = _each(pixels, _resizer(entry.resize))
    if entry.crop is not None:
        pixels = _cropped(pixels, entry.crop, first)
    values = _cast(_normalised(_coloured(pixels, entry), entry), entry, first)
    return np.ascontiguousarray(values.transpose(0, 3, 1, 2)) if entry.layout == "NCHW" else values


def _each(pixels: Array, change: Callable[[Image.Image], Image.Image]) -> Array:
    channels = pixels.shape[3]
    images = (Image.fromarray(picture[:, :, 0] if channels == 1 else picture) for picture in pixels)
    changed = np.stack([np.asarray(change(image)) for image in images])
    return changed[..., np.newaxis] if channels == 1 else changed


def _resizer(resize: Resize) -> Callable[[Image.Image], Image.Image]:
    wanted, resample = (resize.width, resize.height), _FILTERS[resize.interpolation]

    def scaled(image: Image.Image, pick: Callable[[float, float], float]) -> Image.Image:
        ratio = pick(wanted[0] / image.width, wanted[1] / image.height)
        size = (max(1, round(image.width * ratio)), max(1, round(image.height * ratio)))
        return image.resize(size, resample)

    def letterboxed(image: Image.Image) -> Image.Image:
        inside = scaled(image, min)
        background = Image.new(image.mode, wanted, resize.pad if image.mode == "L" else (resize.pad,) * 3)
        background.paste(inside, ((wanted[0] - inside.width) // 2, (wanted[1] - inside.height) // 2))
        return background

    match resize.fit:
        case "stretch":
            return lambda image: image.resize(wanted, resample)
        case "shorter_side":
            return lambda image: scaled(image, max)
        case "letterbox":
            return letterboxed


def _cropped(pixels: Array, crop: Crop, first: int) -> Array:
    height, width = pixels.shape[1:3]
    if crop.height > height or crop.width > width:
        raise Refused.because(
            Code.DATA_MISMATCH,
            f"the crop to {crop.height} x {crop.width}",
            f"the picture of sample {first} is {height} x {width} (height x width) when it is cropped",
            'have the card resize first, for example "fit": "shorter_side" to at least the size of the crop',
            "P9",
        )
    top, left = round((height - crop.height) / 2), round((width - crop.width) / 2)  # as torchvision's CenterCrop
    return pixels[:, top : top + crop.height, left : left + crop.width]


def _coloured(pixels: Array, entry: ImageInput) -> Array:
    if entry.colour == "GRAY":
        if pixels.shape[3] == 1:
            return pixels
        return ((pixels.astype(np.uint32) @ _LUMA + 0x8000) >> 16)[..., np.newaxis].astype(np.uint8)
    colours = np.repeat(pixels, 3, axis=3) if pixels.shape[3] == 1 else pixels
    return colours[..., ::-1] if entry.colour == "BGR" else colours


def _normalised(values: Array, entry: ImageInput | TensorInput) -> Array:
    """Compute `(value * scale - mean) / std` in float32, as a device does; in float64 where the input is float64."""
    if not entry.is_normalised:
        return values
    last = values.shape[-1] if values.ndim > 1 else 1
    for name, numbers in (("mean", entry.mean), ("std", entry.std)):
        if len(numbers) not in {1, last}:
            raise Refused.because(
                Code.DATA_MISMATCH,
                f"the {name} of the card",
                f"it has {len(numbers)} numbers, and the last axis of the samples has {last} elements",
                "give one number, or one an element of the last axis",
                "P9",
            )
    result: Array = values.astype(np.float64 if entry.dtype == "float64" else np.float32)
    for operation, numbers in ((np.multiply, (entry.scale,)), (np.subtract, entry.mean), (np.divide, entry.std)):
        operation(result, np.array(numbers, result.dtype), out=result)
    return result


def _cast(values: Array, entry: ImageInput | TensorInput, first: int) -> Array:
    with np.errstate(over="ignore", invalid="ignore"):
        cast = values.astype(entry.dtype)
        wrong = ~np.isfinite(cast) if cast.dtype.kind == "f" else cast != values
    if wrong.any():
        at = np.argwhere(wrong)[0]
        raise Refused.because(
            Code.DATA_INVALID,
            f"the samples as {entry.dtype}",
            f"the value {values[tuple(at)]} of sample {first + int(at[0])} is none that {entry.dtype} can hold",
            "correct `dtype` in the card, or the data",
            "P9",
            sample=first + int(at[0]),
        )
    return cast
