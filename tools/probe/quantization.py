"""Between real numbers and the integers that stand for them, at the edge of a model. Also shipped in every package.

A real number is `(integer - zero_point) * scale` (LiteRT 8-bit quantization specification). Needs NumPy alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]  # element types are known only once data is there


def to_integers(values: Array, dtype: str, scale: float, zero_point: int) -> Array:
    """Return the nearest integers, those beyond the type's range cut to it.

    Halves are rounded away from zero, as by TensorFlow Lite's own QUANTIZE (`AffineQuantize`, which uses std::round).

    Args:
        values: Real numbers of any shape.
        dtype: NumPy's name of the integers' type.
        scale: What one step is worth.
        zero_point: The integer that stands for zero.
    """
    steps = values.astype(np.float32) / np.float32(scale)
    rounded = np.copysign(np.floor(np.abs(steps) + np.float32(0.5)), steps) + np.float32(zero_point)
    limits = np.iinfo(dtype)
    integers: Array = np.clip(rounded, limits.min, limits.max).astype(dtype)
    return integers


def to_real(integers: Array, scale: float, zero_point: int) -> Array:
    """Return the real numbers, in float32, that integers stand for."""
    real: Array = (integers.astype(np.float32) - np.float32(zero_point)) * np.float32(scale)
    return real
