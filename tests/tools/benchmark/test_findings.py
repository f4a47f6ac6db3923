import numpy as np
import pytest

from edgewright.state.evidence import Operator, Ratio
from edgewright.tools.benchmark.findings import comparison, invalidity, reasons


def operators(**times: float) -> list[Operator]:
    total = sum(times.values())
    return [Operator(name, 2.0, time, time / total) for name, time in times.items()]


@pytest.mark.parametrize(
    ("low", "high", "begins", "gain"),
    [
        (0.90, 0.95, None, True),
        (
            0.97,
            0.995,
            "No difference shown: candidate over baseline is 0.970 to 0.995 with 95% confidence, and one",
            False,
        ),
        (
            0.97,
            1.03,
            "No difference shown: candidate over baseline is 0.970 to 1.030 with 95% confidence, which",
            False,
        ),
        (1.002, 1.03, "No difference shown: candidate over baseline is 1.002 to 1.030 with 95% confidence, and", False),
        (1.02, 1.03, "The candidate is slower: candidate over baseline is 1.020 to 1.030 with 95% confidence.", False),
    ],
)
def test_a_gain_is_only_claimed_where_the_interval_shows_it(
    low: float, high: float, begins: str | None, *, gain: bool
) -> None:
    ratio = Ratio((low + high) / 2, low, high, 0.95)
    assert ratio.faster is gain
    found = comparison(ratio)
    assert (found == ()) if begins is None else found[0].startswith(begins)


@pytest.mark.promise("P10")
def test_times_that_are_too_few_or_impossible_are_invalid() -> None:
    good, bad = np.ones(100, np.int64), np.array([5] * 98 + [0, -3])
    assert invalidity({"baseline": [good], "candidate": [good[:50], good[50:]]}) == ()
    assert invalidity({"baseline": [good[:99]], "candidate": [bad]}) == (
        "The baseline was timed 99 times; 100 are the least.",
        "The clock went back or stood still during 2 runs of the candidate.",
    )


def test_conversions_are_named_as_the_reason_with_their_share() -> None:
    found = reasons(
        operators(Conv=3.0, Relu=1.0), operators(QLinearConv=2.0, QuantizeLinear=1.0, DequantizeLinear=0.5, Reorder=0.5)
    )
    assert found == (
        "38% of the candidate's operator time converts between number formats or layouts (QuantizeLinear 25%, "
        "DequantizeLinear 12%); in the baseline it is 0%.",
    )


def test_operators_left_in_float_are_counted_against_the_baselines() -> None:
    found = reasons(operators(Conv=3.0, Gemm=1.0), operators(QLinearConv=2.0, QuantizeLinear=0.01, Gemm=1.0))
    assert found == (
        "2 of the baseline's 4 convolutions, matrix products and recurrences still run in float (Gemm 2).",
    )


def test_a_float_candidate_is_not_blamed_for_running_in_float() -> None:
    assert reasons(operators(Conv=3.0), operators(Conv=4.0, Relu=1.0)) == (
        "The candidate loses most in Conv: 4.000 ms an inference against 3.000 ms.",
    )
    assert reasons(operators(Conv=3.0), operators(Conv=2.0)) == ()
    assert reasons([], []) == ()
