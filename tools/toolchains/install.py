"""Makes a toolchain's environment: a virtual environment with exactly the pinned packages, checked by importing them.

A person's command runs this, never a tool. Packages come from wherever that person's pip is told to look.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

from edgewright.state.errors import EdgewrightError
from edgewright.state.files import write_whole
from edgewright.tools.toolchains.table import SAFE, Toolchain, Toolchains

_ASK = (
    "import importlib, json, sys; from importlib import metadata; "
    "[importlib.import_module(name) for name in sys.argv[1].split(',')]; "
    "print(json.dumps({name: metadata.version(name) for name in sys.argv[2].split(',')}))"
)


def install(toolchain: Toolchain, toolchains: Toolchains) -> dict[str, str]:
    """Make the environment anew; return what is in it.

    Raises:
        EdgewrightError: A step failed; then there is no such toolchain.
    """
    folder = toolchains.path(toolchain.name)
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    python = folder / "bin" / "python"
    _run([sys.executable, "-m", "venv", str(folder)], "making the environment")
    pins = folder / "requirements.txt"
    pins.write_text(toolchain.requirements, encoding="utf-8")
    pip = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--quiet"]
    _run([*pip, "--no-deps", *toolchain.pip_options, "-r", str(pins)], "installing its packages")
    versions = _versions(python, toolchain)
    noted = {"requirements_sha256": toolchain.digest, "versions": versions}
    write_whole(folder / "installed.json", json.dumps(noted, indent=2).encode())
    return versions


def _versions(python: Path, toolchain: Toolchain) -> dict[str, str]:
    """Import what it must bring, in its own interpreter; return the versions."""
    asked = [str(python), "-I", "-c", _ASK, ",".join(toolchain.modules), ",".join(toolchain.distributions)]
    said: dict[str, str] = json.loads(_run(asked, "importing what it must bring").splitlines()[-1])
    return said


def _run(command: list[str], doing: str) -> str:
    import os

    ended = subprocess.run(command, env={**os.environ, **SAFE}, capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        last = "\n".join((ended.stderr or ended.stdout).strip().splitlines()[-5:])
        raise EdgewrightError(f"{doing} failed:\n{last}")
    return ended.stdout
