"""Statistics are gathered as values come, kept in a file, and found again only for what they were gathered from."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgewright.state.errors import Code, Refused
from edgewright.tools.optimize.calibrate.statistics import Source, gather, load, save

SOURCE = Source("model", "data", (1, 2, 5))


def stream(take: Callable[[str, np.ndarray], None]) -> None:
    for seed in range(3):
        values = np.random.default_rng(seed).standard_normal((2, 4 + seed)).astype(np.float32)
        take("x", values)
        take("y", np.maximum(values, 0))


def test_what_was_saved_is_what_is_loaded(tmp_path: Path) -> None:
    statistics = gather(stream)
    save(statistics, SOURCE, tmp_path / "a.npz")
    found = load(tmp_path / "a.npz", SOURCE)
    assert found is not None
    assert list(found) == ["x", "y"]
    for name, histogram in statistics.items():
        assert (found[name].counts == histogram.counts).all()
        assert replace(found[name], counts=histogram.counts) == histogram


def test_the_same_statistics_are_the_same_file(tmp_path: Path) -> None:
    for name in ("a.npz", "b.npz"):
        save(gather(stream), SOURCE, tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


@pytest.mark.parametrize("other", [{"model": "m"}, {"data": "d"}, {"rows": (1, 2)}])
def test_those_of_another_model_or_other_samples_are_not_used(other: dict[str, object], tmp_path: Path) -> None:
    save(gather(stream), SOURCE, tmp_path / "a.npz")
    assert load(tmp_path / "a.npz", replace(SOURCE, **other)) is None


def test_a_model_without_tensors_has_empty_statistics(tmp_path: Path) -> None:
    save(gather(lambda _take: None), SOURCE, tmp_path / "a.npz")
    assert load(tmp_path / "a.npz", SOURCE) == {}


@pytest.mark.promise("P7")
def test_an_activation_that_is_no_number_is_named() -> None:
    with pytest.raises(Refused) as caught:
        gather(lambda take: take("x", np.array([1.0, np.nan], np.float32)))
    assert caught.value.refusal.code is Code.MODEL_NOT_FINITE
    assert "'x'" in caught.value.refusal.why
