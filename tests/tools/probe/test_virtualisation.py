from pathlib import Path

import pytest
from recorded_devices import ORIN_NANO, PLAIN_X86, RASPBERRY_PI_4, VIRTUAL_MACHINE, recorded

from edgewright.tools.probe.environment import facts
from edgewright.tools.probe.virtualisation import virtualisation

pytestmark = pytest.mark.promise("P6")
X86 = {"flags": "fpu sse"}
VENDOR = "sys/class/dmi/id/sys_vendor"
ARM_KVM = "proc/device-tree/hypervisor/compatible"


def seen(folder: Path, files: dict[str, str], machine: str, cpuinfo: dict[str, str]) -> str:
    return virtualisation(recorded(folder, files), machine, cpuinfo)


@pytest.mark.parametrize("files", [RASPBERRY_PI_4, ORIN_NANO], ids=["raspberry-pi-4", "orin-nano"])
def test_a_board_with_its_serial_number_is_hardware(tmp_path: Path, files: dict[str, str]) -> None:
    assert seen(tmp_path, files, "aarch64", {"CPU part": "0xd08"}) == "none"


def test_a_machine_with_a_makers_name_and_no_hypervisor_flag_is_hardware(tmp_path: Path) -> None:
    assert seen(tmp_path, PLAIN_X86, "x86_64", X86) == "none"


@pytest.mark.parametrize(
    ("files", "machine", "cpuinfo", "says"),
    [
        ({}, "x86_64", {"flags": "fpu hypervisor sse"}, "hypervisor flag of the processor"),
        ({VENDOR: "QEMU\n"}, "x86_64", X86, "QEMU"),
        ({VENDOR: "Amazon EC2\n"}, "aarch64", {}, "Amazon EC2"),
        ({"sys/hypervisor/type": "xen\n"}, "x86_64", X86, "xen"),
        ({**RASPBERRY_PI_4, ARM_KVM: "linux,kvm\0"}, "aarch64", {}, "linux,kvm"),
        ({"proc/device-tree/compatible": "linux,dummy-virt\0"}, "aarch64", {}, "linux,dummy-virt"),
        ({}, "x86_64", {"model name": "QEMU Virtual CPU version 2.5+", **X86}, "QEMU Virtual CPU version 2.5+"),
        ({}, "aarch64", {"vendor_id": "AuthenticAMD", **X86}, "aarch64 programs on an x86 processor"),
    ],
)
def test_each_sign_of_a_hypervisor_is_named(
    tmp_path: Path, files: dict[str, str], machine: str, cpuinfo: dict[str, str], says: str
) -> None:
    assert seen(tmp_path, files, machine, cpuinfo) == says


def test_an_emulator_of_programs_shows_as_the_program_that_runs(tmp_path: Path) -> None:
    (tmp_path / "proc" / "thread-self").mkdir(parents=True)
    (tmp_path / "proc" / "thread-self" / "exe").symlink_to("/usr/bin/qemu-aarch64-static")
    assert seen(tmp_path, RASPBERRY_PI_4, "aarch64", {}) == "user mode emulation by qemu-aarch64-static"


@pytest.mark.parametrize(
    ("files", "machine", "cpuinfo"),
    [
        ({}, "x86_64", X86),
        ({}, "aarch64", {"CPU part": "0xd08"}),
        ({**RASPBERRY_PI_4, "proc/device-tree/serial-number": "0000000000000000\0"}, "aarch64", {}),
        ({"proc/device-tree/serial-number": "1\0"}, "aarch64", {}),
        ({VENDOR: "LENOVO\n"}, "x86_64", {}),
    ],
    ids=["x86 without a maker", "arm without a board", "board without a number", "number without a board", "no flags"],
)
def test_no_sign_of_a_hypervisor_is_not_evidence_of_hardware(
    tmp_path: Path, files: dict[str, str], machine: str, cpuinfo: dict[str, str]
) -> None:
    assert seen(tmp_path, files, machine, cpuinfo) == "unknown"


def test_the_facts_tell_it_from_the_processors_own_description(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    system = recorded(tmp_path, VIRTUAL_MACHINE)
    assert facts(system.root, system.runner)["virtualisation"] == "hypervisor flag of the processor"
