"""Has a file converted in the interpreter of a toolchain, as a child of the confined worker.

Whatever the converter prints goes to a file of the job; what it leaves is an answer of one form and a file that nobody
believes yet: it is admitted, loaded and compared like any foreign one.
"""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from edgewright.state.errors import WorkerFailed
from edgewright.tools.inheritance import inherited
from edgewright.tools.legible import legible
from edgewright.tools.targets.bundle import write_bundle
from edgewright.tools.toolchains.table import SAFE, Toolchains

PROGRAM = "edgewright.tools.toolchains.inside"
LAST_LINES = 8
LONGEST_REASON = 600


class ConversionFailed(Exception):
    """The converter gave up; the reason is a clause of its own words."""


class _Answer(BaseModel):
    """What a converter says."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    findings: list[str]
    error: str | None


@dataclass(frozen=True)
class Conversion:
    """One file to convert.

    Attributes:
        toolchain: Whose interpreter does it.
        converter: Its name there.
        opset: Wanted operator set, where the result is ONNX.
        static: Whether the batch is to be fixed at one sample.
    """

    toolchain: str
    converter: str
    opset: int | None = None
    static: bool = False


def run_conversion(
    conversion: Conversion, source: Path, made: Path, folder: Path, toolchains: Toolchains
) -> tuple[str, ...]:
    """Convert `source` into `made`; return what the converter says of it.

    Args:
        conversion: How.
        source: Read.
        made: Written.
        folder: An empty folder that the converter may fill.
        toolchains: Where the interpreter is.

    Raises:
        Refused: MISSING_EXTRA, where the toolchain is not installed.
        ConversionFailed: The converter gave up.
        WorkerFailed: It ended without an answer.
    """
    python = toolchains.python(conversion.toolchain)
    bundle, request = folder / "converter.pyz", folder / "request.json"
    write_bundle(bundle, PROGRAM)
    asked = {
        "converter": conversion.converter,
        "source": str(source),
        "made": str(made),
        "folder": str(folder),
        "opset": conversion.opset,
        "static": conversion.static,
    }
    request.write_text(json.dumps(asked), encoding="utf-8")
    with (folder / "output.log").open("wb") as log:
        ended = subprocess.run(
            [str(python), "-I", str(bundle), str(request), str(os.getpid())],
            cwd=folder,
            # The environment's own commands are called by name by some converters.
            env=inherited(**SAFE, LANG="C.UTF-8", TMPDIR=str(folder), HOME=str(folder))
            | {"PATH": f"{python.parent}:{os.environ.get('PATH', '')}"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        )
    try:
        answer = _Answer.model_validate_json((folder / "answer.json").read_bytes())
    except (FileNotFoundError, ValidationError) as error:
        lines = (folder / "output.log").read_text(encoding="utf-8", errors="replace").splitlines()[-LAST_LINES:]
        raise WorkerFailed(f"the converter ended with status {ended.returncode}: {' / '.join(lines)}") from error
    if answer.error is not None:
        raise ConversionFailed(legible(answer.error, LONGEST_REASON).rstrip(". "))
    return tuple(legible(finding, LONGEST_REASON) for finding in answer.findings)
