"""The server's own signature on a package that a worker wrote, once it says nothing but what the server told it."""

import json
from pathlib import Path
from typing import Any

from edgewright.state.errors import CorruptArtifact
from edgewright.state.files import file_sha256, write_whole
from edgewright.tools.authority.enrolment import Authority
from edgewright.tools.authority.signatures import BadSignature
from edgewright.tools.orders import PackageOrder
from edgewright.tools.package.contents import MANIFEST, SIGNATURE, Unsound, check_contents, read_json


def attest(folder: Path, order: PackageOrder, manifest_sha256: str, authority: Authority) -> None:
    """Check a finished package against its order, and sign its manifest where the order says so.

    The worker ran the model, and what ran a model is not believed: everything that the ledger knows must stand in the
    package as the server said it. Doing it twice is doing it once: an Ed25519 signature is always the same.

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
    manifest = read_json(folder, MANIFEST)
    check_contents(folder, manifest)
    said = json.loads(json.dumps(order.statement))
    different = [name for name, value in said["manifest"].items() if manifest.get(name) != value]
    if different or read_json(folder, "evidence.json") != said["evidence"]:
        raise Unsound(f"it differs from its order in {', '.join(different) or 'its evidence'}")
    if file_sha256(folder / MANIFEST) != manifest_sha256 or manifest["model"]["sha256"] != order.artifact.sha256:
        raise Unsound("its manifest or its model is another one")
    return manifest
