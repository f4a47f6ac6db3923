"""A person's acceptance of exactly one thing that the guards refuse: these digests, these figures, once.

What is accepted is a subject. Each kind of subject holds everything it is bound to, and two of them are the same thing
only where every field is the same; so a changed digest or figure makes another subject, which nobody accepted. A new
thing that a person may accept is one more class here, and its builder in `edgewright.state.acceptance`.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, get_args

from edgewright.state.policy import Level


@dataclass(frozen=True)
class AccuracyLoss:
    """A metric below its floor (P3).

    Attributes:
        artifact: SHA-256 of the candidate.
        reference: SHA-256 of the artifact that the floor comes from.
        dataset: Digest of the validation set.
        metric: Name of the metric.
        floor: The floor that is missed.
        value: The candidate's value.
        n: Samples behind it.
    """

    artifact: str
    reference: str
    dataset: str
    metric: str
    floor: float
    value: float
    n: int
    kind: Literal["accuracy"] = "accuracy"

    @property
    def sentence(self) -> str:
        """What is accepted, with its figures."""
        return (
            f"{self.metric} {self.value:.4f} where the floor is {self.floor:.4f} (n={self.n}), of the file "
            f"{self.artifact} on the data {self.dataset}, baseline {self.reference}"
        )


@dataclass(frozen=True)
class UnfitCalibration:
    """A calibration set that was found unfit (P7).

    Attributes:
        calibration: Digest of the set.
        validation: Digest of the validation set that it was compared with.
        findings: Every finding that refuses it, word for word and with its figures.
    """

    calibration: str
    validation: str
    findings: str
    kind: Literal["calibration"] = "calibration"

    @property
    def sentence(self) -> str:
        """What is accepted, with its figures."""
        return f"one candidate calibrated on the data {self.calibration}, although {self.findings}"


@dataclass(frozen=True)
class OtherFormat:
    """A file of another format than its device's (P8).

    Attributes:
        artifact: SHA-256 of what is shipped.
        device: The device.
        format: The file's format.
        wanted: The device's.
    """

    artifact: str
    device: str
    format: str
    wanted: str
    kind: Literal["format"] = "format"

    @property
    def sentence(self) -> str:
        """What is accepted."""
        return (
            f"one package for {self.device} with a file of the format {self.format} instead of {self.wanted}, of the "
            f"file {self.artifact}"
        )


@dataclass(frozen=True)
class NotSustained:
    """A file that was not run on its target for minutes on end (P6, P10).

    Attributes:
        artifact: SHA-256 of what is shipped.
        target: Alias of the target.
        protocol: The longest that it was timed under there, in words.
    """

    artifact: str
    target: str
    protocol: str
    kind: Literal["sustained"] = "sustained"

    @property
    def sentence(self) -> str:
        """What is accepted."""
        return (
            f"one package for {self.target} without a sustained run there (the longest protocol was {self.protocol}), "
            f"of the file {self.artifact}"
        )


Subject = AccuracyLoss | UnfitCalibration | OtherFormat | NotSustained
KINDS: tuple[str, ...] = tuple(subject.kind for subject in get_args(Subject))


@dataclass(frozen=True)
class Waiver:
    """What a person accepted, word for word and digit for digit.

    Attributes:
        run: The run it was given for.
        subject: What was accepted.
        level: How sure it is that a person gave it.
        approver: Who.
        reason: Why, in his words.
        issued: When, ISO 8601 with zone.
        expires: Until when it may be used.
        nonce: Makes it single: a ledger takes none twice.
        signature: OpenSSH signature over `statement`, armored; empty where the level has none.
    """

    run: str
    subject: Subject
    level: Level
    approver: str
    reason: str
    issued: str
    expires: str
    nonce: str
    signature: str = ""

    @property
    def unsigned(self) -> "Waiver":
        """What the signature is over: everything else, encoded by `edgewright.state.codec`."""
        return replace(self, signature="")

    def shortfall(self, *, least: Level, now: datetime) -> str | None:
        """Return why it does not count now, as a clause; `None` where it does."""
        if not self.level.reaches(least):
            return f"its level {self.level} ({self.level.meaning}) is below the required {least}"
        if not (self.approver.strip() and self.reason.strip() and self.nonce):
            return "it does not say who gave it and why"
        return None if self._in_force(now) else f"it is good from {self.issued} until {self.expires}"

    def _in_force(self, now: datetime) -> bool:
        """Whether `now` lies in its time; a time that cannot be read, or has no zone, is no time."""
        try:
            return datetime.fromisoformat(self.issued) <= now < datetime.fromisoformat(self.expires)
        except (TypeError, ValueError):
            return False
