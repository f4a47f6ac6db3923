"""How much pixels resemble their neighbours: what tells pictures from noise.

The pixels of a picture of anything depend on their neighbours, those of white noise do not, whatever its distribution.
Measured: the correlation of pixels with their neighbour in one direction, the largest of the four directions, so that
a drawing of lines in one direction counts as a picture. It does not change with brightness, contrast, or colour scale.
"""

import numpy as np
from numpy.typing import NDArray

# Fewer pixels than this give too uncertain a correlation: on 16 x 16 its standard error for noise is 0.06.
LEAST_SIDE = 16
# Larger pictures are judged by their centre, which keeps the cost of a sample constant.
MOST_SIDE = 256


def neighbour_correlation(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return one correlation a picture; NaN for pictures that are constant or too small to judge.

    Args:
        pictures: Shape (k, height, width, channels).

    Returns:
        Shape (k,), -1 to 1, over all channels together.
    """
    height, width = pictures.shape[1:3]
    if min(height, width) < LEAST_SIDE:
        return np.full(len(pictures), np.nan, np.float32)
    top, left = max(0, (height - MOST_SIDE) // 2), max(0, (width - MOST_SIDE) // 2)
    centre = pictures[:, top : top + MOST_SIDE, left : left + MOST_SIDE].astype(np.float32)
    # Each channel about its own mean: otherwise a tint alone would correlate.
    centred = centre - centre.mean(axis=(1, 2), keepdims=True)
    pairs = (
        (centred[:, :, 1:], centred[:, :, :-1]),
        (centred[:, 1:], centred[:, :-1]),
        (centred[:, 1:, 1:], centred[:, :-1, :-1]),
        (centred[:, 1:, :-1], centred[:, :-1, 1:]),
    )
    largest: NDArray[np.float32] = np.max([_correlation(one, other) for one, other in pairs], axis=0)
    return largest


def _correlation(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
    def product(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
        summed: NDArray[np.float32] = np.einsum("khwc,khwc->k", first, second)  # without an array of the products
        return summed

    spread, together = np.sqrt(product(one, one) * product(other, other)), product(one, other)
    correlation: NDArray[np.float32] = np.full_like(spread, np.nan)
    np.divide(together, spread, out=correlation, where=spread > 0)
    return correlation
