"""The Inspector, an independent client on the TypeScript SDK, against the real server over stdio."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from edgewright.server.catalog import CATALOG

pytestmark = pytest.mark.system

TOOL_ERROR = 5  # the Inspector's exit status for a result with isError
ERAS = ["legacy", "modern"]


@pytest.fixture
def inspect(tmp_path: Path, node: Path, inspector: Path, environment: dict[str, str]):  # noqa: ANN201 - a closure
    """Return what runs one method on a server of its own."""

    def inspected(*arguments: str) -> "subprocess.CompletedProcess[str]":
        server = [sys.executable, "-m", "edgewright.server", "serve", "--state-folder", str(tmp_path / "state")]
        return subprocess.run(
            [str(node), str(inspector), "--cli", *server, *arguments],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            encoding="utf-8",
            timeout=120,
            check=False,
        )

    return inspected


@pytest.mark.parametrize("era", ERAS)
def test_the_tools_schemas_are_portable(inspect, era: str) -> None:  # noqa: ANN001
    done = inspect("--method", "tools/list", "--strict", "--protocol-era", era)
    assert done.returncode == 0, done.stderr
    assert [tool["name"] for tool in json.loads(done.stdout)["tools"]] == list(CATALOG)
    assert "warning" not in done.stderr.lower(), done.stderr


@pytest.mark.parametrize("era", ERAS)
def test_a_refusal_reaches_the_client_as_an_error_in_our_words(inspect, era: str) -> None:  # noqa: ANN001
    call = ["--method", "tools/call", "--tool-name", "quantize", "--tool-arg", "run=run-1", "scheme=fp16"]
    done = inspect(*call, "--format", "json", "--protocol-era", era)
    assert done.returncode == TOOL_ERROR, done.stderr
    result = json.loads(done.stdout)["result"]
    assert result["structuredContent"]["code"] == "UNKNOWN_RUN"
    assert result["structuredContent"]["next"][0]["tool"] == "get_state"
    assert result["content"][0]["text"].startswith("Refused: ")


@pytest.mark.parametrize("era", ERAS)
def test_an_answer_fits_its_published_schema(inspect, era: str) -> None:  # noqa: ANN001
    done = inspect("--method", "tools/call", "--tool-name", "get_state", "--format", "json", "--protocol-era", era)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["result"]["structuredContent"]["status"] == "done"
