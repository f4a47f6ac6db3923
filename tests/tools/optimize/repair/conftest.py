"""A trained network with real data: the demo's."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto

DEMO = Path(__file__).parents[4] / "server" / "demo" / "fashion_mnist"


@pytest.fixture
def cnn() -> ModelProto:
    return onnx.shape_inference.infer_shapes(onnx.load(DEMO / "fashion_mnist_cnn.onnx"))


@pytest.fixture(scope="session")
def pictures() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Both sets as the model takes them, with labels; scaled as their data cards say."""
    found = {}
    for name in ("calibration", "validation"):
        with np.load(DEMO / f"{name}.npz") as stored:
            scaled = (stored["image"].astype(np.float32) / 255 - 0.2860) / 0.3530
            found[name] = (scaled.transpose(0, 3, 1, 2).astype(np.float32), stored["label"])
    return found
