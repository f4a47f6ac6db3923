"""Targets over real SSH connections on loopback: this machine's own server, and an emulated ARM64 Debian."""

import random
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import numpy as np
import onnx
import psutil
import pytest
from far_end import numpy_alone, python_with, remote
from optimize_bench import adopted, build_bench
from probe_models import keep_model, keep_regular, new_workspace, product
from sshd import SshServer, free_port, make_key, ssh_server
from tflite_bench import DEMO

from edgewright.state.artifacts import Device
from edgewright.state.errors import Code, Refused
from edgewright.tools.inheritance import inherited
from edgewright.tools.optimize.work import work
from edgewright.tools.targets import ssh
from edgewright.tools.targets.connection import Connection
from edgewright.tools.targets.enrolled import Enrolled, Targets
from edgewright.tools.targets.host import Host
from edgewright.tools.targets.request import MEMORY, ProbeRequest
from edgewright.tools.targets.target import Places
from edgewright.tools.workspace import Workspace

pytestmark = pytest.mark.system

TRIES = 50
LEFT_AFTER_S = 10
X = np.random.default_rng(5).standard_normal((20, 8)).astype(np.float32)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with ssh_server(tmp_path_factory.mktemp("keys"), free_port()) as server:
        yield server


def enrolled(server: SshServer, folder: Path, **changes: str) -> Enrolled:
    """Enrol this machine, with what a test wants otherwise."""
    usual = {"identity": str(server.keys / "id"), "python": sys.executable, "host_keys": "", **changes}
    kind = Device(usual.get("kind", "cpu-generic"))
    host_keys = usual["host_keys"] or ssh.scan("127.0.0.1", server.port)
    return Targets(folder).add(
        "bench",
        kind,
        host="127.0.0.1",
        user="root",
        port=int(usual.get("port", server.port)),
        identity=usual["identity"],
        python=usual["python"],
        host_keys=host_keys,
    )


