"""The figures of a comparison, against numbers worked out by hand."""

import numpy as np
import pytest

from edgewright.tools.optimize.comparison import compare_columns
from edgewright.tools.probe.columns import Column


def column(rows: object, dtype: str = "float32") -> Column:
    return Column(np.asarray(rows, dtype))


def test_figures_are_taken_over_all_samples_together() -> None:
    output = compare_columns("y", column([[3, 4], [0, 0]]), column([[4, 3], [0, 0]]))
    assert output.cosine == pytest.approx(24 / 25)
    assert output.max_absolute == 1
    assert output.max_relative == pytest.approx(1 / 4)
    assert output.agreement == 0.5
    assert output.samples == 2


def test_equal_outputs_are_equal_even_where_they_are_zero() -> None:
    output = compare_columns("y", column([[0, 0]]), column([[0, 0]]))
    assert (output.cosine, output.max_absolute, output.max_relative, output.agreement) == (1, 0, 0, 1)


def test_nothing_is_like_nothing_else() -> None:
    assert compare_columns("y", column([[0, 0]]), column([[0, 1]])).cosine == 0


def test_integers_agree_where_they_are_equal() -> None:
    output = compare_columns("y", column([1, 2, 3, 4], "int64"), column([1, 2, 3, 5], "int64"))
    assert (output.agreement, output.dtype) == (0.75, "int64")


def test_a_single_number_has_nothing_to_choose_from() -> None:
    assert compare_columns("y", column([[1], [2]]), column([[1], [2]])).agreement is None


def test_samples_that_turn_non_finite_are_counted_and_left_out() -> None:
    output = compare_columns("y", column([[1, 2], [3, 4]]), column([[1, 2], [np.nan, np.inf]]))
    assert (output.non_finite, output.samples, output.cosine) == (1, 1, pytest.approx(1))


def test_infinities_that_both_have_are_no_difference() -> None:
    output = compare_columns("y", column([[-np.inf, 2]]), column([[-np.inf, 2]]))
    assert (output.non_finite, output.samples, output.max_absolute) == (0, 1, 0)


def test_samples_of_another_shape_are_counted_and_left_out() -> None:
    ragged = Column(np.arange(5, dtype=np.float32), np.array([[2], [3]]))
    other = Column(np.arange(4, dtype=np.float32), np.array([[2], [2]]))
    output = compare_columns("boxes", ragged, other)
    assert (output.reshaped, output.samples) == (1, 1)
