"""Why a step did not pay, as it is recorded."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Cause:
    """One reason why a candidate is not faster.

    Attributes:
        name: Which kind of reason, such as `left_in_float`.
        sentence: What was seen, with its numbers.
        remedy: What to do about it.
        mendable: Whether the remedy can make this kind of step pay on the same machine.
    """

    name: str
    sentence: str
    remedy: str
    mendable: bool
