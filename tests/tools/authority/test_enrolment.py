"""A passphrase is enrolled once, tried five times, and kept nowhere."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from edgewright.state.errors import EdgewrightError
from edgewright.tools.authority.enrolment import TRIES, Authority, Cost, WrongPassphrase

PASSPHRASE = "correct horse battery"
CHEAP = Cost(n=1 << 10)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    made = Authority(tmp_path / "state")
    made.enrol(PASSPHRASE, CHEAP)
    return made


@pytest.mark.promise("P3")
def test_nobody_enrols_twice(authority: Authority) -> None:
    before = authority.allowed_signers.read_bytes()
    with pytest.raises(EdgewrightError, match="somebody is enrolled"):
        authority.enrol("another passphrase", CHEAP)
    assert authority.allowed_signers.read_bytes() == before
    assert authority.sign_statement(b"x", PASSPHRASE)


def test_a_short_passphrase_enrols_nobody(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with pytest.raises(EdgewrightError, match="at least 12"):
        authority.enrol("short", CHEAP)
    assert not authority.is_enrolled


@pytest.mark.promise("P3")
def test_after_five_wrong_passphrases_not_even_the_right_one_helps(authority: Authority) -> None:
    for left in range(TRIES - 1, -1, -1):
        with pytest.raises(WrongPassphrase, match=f"{left} of 5 tries are left"):
            authority.sign_statement(b"x", "wrong passphrase")
    with pytest.raises(WrongPassphrase, match="5 times"):
        authority.sign_statement(b"x", PASSPHRASE)


@pytest.mark.promise("P3")
def test_guessers_at_the_same_time_have_five_tries_between_them(authority: Authority) -> None:
    def guess(number: int) -> str:
        with pytest.raises(WrongPassphrase) as caught:
            authority.sign_statement(b"x", f"guess number {number}")
        return str(caught.value)

    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(guess, range(12)))
    assert sum("tries are left" in sentence for sentence in said) == TRIES


def test_the_right_passphrase_forgives_the_wrong_ones(authority: Authority) -> None:
    for _ in range(2):
        for _ in range(TRIES - 1):
            with pytest.raises(WrongPassphrase):
                authority.sign_statement(b"x", "wrong passphrase")
        assert authority.sign_statement(b"x", PASSPHRASE)
    assert authority.tries_left == TRIES


@pytest.mark.promise("P3")
def test_the_passphrase_and_the_persons_key_lie_nowhere_and_the_rest_is_the_owners_alone(authority: Authority) -> None:
    files = [path for path in authority.folder.rglob("*") if path.is_file()]
    assert {path.name for path in files} == {"enrolled.json", "tries", "server", "allowed_signers"}
    for path in files:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert PASSPHRASE.encode() not in path.read_bytes()
    assert [path.name for path in files if b"PRIVATE KEY" in path.read_bytes()] == ["server"]
    assert stat.S_IMODE(authority.folder.stat().st_mode) == 0o700


def test_one_guess_costs_what_the_cheat_sheet_asks_for() -> None:
    cost = Cost()
    assert 128 * cost.n * cost.r == 128 << 20
