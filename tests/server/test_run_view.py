"""The view of a run in the chat: the same facts as the answer, beside it and out of the model's sight."""

import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
import run_builder as build
from mcp.server.apps import APP_MIME_TYPE
from mcp.types import CallToolResult
from report_run import TRIED, tried_events
from workflow import Connect, call, content

from edgewright.server.apps.run_view import CHART, GLANCE, RUN_VIEW_URI
from edgewright.server.house import House
from edgewright.server.settings import Settings
from edgewright.state.phases import Phase

pytestmark = pytest.mark.anyio

TRIED_RUN, HELD_RUN = "run-tried", "run-held"
ERAS = pytest.mark.parametrize("era", ["auto", "legacy"])


@pytest.fixture
def house(settings: Settings) -> House:
    """A run that tried five variants, and one on hold."""
    opened = House.open(settings)
    with opened.ledger.change() as change:
        change.append(TRIED_RUN, *tried_events())
        change.append(HELD_RUN, *build.past(Phase.VALIDATE, build.FAILING))
    return opened


def shown(result: CallToolResult) -> dict[str, Any]:
    """Return what the view is told of a run."""
    assert result.meta is not None
    found: dict[str, Any] = result.meta[GLANCE]
    return found


@ERAS
async def test_the_tools_that_show_a_run_name_the_view_and_a_client_can_read_it(connect: Connect, era: str) -> None:
    async with connect("memory", era) as client:
        tools = (await client.list_tools()).tools
        named = {tool.name: tool.meta["ui"]["resourceUri"] for tool in tools if tool.meta}
        (page,) = (await client.read_resource(RUN_VIEW_URI)).contents
    assert named == dict.fromkeys(("get_state", "report", "validate"), RUN_VIEW_URI)
    assert page.mime_type == APP_MIME_TYPE
    assert page.text.startswith("<!doctype html>")  # type: ignore[union-attr]


class Links(HTMLParser):
    """What a page would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, _tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if name in {"src", "href", "srcset", "data", "action"}]


async def test_the_page_fetches_nothing_and_writes_what_it_is_told_as_text(connect: Connect) -> None:
    async with connect() as client:
        (page,) = (await client.read_resource(RUN_VIEW_URI)).contents
    links = Links()
    links.feed(page.text)  # type: ignore[union-attr]
    assert links.found == []
    for dangerous in (
        "innerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "fetch(",
        "XMLHttpRequest",
        "http:",
    ):
        assert dangerous not in page.text  # type: ignore[union-attr]


@pytest.mark.promise("P6")
async def test_it_shows_phases_every_variant_and_where_the_times_were_taken(connect: Connect, house: House) -> None:
    async with connect() as client:
        told = shown(await call(client, "get_state", run=TRIED_RUN))
    assert told["phases"] == [str(phase) for phase in Phase]
    assert (told["phase"], told["title"]) == ("OPTIMIZE", "toy for cpu-generic")
    assert told["caption"] == "Floor 0.8820. Times relative to the baseline's: Host Estimate (not target hardware)"
    assert told["fields"]["phase"] == "OPTIMIZE"
    rows = {row["name"]: row for row in told["rows"]}
    assert set(rows) == {"toy_original.onnx", *(f"toy_{word}.onnx" for word, *_ in TRIED)}
    for word, ratio, value, _ in TRIED:
        row = rows[f"toy_{word}.onnx"]
        assert row["accuracy"] == f"{value:.4f}"
        assert row["time"] == f"{ratio:.2f}x ({ratio - 0.05:.2f} to {ratio + 0.05:.2f})"
    assert (rows["toy_fp16.onnx"]["verdict"], rows["toy_dynamic_int8.onnx"]["verdict"]) == ("PASS", "FAIL")
    assert told["hold"] == []


@pytest.mark.promise("P3")
@ERAS
async def test_a_run_on_hold_shows_the_stop_with_its_numbers_and_the_command_for_a_person(
    connect: Connect, house: House, era: str
) -> None:
    async with connect("memory", era) as client:
        told = shown(await call(client, "get_state", run=HELD_RUN))
    text = "\n".join(told["hold"])
    for figure in ("ON HOLD", "top1 (n=1000)", "Baseline: 0.9", "Candidate: 0.8", "11.11%", "floor 0.882", "99.00%"):
        assert figure in text
    assert f"edgewright approve {HELD_RUN}" in text


async def test_the_report_brings_the_chart_with_every_point_and_the_answer_itself_is_the_same_without_it(
    connect: Connect, house: House
) -> None:
    async with connect() as client:
        result = await call(client, "report", run=TRIED_RUN)
    assert result.meta is not None
    chart = result.meta[CHART]
    marks = re.findall(r'aria-roledescription="point"', chart["svg"])
    assert len(marks) == len(TRIED) + 1
    assert all(word in chart["described"] for word, *_ in TRIED)
    assert "svg" not in json.dumps(content(result))
    assert [part.type for part in result.content] == ["text", "image"]  # for clients that show no view


async def test_a_refused_call_shows_the_run_as_it_stands_and_no_run_shows_nothing(
    connect: Connect, house: House
) -> None:
    async with connect() as client:
        refusal = await call(client, "validate", run=TRIED_RUN)
        unknown = await call(client, "validate", run="run-none")
        overview = await call(client, "get_state")
    assert refusal.is_error
    assert shown(refusal)["phase"] == "OPTIMIZE"
    assert GLANCE not in (unknown.meta or {})
    assert GLANCE not in (overview.meta or {})


async def test_a_name_that_hides_or_reorders_is_legible_in_the_view(connect: Connect, settings: Settings) -> None:
    with House.open(settings).ledger.change() as change:
        change.append("run-evil", build.started(model_name="x\u202e\n<b>"), build.profiled())
    async with connect() as client:
        told = shown(await call(client, "get_state", run="run-evil"))
    assert "\u202e" not in json.dumps(told, ensure_ascii=False)
