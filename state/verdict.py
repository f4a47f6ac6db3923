"""Pass or fail, computed from measurements and from nothing else.

A verdict is never stored: it follows from the evidence each time it is needed, so it cannot be edited apart from it.
"""

from dataclasses import dataclass
from enum import StrEnum
from math import ceil, inf, isfinite

from edgewright.state.evidence import Accuracy, Direction
from edgewright.state.policy import Rule

ROUNDING = 1e-12
"""Relative error that a metric and its floor may carry from floating point; far below one sample in any real set."""


class Outcome(StrEnum):
    """What a comparison with the floor comes to."""

    PASS = "PASS"  # noqa: S105 - a verdict, not a password
    FAIL = "FAIL"
    UNDECIDED = "UNDECIDED"


@dataclass(frozen=True)
class Verdict:
    """One candidate's accuracy against the floor of its run.

    Attributes:
        outcome: Pass or fail; undecided under the `confident` rule, where the interval reaches to both sides.
        metric: Name of the metric.
        baseline: Value of the run's reference.
        value: Value of the candidate.
        floor: The last value that passes.
        drop: Relative loss against the baseline, positive when the candidate is worse, whatever the direction.
        tolerance: The largest drop that passes.
        n: Samples behind both values.
        rule: What the outcome was decided by.
        interval: Lower and upper end of the candidate's value minus the baseline's, where there is one.
        confidence: Of the interval.
        deciding_n: About how many samples would bring the interval to one side of the floor, where it is on both.
    """

    outcome: Outcome
    metric: str
    baseline: float
    value: float
    floor: float
    drop: float
    tolerance: float
    n: int
    rule: Rule = Rule.POINT
    interval: tuple[float, float] | None = None
    confidence: float | None = None
    deciding_n: int | None = None

    @property
    def numbers(self) -> dict[str, object]:
        """The verdict for programs. A drop against a baseline of zero is no number."""
        return {
            "metric": self.metric,
            "baseline": self.baseline,
            "candidate": self.value,
            "floor": self.floor,
            "drop": self.drop if isfinite(self.drop) else None,
            "tolerance": self.tolerance,
            "n": self.n,
            "rule": str(self.rule),
            "interval_of_difference": None if self.interval is None else list(self.interval),
            "deciding_n": self.deciding_n,
        }

    @property
    def inside(self) -> bool:
        """Whether the value is inside the tolerance, however sure that is."""
        return self.outcome is Outcome.PASS if self.rule is Rule.POINT else self.drop <= self.tolerance + ROUNDING

    @property
    def sentence(self) -> str:
        """The verdict as a sentence with its numbers."""
        inside = "within" if self.inside else "outside"
        return (
            f"{self.outcome}: {self.metric} {self.value:.4f} against {self.baseline:.4f} is a relative drop of "
            f"{self.drop:.2%}, {inside} the tolerance of {self.tolerance:.2%} (floor {self.floor:.4f}, n={self.n})"
            f"{self._certainty}"
        )

    @property
    def _certainty(self) -> str:
        """What the interval says, as the end of a sentence."""
        if self.interval is None or self.confidence is None:
            undecided = self.outcome is Outcome.UNDECIDED
            return "; the metric gives no interval, and the operator asks for one" if undecided else ""
        low, high = self.interval
        said = f"; paired difference {low:+.4f} to {high:+.4f} with {self.confidence:.0%} confidence"
        if not low < self.floor - self.baseline < high:
            return said
        needed = f"about {self.deciding_n} samples would decide" if self.deciding_n else "no number of samples decides"
        return f"{said}, on both sides of the floor's {self.floor - self.baseline:+.4f}: {needed}"


def floor_of(reference: Accuracy, tolerance: float) -> float:
    """Return the last value that passes: a relative drop where more is better, a relative rise where less is."""
    step = -tolerance if reference.direction is Direction.HIGHER else tolerance
    return reference.value + step * abs(reference.value)


def better(one: Accuracy, other: Accuracy) -> Accuracy:
    """Return the better of two values of one metric; the first where they are equal."""
    if one.direction is Direction.HIGHER:
        return other if other.value > one.value else one
    return other if other.value < one.value else one


def drop_of(reference: Accuracy, candidate: Accuracy) -> float:
    """Return the relative loss against a reference, positive when the candidate is worse, whatever the direction."""
    sign = 1 if reference.direction is Direction.HIGHER else -1
    worse = sign * (reference.value - candidate.value)
    return worse / abs(reference.value) if reference.value else (0.0 if worse <= 0 else inf)


def judge(reference: Accuracy, candidate: Accuracy, tolerance: float, rule: Rule = Rule.POINT) -> Verdict:
    """Compare a candidate with the run's reference.

    The floor is compared inclusively: a drop of exactly the tolerance passes. `ROUNDING` is there for that alone, since
    0.98 x 150/221 and 147/221 differ in their last bits. Under the `confident` rule the whole interval of the paired
    difference has to be on the floor's good side to pass, on its bad side to fail: a test for non-inferiority with the
    tolerance as its margin (ICH E9, section 3.3.2). What has no interval is then undecided.
    """
    floor = floor_of(reference, tolerance)
    sign = 1 if reference.direction is Direction.HIGHER else -1
    paired = candidate.paired
    if paired is not None and paired.reference != reference.artifact:
        paired = None
    interval = None if paired is None else (paired.low, paired.high)
    rounding = ROUNDING * abs(reference.value)

    def reaches(value: float) -> bool:
        return sign * (value - floor) >= -rounding

    ends = (candidate.value, candidate.value)
    if rule is Rule.CONFIDENT and candidate != reference:  # a measurement does not differ from itself
        ends = (-inf, inf) if interval is None else (reference.value + interval[0], reference.value + interval[1])
    good = {reaches(end) for end in ends}
    outcome = Outcome.UNDECIDED if len(good) > 1 else Outcome.PASS if good == {True} else Outcome.FAIL
    return Verdict(
        outcome=outcome,
        metric=candidate.metric,
        baseline=reference.value,
        value=candidate.value,
        floor=floor,
        drop=drop_of(reference, candidate),
        tolerance=tolerance,
        n=candidate.n,
        rule=rule,
        interval=interval,
        confidence=None if paired is None else paired.confidence,
        deciding_n=None if interval is None else _deciding_n(candidate, interval, floor - reference.value),
    )


def _deciding_n(candidate: Accuracy, interval: tuple[float, float], margin: float) -> int | None:
    """Return about how many samples would put the margin outside the interval; `None` where it is outside already.

    An interval shrinks with the root of the number of samples; the difference is taken to stay as it is.
    """
    low, high = interval
    difference = candidate.paired.difference if candidate.paired else (low + high) / 2
    if not low < margin < high or difference == margin:
        return None
    half = difference - low if difference > margin else high - difference
    return ceil(candidate.n * (half / (difference - margin)) ** 2)
