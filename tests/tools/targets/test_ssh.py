"""How OpenSSH is called, and what its words mean: those of OpenSSH 9.2p1, which the system tests hear live."""

from pathlib import Path

import pytest
from far_end import enrol

from edgewright.state.artifacts import Device
from edgewright.state.errors import Code, Refused
from edgewright.tools.targets import ssh
from edgewright.tools.targets.check import install_line, offline_lines
from edgewright.tools.targets.enrolled import Targets

CHANGED = """@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
Host key verification failed."""


@pytest.mark.promise("P6", "P12")
@pytest.mark.parametrize(
    ("status", "said", "code"),
    [
        (255, "No ED25519 host key is known for [h]:22 and you have requested strict checking.", "TARGET_KEY_UNKNOWN"),
        (255, CHANGED, "TARGET_KEY_CHANGED"),
        (255, "somebody@h: Permission denied (publickey).", "TARGET_DENIED"),
        (255, "ssh: connect to host h port 22: Connection refused", "TARGET_UNREACHABLE"),
        (255, "ssh: Could not resolve hostname h: Name or service not known", "TARGET_UNREACHABLE"),
        (255, "", "TARGET_UNREACHABLE"),
        (127, "sh: 1: exec: python3: not found", "TARGET_UNFIT"),
    ],
)
def test_each_failure_of_ssh_is_a_refusal_of_its_own(tmp_path: Path, status: int, said: str, code: str) -> None:
    log = tmp_path / "log"
    log.write_text(said, encoding="utf-8")
    refusal = ssh.failure(enrol(tmp_path), status, log).refusal
    assert refusal.code is Code(code)
    assert "bench" in refusal.what
    assert not any(clause.endswith(".") for clause in (refusal.what, refusal.why, refusal.do))


@pytest.mark.promise("P6")
def test_only_host_keys_that_a_person_accepted_count_and_nothing_of_ours_is_forwarded(tmp_path: Path) -> None:
    target = enrol(tmp_path)
    arguments = ssh.command(target, "true")
    options = {arguments[number + 1] for number, argument in enumerate(arguments) if argument == "-o"}
    assert {
        "StrictHostKeyChecking=yes",
        f"UserKnownHostsFile={target.known_hosts}",
        "GlobalKnownHostsFile=/dev/null",
        "BatchMode=yes",
        "ForwardAgent=no",
        "ClearAllForwardings=yes",
    } <= options
    assert arguments[:3] == ["ssh", "-F", "none"]
    assert arguments[-3:] == ["--", "somebody@localhost", "true"]


class TestEnrolments:
    def test_what_was_enrolled_is_found_and_what_was_removed_is_not(self, tmp_path: Path) -> None:
        target = enrol(tmp_path)
        targets = Targets(tmp_path)
        assert (targets.all(), targets.named("bench")) == ((target,), target)
        targets.remove("bench")
        assert targets.all() == ()
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        "changed",
        [
            {"alias": "Bench"},
            {"alias": "../bench"},
            {"host": "-oProxyCommand=sh"},
            {"host": "a b"},
            {"user": "root;sh"},
            {"python": "python3 -c 1;"},
            {"python": "$(sh)"},
            {"identity": "/no/such/key"},
        ],
    )
    def test_words_that_ssh_or_a_shell_could_take_for_more_are_refused(
        self, tmp_path: Path, changed: dict[str, str]
    ) -> None:
        usual = {"alias": "bench", "host": "h", "user": "u", "identity": "", "python": "python3", **changed}
        with pytest.raises(Refused):
            Targets(tmp_path).add(
                usual["alias"],
                Device.CPU_GENERIC,
                host=usual["host"],
                user=usual["user"],
                port=22,
                identity=usual["identity"],
                python=usual["python"],
                host_keys="",
            )
        assert Targets(tmp_path).all() == ()

    def test_an_alias_is_taken_once(self, tmp_path: Path) -> None:
        enrol(tmp_path)
        with pytest.raises(Refused, match="enrolled already"):
            enrol(tmp_path)


class TestInstallLines:
    def test_an_interpreter_of_the_distribution_gets_an_environment_beside_it(self, tmp_path: Path) -> None:
        line = install_line(enrol(tmp_path), ["numpy", "onnxruntime"], (3, 10))
        assert "venv" in line
        assert "numpy==2.2.6 onnxruntime==1.23.2" in line

    def test_a_newer_python_takes_the_newest(self, tmp_path: Path) -> None:
        line = install_line(enrol(tmp_path, python="/opt/edge/bin/python"), ["onnxruntime"], (3, 13))
        assert line.startswith("/opt/edge/bin/python -m pip install onnxruntime ")

    def test_a_target_without_network_gets_its_wheels_from_here(self) -> None:
        here, there = offline_lines(["onnxruntime"], (3, 10), "aarch64").splitlines()
        assert "--abi cp310" in here
        assert "manylinux_2_28_aarch64" in here
        assert "--no-index" in there
