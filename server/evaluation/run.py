"""Runs whole suites: what `edgewright eval` does."""

import json
import tempfile
from pathlib import Path

import anyio
from mcp import Client

from edgewright.server.app import build_server
from edgewright.server.evaluation.agent import Agent, agent_named
from edgewright.server.evaluation.counted import described_bytes
from edgewright.server.evaluation.play import Played, Stagehand
from edgewright.server.evaluation.report import as_json, table
from edgewright.server.evaluation.suite import Suite, load
from edgewright.server.evaluation.world import plain_settings

OWN = ("honest", "dishonest")


def evaluate(suites: tuple[str, ...], *, agent: str, quick: bool, record: Path | None) -> int:
    """Play suites and print the table; return 0 where everything was as it must be.

    Args:
        suites: Names or paths; Edgewright's own where there are none.
        agent: `follower`, or `package.module:function`.
        quick: Leave out what is slow, and try only the first call of each advice.
        record: File for the results as JSON.
    """
    chosen = [load(name) for name in suites or OWN]
    results, size = anyio.run(_play, chosen, agent_named(agent), quick)
    print(table(results, size))
    if record is not None:
        record.write_text(json.dumps(as_json(results, size), indent=1) + "\n", encoding="utf-8")
    return 1 if any(result.findings for result in results) else 0


async def _play(suites: list[Suite], agent: Agent, quick: bool) -> tuple[list[Played], int]:  # noqa: FBT001
    results: list[Played] = []
    with tempfile.TemporaryDirectory(prefix="edgewright-eval-") as folder:
        for number, suite in enumerate(suites):
            stagehand = Stagehand(suite, Path(folder).resolve() / str(number), agent=agent, whole_way=not quick)
            played = [scenario for scenario in suite.scenario if not (quick and scenario.slow)]
            results += [await stagehand.play(scenario) for scenario in played]
        async with Client(build_server(plain_settings(Path(folder) / "described"))) as client:
            size = await described_bytes(client)
    return results, size
