"""A Raspberry Pi: what its firmware knows and Linux does not.

Source: Raspberry Pi documentation, "vcgencmd" (computers/os) for `get_throttled`, `measure_clock`, `measure_temp` and
`measure_volts`; `pmic_read_adc` is described in Raspberry Pi's white paper "Extra PMIC features" and answers on boards
whose power chip measures currents.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Dict, Optional

from edgewright.tools.probe.linux import Linux
from edgewright.tools.probe.reading import Reading, Settings
from edgewright.tools.probe.system import UNKNOWN, System

# Bits of `get_throttled`; 16 places higher the same, since boot.
BITS = {0: "under-voltage", 1: "clock capped", 2: "throttled", 3: "soft temperature limit"}
SINCE_BOOT = 16
# The firmware driver's own file (raspberrypi/linux, drivers/firmware/raspberrypi.c): no process to start.
FLAGS_FILE = "sys/devices/platform/soc*/*firmware/get_throttled"
CHANNEL = re.compile(r"^\s*(\S+)_([AV])\s+(?:current|volt)\(\d+\)=(\d+(?:\.\d+)?)[AV]\s*$", re.MULTILINE)
HZ_PER_MHZ = 1_000_000


class RaspberryPi:
    """A Raspberry Pi of any model."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._linux = Linux(system)
        self._flags_file = next(iter(system.paths(FLAGS_FILE)), None)

    def settings(self) -> Settings:
        """Return how it is set up."""
        volts = self._value("measure_volts", "core")
        return replace(self._linux.settings(), core_voltage=UNKNOWN if volts is None else volts.rstrip("V"))

    def reading(self) -> Reading:
        """Look once.

        `measure_clock` is what the processor runs at; Linux only knows what it asked the firmware for.
        """
        plain = self._linux.reading()
        rails, flags = self._rails_mw(), self._flags()
        if flags is not None:
            plain = replace(
                plain,
                throttled_now=tuple(name for bit, name in BITS.items() if flags >> bit & 1),
                throttle_events={name: flags >> bit + SINCE_BOOT & 1 for bit, name in BITS.items()},
            )
        return replace(
            plain,
            temperature_c=self._number("measure_temp") if plain.temperature_c is None else plain.temperature_c,
            clock_mhz=self._clock_mhz() or plain.clock_mhz,
            power_mw=sum(rails.values()) if rails else None,
            rail=f"sum of {len(rails)} PMIC rails" if rails else None,
        )

    def _flags(self) -> Optional[int]:
        text = self._system.text(self._flags_file) if self._flags_file else None
        try:
            return int(text or self._value("get_throttled") or "", 16)
        except ValueError:
            return None

    def _clock_mhz(self) -> Optional[float]:
        hertz = self._number("measure_clock", "arm")
        return None if hertz is None else hertz / HZ_PER_MHZ

    def _rails_mw(self) -> Dict[str, float]:
        """Return the power of each rail that has both a current and a voltage."""
        values = {
            (rail, unit): float(value)
            for rail, unit, value in CHANNEL.findall(self._system.run("vcgencmd", "pmic_read_adc") or "")
        }
        return {
            rail: 1000 * amperes * values[rail, "V"]
            for (rail, unit), amperes in values.items()
            if unit == "A" and (rail, "V") in values
        }

    def _number(self, *command: str) -> Optional[float]:
        found = re.match(r"\d+(?:\.\d+)?", self._value(*command) or "")
        return float(found.group()) if found else None

    def _value(self, *command: str) -> Optional[str]:
        """Return what stands behind the `=` in a command's answer."""
        _, sign, value = (self._system.run("vcgencmd", *command) or "").strip().partition("=")
        return value if sign else None
