"""The report as tool, resource and command: the seed's two documents, the same facts in three forms."""

import base64
import json
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
import run_builder as build
from report_run import TRIED, tried_events
from workflow import Connect, call, content, done, refused

from edgewright.server import reports
from edgewright.server.house import House
from edgewright.server.settings import Settings
from edgewright.state.phases import Call
from edgewright.state.run import fold
from edgewright.tools.package.page import page as page_of
from edgewright.tools.package.pictures import Drawn, Picture

pytestmark = pytest.mark.anyio

RUN = "run-abc"
SHOWN = ("tradeoff", "drift", "operators", "weights", "sizes")
HEADINGS = ("## Model Optimization Report: toy", "## Optimization Tradeoff Analysis: toy")


@pytest.fixture
def house(settings: Settings) -> House:
    """A run that tried five variants."""
    opened = House.open(settings)
    with opened.ledger.change() as change:
        change.append(RUN, *tried_events())
    return opened


async def test_a_chat_gets_both_documents_and_the_chart_of_the_tradeoff(
    connect: Connect, house: House, tmp_path: Path
) -> None:
    async with connect() as client:
        result = await call(client, "report", run=RUN)
        resource = await client.read_resource(f"model-opt-report://{RUN}")
    reply = content(result)
    assert all(heading in reply["summary"] for heading in HEADINGS)
    assert "**FAILED**: toy_dynamic_int8.onnx (reverted)" in reply["summary"]
    assert resource.contents[0].text == reply["summary"]  # type: ignore[union-attr]
    (image,) = [part for part in result.content if part.type == "image"]
    assert base64.b64decode(image.data).startswith(b"\x89PNG")
    written = [Path(path) for path in reply["numbers"]["pictures"]]
    assert [path.name for path in written] == [f"{RUN}-{name}.png" for name in SHOWN]
    assert all(path.exists() for path in written)


async def test_an_analysis_of_groups_is_answered_with_its_picture(connect: Connect, house: House) -> None:
    job = "job-0123456789abcdef"
    with house.ledger.change() as change:
        change.append(RUN, build.job_started(Call.ANALYZE, job), build.analysed(), build.job_ended(job=job))
    async with connect() as client:
        result = await call(client, "get_job", job=job, wait_seconds=0)
    (image,) = [part for part in result.content if part.type == "image"]
    assert base64.b64decode(image.data).startswith(b"\x89PNG")
    assert "1 groups of" in content(result)["summary"]


@pytest.mark.promise("P6")
async def test_as_data_every_time_has_its_label_and_what_is_not_known_is_unmeasured(
    connect: Connect, house: House
) -> None:
    async with connect() as client:
        reply = await done(client, "report", run=RUN, format="json")
    detail = reply["detail"]
    assert len(detail["tradeoffs"]) == len(TRIED) + 1
    for variant in [detail["baseline"], detail["optimized"], *detail["tradeoffs"]]:
        assert variant["latency"]["label"] == "Host Estimate (not target hardware)"
        assert variant["peak_memory"]["label"] == "Host Estimate (not target hardware)"
        assert variant["latency"]["p99_ms"] == "needs 662 runs"
    assert detail["tradeoffs"][0]["speedup"] == "unmeasured"
    failed = [entry["variant"] for entry in detail["attention"]]
    assert failed == ["toy_dynamic_int8.onnx", "toy_static_entropy_int8.onnx"]


class Page(HTMLParser):
    """What a page would fetch, and what it holds."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.fetched += [value or "" for name, value in attrs if name in {"src", "href", "srcset", "data"}]


async def test_the_page_is_one_file_that_fetches_nothing(house: House) -> None:
    with house.ledger.read() as look:
        run = look.run(RUN)
    text, pictures = reports.as_html(house, run)
    page = Page()
    page.feed(text)
    assert page.fetched
    assert all(address.startswith("data:image/png;base64,") for address in page.fetched)
    assert page.tags.count("table") == 3
    assert page.tags.count("figure") == len(pictures)
    assert "default-src 'none'" in text
    assert "vegaEmbed" in text


async def test_a_name_from_a_model_file_is_no_markup_on_the_page() -> None:
    evil = "</script><img src=x onerror=alert(1)>"
    run = fold("run", tried_events(build.started(model_name=evil)))
    picture = Picture("tradeoff", evil, {"title": evil}, b"png", "<svg/>", evil)
    page = Page()
    page.feed(page_of(evil, reports.markdown(run), Drawn((picture,), "/* the library */")))
    assert page.fetched == ["data:image/png;base64,cG5n"]
    assert (page.tags.count("img"), page.tags.count("script")) == (1, 3)


async def test_a_report_on_no_run_is_refused(connect: Connect, house: House) -> None:
    async with connect() as client:
        assert (await refused(client, "report", run="run-none"))["code"] == "UNKNOWN_RUN"


async def test_the_command_writes_the_same_report(house: House, settings: Settings, tmp_path: Path) -> None:
    base = [sys.executable, "-m", "edgewright.server", "report", RUN, "--state-folder", str(settings.state_folder)]
    assert all(heading in reports.rendered(house, RUN, "markdown") for heading in HEADINGS)
    subprocess.run([*base, "--format", "json", "--output", str(tmp_path / "report.json")], check=True)
    assert json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["model"] == "toy"
