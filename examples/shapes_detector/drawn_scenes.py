"""Pictures of discs, squares and triangles on uneven ground, with the exact boxes of what was drawn. Needs NumPy."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SIDE = 64
CLASSES = ("disc", "square", "triangle")
MOST_SHAPES = 4
LEAST_RADIUS, LARGEST_RADIUS = 6.0, 13.0
# Centres at least this far apart: two shapes may touch or overlap a little, but none hides another.
APART = 14.0


class Scene(NamedTuple):
    """A picture, 8-bit RGB, shape (64, 64, 3), and boxes, float64, shape (k, 5): class, left, top, right, bottom."""

    image: NDArray[np.uint8]
    boxes: NDArray[np.float64]


def draw(count: int, seed: int) -> list[Scene]:
    """Return so many scenes; the same seed gives the same ones. About one in twenty holds no shape at all."""
    rng = np.random.default_rng(seed)
    return [_scene(rng) for _ in range(count)]


def _scene(rng: np.random.Generator) -> Scene:
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5
    slope = rng.uniform(-0.6, 0.6, (2, 3))
    ground = rng.uniform(50, 110, 3) + slope[0] * (x - SIDE / 2)[..., None] + slope[1] * (y - SIDE / 2)[..., None]
    image = ground + rng.normal(0, 6, (SIDE, SIDE, 1))
    boxes = []
    for cx, cy in _centres(rng):
        kind = int(rng.integers(len(CLASSES)))
        inside = _drawn(kind, x - cx, y - cy, rng.uniform(LEAST_RADIUS, LARGEST_RADIUS))
        rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
        image[inside] = rng.uniform(130, 250, 3) + rng.normal(0, 6, (int(inside.sum()), 1))
        boxes.append((kind, columns[0], rows[0], columns[-1] + 1, rows[-1] + 1))
    return Scene(image.clip(0, 255).astype(np.uint8), np.array(boxes, np.float64).reshape(-1, 5))


def _centres(rng: np.random.Generator) -> list[tuple[float, float]]:
    wanted = 0 if rng.random() < 0.05 else int(rng.integers(1, MOST_SHAPES + 1))
    centres: list[tuple[float, float]] = []
    for cx, cy in rng.uniform(LARGEST_RADIUS / 2, SIDE - LARGEST_RADIUS / 2, (40, 2)):
        if len(centres) < wanted and all(np.hypot(cx - a, cy - b) >= APART for a, b in centres):
            centres.append((cx, cy))
    return centres


def _drawn(kind: int, x: NDArray[np.float64], y: NDArray[np.float64], radius: float) -> NDArray[np.bool_]:
    """Return where a shape around the origin lies."""
    if kind == 0:
        return x**2 + y**2 <= radius**2
    if kind == 1:
        return np.maximum(abs(x), abs(y)) <= radius * 0.85
    return (y <= radius * 0.8) & (abs(x) <= (y + radius) * 0.55)
