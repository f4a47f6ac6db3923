"""Data as a caller would lay it down: an allowed root, a workspace, a way to prepare and a way to be refused."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from edgewright.state.errors import Refusal, Refused
from edgewright.state.evidence import Dataset
from edgewright.tools.datasets.prepare import prepare
from edgewright.tools.datasets.prepared import PreparedData, open_dataset
from edgewright.tools.orders import DataSource
from edgewright.tools.workspace import Workspace

Array = NDArray[np.generic]
Card = Mapping[str, object]

IMAGE_CARD: Card = {"inputs": {"x": {"kind": "image"}}}
TENSOR_CARD: Card = {"inputs": {"x": {"kind": "tensor", "array": "x"}}}


@dataclass
class Desk:
    """An allowed root, and what is prepared from it."""

    root: Path
    workspace: Workspace

    def npz(self, name: str = "data", /, **arrays: Array) -> Path:
        path = self.root / f"{name}.npz"
        np.savez_compressed(path, **arrays)
        return path

    def prepare(self, path: Path, card: Card | None = TENSOR_CARD) -> Dataset:
        return prepare(DataSource(str(path), card), (str(self.root),), self.workspace, "validation data")

    def open(self, path: Path, card: Card | None = TENSOR_CARD) -> PreparedData:
        return open_dataset(self.prepare(path, card), self.workspace)

    def refusal(self, path: Path, card: Card | None = TENSOR_CARD) -> Refusal:
        with pytest.raises(Refused) as caught:
            self.prepare(path, card)
        return caught.value.refusal


def with_fields(card: Card, **fields: object) -> Card:
    """Return the card with these fields in its one input."""
    inputs = card["inputs"]
    assert isinstance(inputs, dict)
    return {**card, "inputs": {name: {**entry, **fields} for name, entry in inputs.items()}}


def picture(path: Path, pixels: Array) -> Path:
    """Write a picture of shape (height, width) or (height, width, channels)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def scenes(n: int, side: int = 32, channels: int = 1, seed: int = 0) -> NDArray[np.uint8]:
    """Return pictures of soft blobs, all different: uint8, shape (n, side, side, channels)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    made = np.empty((n, side, side, channels))
    for number in range(n):
        for channel in range(channels):
            cy, cx, width = rng.uniform((0, 0, 3), (side, side, side / 3))
            made[number, :, :, channel] = np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / width**2)
    return (made * 255).astype(np.uint8)
