"""The server's own signature on a package that a worker wrote, once it says nothing but what the server told it."""

import json
import re
from pathlib import Path
from typing import Any

from edgewright.state.errors import CorruptArtifact
from edgewright.state.files import file_sha256, write_whole
from edgewright.tools.authority.enrolment import Authority
from edgewright.tools.authority.signatures import BadSignature
from edgewright.tools.orders import PackageOrder
from edgewright.tools.package.contents import MANIFEST, SIGNATURE, Unsound, check_contents, read_json
from edgewright.tools.package.manifest import manifest_of
from edgewright.tools.package.scripts import scripts_of

# What only a worker can tell, since it takes the data and the model.
_OF_THE_WORKER = re.compile(r"preprocessing\.json|smoke/[0-9]+-(raw|prepared|expected)\.npz")


def attest(folder: Path, order: PackageOrder, manifest_sha256: str, authority: Authority) -> None:
    """Check a finished package against its order, and sign its manifest where the order says so.

    The worker ran the model, and what ran a model is not believed: the server makes the manifest once more, and every
    file but preprocessing and stored samples must be the one that it would write itself. Doing it twice is doing it
    once: an Ed25519 signature is always the same.

    Raises:
        CorruptArtifact: If the package is not what was ordered, or cannot be signed.
    """
    try:
        manifest = _checked(folder, order, manifest_sha256)
        if manifest["signing"]["status"] == "signed":
            signature = authority.sign_manifest((folder / MANIFEST).read_bytes())
            write_whole(folder / SIGNATURE, signature.encode("ascii"))
    except (Unsound, BadSignature, KeyError, TypeError) as error:
        raise CorruptArtifact(f"The package {folder.name} is not signed: {error}.") from error


def _checked(folder: Path, order: PackageOrder, manifest_sha256: str) -> dict[str, Any]:
    """Return the manifest of a package that is what was ordered.

    Raises:
        Unsound: If it is not.
    """
    found = read_json(folder, MANIFEST)
    check_contents(folder, found)
    listed = [str(file["path"]) for file in found["files"]]
    made = json.loads(json.dumps(manifest_of(order, folder, listed, found["smoke"]["samples"])))
    different = [name for name in sorted({*made, *found}) if made.get(name) != found.get(name)]
    different += _different_files(folder, order, listed, str(found["model"]["file"]))
    if different:
        raise Unsound(f"it differs from its order in {', '.join(different)}")
    if file_sha256(folder / MANIFEST) != manifest_sha256 or found["model"]["sha256"] != order.artifact.sha256:
        raise Unsound("its manifest or its model is another one")
    return found


def _different_files(folder: Path, order: PackageOrder, listed: list[str], model: str) -> list[str]:
    """Return the files that the server would not have written so; the model is known by its digest."""
    documents = {
        "report.md": order.report.encode(),
        **scripts_of(order.artifact.format, engine=order.artifact.awaits_engine),
    }
    said = {name for name, content in documents.items() if name in listed and (folder / name).read_bytes() == content}
    if read_json(folder, "evidence.json") == json.loads(json.dumps(order.statement["evidence"])):
        said.add("evidence.json")
    missing = {*documents, "evidence.json"} - said
    return sorted(
        missing | {name for name in listed if name not in {*said, model} and not _OF_THE_WORKER.fullmatch(name)}
    )
