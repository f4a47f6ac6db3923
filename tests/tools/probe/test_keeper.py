"""The keeper over plain pipes, as it runs behind an SSH connection: a private folder, a life line, nothing left."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgewright.tools.probe import clocks, keeper
from edgewright.tools.targets.bundle import write_bundle

SOURCE = Path(keeper.__file__).read_bytes()


class Far:
    """One keeper and our end of its line."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-c", f"import sys;exec(sys.stdin.buffer.read({len(SOURCE)}))"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.write(SOURCE)
        assert self.read() == {"greeting": keeper.GREETING}
        self.hello = self.read()

    def write(self, content: bytes) -> None:
        assert self.process.stdin
        self.process.stdin.write(content)
        self.process.stdin.flush()

    def read(self) -> dict[str, Any]:
        assert self.process.stdout
        message: dict[str, Any] = json.loads(self.process.stdout.readline())
        return message

    def ask(self, content: bytes = b"", **message: object) -> dict[str, Any]:
        self.write(json.dumps(message).encode() + b"\n" + content)
        return self.read()

    def put(self, name: str, content: bytes) -> dict[str, Any]:
        digest = hashlib.sha256(content).hexdigest()
        return self.ask(content, do="put", name=name, size=len(content), sha256=digest)

    def begin(self, probe: str) -> Path:
        """Start a program in the probe's place and wait until it is at work; return the folder."""
        self.put("probe.pyz", probe.encode())
        self.put("errand/request.json", b"{}")
        self.write(b'{"do": "run", "bundle": "probe.pyz", "folder": "errand", "threads": 1, "limit_s": 60}\n')
        assert self.read() == {"progress": {"done": 1}}
        return Path(self.hello["folder"])

    def end(self) -> None:
        """Close the line and wait for the end."""
        assert self.process.stdin
        assert self.process.stdout
        if not self.process.stdin.closed:
            self.process.stdin.close()
        self.process.stdout.read()
        self.process.stdout.close()
        self.process.wait()


@pytest.fixture
def far() -> Iterator[Far]:
    """A keeper; it is gone, with its folder, after the test."""
    far = Far()
    yield far
    far.end()
    assert not Path(far.hello["folder"]).exists()


BUSY = """
import os, pathlib, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"], start_new_session=True)
pathlib.Path("errand/pids").write_text(f"{os.getpid()} {child.pid}")
pathlib.Path("errand/progress.json").write_text('{"done": 1}')
child.wait()
"""


def gone(pid: int) -> bool:
    """Whether a process has ended; one that nobody has reaped yet has ended too."""
    try:
        return "State:\tZ" in Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_it_says_what_its_machine_has(far: Far) -> None:
    assert far.hello["python"] == ".".join(map(str, sys.version_info[:3]))
    assert far.hello["modules"]["onnxruntime"]
    assert far.hello["free_bytes"] > 0
    assert Path(far.hello["folder"]).stat().st_mode & 0o777 == 0o700


def test_a_file_has_its_name_only_with_the_digest_that_it_was_announced_with(far: Far) -> None:
    folder = Path(far.hello["folder"])
    assert far.put("model", b"weights") == {"ok": True}
    assert (folder / "model").read_bytes() == b"weights"
    answer = far.ask(b"others!", do="put", name="other", size=7, sha256=hashlib.sha256(b"weights").hexdigest())
    assert answer["error"]["kind"] == "digest"
    assert sorted(path.name for path in folder.iterdir()) == ["model"]


@pytest.mark.parametrize("name", ["../out", "/etc/passwd", "a/b/c", ".hidden", "a/../../out", ""])
def test_a_name_that_leads_out_of_its_folder_ends_the_session(name: str) -> None:
    far = Far()
    far.write(json.dumps({"do": "put", "name": name, "size": 0, "sha256": ""}).encode() + b"\n")
    far.end()
    assert far.process.returncode != 0
    assert not Path(far.hello["folder"]).exists()


def test_what_the_probe_leaves_is_listed_and_fetched(far: Far) -> None:
    far.put("probe.pyz", b"import pathlib; pathlib.Path('errand/answer.json').write_text('42'); print('said')")
    far.put("errand/request.json", b"{}")
    ended = far.ask(do="run", bundle="probe.pyz", folder="errand", threads=1, limit_s=60)
    assert (ended["status"], ended["files"]["answer.json"], ended["log"]) == (0, 2, "said\n")
    assert far.ask(do="get", folder="errand", name="answer.json") == {"size": 2}
    assert far.process.stdout
    assert far.process.stdout.read(2) == b"42"
    assert far.ask(do="drop", folder="errand") == {"ok": True}
    assert not (Path(far.hello["folder"]) / "errand").exists()


