"""What the operator allows. An agent may ask for stricter, never for looser; no tool can write it."""

from dataclasses import dataclass
from enum import StrEnum

from edgewright.state.protocols import ProtocolName


class Level(StrEnum):
    """How sure it is that a person gave an approval; each level contains the ones before it."""

    RELAYED = "L1"
    OUT_OF_BAND = "L2"
    SIGNED = "L3"

    @property
    def meaning(self) -> str:
        """The level in words, as every report states it."""
        return {
            Level.RELAYED: "relayed by the client; not proof of a person",
            Level.OUT_OF_BAND: "given out of band behind a person's passphrase",
            Level.SIGNED: "signed by a key out of the agent's reach",
        }[self]

    def reaches(self, least: "Level") -> bool:
        """Whether this level is enough where `least` is demanded."""
        order = list(Level)
        return order.index(self) >= order.index(least)


class Rule(StrEnum):
    """How a verdict comes from a measurement: by the value alone, or by the interval around it."""

    POINT = "point"
    CONFIDENT = "confident"


def stricter(one: Rule, other: Rule) -> Rule:
    """Return the rule of two that passes less."""
    return Rule.CONFIDENT if Rule.CONFIDENT in {one, other} else Rule.POINT


AGREEMENT = "agreement-"
"""How the names of metrics begin that compare with the original model instead of labels."""


def is_agreement(metric: str) -> bool:
    """Whether a metric compares with the original model instead of labels."""
    return metric.startswith(AGREEMENT)


@dataclass(frozen=True)
class Policy:
    """The operator's bounds, recorded with each run at its start.

    Attributes:
        tolerance_cap: Largest accuracy tolerance that a call may ask for, as a relative drop.
        metrics: Metrics that a call may name; empty means every installed one.
        agreement_as_floor: Whether agreement with the original may stand for accuracy where there are no labels.
        least_validation: Fewest samples of a validation set.
        least_level: Lowest level at which a waiver counts.
        protocol: How latency is measured unless a call asks for a longer one.
        rule: How a verdict comes from a measurement.
    """

    tolerance_cap: float = 0.02
    metrics: tuple[str, ...] = ()
    agreement_as_floor: bool = False
    least_validation: int = 200
    least_level: Level = Level.OUT_OF_BAND
    protocol: ProtocolName = ProtocolName.QUICK
    rule: Rule = Rule.POINT
