"""Times taken again where something disturbed them, a few times at most; every attempt is told."""

from collections.abc import Sequence
from dataclasses import dataclass

from edgewright.state.evidence import Latency
from edgewright.state.protocols import Protocol
from edgewright.tools.benchmark.measure import time_in_turn
from edgewright.tools.benchmark.statistics import Times
from edgewright.tools.benchmark.validity import AGAIN, disturbed, impossible, noise
from edgewright.tools.targets.answer import LatencyFacts
from edgewright.tools.targets.request import ProbeRequest
from edgewright.tools.targets.target import Target
from edgewright.tools.workspace import Progress, Workspace

# How often disturbed times are taken again before they are given up.
REPEATS = 3
ATTEMPTS = 1 + REPEATS


@dataclass(frozen=True)
class Attempted:
    """Times that may be used, or the last that were taken.

    Attributes:
        latencies: By name in the request.
        times: Raw times by name, one series a process.
        faults: Why these times may not be used.
        told: What happened on the way, and what else to know.
    """

    latencies: dict[str, Latency]
    times: dict[str, tuple[Times, ...]]
    faults: tuple[str, ...]
    told: tuple[str, ...]


def attempt(
    request: ProbeRequest[LatencyFacts],
    protocol: Protocol,
    workspace: Workspace,
    place: Target,
    parts: Sequence[Progress],
    *,
    otherwise: str = "",
) -> Attempted:
    """Take the times, as often as there are `parts` to report to, until nothing disturbed them.

    Args:
        request: Which models, on which data.
        protocol: How.
        workspace: Where the raw times are kept.
        place: Where.
        parts: Where each attempt reports to.
        otherwise: What the caller can do instead of trying again, as the end of a sentence.

    Raises:
        Refused: A model does not load, run, or fit the data.
        WorkerFailed: The probe ended without an answer.
    """
    told: list[str] = []
    for number, part in enumerate(parts, start=1):
        latencies, times = time_in_turn(request, protocol, workspace, place, part)
        lasting, passing = impossible(times), disturbed(latencies)
        if lasting or not passing:
            break
        told.append(f"Attempt {number} of {len(parts)} was not valid. {' '.join(passing)}")
    if passing:
        told.append(f"{AGAIN}{otherwise}.")
    drifts = [f"{name.capitalize()}: {found.drift.sentence}" for name, found in latencies.items() if found.drift]
    return Attempted(latencies, times, (*lasting, *passing), (*told, *lasting, *noise(latencies), *drifts))