def left(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Return which of these processes are still there when the time is up."""
    alive: list[psutil.Process] = psutil.wait_procs(processes, timeout=LEFT_AFTER_S)[1]
    return alive


def folders() -> list[Path]:
    """Return the keepers' folders on this machine."""
    return list(Path("/var/tmp").glob("edgewright-*"))


def refusal(target: Enrolled, folder: Path, inputs: np.ndarray = X) -> tuple[str, str]:
    """Return the code of what a measurement there is refused with, and the reason."""
    made = new_workspace(folder)
    (folder / "job" / "work").mkdir()
    workspace = Workspace(folder / "job" / "work", made.objects)
    model, data = keep_model(product("n", inputs.shape[1]), workspace), keep_regular(workspace, {"x": inputs})
    with remote(target, folder / "job", workspace) as place, pytest.raises(Refused) as caught:
        place.run(ProbeRequest(MEMORY, {"m": model}, data.index, 1, len(inputs)), workspace)
    return str(caught.value.refusal.code), caught.value.refusal.why


@pytest.mark.promise("P6", "P12")
class TestEachWayToFailHasARefusalOfItsOwn:
    def test_an_unknown_host_key(self, server: SshServer, tmp_path: Path) -> None:
        target = enrolled(server, tmp_path / "targets", host_keys="# nobody accepted one\n")
        assert refusal(target, tmp_path)[0] == "TARGET_KEY_UNKNOWN"

    def test_a_changed_host_key(self, server: SshServer, tmp_path: Path) -> None:
        make_key(tmp_path / "other")
        kind, key, *_ = (tmp_path / "other.pub").read_text(encoding="utf-8").split()
        target = enrolled(server, tmp_path / "targets", host_keys=f"[127.0.0.1]:{server.port} {kind} {key}\n")
        assert refusal(target, tmp_path)[0] == "TARGET_KEY_CHANGED"

    def test_a_key_that_may_not_log_in(self, server: SshServer, tmp_path: Path) -> None:
        make_key(tmp_path / "stranger")
        target = enrolled(server, tmp_path / "targets", identity=str(tmp_path / "stranger"))
        assert refusal(target, tmp_path)[0] == "TARGET_DENIED"

    def test_nobody_at_home(self, server: SshServer, tmp_path: Path) -> None:
        target = enrolled(server, tmp_path / "targets", port=str(free_port()))
        code, why = refusal(target, tmp_path)
        assert (code, "Connection refused" in why) == ("TARGET_UNREACHABLE", True)

    def test_no_such_interpreter(self, server: SshServer, tmp_path: Path) -> None:
        target = enrolled(server, tmp_path / "targets", python="/no/python3")
        assert refusal(target, tmp_path)[0] == "TARGET_UNFIT"

    @pytest.mark.parametrize("missing", ["numpy", "onnxruntime"])
    def test_a_missing_runtime(self, server: SshServer, tmp_path: Path, missing: str) -> None:
        there = [] if missing == "numpy" else [numpy_alone(tmp_path / "packages")]
        target = enrolled(server, tmp_path / "targets", python=str(python_with(tmp_path / "bare", *there)))
        code, why = refusal(target, tmp_path)
        assert (code, missing in why) == ("TARGET_UNFIT", True)

    def test_another_architecture(self, server: SshServer, tmp_path: Path) -> None:
        target = enrolled(server, tmp_path / "targets", kind="raspberry-pi-5")
        assert refusal(target, tmp_path)[0] == "TARGET_WRONG_MACHINE"

    def test_a_full_disk_there(self, tmp_path: Path) -> None:
        wide = np.zeros((20, 1 << 16), np.float32)  # 5 MB of samples, and as much again in weights
        with ssh_server(tmp_path / "keys", free_port(), small_mib=1) as small:
            assert refusal(enrolled(small, tmp_path / "targets"), tmp_path, wide)[0] == "DISK_FULL"
            assert not left(small.sessions())

    def test_somebody_elses_measurement(self, server: SshServer, tmp_path: Path) -> None:
        target = enrolled(server, tmp_path / "targets")
        with Connection(target, tmp_path / "log", inherited()):
            assert refusal(target, tmp_path)[0] == "TARGET_BUSY"


@pytest.mark.promise("P2", "P12")
def test_a_candidate_beyond_what_the_targets_runtime_loads_is_refused_as_it_is_made(
    server: SshServer, tmp_path: Path, older: Path
) -> None:
    """The target runs ONNX Runtime 1.23.2, which ends at opset 23; what is made here usually loads there too."""
    (tmp_path / "bench").mkdir()
    (tmp_path / "job" / "work").mkdir(parents=True)
    bench = build_bench(onnx.load(DEMO / "fashion_mnist_cnn.onnx"), tmp_path / "bench", 120)
    store = adopted(bench.workspace)
    workspace = Workspace(tmp_path / "job" / "work", store.folder)
    python = python_with(tmp_path / "there", older, Path(np.__file__).parents[1])
    target = enrolled(server, tmp_path / "targets", python=str(python))
    with remote(target, tmp_path / "job", workspace) as place:
        places = Places(Host(), place)
        for fits in (bench.quantize_order("int8_static"), bench.convert_order("opset", opset=23)):
            work(fits, workspace, places)
        with pytest.raises(Refused) as caught:
            work(bench.convert_order("opset", opset=24), workspace, places)
    refusal = caught.value.refusal
    assert (refusal.code, "on bench" in refusal.what) == (Code.MODEL_INVALID, True)
    assert "opset" in refusal.why.lower()


BUSY = b"""
import pathlib, signal, subprocess, sys
subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"], start_new_session=True)
pathlib.Path("errand/progress.json").write_text('{"done": 1, "total": 2, "message": "at work"}')
pathlib.Path("errand/scratch").write_bytes(bytes(1 << 20))
signal.pause()
"""


class Session:
    """A measurement at work on a target."""

    def __init__(self, target: Enrolled, folder: Path) -> None:
        self.connection = Connection(target, folder / "ssh.log", inherited())
        self.refused: list[str] = []
        self._thread = Thread(target=self._measure, daemon=True)

    def begin(self) -> None:
        """Start it and wait until the probe is at work."""
        self.connection.__enter__()
        self.connection.put_bytes(BUSY, "probe.pyz")
        self.connection.put_bytes(b"{}", "errand/request.json")
        reader, writer = socket.socketpair()
        self._told = writer
        self._thread.start()
        with reader:
            assert reader.recv(1) == b"!"

    def _measure(self) -> None:
        def watcher(_note: object) -> None:
            self._told.send(b"!")
            self._told.close()

        try:
            self.connection.run(bundle="probe.pyz", folder="errand", threads=1, limit_s=600, watcher=watcher)
        except Refused as refused:
            self.refused.append(str(refused.refusal.code))

    def end(self) -> None:
        self.connection.__exit__(None, None, None)
        self._thread.join()


def kill_the_client(session: Session, _server: list[psutil.Process]) -> None:
    session.connection._process.kill()


def drop_the_connection(_session: Session, server: list[psutil.Process]) -> None:
    server[0].kill()


def lose_the_network(session: Session, _server: list[psutil.Process]) -> None:
    """Nothing comes any more, and nobody says so: the server itself waits on for its client."""
    session.connection._process.send_signal(signal.SIGSTOP)


WAYS: list[Callable[[Session, list[psutil.Process]], None]] = [kill_the_client, drop_the_connection] * 4
WAYS += [lose_the_network] * 2


@pytest.mark.promise("P11")
@pytest.mark.timeout(1200)
def test_nothing_is_left_on_a_target_whichever_way_the_connection_ends(server: SshServer, tmp_path: Path) -> None:
    target = enrolled(server, tmp_path / "targets")
    chance = random.Random(50)
    for number in range(TRIES):
        session = Session(target, tmp_path)
        session.begin()
        servers = [process for process in server.sessions() if "sshd" in process.name()]
        there = [process for process in server.sessions() if process not in servers]
        assert len(there) >= 3, "keeper, probe and what the probe started"
        assert folders()
        way = chance.choice(WAYS) if number >= len(WAYS) else WAYS[number]
        way(session, servers)
        assert not left(there), (number, way.__name__)
        assert not folders(), (number, way.__name__)
        if way is lose_the_network:
            session.connection._process.kill()
        session.end()
        assert session.refused == ["TARGET_LOST"]


@pytest.mark.promise("P6")
def test_a_person_enrols_looks_at_and_forgets_a_target(server: SshServer, tmp_path: Path) -> None:
    def edgewright(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "edgewright.server", "target", *words, "--state-folder", str(tmp_path)]
        return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)

    add = ["add", "bench", "--kind", "cpu-generic", "--host", "127.0.0.1", "--port", str(server.port)]
    add += ["--user", "root", "--identity", str(server.keys / "id"), "--python", sys.executable]
    unasked = edgewright(*add)
    assert (unasked.returncode, server.fingerprint in unasked.stdout) == (1, True)
    wrong = edgewright(*add, "--fingerprint", "SHA256:somebodyelse")
    assert (wrong.returncode, edgewright("list").stdout) == (1, "")
    right = edgewright(*add, "--fingerprint", server.fingerprint)
    assert right.returncode == 0, right.stderr
    assert "onnxruntime" in right.stdout
    assert "bench" in edgewright("list").stdout
    assert edgewright("check", "bench").returncode == 0
    assert edgewright("remove", "bench").returncode == 0
    assert "no target of that alias" in edgewright("check", "bench").stderr
