import json
from pathlib import Path

import numpy as np
import pytest

from edgewright.tools.probe.column_writer import ColumnWriter
from edgewright.tools.probe.columns import Array, Column

RNG = np.random.default_rng(5)


def written(folder: Path, samples: list[Array], *, drop_leading_one: bool = False) -> Column:
    with ColumnWriter(folder, "out") as writer:
        for sample in samples:
            writer.append(sample)
        spec = writer.finish(drop_leading_one=drop_leading_one)
    assert json.loads(json.dumps(spec)) == spec
    return Column.open(spec, lambda name: str(folder / name))


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int64", "uint8", "bool"])
@pytest.mark.parametrize("shape", [(), (3,), (2, 1, 4), (0, 2)])
def test_equal_shapes_come_back_as_a_regular_column(tmp_path: Path, dtype: str, shape: tuple[int, ...]) -> None:
    samples = [np.asarray(10 * RNG.random(shape)).astype(dtype) for _ in range(5)]
    column = written(tmp_path, samples)
    assert (column.regular, len(column), column.dtype, column.rank) == (True, 5, dtype, len(shape))
    for index, sample in enumerate(samples):
        np.testing.assert_array_equal(column[index], sample)
    np.testing.assert_array_equal(column.batch(1, 4), np.stack(samples[1:4]))
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), np.stack(samples))


def test_different_shapes_come_back_as_a_ragged_column(tmp_path: Path) -> None:
    samples: list[Array] = [RNG.random((length, 2)).astype(np.float32) for length in (3, 0, 1, 1, 7)]
    column = written(tmp_path, samples)
    assert (column.regular, len(column), column.rank) == (False, 5, 2)
    for index, sample in enumerate(samples):
        np.testing.assert_array_equal(column[index], sample)
    np.testing.assert_array_equal(column[-1], samples[-1])
    np.testing.assert_array_equal(column.batch(2, 4), np.stack(samples[2:4]))
    np.testing.assert_array_equal(column.shapes, [sample.shape for sample in samples])
    with pytest.raises(ValueError, match="same shape"):
        column.batch(0, 2)


def test_only_empty_samples_are_a_column_too(tmp_path: Path) -> None:
    column = written(tmp_path, [np.empty((0, 3)), np.empty((0, 2))])
    assert [column[0].shape, column[1].shape] == [(0, 3), (0, 2)]


def test_a_leading_one_goes_only_where_every_sample_has_it(tmp_path: Path) -> None:
    assert written(tmp_path, [np.zeros((1, 4)), np.zeros((1, 4))], drop_leading_one=True)[0].shape == (4,)
    assert written(tmp_path, [np.zeros((1, 4)), np.zeros((2, 4))], drop_leading_one=True)[0].shape == (1, 4)
    assert written(tmp_path, [np.zeros(()), np.zeros(())], drop_leading_one=True)[0].shape == ()


def test_an_index_past_the_end_raises(tmp_path: Path) -> None:
    for samples in ([np.zeros(2), np.zeros(2)], [np.zeros(2), np.zeros(3)]):
        column = written(tmp_path, samples)
        with pytest.raises(IndexError):
            column[2]


def test_a_column_of_mixed_types_or_ranks_is_refused_while_it_is_written(tmp_path: Path) -> None:
    with ColumnWriter(tmp_path, "out") as writer:
        writer.append(np.zeros(3, np.float32))
        with pytest.raises(ValueError, match=r"sample 1 is float64 of rank 1"):
            writer.append(np.zeros(3))
        with pytest.raises(ValueError, match=r"of rank 2, the samples before it are float32 of rank 1"):
            writer.append(np.zeros((3, 1), np.float32))


def test_text_and_nothing_are_no_columns(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="out holds nothing, not numbers"):
        written(tmp_path, [])
    with pytest.raises(ValueError, match="out holds object, not numbers"):
        written(tmp_path, [np.array(["a"], dtype=object)])


def test_files_that_contradict_their_index_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "values.npy", np.zeros(10, np.float32))
    np.save(tmp_path / "shapes.npy", np.array([[2, 2], [1, 5]]))
    ragged = {"kind": "ragged", "dtype": "float32", "values": "values.npy", "shapes": "shapes.npy"}
    with pytest.raises(ValueError, match="speak of 9 values, the file holds 10"):
        Column.open(ragged, lambda name: str(tmp_path / name))
    with pytest.raises(ValueError, match="the index says int64, the file holds float32"):
        Column.open({**ragged, "dtype": "int64"}, lambda name: str(tmp_path / name))
    with pytest.raises(ValueError, match="1-D values"):
        Column(np.zeros((2, 2)), np.array([[2], [2]]))
    with pytest.raises(ValueError, match="scalar"):
        Column(np.zeros(()))
