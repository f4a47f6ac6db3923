"""The snippet that each client wants in its configuration."""

import json
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType


@dataclass(frozen=True)
class Command:
    """How the server is started."""

    program: str
    arguments: tuple[str, ...]

    @property
    def entry(self) -> dict[str, object]:
        """The command as JSON configurations want it."""
        return {"command": self.program, "args": list(self.arguments)}


def _command(roots: list[Path]) -> Command:
    # -I: a client starts this in the project folder, and nothing there may pass for one of our modules.
    arguments = ["-I", "-m", "edgewright.server", "serve"]
    for root in roots:
        arguments += ["--root", str(root)]
    return Command(sys.executable, tuple(arguments))


def _claude_code(roots: list[Path]) -> str:
    command = _command(roots)
    return "claude mcp add edgewright -- " + shlex.join([command.program, *command.arguments])


def _servers(roots: list[Path]) -> str:
    return json.dumps({"mcpServers": {"edgewright": _command(roots).entry}}, indent=2)


def _vscode(roots: list[Path]) -> str:
    return json.dumps({"servers": {"edgewright": {"type": "stdio", **_command(roots).entry}}}, indent=2)


CLIENTS: Mapping[str, tuple[str, Callable[[list[Path]], str]]] = MappingProxyType(
    {
        "claude-code": ("run this in a terminal", _claude_code),
        "claude-desktop": ("put this into claude_desktop_config.json", _servers),
        "cursor": ("put this into .cursor/mcp.json", _servers),
        "vscode": ("put this into .vscode/mcp.json", _vscode),
    }
)


def snippet(client: str, roots: list[Path]) -> tuple[str, str]:
    """Return where the snippet belongs, and the snippet."""
    where, make = CLIENTS[client]
    return where, make(roots)
