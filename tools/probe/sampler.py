"""Looks at the device ten times a second while another process times models, and writes a line each time.

A process of its own, started from the probe's file: no NumPy, no runtime, a low priority, and what it costs is written
down with the rest. It ends with a last line when it is asked to (SIGTERM), and with the process that started it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, Dict, Sequence

from edgewright.tools.probe.device import device_of
from edgewright.tools.probe.lifeline import die_with
from edgewright.tools.probe.processor_time import busy_s, process_s
from edgewright.tools.probe.reading import Device
from edgewright.tools.probe.system import Remembered, System, run_command

# The first word of its command line, where the probe's is the path of a request.
COMMAND = "sample"
INTERVAL_S = 0.1
# Yields to a model that wants every core, and still wakes up.
NICENESS = 10
READY = b"\n"


def main(arguments: Sequence[str]) -> None:
    """Sample into a file until asked to end.

    Args:
        arguments: Process that times, and path of the file.
    """
    parent_pid, path = int(arguments[0]), Path(arguments[1])
    die_with(parent_pid)
    os.nice(NICENESS)
    # Blocked, it waits its turn: a sample is never cut off.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    runner = Remembered(run_command)
    system = System(runner=runner)
    device = device_of(system)
    with path.open("w", encoding="ascii") as stream:

        def write_line() -> None:
            stream.write(json.dumps(sample(system, device, parent_pid)) + "\n")
            stream.flush()

        due_s = time.monotonic()
        write_line()
        os.write(sys.stdout.fileno(), READY)
        while True:
            due_s = max(due_s + INTERVAL_S, time.monotonic())
            if signal.sigtimedwait({signal.SIGTERM}, max(0.0, due_s - time.monotonic())) is not None:
                break
            write_line()
        runner.forget()
        write_line()


def sample(system: System, device: Device, timed_pid: int) -> Dict[str, Any]:
    """Return one line: when, in nanoseconds of CLOCK_MONOTONIC; processor time, in seconds; and what the device says.

    `ours_s` is the time of the process that times, of this one, and of the commands that this one asked.
    """
    at_ns, busy, timed = time.monotonic_ns(), busy_s(system), process_s(system, timed_pid)
    own = os.times()
    ours = own.user + own.system + own.children_user + own.children_system
    return {
        "at_ns": at_ns,
        "busy_s": busy,
        "ours_s": None if timed is None else timed + ours,
        **asdict(device.reading()),
    }
