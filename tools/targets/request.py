"""What a target is asked to do: which models, on which data, how. Files are named by digest, never by path."""

from dataclasses import dataclass
from typing import Generic

from edgewright.state.artifacts import Artifact
from edgewright.state.protocols import Protocol
from edgewright.tools.runtimes.grid import require
from edgewright.tools.targets.answer import Facts, LatencyFacts, MemoryFacts, OperatorFacts, OutputFacts


@dataclass(frozen=True)
class Task(Generic[Facts]):
    """Something that the probe can do.

    Attributes:
        name: Its name in the request.
        facts: What it answers for each model.
    """

    name: str
    facts: type[Facts]


LATENCY = Task("latency", LatencyFacts)
OUTPUTS = Task("outputs", OutputFacts)
MEMORY = Task("memory", MemoryFacts)
OPERATORS = Task("operators", OperatorFacts)


@dataclass(frozen=True)
class ProbeRequest(Generic[Facts]):
    """One start of the probe.

    Attributes:
        task: What to do.
        models: Name in the answer to model file, in the order of loading.
        dataset: SHA-256 of the dataset's index in the store.
        threads: Intra-operator threads.
        samples: Samples that take turns; a run over outputs takes all.
        protocol: How to time, where the task is latency.
    """

    task: Task[Facts]
    models: dict[str, Artifact]
    dataset: str
    threads: int
    samples: int
    protocol: Protocol | None = None


def runtime_of(artifact: Artifact) -> str:
    """Return the name of the runtime that executes this file.

    Raises:
        Refused: No runtime here does.
    """
    return require(artifact.format).name
