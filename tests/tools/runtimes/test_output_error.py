"""How far outputs are apart: relative to the reference's, whatever their kind."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import onnx_models as models
import pytest
from onnx import NodeProto
from onnx.helper import make_node as node

from edgewright.tools.runtimes.onnxruntime.activations import Feed
from edgewright.tools.runtimes.onnxruntime.outputs import Reference

F, I64 = models.F, models.I64


def apart(folder: Path, wanted: Sequence[NodeProto], got: Sequence[NodeProto], kind: int = F) -> float:
    """Return the error between two graphs x (n, 3) -> y on two samples."""

    def built(nodes: Sequence[NodeProto]) -> onnx.ModelProto:
        return models.model(
            nodes,
            [models.value("x", F, ["n", 3])],
            [models.value("y", kind, None)],
            [models.array("factor", 1.1, "float32"), models.array("zero", 0, "float32")],
        )

    onnx.save(built(got), folder / "got.onnx")
    feeds: list[Feed] = [{"x": np.array([[1, 2, 3]], np.float32)}, {"x": np.array([[3, 2, 1]], np.float32)}]
    return Reference(built(wanted), lambda: feeds, folder).error(folder / "got.onnx")


def test_ten_percent_more_is_a_hundredth_of_the_squares(tmp_path: Path) -> None:
    same, more = [node("Identity", ["x"], ["y"])], [node("Mul", ["x", "factor"], ["y"])]
    assert apart(tmp_path, same, more) == pytest.approx(0.01, rel=1e-4)
    assert apart(tmp_path, same, same) == 0


def test_of_integers_the_share_that_differs_counts(tmp_path: Path) -> None:
    largest, smallest = ([node(op, ["x"], ["y"], axis=1)] for op in ("ArgMax", "ArgMin"))
    assert apart(tmp_path, largest, smallest, I64) == 1
    assert apart(tmp_path, largest, largest, I64) == 0


@pytest.mark.parametrize(
    "got", [[node("Transpose", ["x"], ["y"])], [node("Div", ["x", "zero"], ["y"])], [node("Log", ["zero"], ["y"])]]
)
def test_other_shapes_and_what_is_no_number_are_infinitely_far(got: list[NodeProto], tmp_path: Path) -> None:
    assert apart(tmp_path, [node("Identity", ["x"], ["y"])], got) == np.inf


def test_anything_is_infinitely_far_from_nothing(tmp_path: Path) -> None:
    nothing, something = [node("Mul", ["x", "zero"], ["y"])], [node("Identity", ["x"], ["y"])]
    assert apart(tmp_path, nothing, something) == np.inf
