"""A person's acceptance of exactly one failing verdict: this artifact, these numbers, once.

Nothing in this version issues one. The record and its check exist so that the guard that reads them is the real one.
"""

from dataclasses import dataclass
from datetime import datetime

from edgewright.state.evidence import Accuracy
from edgewright.state.policy import Level
from edgewright.state.verdict import Verdict


@dataclass(frozen=True)
class Waiver:
    """What a person accepted, word for word and digit for digit.

    Attributes:
        artifact: SHA-256 of the accepted artifact.
        reference: SHA-256 of the artifact that the floor comes from.
        dataset: Digest of the validation set.
        metric: Name of the metric.
        floor: The floor that was missed.
        value: The value that was accepted.
        n: Samples behind it.
        level: How sure it is that a person gave it.
        approver: Who.
        reason: Why, in his words.
        issued: When, ISO 8601 with zone.
        expires: Until when it may be used.
        nonce: Makes it single.
    """

    artifact: str
    reference: str
    dataset: str
    metric: str
    floor: float
    value: float
    n: int
    level: Level
    approver: str
    reason: str
    issued: str
    expires: str
    nonce: str

    def covers(self, accuracy: Accuracy, reference: Accuracy, verdict: Verdict, *, least: Level, now: datetime) -> bool:
        """Whether this acceptance is of exactly this verdict, high enough, and still good."""
        return (
            self.artifact == accuracy.artifact
            and self.reference == reference.artifact
            and self.dataset == accuracy.dataset
            and self.metric == accuracy.metric
            and self.floor == verdict.floor
            and self.value == accuracy.value
            and self.n == accuracy.n
            and self.level.reaches(least)
            and bool(self.approver.strip() and self.reason.strip())
            and self._in_force(now)
        )

    def _in_force(self, now: datetime) -> bool:
        """Whether `now` lies in its time; a time that cannot be read, or has no zone, is no time."""
        try:
            return datetime.fromisoformat(self.issued) <= now < datetime.fromisoformat(self.expires)
        except (TypeError, ValueError):
            return False
