"""A line on how far the work is, left in a file for whoever waits, a few times a second at most."""

from __future__ import annotations

import json
import time
from pathlib import Path

INTERVAL_NS = 200_000_000


class Progress:
    """Writes `progress.json`; called between timed runs, never inside one."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "progress.json"
        self._due_ns = 0

    def __call__(self, done: int, total: int, message: str) -> None:
        """Report, unless the last report is younger than a fifth of a second."""
        now = time.monotonic_ns()
        if now < self._due_ns:
            return
        self._due_ns = now + INTERVAL_NS
        temporary = self._path.with_name("progress.tmp")
        # No fsync: it would stall the measurement, and after a power cut nobody reads this file.
        temporary.write_text(json.dumps({"done": done, "total": total, "message": message}), encoding="utf-8")
        temporary.replace(self._path)
