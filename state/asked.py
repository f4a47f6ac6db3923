"""What a call asks for, as far as a guard needs to know."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from edgewright.state.artifacts import Device
from edgewright.state.phases import Call
from edgewright.state.policy import Policy
from edgewright.state.protocols import ProtocolName


@dataclass(frozen=True)
class Today:
    """What a person can have changed since a run began, as it is now.

    Attributes:
        policy: The operator's bounds.
        enrolled: Every enrolled target by alias, with what it is.
    """

    policy: Policy
    enrolled: Mapping[str, Device]


@dataclass(frozen=True)
class Asked:
    """One question to the guards.

    Attributes:
        call: The call.
        policy: The operator's bounds now.
        now: The moment of the call.
        base: `current`, `original` or an artifact's SHA-256, for a step.
        needs_calibration: Whether the step takes ranges from calibration data.
        tolerance: The tolerance asked for, for a start.
        metric: The metric asked for, for a start.
        device: What the model is made for, for a start.
        target: The target asked for, for a start.
        enrolled: Every enrolled target by alias, with what it is.
        protocol: How to time, for a benchmark.
        kind: What kind of thing a person is to accept; empty for the first that there is.
    """

    call: Call
    policy: Policy
    now: datetime
    base: str = "current"
    needs_calibration: bool = False
    tolerance: float = 0.0
    metric: str = ""
    device: Device | None = None
    target: str | None = None
    enrolled: Mapping[str, Device] = field(default_factory=dict)
    protocol: ProtocolName | None = None
    kind: str = ""
