"""`python -I PROBE REQUEST.json PARENT_PID`: request -> task -> answer.json. `PROBE sample PID FILE`: the sampler.

Exit status 0 means that there is an answer, be it an error that the model or the data caused; anything else means that
the probe itself ended and what it left on standard error says why.
"""

from __future__ import annotations

import errno
import json
import sys
from pathlib import Path
from typing import Any, Dict

from edgewright.tools.probe import sampler
from edgewright.tools.probe.answer import VERSION, ProbeError, write_json
from edgewright.tools.probe.environment import facts
from edgewright.tools.probe.lifeline import die_with

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def main(request_path: str, parent_pid: int) -> None:
    """Answer one request, for as long as the process that asked is there."""
    die_with(parent_pid)
    request = json.loads(Path(request_path).read_text(encoding="utf-8"))
    content: Dict[str, Any]
    try:
        content = _machine() if request["task"] == "machine" else _models(request)
    except ProbeError as error:
        content = {"error": {"kind": error.kind, "message": str(error), "model": error.model}}
    except MemoryError as error:
        content = {"error": {"kind": "memory", "message": str(error) or "out of memory"}}
    except OSError as error:
        if error.errno not in DISK_FULL:
            raise
        content = {"error": {"kind": "disk", "message": str(error)}}
    write_json(Path(request["folder"]) / "answer.json", {"version": VERSION, **content})


def _machine() -> Dict[str, Any]:
    """Return what the machine says of itself; asked where NumPy and the runtimes may be missing."""
    return {"environment": {**facts(), "runtimes": {}}, "models": {}}


def _models(request: Dict[str, Any]) -> Dict[str, Any]:
    from edgewright.tools.probe.session import runtime
    from edgewright.tools.probe.tasks import TASKS

    environment = facts()
    models = TASKS[request["task"]](request)
    runtimes = {model["runtime"]: runtime(model["runtime"]).version() for model in request["models"]}
    return {"environment": {**environment, "runtimes": runtimes}, "models": models}


if __name__ == "__main__":
    if sys.argv[1] == sampler.COMMAND:
        sampler.main(sys.argv[2:])
    else:
        main(sys.argv[1], int(sys.argv[2]))
