"""The manifest of a package and its published schema."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path

from edgewright.state.files import file_sha256

SCHEMA_ID = "urn:edgewright:manifest:1"


def manifest_schema() -> str:
    """Return the JSON schema (draft 2020-12) of `manifest.json`, as it is published."""
    return files("edgewright.tools.package").joinpath("schema/manifest-1.schema.json").read_text(encoding="utf-8")


def manifest(
    said: Mapping[str, object],
    folder: Path,
    paths: Iterable[str],
    *,
    created: datetime,
    preprocessing: str,
    smoke: Mapping[str, object],
) -> dict[str, object]:
    """Return the content of `manifest.json`.

    Args:
        said: What the statement says for it.
        folder: The package.
        paths: Every file of the package but the manifest, relative to `folder`.
        created: Now, with its zone.
        preprocessing: Digest of what is done to a sample.
        smoke: The stored samples and how near their outputs must come.
    """
    listed = [_file(folder, path) for path in sorted(paths)]
    digests = {str(file["path"]): file["sha256"] for file in listed}
    return {
        "schema": SCHEMA_ID,
        "edgewright": _own_version(),
        "created": created.isoformat(timespec="seconds"),
        **said,
        "preprocessing": {
            "file": "preprocessing.json",
            "sha256": digests["preprocessing.json"],
            "digest": preprocessing,
        },
        "evidence": {"file": "evidence.json", "sha256": digests["evidence.json"]},
        "smoke": dict(smoke),
        "files": listed,
    }


def _file(folder: Path, path: str) -> dict[str, object]:
    return {"path": path, "sha256": file_sha256(folder / path), "size_bytes": (folder / path).stat().st_size}


def _own_version() -> str:
    try:
        return version("edgewright")
    except PackageNotFoundError:  # run from a checkout
        return "unknown"
