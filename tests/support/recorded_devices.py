"""Devices in files: what the kernel and the commands of each say, in the form in which it is documented.

No board was at hand: the forms are documented, the values are made up. Where each form is documented:

- `proc/device-tree/*`: Devicetree Specification 0.4, section 2.3 (`model`, `compatible`; strings end with a zero).
- `cpufreq/policy*`: kernel, admin-guide/pm/cpufreq ("Policy Interface in sysfs", kHz); `boost` there, `no_turbo` in
  admin-guide/pm/intel_pstate.
- `thermal_zone*`, `cooling_device*`: kernel, driver-api/thermal/sysfs-api (thousandths of a degree; `cur_state`).
- `thermal_throttle`: kernel, ABI/stable/sysfs-devices-system-cpu.
- `proc/stat`, `proc/PID/stat`, `proc/loadavg`: proc(5); `proc/pressure/cpu`: kernel, accounting/psi.
- `vcgencmd`: Raspberry Pi documentation, computers/os, "vcgencmd" (each command with its output);
  `get_throttled` in sysfs: raspberrypi/linux, drivers/firmware/raspberrypi.c (hexadecimal without prefix).
- `vcgencmd pmic_read_adc`: Raspberry Pi's white paper "Extra PMIC features"; lines `NAME_A current(N)=xA` and
  `NAME_V volt(N)=xV`.
- `nvpmodel -q`, `ina3221`, `soctherm_oc`: NVIDIA Jetson Linux Developer Guide r36, "Platform Power and Performance",
  page "Jetson Orin Nano Series, Jetson Orin NX Series and Jetson AGX Orin Series"; kernel, hwmon/ina3221 (mV, mA,
  alarms).
- `devfreq`: kernel, ABI/testing/sysfs-class-devfreq (Hz).
- `etc/nv_tegra_release`: the same guide, "Checking the Jetson Linux version"; `etc/os-release`: os-release(5).
- `tegrastats`: the same guide, "tegrastats Utility".
- `sys/class/dmi/id`: kernel, ABI/testing/sysfs-firmware-dmi-tables and SMBIOS 3.7, type 1.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from edgewright.tools.probe.system import System

CPU = "sys/devices/system/cpu"
THERMAL = "sys/class/thermal"

RASPBERRY_PI_4 = {
    "proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4\0",
    "proc/device-tree/compatible": "raspberrypi,4-model-b\0brcm,bcm2711\0",
    "proc/device-tree/serial-number": "10000000abcdef01\0",
    "etc/os-release": 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nNAME="Debian GNU/Linux"\n',
    f"{CPU}/cpufreq/policy0/scaling_cur_freq": "1800000\n",
    f"{CPU}/cpufreq/policy0/scaling_min_freq": "600000\n",
    f"{CPU}/cpufreq/policy0/scaling_max_freq": "1800000\n",
    f"{THERMAL}/thermal_zone0/type": "cpu-thermal\n",
    f"{THERMAL}/thermal_zone0/temp": "61342\n",
}
RASPBERRY_PI_4_COMMANDS = {
    "vcgencmd get_throttled": "throttled=0x50005\n",
    "vcgencmd measure_clock arm": "frequency(48)=1500345728\n",
    "vcgencmd measure_temp": "temp=61.3'C\n",
    "vcgencmd measure_volts core": "volt=0.8700V\n",
    # The firmware of boards that measure no currents does not know the command; vcgencmd still ends with 0.
    "vcgencmd pmic_read_adc": 'error=1 error_msg="Command not registered"\n',
}

RASPBERRY_PI_5 = {
    **RASPBERRY_PI_4,
    "proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0",
    "proc/device-tree/compatible": "raspberrypi,5-model-b\0brcm,bcm2712\0",
    f"{CPU}/cpufreq/policy0/scaling_min_freq": "2400000\n",
    f"{CPU}/cpufreq/policy0/scaling_max_freq": "2400000\n",
    "sys/devices/platform/soc/soc:firmware/get_throttled": "80000\n",
}
RASPBERRY_PI_5_COMMANDS = {
    "vcgencmd measure_clock arm": "frequency(0)=2400033792\n",
    "vcgencmd measure_volts core": "volt=0.9113V\n",
    "vcgencmd pmic_read_adc": """\
 3V3_SYS_A current(1)=0.10000000A
 VDD_CORE_A current(7)=2.00000000A
 3V3_SYS_V volt(9)=3.30000000V
 VDD_CORE_V volt(15)=0.90000000V
 EXT5V_V volt(24)=5.10000000V
 BATT_V volt(25)=0.00000000V
