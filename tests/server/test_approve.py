"""A person at a terminal: enrols once, reads the figures, accepts with the passphrase, or has a key elsewhere sign."""

import json
import os
import pty
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import run_builder as build
from workflow import Connect

from edgewright.server.acceptances import draft, grant, pending, read_signed, signed
from edgewright.server.house import House
from edgewright.server.settings import Settings
from edgewright.state.codec import encode
from edgewright.state.errors import Code, EdgewrightError, Refused
from edgewright.state.events import Event, Reverted
from edgewright.state.phases import Phase
from edgewright.state.policy import Level, Policy
from edgewright.state.run import Run
from edgewright.state.waivers import Waiver
from edgewright.tools.authority.enrolment import Authority, Cost, WrongPassphrase
from edgewright.tools.authority.signatures import Namespace, verify

pytestmark = pytest.mark.anyio

RUN = "run-abc"
SECONDS = 60
PASSPHRASE = "correct horse battery"
CHEAP = Cost(n=1 << 10)


def hold(settings: Settings) -> House:
    house = House.open(settings)
    _, *past = build.past(Phase.VALIDATE, build.FAILING)
    with house.ledger.change() as change:
        change.append(RUN, build.started(policy=Policy(least_level=settings.least_level)), *past)
    return house


@pytest.fixture
def house(settings: Settings) -> House:
    """A run on hold, with a person enrolled."""
    opened = hold(settings)
    Authority(settings.state_folder).enrol(PASSPHRASE, CHEAP)
    return opened


def drafted(house: House, level: Level = Level.OUT_OF_BAND) -> Waiver:
    return draft(*pending(house, RUN), level, approver="Ada", reason="a demo")


def run_of(house: House) -> Run:
    with house.ledger.read() as look:
        return look.run(RUN)


