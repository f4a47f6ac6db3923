"""What a model answers to every sample of a dataset, kept in the store for whoever judges it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from edgewright.state.artifacts import Artifact
from edgewright.state.evidence import Dataset, Environment
from edgewright.tools.probe.columns import Column
from edgewright.tools.targets.answer import ColumnFiles
from edgewright.tools.targets.request import OUTPUTS, ProbeRequest
from edgewright.tools.targets.target import Target
from edgewright.tools.workspace import Progress, Workspace


@dataclass(frozen=True)
class Outputs:
    """The outputs of one artifact over one dataset.

    Attributes:
        artifact: SHA-256 of the model file.
        dataset: Digest of the dataset.
        index: SHA-256 of the JSON index in the store, shaped like a dataset's, with `outputs` for `inputs`
            and their `order`.
        arrays: Output name to the SHA-256 of its files: values, and shapes where they differ between samples.
        n: Samples.
        non_finite_samples: Samples for which some output holds NaN or infinity.
        environment: Where they were computed.
    """

    artifact: str
    dataset: str
    index: str
    arrays: Mapping[str, tuple[str, ...]]
    n: int
    non_finite_samples: int
    environment: Environment


def run_outputs(
    artifact: Artifact,
    dataset: Dataset,
    threads: int,
    workspace: Workspace,
    target: Target,
    *,
    progress: Progress | None = None,
) -> Outputs:
    """Run one model over all samples in a fresh process and keep what it answers, without the batch dimension.

    Raises:
        Refused: The model does not load, run, or fit the data, or an output is no array of numbers.
        WorkerFailed: The probe ended without an answer.
    """
    request = ProbeRequest(OUTPUTS, {"model": artifact}, dataset.index, threads, dataset.n)
    answer = target.run(request, workspace, progress)
    facts = answer.models["model"]
    specs: dict[str, dict[str, str]] = {}
    for name, column in facts.outputs.items():
        specs[name] = {"kind": column.kind, "dtype": column.dtype}
        for part, file_name in _files(column).items():
            specs[name][part] = workspace.keep(answer.folder / file_name)
    return Outputs(
        artifact=artifact.sha256,
        dataset=dataset.digest,
        index=workspace.keep_json({"version": 1, "n": facts.n, "order": list(specs), "outputs": specs}, "outputs.json"),
        arrays={
            name: tuple(spec[part] for part in ("values", "shapes") if part in spec) for name, spec in specs.items()
        },
        n=facts.n,
        non_finite_samples=facts.non_finite_samples,
        environment=answer.environments["model"],
    )


def open_outputs(outputs: Outputs, workspace: Workspace) -> Mapping[str, Column]:
    """Return each output by name, in the model's order; the values are read from the store as they are asked for."""
    return open_index(outputs.index, workspace)


def open_index(index: str, workspace: Workspace) -> Mapping[str, Column]:
    """Return each output of an index in the store (`Accuracy.outputs`) by name, in the model's order."""
    content = json.loads(workspace.path_of(index).read_text(encoding="utf-8"))
    return {
        name: Column.open(content["outputs"][name], lambda digest: str(workspace.path_of(digest)))
        for name in content["order"]
    }


def _files(column: ColumnFiles) -> dict[str, str]:
    files = {"values": column.values}
    return files if column.shapes is None else {**files, "shapes": column.shapes}
