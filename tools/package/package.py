"""Writes the package of one artifact, then proves it by running it the way its receiver will."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgewright.state.errors import Code, CorruptArtifact, Refused
from edgewright.state.evidence import Label
from edgewright.state.files import file_sha256, sync_folder, write_whole
from edgewright.tools.benchmark.outputs import run_outputs
from edgewright.tools.datasets.prepared import open_dataset
from edgewright.tools.inheritance import inherited
from edgewright.tools.legible import legible
from edgewright.tools.orders import PackageOrder
from edgewright.tools.package.description import preprocessing
from edgewright.tools.package.manifest import manifest_of
from edgewright.tools.package.scripts import write_scripts
from edgewright.tools.package.smoke import smoke_samples, write_samples
from edgewright.tools.targets.target import Target
from edgewright.tools.workspace import Workspace

MESSAGE_CHARACTERS = 600


@dataclass(frozen=True)
class PackageMade:
    """A package that ran.

    Attributes:
        folder: Where it lies, relative to the job's folder.
        manifest_sha256: SHA-256 of its manifest.
        verified: What running it showed, a sentence each.
    """

    folder: str
    manifest_sha256: str
    verified: tuple[str, ...]


def package(order: PackageOrder, workspace: Workspace, host: Target) -> PackageMade:
    """Write a package and verify it in a fresh process.

    Args:
        order: What is shipped, and what the ledger says of it.
        workspace: Where the package is written and the store is read.
        host: Where the package is run, and so where its stored samples' answers come from.

    Raises:
        Refused: PACKAGE_UNVERIFIED, where the package does not do what was measured.
        CorruptArtifact: A stored file is missing or was changed.
    """
    folder = workspace.folder / "package" / order.folder_name
    folder.mkdir(parents=True)
    workspace.progress(0, 3, "writing the package")
    said = _mapping(order.statement["manifest"])
    _copy_model(order, workspace, folder / _mapping(said["model"])["file"])
    samples = _write_data(order, workspace, folder, host)
    _write_documents(order, folder)
    workspace.progress(1, 3, "writing its manifest")
    paths = [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]
    _write_json(folder / "manifest.json", manifest_of(order, folder, paths, samples))
    workspace.progress(2, 3, "running it in a fresh process")
    verified = _verified(folder, workspace)
    workspace.progress(3, 3, "package verified")
    return PackageMade(
        folder=str(folder.relative_to(workspace.folder)),
        manifest_sha256=file_sha256(folder / "manifest.json"),
        verified=verified,
    )


def _copy_model(order: PackageOrder, workspace: Workspace, path: Path) -> None:
    shutil.copyfile(workspace.path_of(order.artifact.sha256), path)
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
    sync_folder(path.parent)
    if file_sha256(path) != order.artifact.sha256:
        raise CorruptArtifact(f"The copy of {path.name} does not have the SHA-256 {order.artifact.sha256}.")


def _write_data(
    order: PackageOrder, workspace: Workspace, folder: Path, host: Target
) -> list[Mapping[str, str | None]]:
    """Write preprocessing and stored samples; return the samples' entries in the manifest."""
    data = open_dataset(order.validation, workspace)
    inputs = preprocessing(order.artifact, data)
    _write_json(
        folder / "preprocessing.json",
        {
            "digest": order.validation.preprocessing,
            "classes": list(data.card.classes) if data.card.classes else None,
            "inputs": inputs,
            **data.card.reading,
            "decoder": data.card.decoder.model_dump(mode="json") if data.card.decoder else None,
        },
    )
    outputs = _host_outputs(order, workspace, host)
    return write_samples(smoke_samples(order.artifact, order.validation, outputs, inputs, workspace), folder)


def _host_outputs(order: PackageOrder, workspace: Workspace, host: Target) -> str:
    """Return the SHA-256 of the shipped file's outputs as this host computes them.

    Those that its accuracy comes from where they are that. What a device's own kernels answered, or an emulation of
    them, is no measure of the package's run here, which proves that the package is whole: then the host computes them
    once.
    """
    said = _mapping(order.statement["manifest"])
    accuracy = said["accuracy"]
    if accuracy["label"] == Label.HOST and not accuracy["environment"]["target"]:
        return str(order.statement["outputs"])
    threads = int(said["benchmarks"]["model"]["environment"]["threads"])
    return run_outputs(order.artifact, order.validation, threads, workspace, host).index


def _write_documents(order: PackageOrder, folder: Path) -> None:
    _write_json(folder / "evidence.json", _mapping(order.statement["evidence"]))
    write_whole(folder / "report.md", order.report.encode())
    write_scripts(order.artifact.format, folder, engine=order.artifact.awaits_engine)


def _verified(folder: Path, workspace: Workspace) -> tuple[str, ...]:
    """Run the package's own verification as its receiver would: isolated, from its folder, in a fresh process."""
    temporary = workspace.scratch("verification")
    temporary.mkdir()
    ended = subprocess.run(
        [sys.executable, "-I", "-B", "inference.py", "--verify"],
        cwd=folder,
        env=inherited(LANG="C.UTF-8", TMPDIR=str(temporary)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    if ended.returncode != 0:
        lines = ended.stderr.decode("utf-8", "replace").split("\n")
        said = next((line for line in reversed(lines) if line.strip()), f"status {ended.returncode}")
        raise Refused.because(
            Code.PACKAGE_UNVERIFIED,
            f"the package {folder.name}",
            f"its own verification failed: {legible(said, MESSAGE_CHARACTERS).rstrip('.')}",
            "call package again; if it fails again, quantize or convert from base='original', keep what passes, and "
            "package that; nothing was packaged",
            "P3",
            "P9",
        )
    answer: dict[str, list[str]] = json.loads(ended.stdout)
    return tuple(answer["verified"])


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    write_whole(path, f"{text}\n".encode())


def _mapping(content: object) -> Mapping[str, Any]:
    """Return JSON as the object that the statement is documented to hold."""
    if not isinstance(content, Mapping):
        raise TypeError(f"the statement holds {type(content).__name__} where an object belongs")
    return content
