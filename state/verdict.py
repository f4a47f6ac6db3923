"""Pass or fail, computed from measurements and from nothing else.

A verdict is never stored: it follows from the evidence each time it is needed, so it cannot be edited apart from it.
"""

from dataclasses import dataclass
from enum import StrEnum
from math import isfinite

from edgewright.state.evidence import Accuracy, Direction

ROUNDING = 1e-12
"""Relative error that a metric and its floor may carry from floating point; far below one sample in any real set."""


class Outcome(StrEnum):
    """What a comparison with the floor comes to."""

    PASS = "PASS"  # noqa: S105 - a verdict, not a password
    FAIL = "FAIL"


@dataclass(frozen=True)
class Verdict:
    """One candidate's accuracy against the floor of its run.

    Attributes:
        outcome: Pass or fail.
        metric: Name of the metric.
        baseline: Value of the run's reference.
        value: Value of the candidate.
        floor: The last value that passes.
        drop: Relative loss against the baseline, positive when the candidate is worse, whatever the direction.
        tolerance: The largest drop that passes.
        n: Samples behind both values.
    """

    outcome: Outcome
    metric: str
    baseline: float
    value: float
    floor: float
    drop: float
    tolerance: float
    n: int

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
        }

    @property
    def sentence(self) -> str:
        """The verdict as a sentence with its numbers."""
        inside = "within" if self.outcome is Outcome.PASS else "outside"
        return (
            f"{self.outcome}: {self.metric} {self.value:.4f} against {self.baseline:.4f} is a relative drop of "
            f"{self.drop:.2%}, {inside} the tolerance of {self.tolerance:.2%} (floor {self.floor:.4f}, n={self.n})"
        )


def floor_of(reference: Accuracy, tolerance: float) -> float:
    """Return the last value that passes: a relative drop where more is better, a relative rise where less is."""
    step = -tolerance if reference.direction is Direction.HIGHER else tolerance
    return reference.value + step * abs(reference.value)


def better(one: Accuracy, other: Accuracy) -> Accuracy:
    """Return the better of two values of one metric; the first where they are equal."""
    if one.direction is Direction.HIGHER:
        return other if other.value > one.value else one
    return other if other.value < one.value else one


def judge(reference: Accuracy, candidate: Accuracy, tolerance: float) -> Verdict:
    """Compare a candidate with the run's reference under the `point` rule.

    The floor is compared inclusively: a drop of exactly the tolerance passes. `ROUNDING` is there for that alone, since
    0.98 x 150/221 and 147/221 differ in their last bits.
    """
    floor = floor_of(reference, tolerance)
    rounding = ROUNDING * abs(reference.value)
    worse = reference.value - candidate.value
    if reference.direction is Direction.LOWER:
        worse = -worse
    passes = (
        candidate.value >= floor - rounding
        if reference.direction is Direction.HIGHER
        else candidate.value <= floor + rounding
    )
    drop = worse / abs(reference.value) if reference.value else (0.0 if worse <= 0 else float("inf"))
    return Verdict(
        outcome=Outcome.PASS if passes else Outcome.FAIL,
        metric=candidate.metric,
        baseline=reference.value,
        value=candidate.value,
        floor=floor,
        drop=drop,
        tolerance=tolerance,
        n=candidate.n,
    )
