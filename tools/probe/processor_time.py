"""Processor time: of all programs together and of one process (proc(5))."""

from __future__ import annotations

import os
from typing import Optional

from edgewright.tools.probe.system import System

# Fields of the first line of /proc/stat that are work; idle and iowait are not, guest time is inside user time.
WORK = ("user", "nice", "system", "irq", "softirq", "steal")
FIELDS = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
# Fields of /proc/PID/stat behind the name in parentheses, from `state` (3) on: utime is 14, stime 15.
UTIME, STIME = 11, 12


def busy_s(system: System) -> Optional[float]:
    """Return the seconds that all processors together have worked since boot, what a hypervisor took included."""
    words = (system.text("proc/stat") or "").partition("\n")[0].split()
    if len(words) <= len(FIELDS) or words[0] != "cpu":
        return None
    ticks = dict(zip(FIELDS, map(int, words[1:])))
    return sum(ticks[field] for field in WORK) / os.sysconf("SC_CLK_TCK")


def process_s(system: System, pid: int) -> Optional[float]:
    """Return the seconds that a process has worked, all its threads together."""
    words = (system.text(f"proc/{pid}/stat") or "").rpartition(")")[2].split()
    if len(words) <= STIME:
        return None
    return (int(words[UTIME]) + int(words[STIME])) / os.sysconf("SC_CLK_TCK")


def pressure_cpu(system: System) -> Optional[float]:
    """Return the percent of the last 10 s in which some task waited for a processor (accounting/psi)."""
    for line in (system.text("proc/pressure/cpu") or "").splitlines():
        kind, _, rest = line.partition(" avg10=")
        if kind == "some" and rest:
            return float(rest.split()[0])
    return None
