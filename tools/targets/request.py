"""What a target is asked to do: which models, on which data, how. Files are named by digest, never by path."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Generic

from edgewright.state.artifacts import Artifact, Device, Format, deployed_as
from edgewright.state.protocols import Protocol
from edgewright.tools.runtimes.grid import require
from edgewright.tools.targets.answer import (
    DescriptionFacts,
    Facts,
    LatencyFacts,
    MemoryFacts,
    OperatorFacts,
    OutputFacts,
)
from edgewright.tools.workspace import Workspace

# What a Jetson runs; no installation of Edgewright has it (tools/probe/session.py).
TENSORRT = "tensorrt"
# A dataset's index is JSON of the store: `tools/datasets/prepared.py` writes it, the probe reads it.
Index = Mapping[str, Any]


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
DESCRIPTION = Task("description", DescriptionFacts)


@dataclass(frozen=True)
class ProbeRequest(Generic[Facts]):
    """One start of the probe.

    Attributes:
        task: What to do.
        models: Name in the answer to model file, in the order of loading.
        dataset: SHA-256 of the dataset's index in the store; none where the task runs nothing.
        threads: Intra-operator threads.
        samples: Samples that take turns; a run over outputs takes all.
        protocol: How to time, where the task is latency.
    """

    task: Task[Facts]
    models: dict[str, Artifact]
    dataset: str | None
    threads: int
    samples: int
    protocol: Protocol | None = None


def runtime_of(artifact: Artifact, kind: Device | None = None) -> str:
    """Return the name of the runtime that executes this file.

    Args:
        artifact: The file.
        kind: What the target is, where one is enrolled: a Jetson builds an engine from an ONNX file and runs that.

    Raises:
        Refused: No runtime here does.
    """
    if kind is not None and deployed_as(artifact.format, kind) is Format.TENSORRT:
        return TENSORRT
    return require(artifact.format).name


def toolchain_of(request: ProbeRequest[Facts]) -> str:
    """Return the toolchain whose interpreter the request needs; empty where it is the one that runs Edgewright.

    Raises:
        Refused: No runtime here executes one of the files.
        ValueError: The models need different interpreters; one process has one.
    """
    needed = {require(artifact.format).toolchain for artifact in request.models.values()}
    if len(needed) != 1:
        raise ValueError(f"one process cannot run {', '.join(sorted(map(repr, needed)))}")
    return needed.pop()


def open_index(request: ProbeRequest[Facts], workspace: Workspace) -> Index:
    """Return the index of the request's dataset."""
    if request.dataset is None:
        return {"inputs": {}}
    index: Index = json.loads(workspace.path_of(request.dataset).read_text(encoding="utf-8"))
    return index


def digests_of(index: Index) -> tuple[str, ...]:
    """Return the digests of the files that hold an index's inputs."""
    specs = index["inputs"].values()
    return tuple(sorted({spec[part] for spec in specs for part in ("values", "shapes") if part in spec}))


def document(
    request: ProbeRequest[Facts],
    index: Index,
    folder: str,
    path_of: Callable[[str], str],
    kind: Device | None = None,
) -> dict[str, object]:
    """Return the request as the probe reads it.

    Args:
        request: What to do.
        index: Of the samples that the probe gets.
        folder: Where the probe leaves its answer.
        path_of: Turns a digest into the path that the file has where the probe runs.
        kind: What the target is, where one is enrolled.
    """
    return {
        "version": 1,
        "task": request.task.name,
        "folder": folder,
        "models": [
            {
                "name": name,
                "runtime": runtime_of(artifact, kind),
                "path": path_of(artifact.sha256),
                "threads": request.threads,
            }
            for name, artifact in request.models.items()
        ],
        "index": index,
        "objects": {digest: path_of(digest) for digest in digests_of(index)},
        "samples": request.samples,
        "protocol": asdict(request.protocol) if request.protocol else None,
    }
