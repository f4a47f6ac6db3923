"""Builds the MCP server: all wiring on one screen."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

import anyio
from mcp.server import MCPServer

from edgewright.server.apps.run_view import run_view
from edgewright.server.catalog import CATALOG
from edgewright.server.changes import Changes
from edgewright.server.completions import add_completions
from edgewright.server.guard import Door
from edgewright.server.house import House
from edgewright.server.prompts import INSTRUCTIONS, add_prompts
from edgewright.server.resources import add_resources
from edgewright.server.settings import Settings
from edgewright.server.tool import EdgewrightTool
from edgewright.state.errors import EdgewrightError

logger = logging.getLogger(__name__)

ADOPT_EVERY_S = 0.5


def build_server(settings: Settings) -> MCPServer[House]:
    """Return a server on the state folder that the settings name. Nothing runs before it is served."""
    house = House.open(settings)
    changes = Changes()
    door = Door(house)

    @asynccontextmanager
    async def lifespan(_: MCPServer[House]) -> AsyncIterator[House]:
        """Adopt jobs that ended while no server was there, and go on doing so while this one is."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_adopt, house, changes)
            yield house
            tasks.cancel_scope.cancel()

    server: MCPServer[House] = MCPServer(
        "edgewright",
        title="Edgewright",
        description="Makes a trained model fit for an edge device: evidence or no step.",
        instructions=INSTRUCTIONS,
        version=version("edgewright"),
        tools=[EdgewrightTool.of(spec, door, house, changes) for spec in CATALOG.values()],
        extensions=[run_view()],
        lifespan=lifespan,
        subscriptions=changes.bus,
        log_level="WARNING",
    )
    changes.serve_earlier_era(server)
    add_resources(server, house)
    add_prompts(server)
    add_completions(server, house)
    return server


async def _adopt(house: House, changes: Changes) -> None:
    while True:
        try:
            moved = await anyio.to_thread.run_sync(house.jobs.settle_all)
        except EdgewrightError as error:  # a ledger that is full or held: the next round tries again
            logger.warning("jobs cannot be settled: %s", error)
            moved = []
        for run in moved:
            await changes.announce(run)
        await anyio.sleep(ADOPT_EVERY_S)
