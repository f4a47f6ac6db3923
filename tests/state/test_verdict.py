"""The verdict: one comparison with the floor, inclusive, the same in both directions."""

from dataclasses import replace
from fractions import Fraction

import pytest
import run_builder as build
from hypothesis import given
from hypothesis import strategies as st

from edgewright.state.evidence import Accuracy, Direction
from edgewright.state.paired import Paired
from edgewright.state.policy import Rule
from edgewright.state.verdict import Outcome, Verdict, floor_of, judge

values = st.floats(-1e6, 1e6)
tolerances = st.floats(0, 0.5)
directions = st.sampled_from(Direction)


def measured(value: float, direction: Direction = Direction.HIGHER) -> Accuracy:
    return build.accuracy("a", value, direction=direction)


def verdict(reference: float, candidate: float, tolerance: float, direction: Direction = Direction.HIGHER) -> Verdict:
    return judge(measured(reference, direction), measured(candidate, direction), tolerance)


def passes(reference: float, candidate: float, tolerance: float, direction: Direction = Direction.HIGHER) -> bool:
    return verdict(reference, candidate, tolerance, direction).outcome is Outcome.PASS


@pytest.mark.promise("P3")
@given(values, tolerances, directions)
def test_the_floor_itself_passes(reference: float, tolerance: float, direction: Direction) -> None:
    floor = floor_of(measured(reference, direction), tolerance)
    assert passes(reference, floor, tolerance, direction)


@pytest.mark.promise("P3")
@given(values, tolerances, directions)
def test_the_reference_itself_passes_without_a_drop(reference: float, tolerance: float, direction: Direction) -> None:
    found = verdict(reference, reference, tolerance, direction)
    assert found.outcome is Outcome.PASS
    assert found.drop == 0


@pytest.mark.promise("P3")
@given(values, values, values, tolerances, directions)
def test_a_better_candidate_never_fares_worse(
    reference: float, one: float, other: float, tolerance: float, direction: Direction
) -> None:
    worse, better = sorted((one, other), reverse=direction is Direction.LOWER)
    if passes(reference, worse, tolerance, direction):
        assert passes(reference, better, tolerance, direction)
    assert verdict(reference, worse, tolerance, direction).drop >= verdict(reference, better, tolerance, direction).drop


@pytest.mark.promise("P3")
@given(values, values, tolerances, tolerances, directions)
def test_a_stricter_tolerance_passes_nothing_that_a_looser_one_fails(
    reference: float, candidate: float, one: float, other: float, direction: Direction
) -> None:
    strict, loose = sorted((one, other))
    assert passes(reference, candidate, strict, direction) <= passes(reference, candidate, loose, direction)


@pytest.mark.promise("P3")
@given(values, values, tolerances)
def test_less_of_an_error_is_judged_as_more_of_a_score(reference: float, candidate: float, tolerance: float) -> None:
    higher = verdict(reference, candidate, tolerance, Direction.HIGHER)
    lower = verdict(-reference, -candidate, tolerance, Direction.LOWER)
    assert (higher.outcome, higher.drop, higher.floor) == (lower.outcome, lower.drop, -lower.floor)


@pytest.mark.promise("P3")
@given(st.floats(1e-3, 1e3), st.floats(0, 2), tolerances, directions)
def test_the_drop_is_relative_to_the_reference(
    reference: float, factor: float, tolerance: float, direction: Direction
) -> None:
    found = verdict(reference, reference * factor, tolerance, direction)
    expected = 1 - factor if direction is Direction.HIGHER else factor - 1
    assert found.drop == pytest.approx(expected, abs=1e-9)


@pytest.mark.promise("P3")
@pytest.mark.parametrize(
    ("direction", "reference", "candidate", "outcome"),
    [
        (Direction.HIGHER, 0.9, 0.8821, Outcome.PASS),
        (Direction.HIGHER, 0.9, 0.8819, Outcome.FAIL),
        (Direction.LOWER, 2.0, 2.039, Outcome.PASS),
        (Direction.LOWER, 2.0, 2.041, Outcome.FAIL),
        (Direction.HIGHER, -0.5, -0.509, Outcome.PASS),
        (Direction.HIGHER, -0.5, -0.511, Outcome.FAIL),
        (Direction.LOWER, -0.5, -0.489, Outcome.FAIL),
        (Direction.LOWER, -0.5, -0.491, Outcome.PASS),
    ],
)
def test_two_percent_is_a_drop_of_a_score_and_a_rise_of_an_error(
    direction: Direction, reference: float, candidate: float, outcome: Outcome
) -> None:
    assert verdict(reference, candidate, 0.02, direction).outcome is outcome


@pytest.mark.promise("P3")
@pytest.mark.parametrize("direction", Direction)
def test_against_a_zero_baseline_anything_worse_fails_and_anything_else_passes(direction: Direction) -> None:
    better = 0.1 if direction is Direction.HIGHER else -0.1
    assert verdict(0.0, 0.0, 0.02, direction).drop == 0
    assert passes(0.0, 0.0, 0.02, direction)
    assert passes(0.0, better, 0.02, direction)
    assert not passes(0.0, -better, 0.02, direction)
    assert verdict(0.0, -better, 0.02, direction).drop == float("inf")


