"""Whether the times of a benchmark may be used. On a target they must be undisturbed; elsewhere noise is only told."""

from collections.abc import Iterable, Mapping

import numpy as np

from edgewright.state.evidence import Label, Latency
from edgewright.state.protocols import BASELINE_RUNS
from edgewright.tools.benchmark.statistics import Times

# Machines whose times count as those of a device. An emulator's mean nothing, and a host belongs to everybody.
JUDGED = frozenset({Label.TARGET, Label.UNIDENTIFIED})
# pyperf calls a benchmark unstable from 10 % on (its documentation, "How to get reproducible benchmark results"); a
# board that does nothing else, with a fixed clock, stays well below half of that.
MOST_SPREAD = 0.05
# Off target nobody owns the machine's clock; noise widens the interval, and beyond this it is worth a word.
CALM_SPREAD = 0.25
WAYS_OUT = (
    "Ways out: let the device cool down or cool it better, stop the other work on it, and call benchmark again; or put "
    "the candidate aside with decide(decision='revert')."
)


def impossible(times: Mapping[str, Iterable[Times]]) -> tuple[str, ...]:
    """Return why these times cannot be used wherever they were taken; nothing where they can."""
    faults = []
    for name, series in times.items():
        pooled = np.concatenate(list(series))
        if len(pooled) < BASELINE_RUNS:
            faults.append(f"The {name} was timed {len(pooled)} times; {BASELINE_RUNS} are the least.")
        if pooled.min(initial=1) <= 0:
            faults.append(f"The clock went back or stood still during {int((pooled <= 0).sum())} runs of the {name}.")
    return tuple(faults)


def disturbed(latencies: Mapping[str, Latency]) -> tuple[str, ...]:
    """Return why times from a device may not be used; nothing where they may, or were taken elsewhere."""
    judged = {name: found for name, found in latencies.items() if found.environment.label in JUDGED}
    return tuple(
        f"The times of the {name} vary by {found.spread:.1%} around their mean; at most {MOST_SPREAD:.0%} is usable."
        for name, found in judged.items()
        if found.spread is not None and found.spread > MOST_SPREAD
    )


def noise(latencies: Mapping[str, Latency]) -> tuple[str, ...]:
    """Return a sentence for each model whose times vary more than a calm machine's, where that is no fault."""
    return tuple(
        f"The times of the {name} vary by {found.spread:.0%} around their mean (calm is below {CALM_SPREAD:.0%}): "
        "other work ran beside it. The interval is wider for it."
        for name, found in latencies.items()
        if found.environment.label not in JUDGED and found.spread is not None and found.spread > CALM_SPREAD
    )
