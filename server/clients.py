"""The snippet that each client wants in its configuration."""

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType


def _command(roots: list[Path]) -> dict[str, object]:
    arguments = ["-m", "edgewright.server", "serve"]
    for root in roots:
        arguments += ["--root", str(root)]
    return {"command": sys.executable, "args": arguments}


def _claude_code(roots: list[Path]) -> str:
    command = _command(roots)
    words = [str(command["command"]), *map(str, command["args"] if isinstance(command["args"], list) else [])]
    return "claude mcp add edgewright -- " + " ".join(words)


def _servers(roots: list[Path]) -> str:
    return json.dumps({"mcpServers": {"edgewright": _command(roots)}}, indent=2)


def _vscode(roots: list[Path]) -> str:
    return json.dumps({"servers": {"edgewright": {"type": "stdio", **_command(roots)}}}, indent=2)


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
