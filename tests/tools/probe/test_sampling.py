"""What is seen of a device while models are timed: the sums, and the sampler itself beside a real probe."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from probe_models import FEW_RUNS, keep_model, keep_regular, new_workspace, vector_model

from edgewright.state.protocols import Protocol, ProtocolName
from edgewright.tools.probe import sampling as sampling_module
from edgewright.tools.probe.sampling import Sampling, summary
from edgewright.tools.targets.bundle import write_bundle
from edgewright.tools.targets.host import Host
from edgewright.tools.targets.request import LATENCY, ProbeRequest

pytestmark = pytest.mark.promise("P10")
SECOND = 1_000_000_000
NOTHING = {
    "temperature_c": None,
    "clock_mhz": None,
    "clock_limit_mhz": None,
    "gpu_clock_mhz": None,
    "power_mw": None,
    "rail": None,
    "throttled_now": None,
    "throttle_events": None,
    "busy_s": None,
    "ours_s": None,
}


def at(second: float, **seen: object) -> dict[str, Any]:
    return {**NOTHING, "at_ns": int(second * SECOND), **seen}


def seen(*samples: dict[str, Any], start: float = 10, end: float = 20) -> dict[str, Any]:
    return summary(list(samples), int(start * SECOND), int(end * SECOND))


def test_temperature_clock_and_power_are_those_of_the_timed_part() -> None:
    found = seen(
        at(9.0, temperature_c=99.0, clock_mhz=1.0, power_mw=9e9),
        at(10.5, temperature_c=50.0, clock_mhz=1800.0, clock_limit_mhz=1800.0, power_mw=4000.0, rail="VDD_IN"),
        at(15.0, temperature_c=56.0, clock_mhz=1500.0, clock_limit_mhz=1600.0, power_mw=5000.0, rail="VDD_IN"),
        at(19.5, temperature_c=55.0, clock_mhz=1700.0, clock_limit_mhz=1800.0, gpu_clock_mhz=306.0, rail="VDD_IN"),
        at(20.1, temperature_c=99.0, clock_mhz=1.0),
    )
    assert found["samples"] == 3
    assert found["duration_s"] == 10.0
    assert [found[f"temperature_{name}_c"] for name in ("start", "end", "max")] == [50.0, 55.0, 56.0]
    assert [found[f"clock_{name}_mhz"] for name in ("min", "max", "limit")] == [1500.0, 1800.0, 1800.0]
    assert [found[f"gpu_clock_{name}_mhz"] for name in ("min", "max")] == [306.0, 306.0]
    assert (found["power_mw"], found["rail"]) == (4500.0, "VDD_IN")


def test_the_slope_is_that_of_the_second_half() -> None:
    heating = [at(10 + second, temperature_c=40.0 + min(second, 30)) for second in range(60)]
    assert seen(*heating, end=100)["temperature_slope_c_per_min"] == pytest.approx(0.0)
    assert seen(*heating[:30], end=100)["temperature_slope_c_per_min"] == pytest.approx(60.0)
    assert seen(*heating[:5], end=100)["temperature_slope_c_per_min"] is None


def test_a_device_that_says_nothing_gives_unknowns_and_no_zeros() -> None:
    for samples in ([], [at(10.1), at(19.9)]):
        found = seen(*samples)
        assert {name for name, value in found.items() if value is not None} == {"samples", "duration_s"}


def test_flags_and_new_counts_are_named_with_the_second_of_the_first() -> None:
    found = seen(
        at(9.9, throttled_now=["under-voltage"], throttle_events={"throttled": 1, "package too hot": 4}),
        at(12.0, throttled_now=[], throttle_events={"throttled": 1, "package too hot": 4}),
        at(13.0, throttled_now=["clock capped"], throttle_events={"throttled": 1, "package too hot": 4}),
        at(20.2, throttled_now=[], throttle_events={"throttled": 1, "package too hot": 5}),
        at(21.0, throttled_now=["soft temperature limit"], throttle_events={"throttled": 1, "package too hot": 9}),
    )
    assert found["throttled"] == ["clock capped", "package too hot"]
    assert found["throttled_after_s"] == 3.0


def test_what_was_counted_before_the_timed_part_is_not_held_against_it() -> None:
    found = seen(
        at(9.0, throttled_now=[], throttle_events={"throttled": 1}),
        at(11.0, throttled_now=[], throttle_events={"throttled": 1}),
    )
    assert (found["throttled"], found["throttled_after_s"]) == ([], None)


def test_a_flag_that_the_first_sample_of_all_holds_since_boot_is_old() -> None:
    assert seen(at(11.0, throttled_now=[], throttle_events={"throttled": 1}))["throttled"] == []


def test_foreign_load_is_all_work_less_ours_over_the_timed_part() -> None:
    found = seen(
        at(9.0, busy_s=0.0, ours_s=0.0),
        at(10.0, busy_s=100.0, ours_s=50.0),
        at(15.0, busy_s=109.0, ours_s=54.0),
        at(20.5, busy_s=115.0, ours_s=60.0),
    )
    assert found["foreign_cores"] == pytest.approx(5.0 / 10.5)
    too_short = seen(at(10.0, busy_s=1.0, ours_s=0.0), at(10.3, busy_s=2.0, ours_s=0.0))
    assert too_short["foreign_cores"] is None


@pytest.fixture(scope="module")
def conditions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a real probe saw of this machine while it timed a model for a second."""
    workspace = new_workspace(tmp_path_factory.mktemp("probe"))
    a_second = Protocol(ProtocolName.QUICK, 3, 0.0, 20, 1.0, 1)
    data = keep_regular(workspace, {"x": np.zeros((2, 8), np.float32)})
    request = ProbeRequest(LATENCY, {"m": keep_model(vector_model(), workspace)}, data.index, 1, 2, a_second)
    answer = Host().run(request, workspace)
    lines = (answer.folder / "conditions.jsonl").read_text(encoding="ascii").splitlines()
    return {"lines": [json.loads(line) for line in lines], **answer.models["m"].conditions.model_dump()}


