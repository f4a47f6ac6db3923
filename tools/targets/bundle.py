"""Packs the probe into the one file that travels.

A zip with its own `edgewright` package inside, which Python runs as it is. One file is what can be uploaded and named
by its hash; and since `edgewright` inside it is a complete package, the probe's modules keep their names for the type
checker and for the rest of Edgewright, while nothing but the probe can be imported there, installed or not.
"""

import zipfile
from importlib.resources import files
from pathlib import Path

PROBE = "edgewright.tools.probe"
# The oldest time that a zip can hold: equal sources give equal bytes.
EPOCH = (1980, 1, 1, 0, 0, 0)


def write_bundle(path: Path, program: str = PROBE) -> None:
    """Write the file that runs a program; the same bytes for the same sources.

    Args:
        path: Where to.
        program: The package whose `__main__` runs: the probe's own, or one that works with it.
    """
    members = {"__main__.py": (files(program) / "__main__.py").read_text(encoding="utf-8")}
    for package in {PROBE, program}:
        parts = package.split(".")
        members |= {"/".join((*parts[:depth], "__init__.py")): "" for depth in range(1, len(parts))}
        for source in files(package).iterdir():
            if source.name.endswith(".py") and source.name != "__main__.py":
                members["/".join((*parts, source.name))] = source.read_text(encoding="utf-8")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(members):
            archive.writestr(zipfile.ZipInfo(name, EPOCH), members[name])
