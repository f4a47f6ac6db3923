"""The module that is shipped in packages: what it takes, and what it names as unfit."""

import ast
from pathlib import Path

import numpy as np
import pytest

from edgewright.tools.datasets import preprocessing
from edgewright.tools.datasets.card import ImageInput
from edgewright.tools.datasets.preprocessing import prepare


@pytest.mark.promise("P9")
def test_it_needs_nothing_that_a_package_lacks() -> None:
    tree = ast.parse(Path(preprocessing.__file__).read_text(encoding="utf-8"))
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert imported <= {"__future__", "typing", "collections.abc", "numpy", "numpy.typing", "PIL"}


def test_a_picture_without_a_channel_axis_is_gray() -> None:
    entry = ImageInput.model_validate_json('{"kind": "image", "colour": "GRAY", "dtype": "uint8", "layout": "NHWC"}')
    pixels = np.arange(12, dtype=np.uint8).reshape(1, 3, 4)
    np.testing.assert_array_equal(prepare(pixels, entry.model_dump(mode="json")), pixels[..., np.newaxis])


@pytest.mark.parametrize(
    "pixels", [np.zeros((1, 4, 4, 3), np.float32), np.zeros((1, 4, 4, 2), np.uint8), np.zeros((1, 4), np.uint8)]
)
def test_what_is_no_picture_is_named(pixels: "np.ndarray[tuple[int, ...], np.dtype[np.generic]]") -> None:
    with pytest.raises(ValueError, match="pictures are uint8"):
        prepare(pixels, ImageInput(kind="image").model_dump(mode="json"))
