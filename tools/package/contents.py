"""The files of a package against its manifest: exactly these, and each as it was written."""

import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from edgewright.state.errors import EdgewrightError
from edgewright.state.files import file_sha256

MANIFEST, SIGNATURE = "manifest.json", "manifest.json.sig"


class Unsound(EdgewrightError):
    """Raised where a package is not what it says; says which part."""


def read_json(folder: Path, name: str) -> dict[str, Any]:
    """Return the object in a JSON file of a package.

    Raises:
        Unsound: If it is missing or holds something else.
    """
    try:
        content = json.loads((folder / name).read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise Unsound(f"{name} cannot be read") from error
    if not isinstance(content, dict):
        raise Unsound(f"{name} holds no object")
    return content


def check_contents(folder: Path, manifest: Mapping[str, Any]) -> int:
    """Return the number of files, each of which is the one that the manifest names; nothing else lies there.

    Raises:
        Unsound: If one is missing, changed, linked or not named.
    """
    listed = {file["path"]: file for file in manifest["files"]}
    there = [path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()]
    for path in there:
        name = path.relative_to(folder).as_posix()
        if path.is_symlink() or not path.is_file():
            raise Unsound(f"{name} is no plain file")
        if name not in listed and name not in {MANIFEST, SIGNATURE}:
            raise Unsound(f"{name} is not in the manifest")
    if len(listed) != len(manifest["files"]):
        raise Unsound("the manifest names a file twice")
    for name, file in listed.items():
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts or not (folder / name).is_file():
            raise Unsound(f"{name} is missing")
        if (folder / name).stat().st_size != file["size_bytes"] or file_sha256(folder / name) != file["sha256"]:
            raise Unsound(f"{name} is not the file that was packaged")
    _check_named(manifest, {name: file["sha256"] for name, file in listed.items()})
    return len(listed)


def _check_named(manifest: Mapping[str, Any], listed: Mapping[str, str]) -> None:
    """Check what the manifest names beside its list: it must be the same files."""
    for part in ("model", "preprocessing", "evidence"):
        if listed.get(manifest[part]["file"]) != manifest[part]["sha256"]:
            raise Unsound(f"the manifest's {part} is not among its files")
    samples = [name for sample in manifest["smoke"]["samples"] for name in sample.values() if name is not None]
    if not samples or not set(samples) <= set(listed):
        raise Unsound("the manifest's stored samples are not among its files")
