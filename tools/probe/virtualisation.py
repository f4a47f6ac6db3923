"""Whether this machine is one. `none` needs evidence of hardware: no sign of a hypervisor is not enough.

Sources of the signs: the kernel's documentation (arch/x86/cpuinfo: the flag `hypervisor`; ABI/stable/
sysfs-hypervisor-xen), the vendors that systemd-detect-virt(1) knows by SMBIOS, QEMU's documentation of its `virt` board
and of user mode emulation, the `hypervisor` node of Linux's device tree bindings.
"""

from __future__ import annotations

from typing import Iterator, Mapping, Sequence

from edgewright.tools.probe.device import DEVICE_TREE, board
from edgewright.tools.probe.system import UNKNOWN, System

NONE = "none"
# An emulator answers for /proc/self, but not for the same process under this name.
PROGRAM = "proc/thread-self/exe"
DMI = "sys/class/dmi/id"
VIRTUAL_BOARDS = ("dummy-virt", "QEMU", "qemu")
VIRTUAL_VENDORS = (
    "QEMU", "KVM", "VMware", "VMW", "innotek", "VirtualBox", "Xen", "Bochs", "Parallels", "BHYVE", "Hyper-V",
    "Virtual Machine", "Google Compute Engine", "Amazon EC2", "Apple Virtualization", "OpenStack", "Firecracker",
)  # fmt: skip
X86 = ("x86_64", "AMD64", "i686", "i386")


def virtualisation(system: System, machine: str, cpuinfo: Mapping[str, str]) -> str:
    """Return what was seen of a hypervisor or an emulator, `none` where hardware identifies itself, else `unknown`.

    Args:
        system: Where to read.
        machine: Architecture that programs see.
        cpuinfo: The first processor's block of /proc/cpuinfo.
    """
    seen = next(_signs(system, machine, cpuinfo), None)
    if seen is not None:
        return seen
    vendor = system.text(f"{DMI}/sys_vendor")
    physical = "flags" in cpuinfo and bool(vendor) if machine in X86 else _numbered_board(system)
    return NONE if physical else UNKNOWN


def _signs(system: System, machine: str, cpuinfo: Mapping[str, str]) -> Iterator[str]:
    program = (system.link(PROGRAM) or "").rpartition("/")[2]
    if program.startswith("qemu-"):
        yield f"user mode emulation by {program}"
    if machine not in X86 and "vendor_id" in cpuinfo and "flags" in cpuinfo:
        yield f"{machine} programs on an x86 processor"
    if "QEMU" in cpuinfo.get("model name", ""):
        yield cpuinfo["model name"]
    yield from _texts(system, (f"{DEVICE_TREE}/compatible", f"{DEVICE_TREE}/model"), VIRTUAL_BOARDS)
    yield from _texts(system, (f"{DEVICE_TREE}/hypervisor/compatible", "sys/hypervisor/type"), ("",))
    yield from _texts(system, (f"{DMI}/sys_vendor", f"{DMI}/product_name", f"{DMI}/bios_vendor"), VIRTUAL_VENDORS)
    if "hypervisor" in cpuinfo.get("flags", "").split():
        yield "hypervisor flag of the processor"


def _texts(system: System, paths: Sequence[str], words: Sequence[str]) -> Iterator[str]:
    """Yield what stands in those files that hold one of the words."""
    for path in paths:
        text = (system.text(path) or "").replace("\0", " ")
        if text and any(word in text for word in words):
            yield text


def _numbered_board(system: System) -> bool:
    """Return whether the firmware filled in a board and its serial number, which an emulated board's does not."""
    serial = system.text(f"{DEVICE_TREE}/serial-number") or ""
    return board(system) != UNKNOWN and bool(serial.strip("0"))
