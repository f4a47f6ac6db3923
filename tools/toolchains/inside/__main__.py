"""Reads a request, converts one file, and leaves `answer.json` beside it: what was done, or why it cannot be."""

import json
import sys
from pathlib import Path
from typing import Any

from edgewright.tools.probe.answer import ProbeError, write_json
from edgewright.tools.probe.lifeline import die_with
from edgewright.tools.toolchains.inside.converters import convert


def main(request_path: str, parent_pid: int) -> None:
    """Answer one request, for as long as the process that asked is there."""
    die_with(parent_pid)
    request: dict[str, Any] = json.loads(Path(request_path).read_text(encoding="utf-8"))
    content: dict[str, Any]
    try:
        content = {"findings": convert(request), "error": None}
    except ProbeError as error:
        content = {"findings": [], "error": str(error)}
    except MemoryError:
        content = {"findings": [], "error": "memory ran out"}
    except Exception as error:
        content = {"findings": [], "error": f"{type(error).__name__}: {' '.join(str(error).split())}"}
    write_json(Path(request["folder"]) / "answer.json", content)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
