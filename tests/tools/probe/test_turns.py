"""The order and the amount of runs, with sessions that only write down who was called."""

import gc
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from edgewright.tools.probe import session, tasks, timing
from edgewright.tools.probe.columns import Array
from edgewright.tools.probe.progress import Progress
from edgewright.tools.probe.session import Feed, Port


class Recorder:
    inputs: tuple[Port, ...] = ()
    outputs: tuple[Port, ...] = ()

    def __init__(self, name: str, calls: list[tuple[str, int]]) -> None:
        self.name, self.calls = name, calls

    def run(self, feed: Feed) -> list[Array]:
        assert not gc.isenabled()
        self.calls.append((self.name, int(feed["x"])))
        return []


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every look at the clock is a millisecond after the last one."""

    def ticks() -> Iterator[int]:
        now = 0
        while True:
            now += 1_000_000
            yield now

    monkeypatch.setattr(timing, "perf_counter_ns", ticks().__next__)


def race(
    folder: Path, names: str, *, warmup_runs: int = 0, warmup_s: float = 0.0, runs: int = 0, duration_s: float = 0.0
) -> tuple[list[timing.Lane], list[tuple[str, int]]]:
    calls: list[tuple[str, int]] = []
    feeds = [{"x": np.array(number)} for number in range(5)]
    lanes = [timing.Lane(name, Recorder(name, calls), feeds) for name in names]
    timing.measure(
        lanes,
        warmup_runs=warmup_runs,
        warmup_s=warmup_s,
        runs=runs,
        duration_s=duration_s,
        progress=Progress(folder),
    )
    return lanes, calls


@pytest.mark.usefixtures("clock")
def test_two_models_alternate_in_mirrored_blocks_of_single_runs(tmp_path: Path) -> None:
    _, calls = race(tmp_path, "AB", warmup_runs=1, runs=8)
    timed = calls[4:]
    assert "".join(name for name, _ in timed) == "ABBABAABABBABAAB"


@pytest.mark.usefixtures("clock")
def test_both_models_see_the_same_samples_in_the_same_order_and_all_of_them(tmp_path: Path) -> None:
    _, calls = race(tmp_path, "AB", warmup_runs=1, runs=10)
    seen = {name: [sample for who, sample in calls[4:] if who == name] for name in "AB"}
    assert seen["A"] == seen["B"] == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4]


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize(
    ("runs", "duration_s", "expected"),
    [(10, 0.0, 10), (10, 0.1, 100), (100, 0.01, 100), (7, 0.0, 8)],
)
def test_runs_go_on_until_both_minima_are_met(tmp_path: Path, runs: int, duration_s: float, expected: int) -> None:
    lanes, _ = race(tmp_path, "AB", warmup_runs=2, runs=runs, duration_s=duration_s)
    assert [len(lane.times_ns) for lane in lanes] == [expected, expected]
    assert set(lanes[0].times_ns) == {1_000_000}


@pytest.mark.usefixtures("clock")
@pytest.mark.promise("P10")
@pytest.mark.parametrize(("warmup_runs", "warmup_s", "expected"), [(10, 0.0, 10), (10, 0.05, 50)])
def test_warm_up_comes_first_until_both_its_minima_are_met_and_is_not_timed(
    tmp_path: Path, warmup_runs: int, warmup_s: float, expected: int
) -> None:
    lanes, calls = race(tmp_path, "A", warmup_runs=warmup_runs, warmup_s=warmup_s, runs=4)
    assert (lanes[0].warmup_runs, len(lanes[0].times_ns), len(calls)) == (expected, 4, expected + 4)
    assert lanes[0].first_ns == 1_000_000


def timed_models(folder: Path, monkeypatch: pytest.MonkeyPatch, **runtimes: str) -> tuple[dict[str, Any], list[str]]:
    """Time models, each by name under a runtime that only writes down what it is asked; return facts and events."""
    np.save(folder / "x.npy", np.zeros((3, 1), np.float32))
    events: list[str] = []

    class Abacus:
        outputs: tuple[Port, ...] = ()
        inputs = (Port("x", "float32", (None, 1)),)

        def __init__(self, path: str) -> None:
            self.path = path
            events.append(f"load {path}")

        def run(self, _: Feed) -> list[Array]:
            events.append(f"run {self.path}")
            return []

    for name in set(runtimes.values()):
        module = ModuleType(name)
        module.load = lambda path, _: Abacus(path)  # type: ignore[attr-defined]  # it is made here
        monkeypatch.setitem(sys.modules, name, module)
        monkeypatch.setitem(session.RUNTIMES, name, name)
    facts = tasks.latency(
        {
            "folder": str(folder),
            "models": [
                {"name": model, "path": model, "runtime": name, "threads": 1} for model, name in runtimes.items()
            ],
            "index": {"inputs": {"x": {"kind": "regular", "dtype": "float32", "values": "x"}}},
            "objects": {"x": str(folder / "x.npy")},
            "samples": 3,
            "protocol": {"warmup_runs": 2, "warmup_s": 0, "runs": 2, "duration_s": 0, "settle_s": 0},
        }
    )
    return facts, events


def test_what_a_process_pays_once_is_charged_to_neither_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    facts, events = timed_models(tmp_path, monkeypatch, A="abacus", B="abacus")
    assert events[:5] == ["load A", "run A", "load A", "load B", "run A"]
    assert {name: fact["warmup_runs"] for name, fact in facts.items()} == {"A": 2, "B": 2}


@pytest.mark.promise("P10")
def test_models_of_different_runtimes_take_turns_too_and_each_runtime_is_set_up_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts, events = timed_models(tmp_path, monkeypatch, A="abacus", B="slate")
    assert sorted(events[:4]) == ["load A", "load B", "run A", "run B"]
    assert events[4:6] == ["load A", "load B"]
    assert [event[-1] for event in events[6:]] == list("ABBA" + "ABBA")
    assert {name: (fact["runs"], fact["feeds"]) for name, fact in facts.items()} == {"A": (2, 3), "B": (2, 3)}


class Warming(Recorder):
    """Gets faster with every run, down to a floor: each run advances the test's clock."""

    def __init__(self, hand: list[int], runs_until_warm: int) -> None:
        super().__init__("A", [])
        self._hand, self._left = hand, runs_until_warm

    def run(self, feed: Feed) -> list[Array]:
        self._left = max(0, self._left - 1)
        self._hand[0] += 1_000_000 + 100_000 * self._left
        return super().run(feed)


