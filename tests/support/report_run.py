"""A run that tried five variants, with raw times in a folder: what pictures and pages are made of."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import run_builder as build

from edgewright.state.events import Event, Kept, Reverted, Started
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


def tried_events(started: Started | None = None) -> list[Event]:
    """Return the past of a run that tried everything in `TRIED`."""
    found = build.profiled()
    found = replace(found, baseline=replace(found.baseline, hot_spots=OPERATORS))
    events: list[Event] = [started or build.started(latency_target_ms=1.2), found]
    for word, ratio, value, decision in TRIED:
        made = build.candidate(word)
        of = made.artifact.sha256
        events += [made, build.benchmarked(of, ratio), build.validated(of, value), decision(of)]
    return events


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
