import pytest

from edgewright.state.evidence import Ratio
from edgewright.tools.benchmark.findings import comparison


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
