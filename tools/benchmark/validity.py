"""Whether the times of a benchmark may be used. On a target they must be undisturbed; elsewhere noise is only told."""

from collections.abc import Iterable, Mapping

import numpy as np

from edgewright.state.evidence import Label, Latency
from edgewright.state.protocols import BASELINE_RUNS, ProtocolName
from edgewright.tools.benchmark.conditions import FOREIGN_CORES_AT_MOST, faults, foreign, heat, notes
from edgewright.tools.benchmark.statistics import Times

# Machines whose times count as those of a device. An emulator's mean nothing, and a host belongs to everybody.
JUDGED = frozenset({Label.TARGET, Label.UNIDENTIFIED})
# pyperf calls a benchmark unstable from 10 % on (its documentation, "How to get reproducible benchmark results"); a
# board that does nothing else, with a fixed clock, stays well below half of that.
MOST_SPREAD = 0.05
# Off target nobody owns the machine's clock; noise widens the interval, and beyond this it is worth a word.
CALM_SPREAD = 0.25
AGAIN = "Ways out: let the device cool down or cool it better, stop the other work on it, and call it again"


def impossible(times: Mapping[str, Iterable[Times]]) -> tuple[str, ...]:
    """Return why these times cannot be used wherever they were taken; nothing where they can."""
    found = []
    for name, series in times.items():
        pooled = np.concatenate(list(series))
        if len(pooled) < BASELINE_RUNS:
            found.append(f"The {name} was timed {len(pooled)} times; {BASELINE_RUNS} are the least.")
        if pooled.min(initial=1) <= 0:
            found.append(f"The clock went back or stood still during {int((pooled <= 0).sum())} runs of the {name}.")
    return tuple(found)


def disturbed(latencies: Mapping[str, Latency]) -> tuple[str, ...]:
    """Return why times from a device may not be used; nothing where they may, or were taken elsewhere.

    A sustained run is there to show what heat does: only other work disturbs it, the rest is its finding.
    """
    judged = {name: found for name, found in latencies.items() if found.environment.label in JUDGED}
    if any(found.protocol.name is ProtocolName.SUSTAINED for found in judged.values()):
        return tuple(dict.fromkeys(sentence for found in judged.values() for sentence in foreign(found)))
    # Models that took turns went through the same conditions: each is told once.
    conditions = dict.fromkeys(sentence for found in judged.values() for sentence in faults(found))
    return tuple(conditions) + tuple(
        f"The times of the {name} vary by {found.spread:.1%} around their mean; at most {MOST_SPREAD:.0%} is usable."
        for name, found in judged.items()
        if found.spread is not None and found.spread > MOST_SPREAD
    )


def noise(latencies: Mapping[str, Latency]) -> tuple[str, ...]:
    """Return what to know of times that are no fault: how calm a host was, what else is known of a device."""
    told: list[str] = []
    restless: dict[str, Latency] = {}
    for name, found in latencies.items():
        if found.environment.label in JUDGED:
            told += notes(found)
            told += heat(found) if found.protocol.name is ProtocolName.SUSTAINED else ()
        elif found.spread is not None and found.spread > CALM_SPREAD:
            restless[name] = found
    if restless:
        by = " and ".join(f"{found.spread:.0%} ({name})" for name, found in restless.items())
        told.append(
            f"The times vary around their mean by {by}, calm is below {CALM_SPREAD:.0%}{_beside(restless)}. The "
            "interval is wider for it."
        )
    return tuple(dict.fromkeys(told))


def _beside(latencies: Mapping[str, Latency]) -> str:
    conditions = [found for latency in latencies.values() for found in latency.conditions]
    cores = [found.foreign_cores for found in conditions if found.foreign_cores is not None]
    return f": other work kept {max(cores):.1f} processors busy" if cores and max(cores) > FOREIGN_CORES_AT_MOST else ""
