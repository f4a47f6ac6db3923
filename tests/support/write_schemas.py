"""Writes the tools' published schemas for review: `make schemas`."""

import json
import tempfile
from pathlib import Path

import anyio
from mcp import Client

from edgewright.server.app import build_server
from edgewright.server.settings import Settings

FOLDER = Path(__file__).parent.parent / "server" / "schemas"


async def write() -> None:
    with tempfile.TemporaryDirectory() as state:
        async with Client(build_server(Settings(state_folder=Path(state)))) as client:
            tools = (await client.list_tools()).tools
    FOLDER.mkdir(exist_ok=True)
    for path in FOLDER.glob("*.json"):
        path.unlink()
    for tool in tools:
        content = tool.model_dump(mode="json", by_alias=True, exclude_none=True)
        (FOLDER / f"{tool.name}.json").write_text(
            json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8"
        )


if __name__ == "__main__":
    anyio.run(write)
