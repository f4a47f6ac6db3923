"""The approval page in Chromium: a person accepts, and a second browser, a frame and another site's form do not."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import run_builder as build

from edgewright.server.house import House
from edgewright.server.settings import Settings
from edgewright.state.phases import Phase
from edgewright.state.policy import Level
from edgewright.tools.authority.enrolment import Cost

pytestmark = [pytest.mark.system, pytest.mark.promise("P3")]

Browse = Callable[..., dict[str, Any]]
PASSPHRASE = "correct horse battery"
RUN = "run-held"
SECONDS = 30


@pytest.fixture
def house(tmp_path: Path) -> House:
    """A run on hold, with a person enrolled."""
    opened = House.open(Settings(state_folder=tmp_path / "state"))
    opened.authority.enrol(PASSPHRASE, Cost(n=1 << 10))
    with opened.ledger.change() as change:
        change.append(RUN, *build.past(Phase.VALIDATE, build.FAILING))
    return opened


@pytest.fixture
def served(house: House, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], str, Path]]:
    """The command that serves the page, the page's address, and everything that the command says."""
    said = tmp_path / "said.txt"
    command = [sys.executable, "-m", "edgewright.server", "approve", RUN, "--page"]
    command += ["--state-folder", str(house.settings.state_folder)]
    with said.open("wb") as stream:
        # No browser of this machine's is to be the first.
        process = subprocess.Popen(command, stdout=stream, stderr=stream, env={**os.environ, "BROWSER": "true"})
    deadline = time.monotonic() + SECONDS
    while not (found := re.search(r"http://127\.0\.0\.1:\d+/[\w-]+", said.read_text())):
        assert process.poll() is None, said.read_text()
        assert time.monotonic() < deadline
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.05)
    yield process, found[0], said
    process.terminate()
    process.wait()


def test_a_person_accepts_in_a_browser_and_nobody_else_can(
    house: House, served: tuple[subprocess.Popen[bytes], str, Path], tmp_path: Path, browse: Browse
) -> None:
    process, address, said = served
    seen = browse("approval_in_browser.cjs", address, str(tmp_path / "page.png"), said=PASSPHRASE)
    assert seen["said"] == []
    assert [finding for finding in seen["found"] if finding["impact"] != "minor"] == []
    assert any("floor 0.882" in figure for figure in seen["figures"])
    assert (seen["second"], seen["framed"], seen["csrf"], seen["readable"]) == (403, False, 403, "")
    assert seen["accepted"] == {"status": 200, "text": "Accepted. You can close this page."}
    assert process.wait(SECONDS) == 0
    with house.ledger.read() as look:
        (waiver,) = look.run(RUN).waivers
    assert (waiver.level, waiver.approver) == (Level.OUT_OF_BAND, "Ada")
    assert PASSPHRASE not in said.read_text()
    files = [path for path in house.settings.state_folder.rglob("*") if path.is_file()]
    assert [path for path in files if PASSPHRASE.encode() in path.read_bytes()] == []
