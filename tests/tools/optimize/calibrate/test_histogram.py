"""What is kept of a tensor's values: the same whatever order they came in, and what holding all of them would give."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgewright.tools.optimize.calibrate.histogram import BINS, Histogram


def histogram(chunks: list[np.ndarray]) -> Histogram:
    found = Histogram()
    for chunk in chunks:
        found.add(chunk.astype(np.float32))
    return found


def chunks(count: int = 12) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.normal(0, scale, (3, 41)) for scale in np.geomspace(1e-3, 30, count)]


def test_neither_order_nor_grouping_changes_it() -> None:
    forth, back = histogram(chunks()), histogram(chunks()[::-1])
    whole = histogram([np.concatenate([chunk.ravel() for chunk in chunks()])])
    for other in (back, whole):
        assert (other.counts == forth.counts).all()
        assert (other.exponent, other.low, other.high) == (forth.exponent, forth.low, forth.high)


def test_it_counts_what_numpy_counts_with_every_value_at_hand() -> None:
    found = histogram(chunks())
    everything = np.concatenate([chunk.astype(np.float32).ravel() for chunk in chunks()])
    assert (np.histogram(everything, found.edges)[0] == found.counts).all()
    assert (found.low, found.high) == (everything.min(), everything.max())
    assert found.width <= max(-found.low, found.high) / 1024


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=50))
def test_every_finite_number_finds_its_bin(values: list[float]) -> None:
    found = histogram([np.array([value]) for value in values])
    assert found.counts.sum() == len(values)
    occupied = np.flatnonzero(found.counts)
    assert found.edges[occupied[0]] <= found.low <= found.edges[occupied[0] + 1]
    assert found.edges[occupied[-1]] <= found.high <= found.edges[occupied[-1] + 1]


def test_zeros_are_counted_and_nothing_is_nothing() -> None:
    found = histogram([np.zeros(5), np.zeros((0, 3)), np.array([8.0])])
    assert found.counts[BINS // 2] == 5
    assert (found.chunks, found.counts.sum()) == (2, 6)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_shows(value: float) -> None:
    assert not histogram([np.ones(3), np.array([1.0, value])]).finite
