"""The official MCP conformance suite against the real server over HTTP, at both protocol revisions.

What it may fail is in `conformance-REVISION.yml`, each entry with its reason; a new failure fails here, and so does an
entry that passes.
"""

import json
import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from http_process import authorized, http_server

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]

HERE = Path(__file__).parent

# Scenarios that say something about any server, and how many of their checks this one passes: fewer is a regression
# even where the suite skips what it cannot reach.
MEANINGFUL = {
    "2026-07-28": {
        "server-stateless": 26,
        "tools-list": 4,
        "resources-list": 2,
        "prompts-list": 2,
        "completion-complete": 2,
        "sep-2164-resource-not-found": 4,
        "caching": 8,
        "dns-rebinding-protection": 2,
        "http-header-validation": 14,
        "input-required-result-unsupported-methods": 2,
        "input-required-result-ignore-extra-params": 2,
    },
    "2025-11-25": {
        "server-initialize": 3,
        "ping": 2,
        "server-session-lifecycle": 3,
        "tools-list": 3,
        "resources-list": 2,
        "resources-subscribe": 2,
        "resources-unsubscribe": 2,
        "prompts-list": 2,
        "completion-complete": 2,
        "server-sse-multiple-streams": 2,
        "dns-rebinding-protection": 2,
    },
}


@pytest.mark.parametrize("revision", MEANINGFUL)
def test_nothing_fails_but_what_the_baseline_explains(
    revision: str, tmp_path: Path, node: Path, conformance: Path, environment: dict[str, str]
) -> None:
    command = [str(node), str(conformance), "server", "--requirements", revision, "-o", str(tmp_path / "results")]
    command += ["--expected-failures", str(baseline(revision))]
    with http_server(tmp_path / "state") as server, authorized(server) as url:
        done = subprocess.run(
            [*command, "--url", url], env=environment, capture_output=True, encoding="utf-8", check=False
        )
    assert done.returncode == 0, done.stdout[done.stdout.find("=== SUMMARY") :] + done.stderr
    passed, broken_wire = results(tmp_path / "results")
    print(f"{revision}: {sum(passed.values())} checks passed")  # noqa: T201 - the count that the documentation states
    assert broken_wire == []
    assert {name: passed[name] for name in MEANINGFUL[revision]} == MEANINGFUL[revision]


def results(folder: Path) -> tuple[Counter[str], list[str]]:
    """Return how many checks each scenario passed, and the scenarios with a message that the schema does not allow."""
    passed: Counter[str] = Counter()
    broken_wire = []
    for path in folder.glob("*/checks.json"):
        scenario = re.sub(r"^server-(.+)-\d{4}-\d\d-\d\dT.*$", r"\1", path.parent.name)
        for check in json.loads(path.read_text(encoding="utf-8")):
            passed[scenario] += check["status"] == "SUCCESS"
            if check["id"].startswith("wire-schema") and check["status"] != "SUCCESS":
                broken_wire.append(scenario)
    return passed, broken_wire


@pytest.mark.parametrize("revision", MEANINGFUL)
def test_every_expected_failure_names_one_check_and_its_reason(revision: str) -> None:
    entries = [line for line in baseline(revision).read_text(encoding="utf-8").splitlines() if "- " in line[:4]]
    assert entries
    for entry in entries:
        assert re.fullmatch(r"  - [a-z0-9-]+:[a-z0-9-]+ # .{10,}", entry), entry


def baseline(revision: str) -> Path:
    return HERE / f"conformance-{revision}.yml"
