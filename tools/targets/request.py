"""What a target is asked to do: which models, on which data, how. Files are named by digest, never by path."""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Generic

from edgewright.state.artifacts import Artifact, Format
from edgewright.state.errors import Code, Refused
from edgewright.state.protocols import Protocol
from edgewright.tools.targets.answer import Facts, LatencyFacts, MemoryFacts, OperatorFacts, OutputFacts

RUNTIMES = MappingProxyType({Format.ONNX: "onnxruntime"})


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
    """Return the name of the runtime that executes this format.

    Raises:
        Refused: No runtime here does.
    """
    if artifact.format not in RUNTIMES:
        raise Refused.because(
            Code.MODEL_UNSUPPORTED,
            f"running {artifact.name}",
            f"its format is {artifact.format.value}, and the formats that can be run are {', '.join(sorted(RUNTIMES))}",
            "convert it to one of those",
            format=artifact.format.value,
        )
    return RUNTIMES[artifact.format]
