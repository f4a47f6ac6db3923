"""Starts the sampler beside a timing, ends it, and sums up what it saw of the timed part."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Dict, List, Mapping, Optional, Type

from edgewright.tools.probe.sampler import COMMAND

NS_PER_S = 1_000_000_000
# An emulated Python takes seconds to start; without its first sample by then, the timing goes on alone.
READY_S = 10.0
# Its last sample asks each command once more (`COMMAND_S`), then it ends.
END_S = 10.0
# The kernel counts processor time in hundredths of a second; over less than this they would be most of the figure.
LEAST_LOAD_S = 0.5
# Sensors count in steps of up to half a degree; over less time a single step would look like a steep rise.
LEAST_SLOPE_S = 4.0

Sample = Dict[str, Any]


class Sampling:
    """The sampler as a context: there inside, gone outside. A machine where it does not start is timed without it."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "conditions.jsonl"
        self._process: "Optional[subprocess.Popen[bytes]]" = None

    def __enter__(self) -> Sampling:
        command = [sys.executable, "-I", sys.argv[0], COMMAND, str(os.getpid()), str(self._path)]
        try:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        except OSError:
            self._process = None
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._process.stdout is not None  # noqa: S101  (it was asked for)
            self._process.stdout.close()

    def wait_until_ready(self) -> None:
        """Return once there is a first sample, so that the sampler's own start does not fall into what is timed."""
        if self._process is not None and self._process.stdout is not None:
            select.select([self._process.stdout], [], [], READY_S)

    def conditions(self, start_ns: int, end_ns: int) -> Dict[str, Any]:
        """End the sampler and return what it saw between two moments of CLOCK_MONOTONIC; see `summary`."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(END_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
        return summary(_read(self._path), start_ns, end_ns)


def summary(samples: List[Sample], start_ns: int, end_ns: int) -> Dict[str, Any]:
    """Return what happened while models were timed; `None` where the samples do not tell.

    Temperature, clocks and power come from samples inside the timed part. Throttling is also looked for in the first
    sample after it, and its counters are compared with the last sample before it.

    Args:
        samples: In order of time.
        start_ns: When the first timed run began.
        end_ns: When the last one ended.
    """
    inside = [sample for sample in samples if start_ns <= sample["at_ns"] <= end_ns]
    before = [sample for sample in samples if sample["at_ns"] < start_ns]
    after = [sample for sample in samples if sample["at_ns"] > end_ns]
    degrees = _values(inside, "temperature_c")
    clocks, gpu_clocks = _values(inside, "clock_mhz"), _values(inside, "gpu_clock_mhz")
    powers = _values(inside, "power_mw")
    return {
        "samples": len(inside),
        "duration_s": (end_ns - start_ns) / NS_PER_S,
        "temperature_start_c": degrees[0] if degrees else None,
        "temperature_end_c": degrees[-1] if degrees else None,
        "temperature_max_c": max(degrees, default=None),
        "temperature_slope_c_per_min": _slope_per_min(inside, "temperature_c"),
        "clock_min_mhz": min(clocks, default=None),
        "clock_max_mhz": max(clocks, default=None),
        "clock_limit_mhz": max(_values(inside, "clock_limit_mhz"), default=None),
        "gpu_clock_min_mhz": min(gpu_clocks, default=None),
        "gpu_clock_max_mhz": max(gpu_clocks, default=None),
        "power_mw": sum(powers) / len(powers) if powers else None,
        "rail": next((sample["rail"] for sample in inside if sample["rail"]), None),
        "foreign_cores": _foreign_cores([*inside, *after[:1]]),
        **_throttling(before[-1:], [*inside, *after[:1]], start_ns, end_ns),
    }


def _throttling(before: List[Sample], seen: List[Sample], start_ns: int, end_ns: int) -> Dict[str, Any]:
    """Return the names of what was active at some moment or was counted anew, and the seconds until the first."""
    if all(sample[field] is None for sample in seen for field in ("throttled_now", "throttle_events")):
        return {"throttled": None, "throttled_after_s": None}
    counted: Mapping[str, int] = [*before, *seen][0]["throttle_events"] or {}
    raised: Dict[str, float] = {}
    for sample in seen:
        events = sample["throttle_events"] or {}
        active = [*(sample["throttled_now"] or ()), *(name for name in events if events[name] > counted.get(name, 0))]
        for name in active:
            raised.setdefault(name, (min(sample["at_ns"], end_ns) - start_ns) / NS_PER_S)
    return {"throttled": sorted(raised), "throttled_after_s": min(raised.values(), default=None)}


def _foreign_cores(seen: List[Sample]) -> Optional[float]:
    """Return the processors that others kept busy, on average."""
    known = [sample for sample in seen if sample["busy_s"] is not None and sample["ours_s"] is not None]
    taken_s = (known[-1]["at_ns"] - known[0]["at_ns"]) / NS_PER_S if known else 0.0
    if taken_s < LEAST_LOAD_S:
        return None
    others_s = [sample["busy_s"] - sample["ours_s"] for sample in (known[0], known[-1])]
    return float(max(0.0, others_s[1] - others_s[0]) / taken_s)


def _slope_per_min(inside: List[Sample], field: str) -> Optional[float]:
    """Return the slope of the least-squares line through the second half of the samples."""
    known = [sample for sample in inside if sample[field] is not None]
    half = known[len(known) // 2 :]
    times_s = [(sample["at_ns"] - half[0]["at_ns"]) / NS_PER_S for sample in half]
    if not half or times_s[-1] < LEAST_SLOPE_S:
        return None
    values = _values(half, field)
    middle_s, middle = sum(times_s) / len(half), sum(values) / len(half)
    products = sum((time_s - middle_s) * (value - middle) for time_s, value in zip(times_s, values))
    return float(60 * products / sum((time_s - middle_s) ** 2 for time_s in times_s))


def _values(samples: List[Sample], field: str) -> List[float]:
    return [sample[field] for sample in samples if sample[field] is not None]


def _read(path: Path) -> List[Sample]:
    """Return the whole lines of a file; nothing where there is none."""
    try:
        text = path.read_text(encoding="ascii")
    except OSError:
        return []
    return [json.loads(line) for line in text.split("\n")[:-1]]
