"""Reads `advice.toml`: the strategies of each device, and which note to read at which turn."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from edgewright.state.artifacts import Device, Format
from edgewright.state.errors import Code
from edgewright.state.phases import Call

FILE = Path(__file__).parent / "advice.toml"


@dataclass(frozen=True)
class Idea:
    """One step that a strategy knows.

    Attributes:
        call: `quantize` or `convert`.
        option: The scheme or operation, as the recipe of its result names it.
        arguments: Arguments of the call beside the run.
        fits: Names of the conditions under which it can help a run.
        why: The reason in one sentence.
        note: The note that says more.
        format: What it works on.
    """

    call: Call
    option: str
    arguments: Mapping[str, object]
    fits: tuple[str, ...]
    why: str
    note: str
    format: Format


@dataclass(frozen=True)
class Advised:
    """What the file holds.

    Attributes:
        devices: The ideas for each device in order of preference.
        moments: The note for each turn of a run.
        refusals: The note that explains each refusal, where one does.
        again: Refusals of work that is worth one more try.
        person: Refusals of work that only a person can mend.
    """

    devices: Mapping[Device, tuple[Idea, ...]]
    moments: Mapping[str, str]
    refusals: Mapping[Code, str]
    again: frozenset[Code]
    person: frozenset[Code]


def _path(note: str) -> str:
    return f"knowledge/notes/{note}.md"


def _read(file: Path) -> Advised:
    table = tomllib.loads(file.read_text(encoding="utf-8"))
    ideas = {
        name: Idea(
            Call(step["call"]),
            step["option"],
            MappingProxyType(step["arguments"]),
            tuple(step["fits"]),
            step["why"],
            _path(step["note"]),
            Format(step["format"]),
        )
        for name, step in table["steps"].items()
    }
    return Advised(
        MappingProxyType({Device(d): tuple(ideas[name] for name in names) for d, names in table["devices"].items()}),
        MappingProxyType({moment: _path(note) for moment, note in table["moments"].items()}),
        MappingProxyType({Code(code): _path(note) for code, note in table["refusals"].items()}),
        frozenset(map(Code, table["refused_work"]["again"])),
        frozenset(map(Code, table["refused_work"]["person"])),
    )


ADVISED = _read(FILE)
STRATEGIES = ADVISED.devices
