"""The manifest of a package and its published schema."""

from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path

from edgewright.state.artifacts import Artifact
from edgewright.state.files import file_sha256
from edgewright.tools.orders import PackageOrder

SCHEMA_ID = "urn:edgewright:manifest:1"
# Another order of summation moves a float32 result by parts in a million. Below 32 bits a rounding that falls the other
# way moves a value by a whole step, 1/255 of its range at 8 bits, and a few such steps may add up.
FLOAT32_TOLERANCE, ROUNDED_TOLERANCE = 1e-4, 0.02


def manifest_schema() -> str:
    """Return the JSON schema (draft 2020-12) of `manifest.json`, as it is published."""
    return files("edgewright.tools.package").joinpath("schema/manifest-1.schema.json").read_text(encoding="utf-8")


def tolerance_of(artifact: Artifact) -> float:
    """Return how far outputs may be from the recorded ones, as a share of their largest magnitude."""
    return FLOAT32_TOLERANCE if artifact.precision == "fp32" else ROUNDED_TOLERANCE


def manifest_of(
    order: PackageOrder, folder: Path, paths: Iterable[str], samples: Sequence[Mapping[str, str | None]]
) -> dict[str, object]:
    """Return the content of `manifest.json`: what a worker writes, and what the server that signs it must find.

    Args:
        order: What is shipped, and what the ledger says of it.
        folder: The package.
        paths: Every file of the package but the manifest, relative to `folder`.
        samples: Entries of the stored samples.
    """
    said = order.statement["manifest"]
    if not isinstance(said, Mapping):
        raise TypeError(f"the statement holds {type(said).__name__} where an object belongs")
    listed = [_file(folder, path) for path in sorted(paths)]
    digests = {str(file["path"]): file["sha256"] for file in listed}
    return {
        "schema": SCHEMA_ID,
        "edgewright": _own_version(),
        "created": order.created,
        **said,
        "preprocessing": {
            "file": "preprocessing.json",
            "sha256": digests["preprocessing.json"],
            "digest": order.validation.preprocessing,
        },
        "evidence": {"file": "evidence.json", "sha256": digests["evidence.json"]},
        "smoke": {"tolerance": tolerance_of(order.artifact), "samples": list(samples)},
        "files": listed,
    }


def _file(folder: Path, path: str) -> dict[str, object]:
    return {"path": path, "sha256": file_sha256(folder / path), "size_bytes": (folder / path).stat().st_size}


def _own_version() -> str:
    try:
        return version("edgewright")
    except PackageNotFoundError:  # run from a checkout
        return "unknown"
