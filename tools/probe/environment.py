"""Facts about the machine. What cannot be read is `unknown`, never guessed."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any, Dict, Optional

UNKNOWN = "unknown"
CPUFREQ = Path("sys/devices/system/cpu/cpu0/cpufreq")
X86 = ("x86_64", "AMD64", "i686")


def facts(root: Path = Path("/")) -> Dict[str, Any]:
    """Return what identifies this machine and its state now.

    Args:
        root: Where `proc` and `sys` lie; another folder in tests.
    """
    cpuinfo = _cpuinfo(root)
    machine = platform.machine()
    return {
        "machine": machine or UNKNOWN,
        "cpu": cpuinfo.get("model name") or _text(root / "proc/device-tree/model") or _arm_part(cpuinfo),
        "logical_cores": _cores(),
        "memory_bytes": _memory_bytes(root),
        "kernel": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "governor": _text(root / CPUFREQ / "scaling_governor") or UNKNOWN,
        "clock_mhz": _clock_mhz(root, cpuinfo),
        "vnni": _vnni(machine, cpuinfo),
        "load_1min": _load(root),
        "boot_id": _text(root / "proc/sys/kernel/random/boot_id") or UNKNOWN,
    }


def _cpuinfo(root: Path) -> Dict[str, str]:
    """Return the first processor's block of /proc/cpuinfo."""
    block: Dict[str, str] = {}
    for line in (_text(root / "proc/cpuinfo") or "").splitlines():
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


def _memory_bytes(root: Path) -> int:
    for line in (_text(root / "proc/meminfo") or "").splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) * 1024
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _clock_mhz(root: Path, cpuinfo: Dict[str, str]) -> str:
    khz = _text(root / CPUFREQ / "scaling_cur_freq")
    if khz:
        return f"{int(khz) / 1000:.0f}"
    return cpuinfo.get("cpu MHz") or UNKNOWN


def _vnni(machine: str, cpuinfo: Dict[str, str]) -> str:
    if machine not in X86 or "flags" not in cpuinfo:
        return UNKNOWN
    # Linux's names for the two encodings of VPDPBUSD (arch/x86/include/asm/cpufeatures.h).
    return "yes" if {"avx512_vnni", "avx_vnni"} & set(cpuinfo["flags"].split()) else "no"


def _load(root: Path) -> Optional[float]:
    text = _text(root / "proc/loadavg")
    return float(text.split()[0]) if text else None


def _text(path: Path) -> Optional[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip("\0\n ")
    except OSError:
        return None
