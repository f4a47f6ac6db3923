"""Writes the package of one artifact, then proves it by running it the way its receiver will."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any

from edgewright.state.artifacts import Format
from edgewright.state.errors import Code, CorruptArtifact, Refused
from edgewright.state.files import file_sha256, sync_folder, write_whole
from edgewright.tools.datasets.prepared import open_dataset
from edgewright.tools.inheritance import inherited
from edgewright.tools.legible import legible
from edgewright.tools.orders import PackageOrder
from edgewright.tools.package.description import preprocessing
from edgewright.tools.package.manifest import manifest
from edgewright.tools.package.smoke import smoke_samples, tolerance_of, write_samples
from edgewright.tools.workspace import Workspace

# File name in a package to where its source lies: shipped as they are, so that what runs there is what ran here.
SHIPPED = MappingProxyType(
    {
        "inference.py": ("edgewright.tools.package.shipped", "inference.py"),
        "preprocessing.py": ("edgewright.tools.datasets", "preprocessing.py"),
        "quantization.py": ("edgewright.tools.probe", "quantization.py"),
    }
)
RUNNERS = MappingProxyType(
    {
        Format.ONNX: ("edgewright.tools.package.shipped", "onnxruntime_runner.py"),
        Format.TFLITE: ("edgewright.tools.probe", "litert_runner.py"),
    }
)
"""What executes a model of each format; shipped as `runner.py`."""
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


def package(order: PackageOrder, workspace: Workspace) -> PackageMade:
    """Write a package and verify it in a fresh process.

    Args:
        order: What is shipped, and what the ledger says of it.
        workspace: Where the package is written and the store is read.

    Raises:
        Refused: PACKAGE_UNVERIFIED, where the package does not do what was measured.
        CorruptArtifact: A stored file is missing or was changed.
    """
    folder = workspace.folder / "package" / order.folder_name
    folder.mkdir(parents=True)
    workspace.progress(0, 3, "writing the package")
    said = _mapping(order.statement["manifest"])
    _copy_model(order, workspace, folder / _mapping(said["model"])["file"])
    smoke = _write_data(order, workspace, folder)
    _write_documents(order, folder)
    workspace.progress(1, 3, "writing its manifest")
    content = manifest(
        said,
        folder,
        [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()],
        created=datetime.now(UTC),
        preprocessing=order.validation.preprocessing,
        smoke=smoke,
    )
    _write_json(folder / "manifest.json", content)
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


def _write_data(order: PackageOrder, workspace: Workspace, folder: Path) -> dict[str, object]:
    """Write preprocessing and stored samples; return what the manifest says of the samples."""
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
    outputs = str(order.statement["outputs"])
    samples = smoke_samples(order.artifact, order.validation, outputs, inputs, workspace)
    return {"tolerance": tolerance_of(order.artifact), "samples": write_samples(samples, folder)}


def _write_documents(order: PackageOrder, folder: Path) -> None:
    _write_json(folder / "evidence.json", _mapping(order.statement["evidence"]))
    write_whole(folder / "report.md", order.report.encode())
    write_scripts(order.artifact.format, folder)


def write_scripts(model_format: Format, folder: Path) -> None:
    """Write the scripts that run a model of a format into a folder, as this installation has them."""
    for name, (package, source) in {**SHIPPED, "runner.py": RUNNERS[model_format]}.items():
        write_whole(folder / name, files(package).joinpath(source).read_bytes())


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
            "call validate on the artifact again, or ship another one; nothing was packaged",
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
