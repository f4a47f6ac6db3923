"""Reads a line of NVIDIA's `tegrastats`.

Source: NVIDIA Jetson Linux Developer Guide r36, "tegrastats Utility": `NAME@DEGREESC` for temperatures and
`RAIL CURRENTmW/AVERAGEmW` for powers (`mW` is missing before r32.7); the rest of the line is not used.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Mapping, Optional

TEMPERATURE = re.compile(r"(?<!\S)(\w+)@(-?\d+(?:\.\d+)?)C(?!\S)")
RAIL = re.compile(r"(?<!\S)([A-Z]\w+) (\d+)(?:mW)?/\d+(?:mW)?(?!\S)")
# What a sensor that is switched off says.
OFF_C = -256.0


@dataclass(frozen=True)
class TegraStats:
    """What one line says.

    Attributes:
        temperatures_c: Sensor to degrees.
        rails_mw: Rail to power at that moment.
    """

    temperatures_c: Mapping[str, float]
    rails_mw: Mapping[str, float]

    @property
    def hottest_c(self) -> Optional[float]:
        """The hottest sensor."""
        return max(self.temperatures_c.values(), default=None)


def parse(line: str) -> TegraStats:
    """Return what a line says; nothing of a line in another form."""
    return TegraStats(
        {name: float(degrees) for name, degrees in TEMPERATURE.findall(line) if float(degrees) > OFF_C},
        {name: float(power) for name, power in RAIL.findall(line)},
    )
