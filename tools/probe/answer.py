"""What the probe leaves behind: one JSON document, whole or not there, and the errors it may hold."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Mapping, Optional

VERSION = 1


class ProbeError(Exception):
    """Raised where the fault lies in the model, the data or what is installed, and the probe itself is fine.

    Attributes:
            kind: `missing`, `load`, `input`, `run`, `output`, `memory` or `disk`.
            model: Name of the model in the request, where it is known.
    """

    model: Optional[str] = None

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file that is at every moment either absent or old or complete (write, fsync, rename)."""
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("w", encoding="utf-8") as stream:
        json.dump(content, stream, allow_nan=False)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)
