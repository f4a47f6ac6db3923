"""What Edgewright costs an agent in context: `python benchmarks/context.py [--write]`.

Tool descriptions and instructions are paid once a conversation, results as they come. The figures are kept in
`benchmarks/context.json`, and a test compares them.
"""

import json
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import anyio
from mcp import Client

from edgewright.server.app import build_server
from edgewright.server.evaluation.counted import BYTES_A_TOKEN, Count, CountedClient, described_bytes
from edgewright.server.evaluation.play import Stagehand
from edgewright.server.evaluation.suite import load
from edgewright.server.evaluation.world import plain_settings
from edgewright.server.prompts import INSTRUCTIONS

KEPT = Path(__file__).parent / "context.json"
GROWTH = 1.03
"""Numbers differ in their digits from run to run."""
NOISE_BYTES = 200
"""A benchmark on a busy machine says so."""
QUERY = "quantization INT8 PTQ calibration dataset"


@dataclass(frozen=True)
class Cost:
    """In bytes: tool descriptions, instructions, the results of an honest run, the largest result, one search."""

    described_bytes: int
    instructions_bytes: int
    honest_run_bytes: int
    largest_result_bytes: int
    search_result_bytes: int

    @property
    def tokens(self) -> int:
        """Of an honest run with everything that comes before it."""
        return (self.described_bytes + self.instructions_bytes + self.honest_run_bytes) // BYTES_A_TOKEN


def grown(now: Cost, kept: dict[str, int]) -> dict[str, tuple[int, int]]:
    """Return what costs more than was kept, with both figures."""
    noise = {"honest_run_bytes": NOISE_BYTES}
    return {
        name: (value, kept[name])
        for name, value in asdict(now).items()
        if value > kept[name] * GROWTH + noise.get(name, 0)
    }


async def measure(stagehand: Stagehand) -> Cost:
    """Walk from profile to package along `next`, search once, and count."""
    await stagehand.reach("packaged")
    honest, searched = stagehand.spent("packaged"), Count()
    with tempfile.TemporaryDirectory() as folder:
        async with Client(build_server(plain_settings(Path(folder)))) as client:
            await CountedClient(client, searched).call("search_knowledge", {"query": QUERY})
            described = await described_bytes(client)
    largest = max(honest.largest_bytes, searched.largest_bytes)
    instructions = len(INSTRUCTIONS.encode())
    return Cost(described, instructions, honest.result_bytes, largest, searched.result_bytes)


async def _measured() -> Cost:
    with tempfile.TemporaryDirectory() as folder:
        return await measure(Stagehand(load("dishonest"), Path(folder).resolve() / "suite"))


if __name__ == "__main__":
    cost = anyio.run(_measured)
    for name, value in asdict(cost).items():
        print(f"{name:<22} {value:>7}")
    print(f"an honest run costs {cost.tokens} tokens of context (bytes / {BYTES_A_TOKEN}), everything included")
    if "--write" in sys.argv:
        KEPT.write_text(json.dumps(asdict(cost), indent=1) + "\n", encoding="utf-8")
