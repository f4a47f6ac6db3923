"""Everything that Edgewright raises, and the refusal that most of it carries.

```
EdgewrightError
├── Refused            what was asked for cannot be granted; carries the Refusal that says why and what to do
├── CorruptLedger      an event's hash, order or transition does not hold: nothing after it may be trusted
├── CorruptArtifact    a stored file no longer has the SHA-256 that names it
└── WorkerFailed       a measuring process ended without an answer: it crashed or was killed
```

A refusal is a value until it has to cross a call that cannot return it; `Refused` is that crossing. Only
`edgewright.server.replies` turns either into words on the wire.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Code(StrEnum):
    """Stable names of the situations in which Edgewright refuses. Clients may rely on them."""

    UNKNOWN_ARGUMENT = "UNKNOWN_ARGUMENT"
    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    UNKNOWN_RUN = "UNKNOWN_RUN"
    UNKNOWN_JOB = "UNKNOWN_JOB"
    UNKNOWN_ARTIFACT = "UNKNOWN_ARTIFACT"
    UNKNOWN_TARGET = "UNKNOWN_TARGET"
    TARGET_REQUIRED = "TARGET_REQUIRED"
    TARGET_UNREACHABLE = "TARGET_UNREACHABLE"
    TARGET_DENIED = "TARGET_DENIED"
    TARGET_KEY_UNKNOWN = "TARGET_KEY_UNKNOWN"
    TARGET_KEY_CHANGED = "TARGET_KEY_CHANGED"
    TARGET_BUSY = "TARGET_BUSY"
    TARGET_LOST = "TARGET_LOST"
    TARGET_DISTURBED = "TARGET_DISTURBED"
    TARGET_UNFIT = "TARGET_UNFIT"
    TARGET_WRONG_MACHINE = "TARGET_WRONG_MACHINE"
    PROTOCOL_TOO_SHORT = "PROTOCOL_TOO_SHORT"
    PHASE = "PHASE"
    BUSY = "BUSY"
    IDEMPOTENCY = "IDEMPOTENCY"
    UNKNOWN_COLLECTION = "UNKNOWN_COLLECTION"

    TOLERANCE_ABOVE_CAP = "TOLERANCE_ABOVE_CAP"
    METRIC_NOT_ALLOWED = "METRIC_NOT_ALLOWED"
    METRIC_UNKNOWN = "METRIC_UNKNOWN"
    METRIC_MISMATCH = "METRIC_MISMATCH"
    VALIDATION_TOO_SMALL = "VALIDATION_TOO_SMALL"

    NOT_FOUND = "NOT_FOUND"
    NOT_A_FILE = "NOT_A_FILE"
    UNREADABLE = "UNREADABLE"
    PATH_OUTSIDE_ROOTS = "PATH_OUTSIDE_ROOTS"
    PATH_IS_LINK = "PATH_IS_LINK"
    ORIGINAL_CHANGED = "ORIGINAL_CHANGED"
    DISK_FULL = "DISK_FULL"

    MODEL_FORMAT_UNKNOWN = "MODEL_FORMAT_UNKNOWN"
    MODEL_INVALID = "MODEL_INVALID"
    MODEL_NOT_FINITE = "MODEL_NOT_FINITE"
    MODEL_EXTERNAL_DATA = "MODEL_EXTERNAL_DATA"
    MODEL_UNSUPPORTED = "MODEL_UNSUPPORTED"
    LINEAGE_UNKNOWN = "LINEAGE_UNKNOWN"

    CARD_MISSING = "CARD_MISSING"
    CARD_INVALID = "CARD_INVALID"
    DATA_INVALID = "DATA_INVALID"
    DATA_EMPTY = "DATA_EMPTY"
    DATA_MISMATCH = "DATA_MISMATCH"
    CALIBRATION_MISSING = "CALIBRATION_MISSING"
    CALIBRATION_UNFIT = "CALIBRATION_UNFIT"

    SCHEME_NOT_OFFERED = "SCHEME_NOT_OFFERED"
    NOTHING_CHANGED = "NOTHING_CHANGED"
    NO_GAIN = "NO_GAIN"
    CONVERSION_DIVERGED = "CONVERSION_DIVERGED"
    DYNAMIC_SHAPES = "DYNAMIC_SHAPES"
    EVIDENCE_MISSING = "EVIDENCE_MISSING"
    ACCURACY_BELOW_FLOOR = "ACCURACY_BELOW_FLOOR"
    SUSTAINED_MISSING = "SUSTAINED_MISSING"
    FORMAT_DEVICE = "FORMAT_DEVICE"
    NOTHING_TO_ACCEPT = "NOTHING_TO_ACCEPT"
    NOT_ACCEPTED = "NOT_ACCEPTED"
    NOBODY_TO_ASK = "NOBODY_TO_ASK"
    WAIVER_INSUFFICIENT = "WAIVER_INSUFFICIENT"
    WAIVER_INVALID = "WAIVER_INVALID"
    PACKAGE_UNVERIFIED = "PACKAGE_UNVERIFIED"

    CORRUPT = "CORRUPT"
    MISSING_EXTRA = "MISSING_EXTRA"
    WORKER_CRASHED = "WORKER_CRASHED"
    TIME_LIMIT = "TIME_LIMIT"
    MEMORY_LIMIT = "MEMORY_LIMIT"
    CANCELLED = "CANCELLED"
    INTERRUPTED = "INTERRUPTED"


@dataclass(frozen=True)
class Refusal:
    """One request not granted: what, why, what to do instead, and the numbers behind it.

    Attributes:
        code: The situation, stable across versions.
        what: What was refused, as a clause without a full stop.
        why: The reason with its numbers, as a clause without a full stop.
        do: What the caller can do next, as a clause without a full stop.
        facts: The numbers again, for programs.
        promises: Ids of the promises that the refusal keeps, such as `P3`.
    """

    code: Code
    what: str
    why: str
    do: str
    facts: Mapping[str, object] = field(default_factory=dict)
    promises: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """The whole refusal as prose."""
        return f"Refused: {self.what}. Why: {self.why}. Do: {self.do}."


class EdgewrightError(Exception):
    """The root of everything that Edgewright raises itself."""


class Refused(EdgewrightError):
    """Raised where a request turns out not to be grantable deep inside the work."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.sentence)
        self.refusal = refusal

    @classmethod
    def because(cls, code: Code, what: str, why: str, do: str, *promises: str, **facts: object) -> "Refused":
        """Return the exception that carries a refusal of these parts.

        Args:
            code: The situation.
            what: What was refused.
            why: The reason with its numbers.
            do: What to do next.
            *promises: Ids of the promises kept.
            **facts: The numbers for programs.
        """
        return cls(Refusal(code, what, why, do, facts, promises))


class CorruptLedger(EdgewrightError):
    """Raised when a stored event contradicts its hash chain or the phase table."""


class CorruptArtifact(EdgewrightError):
    """Raised when a stored file does not have the digest that names it."""


class WorkerFailed(EdgewrightError):
    """Raised when a child process ended without the answer it owed."""
