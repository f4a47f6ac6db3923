"""What a search has found out, written down line by line, so that one that was killed goes on where it was.

A line is one look, one error or one timing. Times are remembered too: measured anew they would come out a little
different, and could lead elsewhere.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgewright.state.evidence import Ratio
from edgewright.tools.datasets.card import canonical_digest
from edgewright.tools.optimize.search.judge import Judged
from edgewright.tools.optimize.search.mix import Mix
from edgewright.tools.workspace import Workspace

NAME = "search.jsonl"


class Memory:
    """The findings of one search."""

    def __init__(self, workspace: Workspace, subject: Mapping[str, object]) -> None:
        """Take over what earlier jobs left.

        Args:
            workspace: Where that is, and where this search leaves its own.
            subject: What the findings are about; those of another subject are of no use.
        """
        self._path, self._subject = workspace.lasting(NAME), canonical_digest(subject)
        self._known: dict[str, Any] = {}
        for folder in workspace.leftovers:
            for earlier in sorted(folder.glob(f"*-{NAME}")):
                self._known |= dict(_read(earlier))
        for key, value in self._known.items():
            self._write(key, value)

    def look(self, mix: Mix, look: Callable[[], Judged]) -> Judged:
        """Return what a look at a mix shows."""
        found = self._found(["look", *_named(mix)], lambda: [(judged := look()).drop, judged.passes, judged.samples])
        return Judged(float(found[0]), bool(found[1]), int(found[2]))

    def error(self, mix: Mix, inferences: int, measure: Callable[[], float]) -> float:
        """Return the error of the outputs of a mix."""
        return float(self._found(["error", *_named(mix), inferences], measure))

    def ratios(
        self, reference: Mix, mixes: Sequence[Mix], measure: Callable[[], Mapping[Mix, Ratio]]
    ) -> Mapping[Mix, Ratio]:
        """Return the times of mixes over that of a reference, taken together."""

        def measured() -> list[list[float]]:
            ratios = measure()
            return [[each.median, each.low, each.high, each.confidence] for each in map(ratios.__getitem__, mixes)]

        found = self._found(["ratios", _named(reference), *(_named(mix) for mix in mixes)], measured)
        return {mix: Ratio(*map(float, each)) for mix, each in zip(mixes, found, strict=True)}

    def _found(self, question: Sequence[object], answer: Callable[[], object]) -> Any:  # noqa: ANN401  (JSON)
        key = canonical_digest([self._subject, question])
        if key not in self._known:
            self._known[key] = answer()
            self._write(key, self._known[key])
        return self._known[key]

    def _write(self, key: str, value: object) -> None:
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps([key, value]) + "\n")


def _read(path: Path) -> list[tuple[str, Any]]:
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return [entry for line in lines if (entry := _entry(line)) is not None]


def _entry(line: str) -> tuple[str, Any] | None:
    """Return what a line says; a killed process may have left half of one."""
    try:
        key, value = json.loads(line)
    except ValueError:
        return None
    return (key, value) if isinstance(key, str) else None


def _named(mix: Mix) -> list[list[str]]:
    return [sorted(mix.static), sorted(mix.dynamic)]
