"""What can be read without a tool: a run's state and report, the form of a data card, notes, the manifest's schema."""

import json
from typing import Any

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ResourceNotFoundError

from edgewright.knowledge.note import bundled
from edgewright.server import reports, state_block
from edgewright.server.changes import STATE_URI
from edgewright.server.house import House
from edgewright.state.errors import Refused
from edgewright.state.run import Run
from edgewright.tools.package.manifest import manifest_schema

REPORT_URI = "model-opt-report://{run}"


def add_resources(server: MCPServer[Any], house: House) -> None:
    """Add the resources of a house to its server."""
    _add_runs(server, house)
    _add_reading(server)


def _add_runs(server: MCPServer[Any], house: House) -> None:
    """Add what can be read of a run."""

    def run_named(run: str) -> Run:
        try:
            with house.ledger.read() as look:
                return house.seen(look.run(run))
        except Refused as refused:
            raise ResourceNotFoundError(refused.refusal.sentence) from refused

    @server.resource(STATE_URI, name="model-opt-state", title="State of a run", mime_type="text/plain")
    def state_text(run: str) -> str:
        """Return the state block of a run as text."""
        return state_block.text(run_named(run))

    @server.resource(f"{STATE_URI}/json", name="model-opt-state-json", mime_type="application/json")
    def state_json(run: str) -> str:
        """Return the state block of a run as JSON."""
        return json.dumps(state_block.fields(run_named(run)))

    @server.resource(REPORT_URI, name="model-opt-report", title="Report on a run", mime_type="text/markdown")
    def report_markdown(run: str) -> str:
        """Return the report on a run as Markdown."""
        return reports.markdown(run_named(run))

    @server.resource(f"{REPORT_URI}/json", name="model-opt-report-json", mime_type="application/json")
    def report_json(run: str) -> str:
        """Return the report on a run as JSON."""
        return reports.as_json(run_named(run))

    @server.resource(f"{REPORT_URI}/html", name="model-opt-report-html", mime_type="text/html")
    def report_html(run: str) -> str:
        """Return the report on a run as one HTML page that needs nothing else."""
        return reports.as_html(house, run_named(run))[0]


def _add_reading(server: MCPServer[Any]) -> None:
    """Add what is the same for every run: forms, notes, schemas."""

    @server.resource(
        "edgewright://data-card", name="data-card", title="How to write a data card", mime_type="text/markdown"
    )
    def data_card() -> str:
        """Return how a data card is written."""
        from edgewright.tools.datasets.guide import CARD_GUIDE  # read seldom, and it costs start-up time

        return CARD_GUIDE

    @server.resource("edgewright://knowledge/notes/{name}", name="note", title="A note", mime_type="text/markdown")
    def note_text(name: str) -> str:
        """Return one note as a whole: what `see` and `source_path` name."""
        wanted = f"knowledge/notes/{name}"
        found = next((note for note in bundled() if note.path == wanted), None)
        if found is None:
            raise ResourceNotFoundError(f"there is no note {wanted}")
        sources = "\n".join(f"- {source.title}: {source.at}" for source in found.sources)
        return f"{found.body}\n\nHolds for: {', '.join(found.versions)}. Checked {found.date}.\n\n{sources}\n"

    @server.resource("edgewright://manifest-schema", name="manifest-schema", mime_type="application/schema+json")
    def schema() -> str:
        """Return the JSON schema of a package's manifest."""
        return manifest_schema()