""",
}

GPU = "sys/class/devfreq/17000000.gpu"
MONITOR = "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon1"
COUNTERS = "sys/class/hwmon/hwmon3"
ORIN_NANO = {
    "proc/device-tree/model": "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit\0",
    "proc/device-tree/compatible": "nvidia,p3768-0000+p3767-0005\0nvidia,p3767-0005\0nvidia,tegra234\0",
    "proc/device-tree/serial-number": "1421223012345\0",
    "etc/os-release": 'PRETTY_NAME="Ubuntu 22.04.5 LTS"\n',
    "etc/nv_tegra_release": "# R36 (release), REVISION: 4.3, GCID: 1, BOARD: generic, EABI: aarch64\n",
    **{
        f"{CPU}/cpufreq/policy{first}/{name}": f"{khz}\n"
        for first in (0, 4)
        for name, khz in (("scaling_cur_freq", 1510400), ("scaling_min_freq", 1510400), ("scaling_max_freq", 1510400))
    },
    f"{GPU}/cur_freq": "306000000\n",
    f"{GPU}/min_freq": "306000000\n",
    f"{GPU}/max_freq": "624750000\n",
    f"{MONITOR}/in1_label": "VDD_IN\n",
    f"{MONITOR}/in1_input": "5000\n",
    f"{MONITOR}/curr1_input": "1200\n",
    f"{MONITOR}/curr1_max_alarm": "0\n",
    f"{MONITOR}/curr1_crit_alarm": "0\n",
    f"{MONITOR}/in2_label": "VDD_CPU_GPU_CV\n",
    f"{MONITOR}/in2_input": "5000\n",
    f"{MONITOR}/curr2_input": "400\n",
    f"{MONITOR}/curr2_max_alarm": "1\n",
    f"{MONITOR}/curr2_crit_alarm": "0\n",
    f"{MONITOR}/in7_label": "sum of shunt voltages\n",
    f"{COUNTERS}/name": "soctherm_oc\n",
    f"{COUNTERS}/oc1_event_cnt": "0\n",
    f"{COUNTERS}/oc3_event_cnt": "37\n",
    f"{THERMAL}/thermal_zone0/type": "cpu-thermal\n",
    f"{THERMAL}/thermal_zone0/temp": "48500\n",
    f"{THERMAL}/thermal_zone8/type": "tj-thermal\n",
    f"{THERMAL}/thermal_zone8/temp": "49250\n",
    f"{THERMAL}/cooling_device0/type": "pwm-fan\n",
    f"{THERMAL}/cooling_device0/cur_state": "2\n",
    f"{THERMAL}/cooling_device1/type": "cpu-throttle-alert\n",
    f"{THERMAL}/cooling_device1/cur_state": "0\n",
    f"{THERMAL}/cooling_device2/type": "gpu-throttle-alert\n",
    f"{THERMAL}/cooling_device2/cur_state": "1\n",
}
ORIN_NANO_COMMANDS = {"nvpmodel -q": "NV Power Mode: 15W\n0\n"}
TEGRASTATS = (
    "11-25-2026 12:00:00 RAM 2893/7620MB (lfb 4x4MB) SWAP 0/3810MB (cached 0MB) CPU [3%@1510,off,0%@729,1%@729] "
    "GR3D_FREQ 0%@[305] cpu@48.187C soc2@47.062C tj@49.5C cv0@-256C gpu@47.968C VDD_IN 4872mW/4880mW "
    "VDD_CPU_GPU_CV 646mW/641mW VDD_SOC 1374mW/1379mW\n"
)

PLAIN_X86 = {
    "proc/cpuinfo": "processor\t: 0\nvendor_id\t: GenuineIntel\nmodel name\t: Some CPU\nflags\t\t: fpu sse avx2\n",
    "proc/pressure/cpu": "some avg10=1.35 avg60=2.27 avg300=2.56 total=21312456\nfull avg10=0.00 avg60=0.00 total=0\n",
    "proc/loadavg": "0.25 0.5 0.75 1/100 42\n",
    "sys/class/dmi/id/sys_vendor": "LENOVO\n",
    "sys/class/dmi/id/product_name": "20XX\n",
    f"{CPU}/intel_pstate/no_turbo": "0\n",
    **{
        f"{CPU}/cpufreq/policy{core}/{name}": f"{khz}\n"
        for core, now in ((0, 800000), (1, 2900000))
        for name, khz in (("scaling_cur_freq", now), ("scaling_min_freq", 400000), ("scaling_max_freq", 4200000))
    },
    **{f"{CPU}/cpu{core}/thermal_throttle/core_throttle_count": f"{core}\n" for core in (0, 1)},
    **{f"{CPU}/cpu{core}/thermal_throttle/package_throttle_count": "12\n" for core in (0, 1)},
    f"{THERMAL}/thermal_zone0/type": "acpitz\n",
    f"{THERMAL}/thermal_zone0/temp": "99000\n",
    f"{THERMAL}/thermal_zone1/type": "x86_pkg_temp\n",
    f"{THERMAL}/thermal_zone1/temp": "55000\n",
    f"{THERMAL}/cooling_device0/type": "Processor\n",
    f"{THERMAL}/cooling_device0/cur_state": "0\n",
}

# What a virtual machine's kernel leaves out is most of it.
VIRTUAL_MACHINE = {
    "proc/cpuinfo": "processor\t: 0\nvendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC\nflags\t\t: fpu hypervisor\n",
}


def recorded(folder: Path, files: Mapping[str, str], commands: Mapping[str, str] | None = None) -> System:
    """Write a device into a folder; a command that is not among the recorded ones is not there."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    answers = dict(commands or {})

    def answer(argv: Sequence[str], *, first_line: bool = False) -> str | None:
        return answers.get(" ".join(argv))

    return System(folder, answer)
