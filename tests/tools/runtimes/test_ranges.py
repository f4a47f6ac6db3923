"""Ranges for 8 bits: what the extremes, the percentile and the entropy make of known values."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import onnx_models as models
import pytest

from edgewright.tools.runtimes.onnxruntime.calibration import Feed, activation_ranges
from edgewright.tools.runtimes.onnxruntime.ranges import BINS, LEVELS, entropy_range, levels_of, percentile_range

BOUND = 8.0


def histogram(values: object) -> np.ndarray:
    return np.histogram(np.asarray(values, np.float64), BINS, (-BOUND, BOUND))[0]


def test_one_outlier_in_a_hundred_thousand_is_cut_by_the_percentile() -> None:
    values = np.concatenate([np.linspace(-1, 1, 100_000), [BOUND]])
    low, high = percentile_range(histogram(values), BOUND)
    assert -1.01 < low < -0.99
    assert 0.99 < high < 1.02


def test_without_outliers_the_percentile_keeps_nearly_everything() -> None:
    low, high = percentile_range(histogram(np.linspace(-BOUND, BOUND, 100_000)), BOUND)
    assert low == pytest.approx(-BOUND, abs=0.02)
    assert high == pytest.approx(BOUND, abs=0.02)


def test_entropy_cuts_a_long_thin_tail_but_not_a_full_range() -> None:
    rng = np.random.default_rng(0)
    thin = np.concatenate([rng.normal(0, 0.5, 200_000), rng.uniform(-BOUND, BOUND, 20)])
    assert entropy_range(histogram(thin), BOUND)[1] < BOUND / 2
    full = rng.uniform(-BOUND, BOUND, 200_000)
    assert entropy_range(histogram(full), BOUND)[1] > 0.9 * BOUND


def test_all_levels_merge_equally_many_bins_give_or_take_one() -> None:
    for bins in range(LEVELS, BINS + 1):
        merged = np.bincount(levels_of(bins), minlength=LEVELS)
        assert (merged.size, merged.sum()) == (LEVELS, bins)
        assert merged.max() - merged.min() <= 1


@pytest.mark.parametrize("center", [7.5, -7.5, 0.01])
def test_entropy_never_cuts_off_more_than_a_hundredth_of_the_values(center: float) -> None:
    values = np.random.default_rng(1).normal(center, 0.05, 500)
    low, high = entropy_range(histogram(values), BOUND)
    assert ((values >= low) & (values <= high)).mean() >= 0.99


def ranges(folder: Path, feeds: list[Feed], method: str) -> dict[str, tuple[float, float]]:
    path = folder / "model.onnx"
    onnx.save(onnx.shape_inference.infer_shapes(models.mlp()), path)
    found = activation_ranges(path, lambda: iter(feeds), method, ["MatMul", "Add", "Relu"], folder)
    return {name: tuple(np.ravel(data.range_value).tolist()) for name, data in found.items()}


def feeds(n: int, batch: int = 1) -> list[Feed]:
    rng = np.random.default_rng(3)
    rows = rng.standard_normal((n, 12)).astype(np.float32)
    return [{"x": rows[start : start + batch]} for start in range(0, n, batch)]


@pytest.mark.parametrize("method", ["minmax", "percentile", "entropy"])
def test_ranges_do_not_depend_on_order_or_grouping(method: str, tmp_path: Path) -> None:
    one_by_one = ranges(tmp_path, feeds(60), method)
    assert ranges(tmp_path, feeds(60)[::-1], method) == one_by_one
    assert ranges(tmp_path, feeds(60, batch=20), method) == one_by_one


def test_the_extremes_are_those_of_all_samples(tmp_path: Path) -> None:
    samples = feeds(50)
    low, high = ranges(tmp_path, samples, "minmax")["x"]
    everything = np.concatenate([feed["x"] for feed in samples])
    assert (low, high) == (everything.min(), everything.max())


def test_narrowed_ranges_lie_within_the_extremes(tmp_path: Path) -> None:
    extremes = ranges(tmp_path, feeds(60), "minmax")
    for method in ("percentile", "entropy"):
        narrowed = ranges(tmp_path, feeds(60), method)
        assert narrowed.keys() == extremes.keys()
        assert all(low >= extremes[name][0] and high <= extremes[name][1] for name, (low, high) in narrowed.items())


def test_samples_of_different_lengths_are_taken(tmp_path: Path) -> None:
    model = models.model(
        [onnx.helper.make_node("MatMul", ["x", "w"], ["y"])],
        [models.value("x", models.F, ["n", "tokens", 4])],
        [models.value("y", models.F, ["n", "tokens", 4])],
        [models.weights("w", 4, 4)],
    )
    onnx.save(onnx.shape_inference.infer_shapes(model), tmp_path / "m.onnx")
    samples: list[Feed] = [{"x": np.ones((1, length, 4), np.float32)} for length in (1, 5, 3)]
    found = activation_ranges(tmp_path / "m.onnx", lambda: iter(samples), "entropy", ["MatMul"], tmp_path)
    assert set(found.keys()) == {"x", "y"}


def test_samples_are_asked_for_one_at_a_time(tmp_path: Path) -> None:
    alive: list[int] = []

    def watched() -> Iterator[Feed]:
        for number, feed in enumerate(feeds(10)):
            alive.append(number)
            yield feed

    path = tmp_path / "model.onnx"
    onnx.save(onnx.shape_inference.infer_shapes(models.mlp()), path)
    activation_ranges(path, watched, "percentile", ["MatMul"], tmp_path)
    assert alive == [*range(10), *range(10)]
