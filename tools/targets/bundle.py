"""Packs the probe into the one file that travels.

A zip with its own `edgewright` package inside, which Python runs as it is. One file is what can be uploaded and named
by its hash; and since `edgewright` inside it is a complete package, the probe's modules keep their names for the type
checker and for the rest of Edgewright, while nothing but the probe can be imported there, installed or not.
"""

import zipfile
from importlib.resources import files
from pathlib import Path

PACKAGE = "edgewright.tools.probe"
# The oldest time that a zip can hold: equal sources give equal bytes.
EPOCH = (1980, 1, 1, 0, 0, 0)


def write_bundle(path: Path) -> None:
    """Write the probe's file; the same bytes for the same sources."""
    folder = PACKAGE.replace(".", "/")
    members = {"edgewright/__init__.py": "", "edgewright/tools/__init__.py": ""}
    for source in files(PACKAGE).iterdir():
        if source.name.endswith(".py"):
            inside = source.name if source.name == "__main__.py" else f"{folder}/{source.name}"
            members[inside] = source.read_text(encoding="utf-8")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(members):
            archive.writestr(zipfile.ZipInfo(name, EPOCH), members[name])
