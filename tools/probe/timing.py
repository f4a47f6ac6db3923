"""Times single inferences, the models in turn.

Baseline and candidate alternate run by run in blocks A B B A, then B A A B, so that a clock that drifts or a neighbour
that wakes up meets both alike. Blocks that all began with A made B about 2 % faster than itself on a model of 10 us:
the first run of a block pays for what was done between blocks. Within a block, A and B see the same samples.
"""

from __future__ import annotations

import gc
from array import array
from dataclasses import dataclass, field
from statistics import fmean, median, pstdev
from time import perf_counter_ns
from typing import Callable, Sequence, Tuple

from edgewright.tools.probe.progress import Progress
from edgewright.tools.probe.session import Feed, Session

NS_PER_S = 1_000_000_000
# Steady: the means of the last k measurements vary by at most 1 or 2 % (Georges, Buytaert and Eeckhout, "Statistically
# rigorous Java performance evaluation", OOPSLA 2007, section 3.3). Single inferences never do beside other work, so the
# measurements here are medians of slices of the later half of the warm-up.
STEADY_SLICES, STEADY_VARIATION = 5, 0.02
LEAST_IN_SLICE = 5
# How often steadiness is looked at while the warm-up waits for it.
LOOKS = 10


@dataclass
class Lane:
    """One model on the track.

    Attributes:
        name: Its name in the request.
        session: The loaded model.
        feeds: Prepared inferences, used in turn.
        first_ns: The first inference after loading.
        warmup_runs: Runs that were not timed for the record.
        steady: Whether times were steady at the end of the warm-up.
        times_ns: Runs for the record, in order.
    """

    name: str
    session: Session
    feeds: Sequence[Feed]
    first_ns: int = 0
    warmup_runs: int = 0
    steady: bool = False
    times_ns: "array[int]" = field(default_factory=lambda: array("q"))


def measure(
    lanes: Sequence[Lane],
    *,
    warmup_runs: int,
    warmup_s: float,
    runs: int,
    duration_s: float,
    settle_s: float = 0.0,
    progress: Progress,
) -> Tuple[int, int]:
    """Warm up, then time; each phase lasts until every model has reached both of its minima.

    The warm-up goes on until the times of every model are steady, or `settle_s` is over.

    Args:
        lanes: The models; what they are filled with says `Lane`.
        warmup_runs: Untimed runs at least, per model.
        warmup_s: Untimed seconds at least, per model.
        runs: Timed runs at least, per model.
        duration_s: Timed seconds at least, per model.
        settle_s: Untimed seconds at most, per model, beyond the minima.
        progress: Called between blocks of runs.

    Returns:
        When the timed part began and ended, in nanoseconds of `perf_counter_ns`, which on Linux is CLOCK_MONOTONIC.
    """
    warmup = [array("q") for _ in lanes]
    collecting = gc.isenabled()
    gc.disable()
    try:
        for look in range(LOOKS + 1):
            until_s = warmup_s + settle_s * look / LOOKS
            _alternate(lanes, warmup, warmup_runs, until_s, report=lambda _: progress(0, 100, "warming up"))
            if all(map(is_steady, warmup)):
                break
        for lane, times in zip(lanes, warmup):
            lane.first_ns, lane.warmup_runs, lane.steady = times[0], len(times), is_steady(times)
        records = [lane.times_ns for lane in lanes]
        start_ns = perf_counter_ns()
        _alternate(lanes, records, runs, duration_s, report=lambda done: progress(done, 100, "timing"))
        return start_ns, perf_counter_ns()
    finally:
        if collecting:
            gc.enable()


def is_steady(times_ns: "Sequence[int]") -> bool:
    """Return whether the later half of these times is long enough to tell, and steady."""
    later = times_ns[len(times_ns) // 2 :]
    size = len(later) // STEADY_SLICES
    if size < LEAST_IN_SLICE:
        return False
    medians = [median(later[size * number : size * (number + 1)]) for number in range(STEADY_SLICES)]
    return pstdev(medians) <= STEADY_VARIATION * fmean(medians)


def _alternate(
    lanes: Sequence[Lane],
    records: "Sequence[array[int]]",
    runs: int,
    duration_s: float,
    *,
    report: Callable[[int], None],
) -> None:
    forward = list(zip(lanes, records, range(len(lanes))))
    elapsed_ns = [sum(record) for record in records]
    wanted_ns = duration_s * NS_PER_S
    turn = len(records[0])
    while len(records[0]) < runs or min(elapsed_ns) < wanted_ns:
        for block in (forward, forward[::-1]):
            for lane, record, number in block:
                feed = lane.feeds[turn % len(lane.feeds)]
                start = perf_counter_ns()
                lane.session.run(feed)
                taken = perf_counter_ns() - start
                record.append(taken)
                elapsed_ns[number] += taken
            turn += 1
        forward.reverse()
        runs_share = len(records[0]) / runs if runs else 1.0
        time_share = min(elapsed_ns) / wanted_ns if wanted_ns else 1.0
        report(int(100 * min(1.0, runs_share, time_share)))
