"""`python -I PROBE REQUEST.json`: request -> task -> answer.json; `python -I PROBE sample PID FILE`: the sampler.

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


def main(request_path: str) -> None:
    """Answer one request."""
    # Not above: the sampler starts from this file too, and needs no NumPy.
    from edgewright.tools.probe.session import runtime
    from edgewright.tools.probe.tasks import TASKS

    request = json.loads(Path(request_path).read_text(encoding="utf-8"))
    if "parent_pid" in request:
        die_with(request["parent_pid"])
    environment = facts()
    content: Dict[str, Any]
    try:
        models = TASKS[request["task"]](request)
        runtimes = {model["runtime"]: runtime(model["runtime"]).version() for model in request["models"]}
        content = {"environment": {**environment, "runtimes": runtimes}, "models": models}
    except ProbeError as error:
        content = {"error": {"kind": error.kind, "message": str(error), "model": error.model}}
    except MemoryError as error:
        content = {"error": {"kind": "memory", "message": str(error) or "out of memory"}}
    except OSError as error:
        if error.errno not in DISK_FULL:
            raise
        content = {"error": {"kind": "disk", "message": str(error)}}
    write_json(Path(request["folder"]) / "answer.json", {"version": VERSION, **content})


if __name__ == "__main__":
    if sys.argv[1] == sampler.COMMAND:
        sampler.main(sys.argv[2:])
    else:
        main(sys.argv[1])
