"""Two models on the same samples: the interval of the difference against published figures and against chance."""

import numpy as np
import pytest

from edgewright.tools.validate.paired import compare, mcnemar, tango


def evenly(values: np.ndarray) -> np.ndarray:
    return np.column_stack([values, np.ones(len(values))]).astype(np.float64)


@pytest.mark.parametrize(("b", "c", "n"), [(1, 0, 44), (1, 7, 21), (40, 20, 160), (3, 9, 1000)])
def test_tangos_ends_are_roots_of_the_closed_form(b: int, c: int, n: int) -> None:
    """The quartic of Yang, Sun and Hardin ("A non-iterative implementation of Tango's score ...", 2012)."""
    g, d = 1.959963984540054**2, b - c
    quartic = [
        n**2 * (n / g + 1) ** 2,
        -n * d * (n / g + 1) * (4 * n / g + 1),
        2 * n * d**2 * (3 * n / g + 2) / g - n**2 * ((b + c) / g + 1),
        n * d * (2 * (b + c) / g + 1) - d**3 * (4 * n / g + 1) / g,
        d**2 * (d**2 / g - (b + c)) / g,
    ]
    roots = np.roots(quartic)
    for end in tango(b, c, n):
        assert np.abs(roots - end).min() < 1e-6


def test_no_difference_in_few_samples_is_not_certainty() -> None:
    low, high = tango(0, 0, 200)
    assert low == pytest.approx(-high)
    assert 0.015 < high < 0.025
    assert tango(0, 0, 20_000)[1] < high / 50


def test_gains_and_losses_are_mirror_images() -> None:
    assert tango(7, 3, 100) == pytest.approx([-end for end in tango(3, 7, 100)[::-1]])
    assert mcnemar(7, 3) == mcnemar(3, 7)


@pytest.mark.parametrize(
    ("gained", "lost", "p_value"), [(0, 0, 1.0), (5, 5, 1.0), (0, 6, 2 / 2**6), (1, 9, 22 / 2**10)]
)
def test_mcnemar_counts_throws_of_a_coin(gained: int, lost: int, p_value: float) -> None:
    assert mcnemar(gained, lost) == pytest.approx(p_value)


def test_answers_are_counted_and_values_are_resampled() -> None:
    rng = np.random.default_rng(0)
    before = (rng.random(600) < 0.9).astype(float)
    after = np.where(rng.random(600) < 0.03, 1 - before, before)
    right = compare("r", evenly(before), evenly(after), after.mean())
    assert right is not None
    assert right.difference == pytest.approx(after.mean() - before.mean())
    assert (right.gained, right.lost) == (int((after > before).sum()), int((after < before).sum()))
    noise = rng.normal(0, 0.1, 600)
    scores = compare("r", evenly(before), evenly(before - 0.01 + noise), (before - 0.01 + noise).mean())
    assert scores is not None
    assert (scores.gained, scores.p_value) == (None, None)
    half = 1.96 * noise.std() / np.sqrt(600)
    assert scores.low == pytest.approx(scores.difference - half, abs=0.15 * half)
    assert scores.high == pytest.approx(scores.difference + half, abs=0.15 * half)


def test_a_root_of_a_ratio_is_recognised_by_its_value() -> None:
    rng = np.random.default_rng(1)
    before = np.column_stack([rng.random(400), rng.integers(1, 5, 400)]).astype(np.float64)
    after = before * (1.21, 1)
    root = np.sqrt(after[:, 0].sum() / after[:, 1].sum())
    found = compare("r", before, after, root)
    assert found is not None
    assert found.difference == pytest.approx(root * (1 - 1 / 1.1))
    assert found.low > 0
    assert compare("r", before, after, 3 * root) is None
    assert compare("r", before[:-1], after, root) is None


@pytest.mark.promise("P3")
def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    rng, n, truth, held = np.random.default_rng(2), 300, -0.02, 0
    for _ in range(400):
        gained, lost, _same = rng.multinomial(n, [0.02, 0.04, 0.94])
        low, high = tango(int(gained), int(lost), n)
        held += low <= truth <= high
    assert 0.93 <= held / 400 <= 0.98
