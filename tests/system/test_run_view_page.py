"""The chat's view of a run in Chromium, between the official host bridge and a real server."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import run_builder as build
from drawn_points import check_places
from PIL import Image
from report_run import TRIED, tried_events

from edgewright.server.house import House
from edgewright.server.settings import Settings

pytestmark = pytest.mark.system

Browse = Callable[..., dict[str, Any]]
RUN = "run-held"
CHAT_PX = 720


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A state folder with a run that tried five variants, and is on hold because of a sixth."""
    chosen = Settings(state_folder=tmp_path / "state")
    made = build.candidate("last_int8")
    of = made.artifact.sha256
    with House.open(chosen).ledger.change() as change:
        change.append(RUN, *tried_events(), made, build.benchmarked(of, 0.38), build.validated(of, build.FAILING))
    return chosen


@pytest.mark.promise("P3", "P6")
@pytest.mark.parametrize(("tool", "scheme"), [("get_state", "dark"), ("report", "light")])
def test_the_view_shows_the_record_fetches_nothing_and_is_accessible(
    settings: Settings, tmp_path: Path, browse: Browse, tool: str, scheme: str
) -> None:
    screenshot, order = tmp_path / f"{tool}-{scheme}.png", tmp_path / "order.json"
    content = {
        "command": sys.executable,
        "args": ["-m", "edgewright.server", "serve", "--state-folder", str(settings.state_folder)],
        "run": RUN,
        "tool": tool,
        "screenshot": str(screenshot),
        "scheme": scheme,
        "width": CHAT_PX,
    }
    order.write_text(json.dumps(content), encoding="utf-8")
    seen = browse("host_in_browser.mjs", str(order))
    assert [address for address in seen["fetched"] if not address.startswith(("about:", "data:", "blob:"))] == []
    assert seen["said"] == []
    assert seen["found"] == [] or all(finding["impact"] == "minor" for finding in seen["found"]), seen["found"]
    # The chart is asked for where the answer does not bring it, and again when somebody looks again after a change.
    assert seen["called"] == ([] if tool == "report" else ["report"]) + ["get_state"]
    _check_shown(seen["shown"])
    _check_picture(screenshot, scheme)


def _check_picture(path: Path, scheme: str) -> None:
    """Check that the whole view was drawn once, down to its last line, in the colours of the scheme."""
    pixels = np.asarray(Image.open(path).convert("L")).astype(int)
    paper = pixels[0, 0]
    assert (paper > 200) is np.bool_(scheme == "light")
    written = np.abs(pixels - paper) > 60
    left, right = np.hsplit(written, 2)
    assert not np.array_equal(left, right)
    last, first = int(np.nonzero(written.any(axis=1))[0].max()), int(np.nonzero(written.any(axis=1))[0].min())
    assert first < 60
    assert len(pixels) - 60 < last


def _check_shown(shown: dict[str, Any]) -> None:
    assert (shown["title"], shown["here"]) == ("toy for cpu-generic", ["VALIDATE"])
    assert shown["fields"]["phase"] == "VALIDATE"
    reasons = " ".join(shown["hold"])
    assert "ON HOLD. FAIL: top1 0.8000 against 0.9000" in reasons
    assert f"edgewright approve {RUN}" in reasons
    tried = {f"toy_{word}.onnx": (ratio, value) for word, ratio, value, _ in TRIED}
    tried |= {"toy_last_int8.onnx": (0.38, build.FAILING)}
    rows = {row[0]: row[1:3] for row in shown["rows"]}
    assert set(rows) == {"toy_original.onnx", *tried}
    for name, (ratio, value) in tried.items():
        assert rows[name] == [f"{value:.4f}", f"{ratio:.2f}x ({ratio - 0.05:.2f} to {ratio + 0.05:.2f})"]
    check_places(shown["points"], {**tried, "Baseline": (1.0, build.BASELINE_VALUE)})
    assert shown["chart"]["width"] > 0
    assert all(name in shown["chart"]["alt"] for name in tried)
    assert shown["overflow"] <= 0  # nothing is cut off at the width of a chat
