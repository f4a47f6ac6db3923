"""An NVIDIA Jetson: power mode, rails, graphics clock, and what holds it back.

Sources: NVIDIA Jetson Linux Developer Guide r36, "Jetson Orin Nano Series, Jetson Orin NX Series and Jetson AGX Orin
Series" (nvpmodel, INA3221, over-current event counters); the kernel's documentation, hwmon/ina3221 and
ABI/testing/sysfs-class-devfreq.

`jetson_clocks --show` wants root; what it does is to set every clock's lowest to its highest, and that is read instead.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Dict, Mapping, Optional, Tuple

from edgewright.tools.probe.linux import Linux, locked
from edgewright.tools.probe.reading import Reading, Settings
from edgewright.tools.probe.system import UNKNOWN, System
from edgewright.tools.probe.tegrastats import TegraStats, parse

# The graphics processor's name in the device tree, from L4T 36 on and before.
GPUS = ("sys/class/devfreq/*.gpu", "sys/class/devfreq/*.ga10b")
MONITORS = "sys/bus/i2c/drivers/ina3221/*/hwmon/hwmon*"
CHANNELS = (1, 2, 3)
# The whole module's supply; the other rails are parts of it. Boards without it are supplied through all rails.
SUPPLY = "VDD_IN"
EVENTS = {1: "under-voltage (OC1)", 2: "average over-current (OC2)", 3: "instantaneous over-current (OC3)"}
HZ_PER_MHZ = 1_000_000


@dataclass(frozen=True)
class _Rail:
    """One channel of a power monitor: its files, by what they hold."""

    name: str
    millivolts: str
    milliamperes: str
    alarms: Mapping[str, str]


class Jetson:
    """A Jetson of any module."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._linux = Linux(system)
        self._gpu = next((path for pattern in GPUS for path in system.paths(pattern)), None)
        self._rails = [
            rail
            for monitor in system.paths(MONITORS)
            for channel in CHANNELS
            for rail in [_rail(system, monitor, channel)]
            if rail is not None
        ]
        self._counters = {
            name: f"{monitor}/oc{number}_event_cnt"
            for monitor in system.paths("sys/class/hwmon/hwmon*")
            if system.text(f"{monitor}/name") == "soctherm_oc"
            for number, name in EVENTS.items()
        }

    def settings(self) -> Settings:
        """Return how it is set up; the power mode by name, since its number differs between modules and releases."""
        bounds = [self._linux.bounds(policy, "scaling_min_freq", "scaling_max_freq") for policy in self._linux.policies]
        if self._gpu:
            bounds.append(self._linux.bounds(self._gpu, "min_freq", "max_freq"))
        mode = re.search(r"NV Power Mode:\s*(\S+)", self._system.run("nvpmodel", "-q") or "")
        return replace(
            self._linux.settings(), power_mode=mode.group(1) if mode else UNKNOWN, clocks_locked=locked(bounds)
        )

    def reading(self) -> Reading:
        """Look once."""
        plain = self._linux.reading()
        said = self._tegrastats()
        power_mw, rail = _supply(self._rails_mw() or said.rails_mw)
        return replace(
            plain,
            temperature_c=said.hottest_c if plain.temperature_c is None else plain.temperature_c,
            gpu_clock_mhz=self._gpu_clock_mhz(),
            power_mw=power_mw,
            rail=rail,
            throttled_now=self._held_back(plain.throttled_now),
            throttle_events=self._events() or plain.throttle_events,
        )

    def _gpu_clock_mhz(self) -> Optional[float]:
        hertz = self._system.number(f"{self._gpu}/cur_freq") if self._gpu else None
        return None if hertz is None else hertz / HZ_PER_MHZ

    def _rails_mw(self) -> Dict[str, float]:
        powers: Dict[str, float] = {}
        for rail in self._rails:
            volts, amperes = self._system.number(rail.millivolts), self._system.number(rail.milliamperes)
            if volts is not None and amperes is not None:
                powers[rail.name] = volts * amperes / 1000
        return powers

    def _tegrastats(self) -> TegraStats:
        """Ask NVIDIA's own monitor where this release has no power monitor among the kernel's files."""
        if self._rails:
            return TegraStats({}, {})
        return parse(self._system.first_line("tegrastats", "--interval", "100") or "")

    def _held_back(self, brakes: Optional[Tuple[str, ...]]) -> Optional[Tuple[str, ...]]:
        alarms = [
            (f"{kind} on {rail.name}", self._system.number(path))
            for rail in self._rails
            for kind, path in rail.alarms.items()
        ]
        if brakes is None and all(state is None for _, state in alarms):
            return None
        return (*(brakes or ()), *(name for name, state in alarms if state))

    def _events(self) -> Dict[str, int]:
        counts = {name: self._system.number(path) for name, path in self._counters.items()}
        return {name: count for name, count in counts.items() if count is not None}


def _supply(rails_mw: Mapping[str, float]) -> Tuple[Optional[float], Optional[str]]:
    if SUPPLY in rails_mw:
        return rails_mw[SUPPLY], SUPPLY
    return (sum(rails_mw.values()), " + ".join(rails_mw)) if rails_mw else (None, None)


def _rail(system: System, monitor: str, channel: int) -> Optional[_Rail]:
    """Return a channel of a monitor, `None` where nothing is connected to it."""
    name = system.text(f"{monitor}/in{channel}_label")
    current = f"{monitor}/curr{channel}"
    if not name or system.text(f"{current}_input") is None:
        return None
    alarms = {"over-current": f"{current}_crit_alarm", "current warning": f"{current}_max_alarm"}
    return _Rail(name, f"{monitor}/in{channel}_input", f"{current}_input", alarms)
