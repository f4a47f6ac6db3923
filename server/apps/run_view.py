"""The view of a run in the chat: `ui://edgewright/run`, by the MCP Apps extension (SEP-1865, 2026-01-26).

The page is the same for every run. What it shows comes with each answer of the tools that name it, in the answer's
`_meta`: hosts hand that to the view, and no model pays for it. Clients without Apps lose nothing by it.
"""

from collections.abc import Mapping
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from mcp.server.apps import Apps

from edgewright.server.glance import glance
from edgewright.server.house import House
from edgewright.server.replies import harmless
from edgewright.state.run import Run
from edgewright.tools.package.pictures import Picture

RUN_VIEW_URI = "ui://edgewright/run"
TOOL_META: Mapping[str, Any] = MappingProxyType({"ui": {"resourceUri": RUN_VIEW_URI}})
"""What a tool says in its listing whose answers the view shows."""

GLANCE, CHART = "edgewright/run", "edgewright/chart"
"""The parts of an answer's `_meta` that the page reads."""


def run_view() -> Apps:
    """Return the extension that serves the page. It asks for no network and for no permission."""
    apps = Apps()
    page = files(__package__).joinpath("run.html").read_text(encoding="utf-8")
    apps.add_html_resource(
        RUN_VIEW_URI,
        page,
        name="run",
        title="A run at a glance",
        description="Phases, where the run stands, the trade-off chart, and the stop with its numbers",
        prefers_border=True,
    )
    return apps


def of_run(house: House, run: Run) -> dict[str, object]:
    """Return what the page shows of a run."""
    return {GLANCE: glance(house, run).plain()}


def of_picture(picture: Picture) -> dict[str, object]:
    """Return a chart for the page: a vector image, and the same in words."""
    return {CHART: {"svg": picture.svg, "described": harmless(picture.described)}}
