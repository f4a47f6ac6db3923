"""The report's page in Debian's Chromium, without a network: it draws, says nothing wrong, and is readable to all."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from drawn_points import check_places
from report_run import TRIED, raw_times, tried

from edgewright.server.reports import markdown
from edgewright.tools.package.page import page
from edgewright.tools.package.pictures import draw

pytestmark = pytest.mark.system

Browse = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a run that tried five variants."""
    folder = tmp_path_factory.mktemp("page")
    run = tried()
    drawn = draw(run, raw_times(folder), interactive=True)
    path = folder / "report.html"
    path.write_text(page("Edgewright: toy", markdown(run), drawn), encoding="utf-8")
    return path


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_opens_offline_draws_the_records_points_and_is_accessible(
    written: Path, browse: Browse, scheme: str
) -> None:
    screenshot = written.with_name(f"{scheme}.png")
    seen = browse("report_in_browser.cjs", str(written), str(screenshot), scheme)
    assert [address for address in seen["fetched"] if not address.startswith(("file://", "data:"))] == []
    assert seen["said"] == []
    wanted = {(f"toy_{word}.onnx", ratio, value) for word, ratio, value, _ in TRIED} | {("Baseline", 1.0, 0.9)}
    assert {(point["name"], point["time"], point["value"]) for point in seen["points"]} == wanted
    check_places(seen["marks"], {name: (ratio, value) for name, ratio, value in wanted})
    assert [finding for finding in seen["found"] if finding["impact"] != "minor"] == []
    assert screenshot.stat().st_size > 10_000
