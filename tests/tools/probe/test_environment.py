import os
import platform
from pathlib import Path

import pytest

from edgewright.tools.probe.environment import facts

FLAGS = {
    "yes": "fpu sse avx512f avx512_vnni",
    "no": "fpu sse avx2",
}


def machine(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


@pytest.mark.promise("P10")
def test_every_fact_that_the_kernel_tells_is_read(tmp_path: Path) -> None:
    root = machine(
        tmp_path,
        {
            "proc/cpuinfo": "processor\t: 0\nmodel name\t: Some CPU\ncpu MHz\t\t: 2000.5\n\nmodel name\t: Other\n",
            "proc/meminfo": "MemTotal:       1024 kB\nMemFree: 1 kB\n",
            "proc/loadavg": "0.25 0.5 0.75 1/100 42\n",
            "proc/sys/kernel/random/boot_id": "b007\n",
            "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "performance\n",
            "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "2400000\n",
        },
    )
    assert facts(root) == {
        "machine": platform.machine(),
        "cpu": "Some CPU",
        "logical_cores": len(os.sched_getaffinity(0)),
        "memory_bytes": 1024 * 1024,
        "kernel": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "governor": "performance",
        "clock_mhz": "2400",
        "vnni": "unknown",
        "load_1min": 0.25,
        "boot_id": "b007",
    }


def test_what_cannot_be_read_is_unknown(tmp_path: Path) -> None:
    found = facts(tmp_path)
    assert {name: found[name] for name in ("cpu", "governor", "clock_mhz", "vnni", "load_1min", "boot_id")} == {
        "cpu": "unknown",
        "governor": "unknown",
        "clock_mhz": "unknown",
        "vnni": "unknown",
        "load_1min": None,
        "boot_id": "unknown",
    }
    assert found["memory_bytes"] > 0


@pytest.mark.parametrize("answer", ["yes", "no"])
def test_vnni_is_read_from_the_flags_of_an_x86_processor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    assert facts(machine(tmp_path, {"proc/cpuinfo": f"flags : {FLAGS[answer]}\n"}))["vnni"] == answer


def test_vnni_is_unknown_on_arm_and_its_board_or_part_names_the_processor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    part = machine(tmp_path, {"proc/cpuinfo": "CPU implementer\t: 0x41\nCPU part\t: 0xd0b\nflags : avx_vnni\n"})
    assert facts(part)["vnni"] == "unknown"
    assert facts(part)["cpu"] == "implementer 0x41 part 0xd0b"
    board = machine(tmp_path, {"proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0"})
    assert facts(board)["cpu"] == "Raspberry Pi 5 Model B Rev 1.0"
