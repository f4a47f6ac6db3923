"""The operator's configuration: where it comes from, and that nobody loosens it in silence."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from edgewright.server.settings import Settings
from edgewright.state.policy import Rule
from edgewright.state.protocols import PROTOCOLS, ProtocolName


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "config.toml"
    monkeypatch.setenv("EDGEWRIGHT_CONFIG", str(file))
    return file


def test_without_a_file_nothing_may_be_read_and_the_cap_is_two_percent(config: Path) -> None:
    settings = Settings()
    assert not config.exists()
    assert (settings.real_roots, settings.policy.tolerance_cap) == ((), 0.02)


def test_the_file_is_overridden_by_the_environment_and_that_by_the_command_line(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.write_text("tolerance_cap = 0.01\nleast_validation = 500\nthreads = 4\n")
    monkeypatch.setenv("EDGEWRIGHT_LEAST_VALIDATION", "300")
    monkeypatch.setenv("EDGEWRIGHT_THREADS", "3")
    settings = Settings(threads=2)
    assert (settings.tolerance_cap, settings.least_validation, settings.threads) == (0.01, 300, 2)


@pytest.mark.promise("P3")
@pytest.mark.parametrize(
    "text", ["tolerance_capp = 0.01", "tolerance_cap = 2", 'protocol = "fast"', "threads = 0", "standard_s = 0"]
)
def test_a_misspelt_name_or_an_impossible_value_stops_the_start(config: Path, text: str) -> None:
    config.write_text(text)
    with pytest.raises(ValidationError):
        Settings()


def test_a_root_that_is_a_link_means_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert Settings(roots=(tmp_path / "link",)).real_roots == (str(tmp_path / "real"),)


@pytest.mark.promise("P10")
def test_the_operator_may_shorten_the_long_protocols_and_they_say_so(config: Path) -> None:
    config.write_text("standard_s = 2\nsustained_s = 30\n")
    titles = {name: Settings().protocol_of(name).title for name in ProtocolName}
    assert titles == {
        "quick": "quick",
        "standard": "standard (shortened by the operator to 2 s of 10 s)",
        "sustained": "sustained (shortened by the operator to 30 s of 300 s)",
    }
    shortened = Settings().protocol_of(ProtocolName.STANDARD)
    assert (shortened.runs, shortened.processes) == (100, 3)


@pytest.mark.promise("P10")
def test_what_nobody_shortened_is_as_long_as_its_name_promises(config: Path) -> None:
    assert {name: Settings().protocol_of(name) for name in ProtocolName} == dict(PROTOCOLS)
    config.write_text("sustained_s = 900\n")
    longer = Settings().protocol_of(ProtocolName.SUSTAINED)
    assert (longer.duration_s, longer.shortened, longer.title) == (900, False, "sustained")


@pytest.mark.promise("P3")
def test_the_rule_of_verdicts_is_the_operators(config: Path) -> None:
    assert Settings().policy.rule is Rule.POINT
    config.write_text('verdict = "confident"\n')
    assert Settings().policy.rule is Rule.CONFIDENT