def test_a_probe_that_passes_its_limit_is_ended(far: Far) -> None:
    far.put("probe.pyz", b"import signal; signal.pause()")
    far.put("errand/request.json", b"{}")
    ended = far.ask(do="run", bundle="probe.pyz", folder="errand", threads=1, limit_s=0.1)
    assert ended["status"] == "limit"


@pytest.mark.promise("P11")
@pytest.mark.parametrize("how", ["closed", "silent", "asked to end"])
def test_a_line_that_is_cut_ends_every_process_and_removes_every_file(how: str) -> None:
    far = Far()
    folder = far.begin(BUSY)
    pids = [int(pid) for pid in (folder / "errand/pids").read_text(encoding="utf-8").split()]
    assert not any(gone(pid) for pid in pids)
    if how == "asked to end":
        os.kill(far.process.pid, signal.SIGTERM)
    if how == "silent":  # a network that is gone closes nothing
        far.process.wait()
    far.end()
    assert all(gone(pid) for pid in pids)
    assert not folder.exists()


@pytest.mark.promise("P11")
def test_what_a_killed_keeper_left_is_removed_by_the_next() -> None:
    far = Far()
    folder = far.begin(BUSY)
    pids = [int(pid) for pid in (folder / "errand/pids").read_text(encoding="utf-8").split()]
    far.process.kill()
    far.end()
    assert folder.exists()
    after = Far()
    assert not folder.exists()
    after.end()
    for pid in pids:  # the probe itself ends with its parent (lifeline); this stand-in does not
        if not gone(pid):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.promise("P10")
def test_two_sessions_never_measure_on_one_machine_at_once(far: Far) -> None:
    other = subprocess.run(
        [sys.executable, "-I", "-c", SOURCE.decode()], input=b"", capture_output=True, check=True
    ).stdout.splitlines()
    assert json.loads(other[1])["error"]["kind"] == "busy"
    assert far.put("still", b"there") == {"ok": True}


SUDO = """#!/bin/sh
shift
echo "$@" >> "$SUDO_LOG"
exec "$@"
"""


@pytest.fixture
def governors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for `sudo`, and a folder for the governors of a machine that has none."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "sudo").write_text(SUDO, encoding="utf-8")
    (tmp_path / "bin" / "sudo").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("SUDO_LOG", str(tmp_path / "log"))
    for number, governor in enumerate(("ondemand", "schedutil")):
        (tmp_path / f"policy{number}").mkdir()
        (tmp_path / f"policy{number}" / "scaling_governor").write_text(f"{governor}\n", encoding="ascii")
    return tmp_path


def governor_of(folder: Path) -> list[str]:
    return [path.read_text(encoding="ascii").strip() for path in sorted(folder.glob("policy*/scaling_governor"))]


@pytest.mark.promise("P10")
@pytest.mark.parametrize("how", ["closed", "silent"])
def test_clocks_that_were_held_are_put_back_when_the_session_ends(
    governors: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    source = (
        Path(clocks.__file__)
        .read_text(encoding="utf-8")
        .replace(clocks.POLICIES, f"{governors}/policy*/scaling_governor")
    )
    with zipfile.ZipFile(tmp_path / "probe.pyz", "w") as archive:
        for package in ("edgewright", "edgewright/tools", "edgewright/tools/probe"):
            archive.writestr(f"{package}/__init__.py", "")
        archive.writestr("edgewright/tools/probe/clocks.py", source)
    far = Far()
    far.put("probe.pyz", (tmp_path / "probe.pyz").read_bytes())
    assert far.ask(do="lock", bundle="probe.pyz") == {"locked": "performance governor"}
    assert governor_of(governors) == ["performance", "performance"]
    if how == "silent":
        far.process.wait()
    far.end()
    assert governor_of(governors) == ["ondemand", "schedutil"]


def test_clocks_that_nobody_may_hold_are_left_and_that_is_said(far: Far, tmp_path: Path) -> None:
    write_bundle(tmp_path / "probe.pyz")
    far.put("probe.pyz", (tmp_path / "probe.pyz").read_bytes())
    answer = far.ask(do="lock", bundle="probe.pyz")
    assert answer["error"]["kind"] == "clocks"
    assert far.put("still", b"there") == {"ok": True}


def test_a_jetson_is_held_by_its_own_script_and_restored_from_what_that_stored(governors: Path) -> None:
    (governors / "bin" / "jetson_clocks").write_text("#!/bin/sh\nexit 0\n", encoding="utf-8")
    (governors / "bin" / "jetson_clocks").chmod(0o755)
    how, restore = clocks.lock(str(governors))
    restore()
    asked = (governors / "log").read_text(encoding="utf-8").splitlines()
    stored = governors / "clocks"
    assert how == "jetson_clocks"
    assert asked == [f"jetson_clocks --store {stored}", "jetson_clocks", f"jetson_clocks --restore {stored}"]
