"""A run that tried five variants and ran the best for minutes, with raw times: what pictures and pages are made of."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import run_builder as build

from edgewright.state.drift import Drift, Trend
from edgewright.state.events import Event, Kept, Reverted, Started, SustainedRecorded
from edgewright.state.evidence import Operator
from edgewright.state.run import Run, fold

TRIED = (
    ("static_int8", 0.42, 0.897, Kept),
    ("static_tensor_int8", 0.40, 0.886, Reverted),
    ("dynamic_int8", 0.90, 0.80, Reverted),
    ("static_entropy_int8", 0.43, 0.871, Reverted),
    ("fp16", 1.20, 0.90, Reverted),
)
OPERATORS = (Operator("Conv", 3, 1.4, 0.7), Operator("Gemm", 1, 0.4, 0.2), Operator("Relu", 3, 0.2, 0.1))
STORED_BYTES = {"Conv": 2_300_000, "Gemm": 260_000, "Reshape": 16}
# A device that warms up, and is held back after four minutes.
DRIFT = Drift(
    30.0,
    (
        Trend(50, (0.84, 0.84, 0.85, 0.86, 0.86, 0.87, 0.88, 0.92, 0.98, 0.99), 0.17, 0.001),
        Trend(95, (0.97, 0.98, 0.98, 0.99, 1.0, 1.0, 1.02, 1.09, 1.15, 1.16), 0.19, 0.001),
    ),
    throttled_after_s=210.0,
)


def sustained(of: str) -> SustainedRecorded:
    recorded = build.sustained(of).sustained
    return SustainedRecorded(replace(recorded, latency=replace(recorded.latency, drift=DRIFT)))


def tried_events(started: Started | None = None) -> list[Event]:
    """Return the past of a run that tried everything in `TRIED`."""
    found = build.profiled()
    graph = replace(found.baseline.graph, stored_bytes=STORED_BYTES)
    found = replace(found, baseline=replace(found.baseline, hot_spots=OPERATORS, graph=graph))
    events: list[Event] = [started or build.started(latency_target_ms=1.2), found]
    for word, ratio, value, decision in TRIED:
        made = build.candidate(word)
        of = made.artifact.sha256
        events += [made, build.benchmarked(of, ratio), build.validated(of, value), decision(of)]
    return [*events, sustained(build.digest(TRIED[0][0]))]


def tried() -> Run:
    return fold("run", tried_events())


def raw_times(folder: Path) -> Callable[[str], Path]:
    """Return what gives the path of raw times, written to a folder when they are asked for."""
    generator = np.random.default_rng(0)

    def path_of(sha256: str) -> Path:
        path = folder / sha256
        if not path.exists():
            mean_ms = 2.0 if sha256 == build.digest(f"times of {build.ORIGINAL.sha256}") else 0.84
            with path.open("wb") as stream:
                np.save(stream, (generator.gamma(40, mean_ms / 40, 500) * 1e6).astype(np.int64))
        return path

    return path_of
