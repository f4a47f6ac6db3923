"""Runs a package's model on its stored samples in a confined process, with scripts of this installation.

Started as `python -I -B -m edgewright.tools.package.rehearsal PACKAGE SCRATCH`. The package's own scripts are not run:
whoever verifies a package does not know yet whose they are.
"""

import json
import os
import sys
from importlib import import_module
from pathlib import Path

from edgewright.state.artifacts import Format
from edgewright.tools.confinement import confine, device_files, interpreter_folders
from edgewright.tools.package.scripts import write_scripts


def main() -> None:
    """Print what the run of the package showed, as JSON."""
    package, scratch = (Path(argument).resolve() for argument in sys.argv[1:3])
    manifest = json.loads((package / "manifest.json").read_text(encoding="utf-8"))
    write_scripts(Format(manifest["model"]["format"]), scratch)
    os.environ.update(TMPDIR=str(scratch), HOME=str(scratch))
    sandbox = confine([*interpreter_folders(), package], [scratch, *device_files()])
    sys.path.insert(0, str(scratch))
    inference = import_module("inference")
    try:
        answer = {"verified": inference.verify(package), "sandbox": sandbox}
    except (inference.Unsound, OSError, ValueError) as error:
        sys.exit(f"{type(error).__name__}: {error}")
    sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
