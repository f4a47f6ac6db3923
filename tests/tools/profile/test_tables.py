"""Which inputs choose rows of a table, and which numbering of classes answers speak for."""

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from edgewright.tools.profile.order import _paired
from edgewright.tools.profile.tables import rows_looked_up


def words(*nodes: tuple[str, list[str], str, dict[str, int]], rows: int = 8) -> ModelProto:
    """Return a model of one input `ids` and a table of some rows."""
    made = [helper.make_node(kind, given, [name], **options) for kind, given, name, options in nodes]
    table = numpy_helper.from_array(np.zeros((rows, 4), np.float32), "table")
    few = numpy_helper.from_array(np.zeros((3, 2), np.float32), "few")
    ids = helper.make_tensor_value_info("ids", TensorProto.INT64, [None, 5])
    out = helper.make_tensor_value_info(made[-1].output[0], TensorProto.FLOAT, None)
    return helper.make_model(helper.make_graph(made, "words", [ids], [out], [table, few]))


@pytest.mark.parametrize(
    ("model", "rows"),
    [
        (words(("Gather", ["table", "ids"], "y", {})), {"ids": 8}),
        (words(("Cast", ["ids"], "c", {"to": 6}), ("Gather", ["table", "c"], "y", {"axis": 0})), {"ids": 8}),
        (words(("Gather", ["table", "ids"], "x", {}), ("Gather", ["few", "ids"], "y", {})), {"ids": 3}),
        (words(("Gather", ["table", "ids"], "y", {"axis": 1})), {}),
        (words(("Abs", ["ids"], "c", {}), ("Gather", ["table", "c"], "y", {})), {}),
        (words(("Gather", ["ids", "ids"], "y", {})), {}),
    ],
)
def test_only_inputs_that_reach_a_stored_table_unchanged_choose_its_rows(
    model: ModelProto, rows: dict[str, int]
) -> None:
    assert rows_looked_up(model) == rows


@pytest.mark.parametrize("seed", range(5))
def test_any_numbering_is_found_again_where_most_answers_are_right(seed: int) -> None:
    rng = np.random.default_rng(seed)
    order = rng.permutation(7)
    labels = rng.integers(0, 7, 400)
    answers = np.where(rng.random(400) < 0.8, order[labels], rng.integers(0, 7, 400))
    counts = np.array([np.bincount(answers[labels == number], minlength=7) for number in range(7)])
    np.testing.assert_array_equal(_paired(counts), order)


def test_no_class_is_given_twice() -> None:
    paired = _paired(np.array([[9, 1, 0], [8, 2, 0], [7, 0, 3]]))
    assert sorted(paired.tolist()) == [0, 1, 2]
    assert paired[0] == 0
