"""Holds a device's clocks while it is measured, where its operator allowed that, and puts them back afterwards.

Each command is one that a sudoers file can name exactly; without such an entry nothing is changed.
"""

from __future__ import annotations

import glob
import shutil
import subprocess
from pathlib import Path
from typing import Callable, Dict, Optional, Sequence, Tuple

POLICIES = "/sys/devices/system/cpu/cpufreq/policy*/scaling_governor"
FASTEST = "performance"  # kernel documentation, admin-guide/pm/cpufreq, "Generic Scaling Governors"
COMMAND_S = 10.0

Restore = Callable[[], None]


class ClocksKept(Exception):
    """The clocks are as they were: why they could not be held."""


def lock(folder: str, policies: str = POLICIES) -> Tuple[str, Restore]:
    """Hold the clocks at their highest; return how, and what puts them back.

    Args:
        folder: Where what is to be restored may be written.
        policies: Pattern of the governors' files.

    Raises:
        ClocksKept: This machine has nothing to hold, or the operator's entry for it is missing.
    """
    if shutil.which("jetson_clocks"):
        return _lock_jetson(str(Path(folder) / "clocks"))
    files = sorted(glob.glob(policies))
    if not files:
        raise ClocksKept("neither jetson_clocks nor a frequency governor is there")
    before = {path: Path(path).read_text(encoding="ascii").strip() for path in files}
    _set_governors(dict.fromkeys(files, FASTEST))
    return "%s governor" % FASTEST, lambda: _set_governors(before)


def _lock_jetson(stored: str) -> Tuple[str, Restore]:
    """Use NVIDIA's own script (Jetson Linux Developer Guide, "Supported Modes and Power Efficiency", jetson_clocks)."""
    _sudo(["jetson_clocks", "--store", stored])
    _sudo(["jetson_clocks"])
    return "jetson_clocks", lambda: _sudo(["jetson_clocks", "--restore", stored])


def _set_governors(wanted: Dict[str, str]) -> None:
    for path, governor in wanted.items():
        _sudo(["tee", path], governor + "\n")


def _sudo(command: Sequence[str], text: Optional[str] = None) -> None:
    try:
        ended = subprocess.run(
            ["sudo", "-n", *command],
            input=text,
            stdin=None if text is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            universal_newlines=True,
            timeout=COMMAND_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ClocksKept(str(error)) from error
    if ended.returncode != 0:
        raise ClocksKept("sudo -n %s: %s" % (" ".join(command), ended.stdout.strip() or "refused"))