def test_a_real_probe_is_watched_about_ten_times_a_second(conditions: dict[str, Any]) -> None:
    assert conditions["duration_s"] >= 1.0
    # A busy machine may wake the sampler late, never early.
    assert 2 < conditions["samples"] <= conditions["duration_s"] * 10 + 1


def test_the_timed_process_is_ours_and_the_rest_is_foreign(conditions: dict[str, Any]) -> None:
    first, last = (conditions["lines"][place] for place in (-conditions["samples"], -1))
    ours_s = last["ours_s"] - first["ours_s"]
    taken_s = (last["at_ns"] - first["at_ns"]) / SECOND
    # One thread timed without a pause has its core or shares it, and then the others are seen.
    assert 0.1 * taken_s < ours_s <= 1.2 * taken_s
    assert 0 <= conditions["foreign_cores"] <= (psutil.cpu_count() or 1) + 0.2


def test_the_device_is_looked_at_once_more_when_the_timing_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_bundle(tmp_path / "probe.pyz")
    monkeypatch.setattr(sampling_module.sys, "argv", [str(tmp_path / "probe.pyz")])
    with Sampling(tmp_path) as sampling:
        sampling.wait_until_ready()
        end_ns = time.monotonic_ns()
        sampling.conditions(end_ns - 1, end_ns)
    lines = (tmp_path / "conditions.jsonl").read_text(encoding="ascii").splitlines()
    times = [json.loads(line)["at_ns"] for line in lines]
    assert times == sorted(times)
    assert times[0] < end_ns < times[-1]


def test_a_timing_shorter_than_the_interval_has_no_samples_and_is_still_a_timing(tmp_path: Path) -> None:
    workspace = new_workspace(tmp_path)
    data = keep_regular(workspace, {"x": np.zeros((2, 8), np.float32)})
    request = ProbeRequest(LATENCY, {"m": keep_model(vector_model(), workspace)}, data.index, 1, 2, FEW_RUNS)
    facts = Host().run(request, workspace).models["m"]
    assert facts.runs >= FEW_RUNS.runs
    assert facts.conditions.samples <= 1


@pytest.mark.parametrize("program", ["", "/no/such/python", sys.executable])
def test_a_machine_where_the_sampler_does_not_start_is_timed_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], program: str
) -> None:
    monkeypatch.setattr(sampling_module.sys, "executable", program)
    monkeypatch.setattr(sampling_module.sys, "argv", [str(tmp_path / "no-probe.pyz")])
    with Sampling(tmp_path) as sampling:
        sampling.wait_until_ready()
        assert sampling.conditions(0, SECOND)["samples"] == 0


def test_the_sampler_needs_no_numpy(tmp_path: Path) -> None:
    write_bundle(tmp_path / "probe.pyz")
    source = "import runpy, sys\n"
    source += "class Refuse:\n"
    source += "    def find_spec(self, name, path, target=None):\n"
    source += "        if name in ('numpy', 'onnxruntime'): raise SystemExit(f'{name} was asked for')\n"
    source += "sys.meta_path.insert(0, Refuse())\n"
    source += f"sys.argv = ['probe', 'sample', '0', {str(tmp_path / 'lines')!r}]\n"
    source += f"runpy.run_path({str(tmp_path / 'probe.pyz')!r}, run_name='__main__')\n"
    ended = subprocess.run([sys.executable, "-I", "-c", source], check=False, capture_output=True, text=True)
    # Process 0 is nobody's parent, so it leaves at once, with everything loaded.
    assert ended.stderr.strip() == "the process that asked is gone"


PROBE = """
import os, signal, sys
sys.argv[0] = {bundle!r}
from pathlib import Path
from edgewright.tools.probe.sampling import Sampling
with Sampling(Path({folder!r})) as sampling:
    sampling.wait_until_ready()
    print("ready", flush=True)
    signal.pause()
"""


def test_the_sampler_dies_with_the_probe(tmp_path: Path) -> None:
    write_bundle(tmp_path / "probe.pyz")
    source = PROBE.format(bundle=str(tmp_path / "probe.pyz"), folder=str(tmp_path))
    with subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE) as probe:
        assert probe.stdout is not None
        assert probe.stdout.readline() == b"ready\n"
        samplers = psutil.Process(probe.pid).children()
        assert len(samplers) == 1
        probe.kill()
    _, alive = psutil.wait_procs(samplers, timeout=20)
    assert alive == []


def test_a_sampler_that_hangs_does_not_hold_the_probe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "probe.py").write_text(
        "import os, signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nos.write(1, b'x')\nsignal.pause()",
        encoding="ascii",
    )
    monkeypatch.setattr(sampling_module.sys, "argv", [str(tmp_path / "probe.py")])
    monkeypatch.setattr(sampling_module, "END_S", 0.1)
    started = time.monotonic_ns()
    with Sampling(tmp_path) as sampling:
        sampling.wait_until_ready()
        found = sampling.conditions(started, time.monotonic_ns())
    assert found["samples"] == 0