@pytest.mark.promise("P10")
@pytest.mark.parametrize(("settle_s", "steady"), [(2.0, True), (0.2, False)])
def test_the_warm_up_waits_for_steady_times_but_not_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settle_s: float, *, steady: bool
) -> None:
    hand = [0]
    monkeypatch.setattr(timing, "perf_counter_ns", lambda: hand[0])
    lane = timing.Lane("A", Warming(hand, runs_until_warm=100), [{"x": np.array(0)}])
    timing.measure(
        [lane], warmup_runs=10, warmup_s=0.05, runs=20, duration_s=0, settle_s=settle_s, progress=Progress(tmp_path)
    )
    assert lane.steady is steady
    assert (lane.warmup_runs > 100) is steady
    assert len(lane.times_ns) == 20
    if steady:
        assert set(lane.times_ns) == {1_000_000}


def test_times_are_steady_when_the_later_half_is_long_enough_and_even() -> None:
    assert timing.is_steady([9_000] * 50 + [1_000, 1_010] * 25)
    assert not timing.is_steady([1_000] * 48)
    assert not timing.is_steady([1_000 + 10 * number for number in range(100)])


@pytest.mark.usefixtures("clock")
def test_garbage_collection_is_off_while_timing_and_restored(tmp_path: Path) -> None:
    race(tmp_path, "A", warmup_runs=1, runs=1)
    assert gc.isenabled()
