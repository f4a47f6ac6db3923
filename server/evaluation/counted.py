"""A client that keeps count: calls, refusals, what the answers cost in context, and the time they took."""

import json
import time
from dataclasses import dataclass
from typing import Any

from mcp import Client

BYTES_A_TOKEN = 4
"""A usual rule of thumb for English and JSON; the point is to compare, not to bill."""


@dataclass
class Count:
    """What one agent's way cost so far.

    Attributes:
        calls: Tool calls, those that wait for a job included.
        refusals: How many were refused.
        result_bytes: Of all structured results, as clients hand them to their model.
        largest_bytes: Of the largest one.
        seconds: In the calls.
    """

    calls: int = 0
    refusals: int = 0
    result_bytes: int = 0
    largest_bytes: int = 0
    seconds: float = 0.0

    def __add__(self, other: "Count") -> "Count":
        """Return what both ways cost together."""
        return Count(
            self.calls + other.calls,
            self.refusals + other.refusals,
            self.result_bytes + other.result_bytes,
            max(self.largest_bytes, other.largest_bytes),
            self.seconds + other.seconds,
        )

    @property
    def tokens(self) -> int:
        """Context that the results took."""
        return -(-self.result_bytes // BYTES_A_TOKEN)


def size_bytes(content: object) -> int:
    """Return the size of plain data as a client writes it into its model's context."""
    return len(json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode())


class CountedClient:
    """A client under count."""

    def __init__(self, client: Client, count: Count) -> None:
        self._client = client
        self._count = count

    async def call(self, tool: str, arguments: dict[str, Any], *, wait: bool = True) -> dict[str, Any]:
        """Call a tool; return the structured answer, after the end of its job unless `wait` is off."""
        content = await self._once(tool, arguments)
        while wait and content.get("status") == "running":
            content = await self._once("get_job", {"job": content["job"], "wait_seconds": 45})
        return content

    async def look(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Call a tool for the judge's own eyes: it costs the agent nothing."""
        return (await self._client.call_tool(tool, arguments)).structured_content or {}

    async def _once(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        began = time.perf_counter()
        result = await self._client.call_tool(tool, arguments)
        content: dict[str, Any] = result.structured_content or {}
        size = size_bytes(content)
        self._count.calls += 1
        self._count.seconds += time.perf_counter() - began
        self._count.refusals += bool(result.is_error)
        self._count.result_bytes += size
        self._count.largest_bytes = max(self._count.largest_bytes, size)
        return content


async def described_bytes(client: Client) -> int:
    """Return the size of what a model reads of all tools: name, description and arguments."""
    tools = (await client.list_tools()).tools
    return size_bytes([{"name": t.name, "description": t.description, "inputSchema": t.input_schema} for t in tools])
