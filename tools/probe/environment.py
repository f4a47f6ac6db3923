"""Facts about the machine. What cannot be read is `unknown`, never guessed."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict
from pathlib import Path
from typing import Any, Dict, Optional

from edgewright.tools.probe.device import board, device_of, module, os_release
from edgewright.tools.probe.processor_time import pressure_cpu
from edgewright.tools.probe.system import UNKNOWN, Runner, System, run_command
from edgewright.tools.probe.virtualisation import X86, virtualisation

CPUFREQ = "sys/devices/system/cpu/cpu0/cpufreq"


def facts(root: Path = Path("/"), runner: Runner = run_command) -> Dict[str, Any]:
    """Return what identifies this machine and its state now.

    Args:
        root: Where `proc`, `sys` and `etc` lie; another folder in tests.
        runner: Asks the commands of a board; recorded answers in tests.
    """
    system = System(root, runner)
    cpuinfo = _cpuinfo(system)
    machine = platform.machine()
    return {
        "machine": machine or UNKNOWN,
        "cpu": cpuinfo.get("model name") or system.text("proc/device-tree/model") or _arm_part(cpuinfo),
        "logical_cores": _cores(),
        "memory_bytes": _memory_bytes(system),
        "kernel": f"{platform.system()} {platform.release()}",
        "os_release": os_release(system),
        "python": platform.python_version(),
        "board": board(system),
        "module": module(system),
        "virtualisation": virtualisation(system, machine, cpuinfo),
        "vnni": _vnni(machine, cpuinfo),
        "boot_id": system.text("proc/sys/kernel/random/boot_id") or UNKNOWN,
        **_state(system, cpuinfo),
    }


def _state(system: System, cpuinfo: Dict[str, str]) -> Dict[str, Any]:
    """Return what may differ at the next start."""
    device = device_of(system)
    reading = device.reading()
    events = reading.throttle_events
    return {
        **asdict(device.settings()),
        "governor": system.text(f"{CPUFREQ}/scaling_governor") or UNKNOWN,
        "clock_mhz": _clock_mhz(system, cpuinfo),
        "load_1min": _load(system),
        "cpu_pressure": pressure_cpu(system),
        "throttled_now": reading.throttled_now,
        "throttled_since_boot": None if events is None else [name for name, count in events.items() if count],
    }


def _cpuinfo(system: System) -> Dict[str, str]:
    """Return the first processor's block of /proc/cpuinfo."""
    block: Dict[str, str] = {}
    for line in (system.text("proc/cpuinfo") or "").splitlines():
        key, _, value = line.partition(":")
        block.setdefault(key.strip(), value.strip())
    return block


def _arm_part(cpuinfo: Dict[str, str]) -> str:
    if "CPU part" not in cpuinfo:
        return UNKNOWN
    return f"implementer {cpuinfo.get('CPU implementer', UNKNOWN)} part {cpuinfo['CPU part']}"


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory_bytes(system: System) -> int:
    for line in (system.text("proc/meminfo") or "").splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) * 1024
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _clock_mhz(system: System, cpuinfo: Dict[str, str]) -> str:
    khz = system.number(f"{CPUFREQ}/scaling_cur_freq")
    if khz is not None:
        return f"{khz / 1000:.0f}"
    return cpuinfo.get("cpu MHz") or UNKNOWN


def _vnni(machine: str, cpuinfo: Dict[str, str]) -> str:
    if machine not in X86 or "flags" not in cpuinfo:
        return UNKNOWN
    # Linux's names for the two encodings of VPDPBUSD (arch/x86/include/asm/cpufeatures.h).
    return "yes" if {"avx512_vnni", "avx_vnni"} & set(cpuinfo["flags"].split()) else "no"


def _load(system: System) -> Optional[float]:
    text = system.text("proc/loadavg")
    return float(text.split()[0]) if text else None
