"""The command line, as a person uses it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from run_builder import past

from edgewright.server import doctor
from edgewright.server.house import House
from edgewright.server.settings import Settings
from edgewright.state.phases import Phase


def edgewright(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "edgewright.server", *arguments], capture_output=True, text=True, check=False
    )


def test_doctor_says_what_is_there_and_what_would_change_what_is_not(tmp_path: Path) -> None:
    done = edgewright("doctor", "--state-folder", str(tmp_path))
    assert done.returncode == 0, done.stdout
    assert "ONNX Runtime" in done.stdout
    assert "Landlock" in done.stdout
    assert "-> edgewright serve --root FOLDER" in done.stdout


def test_doctor_fails_with_the_line_that_installs_what_the_core_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "version_of", lambda _runtime: None)
    assert doctor.report(Settings(state_folder=tmp_path)) == 1
    assert "pip install onnxruntime" in capsys.readouterr().out


def test_runs_and_state_show_what_the_ledger_holds(tmp_path: Path) -> None:
    with House.open(Settings(state_folder=tmp_path)).ledger.change() as change:
        change.append("run-abc", *past(Phase.OPTIMIZE))
    runs = edgewright("runs", "--state-folder", str(tmp_path))
    state = edgewright("state", "run-abc", "--state-folder", str(tmp_path))
    assert "run-abc  OPTIMIZE" in runs.stdout
    assert state.stdout.startswith("<model-opt-state>\nphase: OPTIMIZE\n")
    unknown = edgewright("state", "run-x", "--state-folder", str(tmp_path))
    assert unknown.returncode == 1
    assert "Refused: run 'run-x'" in unknown.stderr


@pytest.mark.promise("P3")
def test_a_configuration_that_is_refused_is_named_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "config.toml"
    config.write_text("tolerance_capp = 0.5\n")
    monkeypatch.setenv("EDGEWRIGHT_CONFIG", str(config))
    done = edgewright("runs", "--state-folder", str(tmp_path))
    assert done.returncode == 1
    assert f"the configuration ({config}) is refused: tolerance_capp" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.promise("P11")
def test_a_ledger_that_is_no_database_is_named_and_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "edgewright.db").write_bytes(b"not a database" * 1000)
    done = edgewright("serve", "--state-folder", str(tmp_path))
    assert done.returncode == 1
    assert "The ledger's file cannot be read" in done.stderr
    assert (tmp_path / "edgewright.db").read_bytes() == b"not a database" * 1000


@pytest.mark.parametrize("client", ["claude-desktop", "cursor", "vscode"])
def test_a_client_snippet_is_json_that_starts_this_server(client: str, tmp_path: Path) -> None:
    done = edgewright("client-config", client, "--root", str(tmp_path))
    server = next(iter(json.loads(done.stdout).values()))["edgewright"]
    assert server["command"] == sys.executable
    assert server["args"][0] == "-I"  # a client starts it in the project folder: no module there may pass for ours
    assert server["args"][-2:] == ["--root", str(tmp_path)]


def test_the_snippet_for_claude_code_is_one_command(tmp_path: Path) -> None:
    done = edgewright("client-config", "claude-code", "--root", str(tmp_path))
    assert done.stdout.startswith("claude mcp add edgewright -- ")
