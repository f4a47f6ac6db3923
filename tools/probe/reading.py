"""One look at a device, in one shape for all of them. What could not be read is `None`, never guessed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping, Optional, Protocol, Tuple

from edgewright.tools.probe.system import UNKNOWN


@dataclass(frozen=True)
class Reading:
    """What a device says at one moment.

    Attributes:
        temperature_c: The hottest sensor of the processor.
        clock_mhz: The fastest core's clock.
        clock_limit_mhz: What its governor may raise it to.
        gpu_clock_mhz: The graphics processor's clock.
        power_mw: Power drawn through `rail`.
        rail: What was measured; several rails that were added up are joined by ` + `.
        throttled_now: Names of what holds the device back at this moment.
        throttle_events: Name to count since boot; a flag that stays set counts 1.
    """

    temperature_c: Optional[float] = None
    clock_mhz: Optional[float] = None
    clock_limit_mhz: Optional[float] = None
    gpu_clock_mhz: Optional[float] = None
    power_mw: Optional[float] = None
    rail: Optional[str] = None
    throttled_now: Optional[Tuple[str, ...]] = None
    throttle_events: Optional[Mapping[str, int]] = None


@dataclass(frozen=True)
class Settings:
    """How a device is set up; each `unknown` where it does not say.

    Attributes:
        power_mode: Name of the power mode.
        clocks_locked: `yes` where every clock's lowest and highest are the same, else `no`.
        turbo: `on` where the processor may exceed its nominal clock, else `off`.
        core_voltage: Volts of the processor's core.
    """

    power_mode: str = UNKNOWN
    clocks_locked: str = UNKNOWN
    turbo: str = UNKNOWN
    core_voltage: str = UNKNOWN


class Device(Protocol):
    """What a kind of device offers; it finds its files once, when it is made."""

    def settings(self) -> Settings:
        """Return how it is set up."""

    def reading(self) -> Reading:
        """Look once; cheap enough for ten times a second."""
