"""What each kind of device says of itself, read from files of the documented form (`recorded_devices`)."""

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from recorded_devices import (
    GPU,
    MONITOR,
    ORIN_NANO,
    ORIN_NANO_COMMANDS,
    PLAIN_X86,
    RASPBERRY_PI_4,
    RASPBERRY_PI_4_COMMANDS,
    RASPBERRY_PI_5,
    RASPBERRY_PI_5_COMMANDS,
    TEGRASTATS,
    VIRTUAL_MACHINE,
    recorded,
)

from edgewright.tools.probe import system as system_module
from edgewright.tools.probe.device import board, device_of, module, os_release
from edgewright.tools.probe.processor_time import busy_s, pressure_cpu, process_s
from edgewright.tools.probe.reading import Reading, Settings
from edgewright.tools.probe.system import Remembered, run_command
from edgewright.tools.probe.tegrastats import parse

pytestmark = pytest.mark.promise("P10")


def test_a_raspberry_pi_4_names_what_holds_it_back_and_its_true_clock(tmp_path: Path) -> None:
    system = recorded(tmp_path, RASPBERRY_PI_4, RASPBERRY_PI_4_COMMANDS)
    assert (board(system), module(system)) == ("Raspberry Pi 4 Model B Rev 1.4", "unknown")
    assert os_release(system) == "Debian GNU/Linux 12 (bookworm)"
    assert device_of(system).settings() == Settings(clocks_locked="no", core_voltage="0.8700")
    assert device_of(system).reading() == Reading(
        temperature_c=61.342,
        clock_mhz=pytest.approx(1500.345728),
        clock_limit_mhz=1800.0,
        throttled_now=("under-voltage", "throttled"),
        throttle_events={"under-voltage": 1, "clock capped": 0, "throttled": 1, "soft temperature limit": 0},
    )


def test_a_raspberry_pi_without_its_command_tells_what_linux_knows(tmp_path: Path) -> None:
    reading = device_of(recorded(tmp_path, RASPBERRY_PI_4)).reading()
    assert reading == Reading(temperature_c=61.342, clock_mhz=1800.0, clock_limit_mhz=1800.0)


def test_a_raspberry_pi_5_adds_up_its_rails_and_needs_no_process_for_its_flags(tmp_path: Path) -> None:
    system = recorded(tmp_path, RASPBERRY_PI_5, RASPBERRY_PI_5_COMMANDS)
    assert device_of(system).settings() == Settings(clocks_locked="yes", core_voltage="0.9113")
    reading = device_of(system).reading()
    assert reading.power_mw == pytest.approx(1000 * (0.1 * 3.3 + 2.0 * 0.9))
    assert reading.rail == "sum of 2 PMIC rails"
    assert reading.throttled_now == ()
    assert reading.throttle_events is not None
    assert [name for name, count in reading.throttle_events.items() if count] == ["soft temperature limit"]


@pytest.mark.parametrize(
    "answers", [{"vcgencmd get_throttled": "VCHI initialization failed\n"}, {"vcgencmd get_throttled": "throttled=?\n"}]
)
def test_a_command_that_answers_otherwise_is_not_believed(tmp_path: Path, answers: dict[str, str]) -> None:
    reading = device_of(recorded(tmp_path, RASPBERRY_PI_4, answers)).reading()
    assert (reading.throttled_now, reading.throttle_events) == (None, None)


def test_a_jetson_says_its_module_release_and_power_mode_by_name(tmp_path: Path) -> None:
    system = recorded(tmp_path, ORIN_NANO, ORIN_NANO_COMMANDS)
    assert module(system) == "p3767-0005"
    assert os_release(system) == "Ubuntu 22.04.5 LTS, Jetson Linux 36.4.3"
    assert device_of(system).settings() == Settings(power_mode="15W", clocks_locked="no")
    assert device_of(recorded(tmp_path, {})).settings().power_mode == "unknown"


def test_a_jetsons_clocks_are_locked_only_when_the_graphics_processors_is(tmp_path: Path) -> None:
    system = recorded(tmp_path, {**ORIN_NANO, f"{GPU}/min_freq": "624750000\n"})
    assert device_of(system).settings().clocks_locked == "yes"


def test_a_jetsons_supply_is_the_power_and_its_alarms_brakes_and_counters_are_named(tmp_path: Path) -> None:
    reading = device_of(recorded(tmp_path, ORIN_NANO, ORIN_NANO_COMMANDS)).reading()
    assert (reading.power_mw, reading.rail) == (6000.0, "VDD_IN")
    assert (reading.temperature_c, reading.clock_mhz, reading.gpu_clock_mhz) == (49.25, 1510.4, 306.0)
    assert reading.throttled_now == ("cooling by gpu-throttle-alert", "current warning on VDD_CPU_GPU_CV")
    assert reading.throttle_events == {"under-voltage (OC1)": 0, "instantaneous over-current (OC3)": 37}


