import os
import platform
from pathlib import Path

import pytest
from recorded_devices import RASPBERRY_PI_5, RASPBERRY_PI_5_COMMANDS, recorded

from edgewright.tools.probe.environment import facts

FLAGS = {
    "yes": "fpu sse avx512f avx512_vnni",
    "no": "fpu sse avx2",
}


@pytest.mark.promise("P10")
def test_every_fact_that_the_kernel_and_the_board_tell_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system = recorded(
        tmp_path,
        {
            **RASPBERRY_PI_5,
            "proc/cpuinfo": "processor\t: 0\nmodel name\t: Some CPU\ncpu MHz\t\t: 2000.5\n\nmodel name\t: Other\n",
            "proc/meminfo": "MemTotal:       1024 kB\nMemFree: 1 kB\n",
            "proc/loadavg": "0.25 0.5 0.75 1/100 42\n",
            "proc/pressure/cpu": "some avg10=1.35 avg60=2.27 avg300=2.56 total=21312456\n",
            "proc/sys/kernel/random/boot_id": "b007\n",
            "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "performance\n",
            "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "2400000\n",
        },
        RASPBERRY_PI_5_COMMANDS,
    )
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    assert facts(system.root, system.runner) == {
        "machine": "aarch64",
        "cpu": "Some CPU",
        "logical_cores": len(os.sched_getaffinity(0)),
        "memory_bytes": 1024 * 1024,
        "kernel": f"{platform.system()} {platform.release()}",
        "os_release": "Debian GNU/Linux 12 (bookworm)",
        "python": platform.python_version(),
        "board": "Raspberry Pi 5 Model B Rev 1.0",
        "module": "unknown",
        "virtualisation": "none",
        "vnni": "unknown",
        "boot_id": "b007",
        "power_mode": "unknown",
        "clocks_locked": "yes",
        "turbo": "unknown",
        "core_voltage": "0.9113",
        "governor": "performance",
        "clock_mhz": "2400",
        "load_1min": 0.25,
        "cpu_pressure": 1.35,
        "throttled_now": (),
        "throttled_since_boot": ["soft temperature limit"],
    }


def test_what_cannot_be_read_is_unknown(tmp_path: Path) -> None:
    found = facts(tmp_path)
    always = {"machine", "logical_cores", "memory_bytes", "kernel", "python"}
    no_words = {"load_1min", "cpu_pressure", "throttled_now", "throttled_since_boot"}
    assert {name: found[name] for name in found if name not in always} == {
        name: None if name in no_words else "unknown" for name in found if name not in always
    }
    assert found["memory_bytes"] > 0


@pytest.mark.parametrize("answer", ["yes", "no"])
def test_vnni_is_read_from_the_flags_of_an_x86_processor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    assert facts(recorded(tmp_path, {"proc/cpuinfo": f"flags : {FLAGS[answer]}\n"}).root)["vnni"] == answer


def test_vnni_is_unknown_on_arm_and_its_board_or_part_names_the_processor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    part = recorded(tmp_path, {"proc/cpuinfo": "CPU implementer\t: 0x41\nCPU part\t: 0xd0b\nflags : avx_vnni\n"})
    assert facts(part.root)["vnni"] == "unknown"
    assert facts(part.root)["cpu"] == "implementer 0x41 part 0xd0b"
    board = recorded(tmp_path, {"proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0"})
    assert facts(board.root, board.runner)["cpu"] == "Raspberry Pi 5 Model B Rev 1.0"
