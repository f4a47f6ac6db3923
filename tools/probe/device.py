"""Which kind of device this is, and what its device tree says of it. A new kind is a module and a line here."""

from __future__ import annotations

import re

from edgewright.tools.probe.jetson import Jetson
from edgewright.tools.probe.linux import Linux
from edgewright.tools.probe.raspberry_pi import RaspberryPi
from edgewright.tools.probe.reading import Device
from edgewright.tools.probe.system import UNKNOWN, System

DEVICE_TREE = "proc/device-tree"


def device_of(system: System) -> Device:
    """Return what reads this machine."""
    if board(system).startswith("Raspberry Pi"):
        return RaspberryPi(system)
    if "nvidia,tegra" in _compatible(system):
        return Jetson(system)
    return Linux(system)


def board(system: System) -> str:
    """Return the board's model as its device tree names it (Devicetree Specification, section 2.3.2)."""
    return system.text(f"{DEVICE_TREE}/model") or UNKNOWN


def module(system: System) -> str:
    """Return the part number of a Jetson's module: a devkit's tree is `nvidia,CARRIER+MODULE`."""
    found = re.search(r"nvidia,(?:p\d{4}-\d{4}\+)?(p\d{4}-\d{4})", _compatible(system))
    return found.group(1) if found else UNKNOWN


def os_release(system: System) -> str:
    """Return the distribution (os-release(5)), and the release of Jetson Linux where it is one."""
    text = "\n".join(system.text(path) or "" for path in ("etc/os-release", "usr/lib/os-release"))
    name = re.search(r'^PRETTY_NAME="?([^"\n]+)"?$', text, re.MULTILINE)
    tegra = re.match(r"# R(\d+) \(release\), REVISION: ([\d.]+)", system.text("etc/nv_tegra_release") or "")
    parts = [name.group(1)] if name else []
    if tegra:
        parts.append(f"Jetson Linux {tegra.group(1)}.{tegra.group(2)}")
    return ", ".join(parts) or UNKNOWN


def _compatible(system: System) -> str:
    return (system.text(f"{DEVICE_TREE}/compatible") or "").replace("\0", " ")