def test_a_jetson_without_power_monitors_is_asked_through_tegrastats(tmp_path: Path) -> None:
    files = {name: text for name, text in ORIN_NANO.items() if not name.startswith((MONITOR, "sys/class/thermal"))}
    reading = device_of(recorded(tmp_path, files, {"tegrastats --interval 100": TEGRASTATS})).reading()
    assert (reading.power_mw, reading.rail, reading.temperature_c) == (4872.0, "VDD_IN", 49.5)


def test_a_line_of_tegrastats_gives_its_temperatures_and_rails_and_nothing_else() -> None:
    said = parse(TEGRASTATS)
    assert said.temperatures_c == {"cpu": 48.187, "soc2": 47.062, "tj": 49.5, "gpu": 47.968}
    assert said.rails_mw == {"VDD_IN": 4872.0, "VDD_CPU_GPU_CV": 646.0, "VDD_SOC": 1374.0}
    assert parse("POM_5V_IN 2532/2698 PLL@36C").rails_mw == {"POM_5V_IN": 2532.0}
    assert parse("tegrastats: command failed").hottest_c is None


def test_a_plain_machine_says_its_fastest_clock_its_turbo_and_what_its_processor_counted(tmp_path: Path) -> None:
    system = recorded(tmp_path, PLAIN_X86)
    assert device_of(system).settings() == Settings(clocks_locked="no", turbo="on")
    assert device_of(system).reading() == Reading(
        temperature_c=55.0,
        clock_mhz=2900.0,
        clock_limit_mhz=4200.0,
        throttled_now=(),
        throttle_events={"core too hot": 1, "package too hot": 12},
    )
    assert pressure_cpu(system) == 1.35


@pytest.mark.parametrize(("boost", "turbo"), [("1", "on"), ("0", "off"), ("maybe", "unknown")])
def test_turbo_is_also_read_where_it_is_called_boost(tmp_path: Path, boost: str, turbo: str) -> None:
    system = recorded(tmp_path, {"sys/devices/system/cpu/cpufreq/boost": f"{boost}\n"})
    assert device_of(system).settings().turbo == turbo


def test_a_virtual_machine_knows_nothing_and_says_so(tmp_path: Path) -> None:
    system = recorded(tmp_path, VIRTUAL_MACHINE)
    assert (board(system), module(system), os_release(system)) == ("unknown", "unknown", "unknown")
    assert device_of(system).settings() == Settings()
    assert device_of(system).reading() == Reading()
    assert (busy_s(system), process_s(system, 1), pressure_cpu(system)) == (None, None, None)


def test_processor_time_counts_work_and_what_the_hypervisor_took_but_no_waiting(tmp_path: Path) -> None:
    files = {
        "proc/stat": "cpu  100 20 30 9999 500 4 6 40 7 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n",
        "proc/42/stat": "42 (a name) with) S 1 42 42 0 -1 4194560 1 2 3 4 150 50 900 900 20 0 1 0 1 1 1\n",
    }
    system = recorded(tmp_path, files)
    assert (busy_s(system), process_s(system, 42)) == (2.0, 2.0)


def test_a_command_that_hangs_fails_or_is_missing_answers_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system_module, "COMMAND_S", 0.3)
    assert run_command([sys.executable, "-c", "import signal; signal.pause()"]) is None
    monkeypatch.setattr(system_module, "COMMAND_S", 60.0)
    assert run_command([sys.executable, "-c", "print('said'); raise SystemExit(1)"]) is None
    assert run_command(["no-such-command-on-any-machine"]) is None
    assert run_command([sys.executable, "-c", "print('said')"]) == "said\n"


def test_a_command_that_goes_on_is_ended_after_its_first_line() -> None:
    endless = "import signal\nprint('one', flush=True)\nsignal.pause()"
    assert run_command([sys.executable, "-c", endless], first_line=True) == "one\n"


def test_a_sampler_asks_each_command_once_a_second_and_one_that_failed_never_again() -> None:
    asked: list[str] = []
    now = [0.0]

    def answer(argv: Sequence[str], *, first_line: bool = False) -> str | None:
        asked.append(argv[0])
        return None if argv[0] == "broken" else f"answer {len(asked)}"

    runner = Remembered(answer, lambda: now[0])
    assert [runner(["works"]), runner(["works"]), runner(["broken"]), runner(["broken"])] == ["answer 1"] * 2 + [
        None
    ] * 2
    now[0] = 1.0
    assert [runner(["works"]), runner(["broken"])] == ["answer 3", None]
    runner.forget()
    assert [runner(["works"]), runner(["broken"])] == ["answer 4", None]
    assert asked == ["works", "broken", "works", "works"]