def at_a_terminal(*arguments: str, answers: dict[str, str]) -> tuple[int, str]:
    """Run the command line with a terminal of its own, typing each answer at its prompt."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "-m", "edgewright.server", *arguments])
    shown, waiting = b"", dict(answers)
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        if not select.select([terminal], [], [], 1)[0]:
            continue
        try:
            shown += os.read(terminal, 4096)
        except OSError:  # the other end is gone
            break
        for prompt in [prompt for prompt in waiting if prompt.encode() in shown.splitlines()[-1]]:
            os.write(terminal, f"{waiting.pop(prompt)}\n".encode())
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown.decode()


@pytest.mark.promise("P3")
def test_a_person_enrols_and_accepts_at_a_terminal_and_the_passphrase_is_left_nowhere(settings: Settings) -> None:
    house = hold(settings)
    folder = ("--state-folder", str(settings.state_folder))
    status, shown = at_a_terminal("enrol", *folder, answers={"New passphrase": PASSPHRASE, "Once more": PASSPHRASE})
    assert status == 0, shown
    assert 'edgewright-server namespaces="edgewright-manifest" ssh-ed25519 ' in shown
    again, refusal = at_a_terminal("enrol", *folder, answers={})
    assert (again, "somebody is enrolled" in refusal) == (1, True)
    answers = {"Type ACCEPT": "ACCEPT", "Your name": "Ada", "Why": "a demo", "Passphrase": PASSPHRASE}
    status, typed = at_a_terminal("approve", RUN, *folder, answers=answers)
    assert status == 0, typed
    for figure in ("top1 (n=1000)", "Baseline: 0.9", "Candidate: 0.8", "11.11% (tolerance 2.00%, floor 0.882)"):
        assert figure in typed
    (waiver,) = run_of(house).waivers
    assert (waiver.level, waiver.approver, waiver.reason) == (Level.OUT_OF_BAND, "Ada", "a demo")
    pinned = Authority(settings.state_folder).allowed_signers
    signer = verify(encode(waiver.unsigned).encode(), waiver.signature, Namespace.WAIVER, pinned)
    assert signer == "edgewright-approver"
    assert PASSPHRASE not in shown + typed
    files = [path for path in settings.state_folder.rglob("*") if path.is_file()]
    assert [path for path in files if PASSPHRASE.encode() in path.read_bytes()] == []


# Stands before OpenSSH's tool, and writes down what any program on this machine could see of it.
SPY = """#!/bin/sh
for seen in self/environ self/cmdline $PPID/environ $PPID/cmdline; do tr '\\0' '\\n' < /proc/$seen >> SEEN; done
printf '%s\\n' "$@" >> SEEN
exec TOOL "$@"
"""


@pytest.mark.promise("P3", "P4")
async def test_the_passphrase_is_in_no_argument_environment_answer_or_file(
    settings: Settings, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, tool = tmp_path / "seen", shutil.which("ssh-keygen")
    (tmp_path / "bin").mkdir()
    spy = tmp_path / "bin" / "ssh-keygen"
    spy.write_text(SPY.replace("SEEN", str(seen)).replace("TOOL", str(tool)), encoding="utf-8")
    spy.chmod(0o755)
    monkeypatch.setenv("PATH", f"{spy.parent}:{os.environ['PATH']}")
    hold(settings)
    folder = ("--state-folder", str(settings.state_folder))
    at_a_terminal("enrol", *folder, answers={"New passphrase": PASSPHRASE, "Once more": PASSPHRASE})
    answers = {"Type ACCEPT": "ACCEPT", "Your name": "Ada", "Why": "a demo", "Passphrase": PASSPHRASE}
    status, shown = at_a_terminal("approve", RUN, *folder, answers=answers)
    assert status == 0, shown
    async with connect() as client:
        answered = [(await client.call_tool("get_state", {"run": RUN, "detail": "full"})).model_dump_json()]
        answered += [str(tool.input_schema) for tool in (await client.list_tools()).tools]
    left = [path.read_text(errors="replace") for path in settings.state_folder.rglob("*") if path.is_file()]
    assert "approve" in seen.read_text()  # it did watch
    for text in (seen.read_text(), *answered, *left):
        assert PASSPHRASE not in text


@pytest.mark.promise("P3")
def test_whoever_does_not_type_the_word_accepts_nothing(house: House, settings: Settings) -> None:
    folder = ("--state-folder", str(settings.state_folder))
    status, shown = at_a_terminal("approve", RUN, *folder, answers={"Type ACCEPT": "yes"})
    assert (status, "nothing was accepted" in shown) == (1, True)
    assert run_of(house).waivers == ()


@pytest.mark.promise("P3")
@pytest.mark.parametrize("command", [("enrol",), ("approve", RUN, "--name", "Ada", "--reason", "x")], ids=str)
def test_a_passphrase_in_a_pipe_is_not_taken(settings: Settings, command: tuple[str, ...]) -> None:
    house = hold(settings)
    if command[0] == "approve":
        Authority(settings.state_folder).enrol(PASSPHRASE, CHEAP)
    ended = subprocess.run(
        [sys.executable, "-m", "edgewright.server", *command, "--state-folder", str(settings.state_folder)],
        input=f"ACCEPT\n{PASSPHRASE}\n{PASSPHRASE}\n",
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,  # no terminal to fall back on
    )
    assert ended.returncode == 1
    assert "typed at a terminal" in ended.stderr
    assert run_of(house).waivers == ()


@pytest.mark.promise("P3")
def test_a_wrong_passphrase_accepts_nothing(house: House, settings: Settings) -> None:
    authority = Authority(settings.state_folder)
    with pytest.raises(WrongPassphrase):
        signed(drafted(house), authority, "a wrong passphrase")
    assert run_of(house).waivers == ()


@pytest.mark.promise("P3")
def test_an_acceptance_counts_once(house: House, settings: Settings) -> None:
    waiver = signed(drafted(house), Authority(settings.state_folder), PASSPHRASE)
    assert grant(house, waiver).waivers == (waiver,)
    with pytest.raises(Refused) as caught:
        grant(house, waiver)
    assert caught.value.refusal.code is Code.NOTHING_TO_ACCEPT
    with house.ledger.change() as change:
        change.append(RUN, *_again())
    with pytest.raises(Refused, match="it was given before"):
        grant(house, waiver)


def _again() -> tuple[Event, ...]:
    of = build.digest("candidate")
    return (
        Reverted(of),
        build.candidate(),
        build.benchmarked(of),
        build.validated(of, build.FAILING),
    )


TAMPERED: list[tuple[str, object]] = [
    ("run", "run-other"),
    ("artifact", build.digest("second")),
    ("artifact", build.digest("candidate").upper()),
    ("reference", build.digest("second")),
    ("reference", ""),
    ("dataset", build.digest("calibration")),
    ("dataset", ""),
    ("metric", "top5"),
    ("metric", "top1 "),
    ("floor", 0.8),
    ("floor", 0.8820000000000001),
    ("floor", 0),
    ("value", 0.80000001),
    ("value", 0.9),
    ("value", -1.0),
    ("n", 999),
    ("n", 100000),
    ("kind", "format"),
    ("level", "L2"),
    ("level", "L1"),
    ("level", "L4"),
    ("approver", "Eve"),
    ("approver", ""),
    ("reason", "because"),
    ("reason", ""),
    ("issued", "2020-01-01T00:00:00+00:00"),
    ("issued", "later"),
    ("expires", "2099-01-01T00:00:00+00:00"),
    ("expires", ""),
    ("nonce", "0" * 32),
    ("nonce", ""),
    ("signature", "-----BEGIN SSH SIGNATURE-----"),
]


@pytest.fixture
def signer(settings: Settings, tmp_path: Path) -> tuple[Settings, Path]:
    """The settings of an operator who demands L3, and the private key of the one person on the list."""
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    allowed = tmp_path / "allowed_signers"
    public = key.with_suffix(".pub").read_text(encoding="ascii")
    allowed.write_text(f'Ada namespaces="edgewright-waiver" {public}', encoding="ascii")
    return settings.model_copy(update={"least_level": Level.SIGNED, "allowed_signers": allowed}), key


def sign(key: Path, content: bytes, namespace: str = "edgewright-waiver") -> str:
    command = ["ssh-keygen", "-q", "-Y", "sign", "-f", str(key), "-n", namespace]
    return subprocess.run(command, input=content, capture_output=True, check=True).stdout.decode()


@pytest.mark.promise("P3")
def test_thirty_ways_of_tampering_with_a_signed_statement_are_refused(signer: tuple[Settings, Path]) -> None:
    settings, key = signer
    house = hold(settings)
    statement = encode(drafted(house, Level.SIGNED))
    signature = sign(key, statement.encode())
    assert len(TAMPERED) >= 30
    for field, value in TAMPERED:
        plain = json.loads(statement)
        inside = plain["subject"] if field in plain["subject"] else plain
        inside[field] = value
        altered = json.dumps(plain, sort_keys=True, separators=(",", ":")).encode()
        assert altered != statement.encode(), (field, value)
        with pytest.raises(EdgewrightError):  # the signature is of another text
            grant(house, read_signed(house, altered, signature))
        if (field, value) not in {("reason", "because"), ("nonce", "0" * 32)}:  # what the signer himself may write
            with pytest.raises(EdgewrightError):  # and whoever signs it finds it refused for what it says
                grant(house, read_signed(house, altered, sign(key, altered)))
    assert run_of(house).waivers == ()
    waiver = read_signed(house, statement.encode(), signature)
    assert grant(house, waiver).waivers == (waiver,)


@pytest.mark.promise("P3")
def test_a_person_drafts_signs_elsewhere_and_hands_it_in_once(
    signer: tuple[Settings, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, key = signer
    house = hold(settings)
    monkeypatch.setenv("EDGEWRIGHT_LEAST_LEVEL", "L3")
    monkeypatch.setenv("EDGEWRIGHT_ALLOWED_SIGNERS", str(settings.allowed_signers))
    file = tmp_path / "waiver.json"
    base = [sys.executable, "-m", "edgewright.server", "approve", RUN, "--state-folder", str(settings.state_folder)]
    subprocess.run([*base, "--draft", str(file), "--name", "Ada", "--reason", "a demo"], check=True)
    command = ["ssh-keygen", "-q", "-Y", "sign", "-n", "edgewright-waiver", "-f", str(key), str(file)]
    subprocess.run(command, check=True, capture_output=True)
    given = subprocess.run([*base, "--signed", str(file)], capture_output=True, text=True, check=False)
    assert given.returncode == 0, given.stderr
    assert "Accepted at L3 (signed by a key out of the agent's reach)" in given.stdout
    replayed = subprocess.run([*base, "--signed", str(file)], capture_output=True, text=True, check=False)
    assert replayed.returncode == 1
    assert len(run_of(house).waivers) == 1


@pytest.mark.promise("P3")
def test_a_signature_of_another_key_namespace_or_level_is_none(signer: tuple[Settings, Path], tmp_path: Path) -> None:
    settings, key = signer
    house = hold(settings)
    statement = encode(drafted(house, Level.SIGNED)).encode()
    stranger = tmp_path / "stranger"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(stranger)], check=True)
    lower = encode(drafted(house, Level.OUT_OF_BAND)).encode()
    attempts = [
        (statement, sign(stranger, statement)),
        (statement, sign(key, statement, "edgewright-manifest")),
        (lower, sign(key, lower)),
        (statement + b"\n", sign(key, statement + b"\n")),
    ]
    for content, signature in attempts:
        with pytest.raises(EdgewrightError):
            grant(house, read_signed(house, content, signature))
    authority = Authority(settings.state_folder)
    authority.enrol(PASSPHRASE, CHEAP)
    with pytest.raises(Refused, match="below the required L3"):
        grant(house, signed(drafted(house), authority, PASSPHRASE))


def test_nothing_is_accepted_where_nobody_enrolled(settings: Settings) -> None:
    house = hold(settings)
    with pytest.raises(EdgewrightError, match="edgewright enrol"):
        signed(drafted(house), Authority(settings.state_folder), PASSPHRASE)
    assert run_of(house).waivers == ()
