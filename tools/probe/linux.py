"""What any Linux says of clocks, temperature and throttling, and the part of every board that is not its own.

Sources, all in the kernel's documentation: admin-guide/pm/cpufreq (policies, boost), admin-guide/pm/intel_pstate
(no_turbo), driver-api/thermal/sysfs-api (zones, cooling devices), ABI/stable/sysfs-devices-system-cpu
(thermal_throttle).
"""

from __future__ import annotations

import re
from typing import Dict, List, Optional, Tuple

from edgewright.tools.probe.reading import Reading, Settings
from edgewright.tools.probe.system import UNKNOWN, System

CPU = "sys/devices/system/cpu"
# Zones on the processor's die; others sit at the battery, the radio or the case.
PROCESSOR_ZONE = re.compile(r"cpu|gpu|soc|pkg|core|^tj", re.IGNORECASE)
# Cooling devices that slow the processor down, by the names that their drivers give them (in the kernel
# drivers/thermal/cpufreq_cooling.c, devfreq_cooling.c, drivers/acpi/processor_thermal.c; NVIDIA's thermal-trip-event).
# A fan does not.
BRAKE = re.compile(r"^(thermal-)?(cpufreq|devfreq)-|^Processor$|-throttle-alert$")
KHZ_PER_MHZ = 1000


class Linux:
    """A machine of which nothing more is known.

    Attributes:
        policies: Folders of the groups of cores that share a clock.
    """

    def __init__(self, system: System) -> None:
        self._system = system
        self.policies = system.paths(f"{CPU}/cpufreq/policy*")
        self._zones = [
            f"{zone}/temp"
            for zone in system.paths("sys/class/thermal/thermal_zone*")
            if PROCESSOR_ZONE.search(system.text(f"{zone}/type") or "")
        ]
        self._brakes = [
            (name, f"{device}/cur_state")
            for device in system.paths("sys/class/thermal/cooling_device*")
            for name in [system.text(f"{device}/type") or ""]
            if BRAKE.search(name)
        ]
        self._counters = {
            part: system.paths(f"{CPU}/cpu[0-9]*/thermal_throttle/{part}_throttle_count")
            for part in ("core", "package")
        }

    def settings(self) -> Settings:
        """Return how it is set up."""
        bounds = [self.bounds(policy, "scaling_min_freq", "scaling_max_freq") for policy in self.policies]
        return Settings(clocks_locked=locked(bounds), turbo=self._turbo())

    def reading(self) -> Reading:
        """Look once."""
        return Reading(
            temperature_c=_scaled(self._largest(self._zones), 1000),
            clock_mhz=_scaled(self._largest([f"{policy}/scaling_cur_freq" for policy in self.policies]), KHZ_PER_MHZ),
            clock_limit_mhz=_scaled(
                self._largest([f"{policy}/scaling_max_freq" for policy in self.policies]), KHZ_PER_MHZ
            ),
            throttled_now=self._braked(),
            throttle_events=self._throttle_events(),
        )

    def bounds(self, folder: str, lowest: str, highest: str) -> Tuple[Optional[int], Optional[int]]:
        """Return the two numbers between which a clock may move."""
        return self._system.number(f"{folder}/{lowest}"), self._system.number(f"{folder}/{highest}")

    def _largest(self, paths: List[str]) -> Optional[int]:
        found = [number for number in map(self._system.number, paths) if number is not None]
        return max(found, default=None)

    def _turbo(self) -> str:
        no_turbo = self._system.text(f"{CPU}/intel_pstate/no_turbo")
        if no_turbo in {"0", "1"}:
            return "on" if no_turbo == "0" else "off"
        boost = self._system.text(f"{CPU}/cpufreq/boost")
        return {"0": "off", "1": "on"}.get(boost or "", UNKNOWN)

    def _braked(self) -> Optional[Tuple[str, ...]]:
        states = [(name, self._system.number(path)) for name, path in self._brakes]
        if all(state is None for _, state in states):
            return None
        return tuple(f"cooling by {name}" for name, state in states if state)

    def _throttle_events(self) -> Optional[Dict[str, int]]:
        # A package's count is the same in each of its processors; the largest stands for it.
        counts = {part: self._largest(paths) for part, paths in self._counters.items()}
        return {f"{part} too hot": count for part, count in counts.items() if count is not None} or None


def locked(bounds: List[Tuple[Optional[int], Optional[int]]]) -> str:
    """Return whether every clock is held at one value, `unknown` where one does not say."""
    if not bounds or any(number is None for pair in bounds for number in pair):
        return UNKNOWN
    return "yes" if all(lowest == highest for lowest, highest in bounds) else "no"


def _scaled(number: Optional[int], divisor: int) -> Optional[float]:
    return None if number is None else number / divisor