@pytest.mark.promise("P3")
@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize(("reference", "candidate"), [(float("nan"), 1.0), (1.0, float("nan"))])
def test_what_is_not_a_number_never_passes(direction: Direction, reference: float, candidate: float) -> None:
    assert not passes(reference, candidate, 0.02, direction)


@pytest.mark.promise("P3")
@pytest.mark.parametrize("n", [200, 221, 242, 270, 1000, 10000])
def test_a_drop_of_exactly_the_tolerance_passes_and_one_more_error_fails(n: int) -> None:
    for right in range(50, n + 1, 50):
        least = right * Fraction(98, 100)
        assert passes(right / n, int(least) / n, 0.02), (right, n)
        assert not passes(right / n, (int(least) - 1) / n, 0.02), (right, n)


@pytest.mark.promise("P12")
def test_the_sentence_of_a_verdict_has_its_numbers() -> None:
    sentence = verdict(0.9, 0.8, 0.02).sentence
    assert all(number in sentence for number in ("FAIL", "0.9000", "0.8000", "11.11%", "2.00%", "0.8820", "n=1000"))
    assert "within" in verdict(0.9, 0.89, 0.02).sentence


def paired(low: float, high: float, difference: float | None = None) -> Paired:
    middle = (low + high) / 2 if difference is None else difference
    return Paired("a", middle, low, high, 0.95, "for the test")


def certain(
    candidate: float, interval: Paired | None, direction: Direction = Direction.HIGHER, rule: Rule = Rule.CONFIDENT
) -> Verdict:
    reference = measured(0.9, direction)
    return judge(reference, replace(measured(candidate, direction), paired=interval), 0.02, rule)


@pytest.mark.promise("P3")
@pytest.mark.parametrize(
    ("direction", "low", "high", "outcome"),
    [
        (Direction.HIGHER, -0.018, 0.01, Outcome.PASS),
        (Direction.HIGHER, -0.03, 0.01, Outcome.UNDECIDED),
        (Direction.HIGHER, -0.05, -0.02, Outcome.FAIL),
        (Direction.LOWER, -0.01, 0.018, Outcome.PASS),
        (Direction.LOWER, -0.01, 0.03, Outcome.UNDECIDED),
        (Direction.LOWER, 0.02, 0.05, Outcome.FAIL),
    ],
)
def test_confidence_wants_the_whole_interval_on_one_side(
    direction: Direction, low: float, high: float, outcome: Outcome
) -> None:
    assert certain(0.9 + (low + high) / 2, paired(low, high), direction).outcome is outcome


@pytest.mark.promise("P3")
def test_without_an_interval_confidence_decides_nothing() -> None:
    found = certain(0.895, None)
    assert found.outcome is Outcome.UNDECIDED
    assert "gives no interval" in found.sentence


@pytest.mark.promise("P3")
def test_the_original_passes_whatever_the_rule_since_it_is_what_the_floor_comes_from() -> None:
    reference = measured(0.9)
    found = judge(reference, reference, 0.02, Rule.CONFIDENT)
    assert found.outcome is Outcome.PASS
    assert "no interval" not in found.sentence


@pytest.mark.promise("P3")
def test_an_interval_against_another_model_is_no_interval() -> None:
    assert certain(0.9, replace(paired(-0.001, 0.001), reference="b")).outcome is Outcome.UNDECIDED


@pytest.mark.promise("P3")
def test_the_point_rule_looks_at_the_value_and_shows_the_interval() -> None:
    found = certain(0.89, paired(-0.03, 0.01), rule=Rule.POINT)
    assert found.outcome is Outcome.PASS
    assert "paired difference -0.0300 to +0.0100 with 95% confidence" in found.sentence


def test_undecided_says_how_many_samples_would_decide() -> None:
    # 0.008 from the floor and 0.02 wide: 2.5 times the distance, so 6.25 times the samples.
    found = certain(0.89, paired(-0.03, 0.01))
    assert found.deciding_n == pytest.approx(6250, abs=1)
    assert "about 625" in found.sentence
    assert certain(0.89, paired(-0.012, -0.008)).deciding_n is None


@pytest.mark.promise("P3")
@given(st.floats(-0.2, 0.2), st.floats(0, 0.2), st.floats(0, 0.2), directions)
def test_confidence_passes_and_fails_nothing_that_the_point_rule_judges_otherwise(
    difference: float, below: float, above: float, direction: Direction
) -> None:
    interval = paired(difference - below, difference + above, difference)
    sure, point = (
        certain(0.9 + difference, interval, direction, rule).outcome for rule in (Rule.CONFIDENT, Rule.POINT)
    )
    assert sure in {point, Outcome.UNDECIDED}
