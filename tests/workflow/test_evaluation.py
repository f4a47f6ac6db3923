"""Dishonest agents get nowhere and back; without the guards that the suite names they do get somewhere."""

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import pytest
from context import GROWTH, KEPT, measure
from removed_guards import REMOVALS, remove

from edgewright.server.evaluation.agent import agent_named
from edgewright.server.evaluation.play import Stagehand
from edgewright.server.evaluation.suite import Scenario, Suite, load
from edgewright.state.errors import EdgewrightError
from edgewright.state.guards import GUARDS

pytestmark = pytest.mark.anyio

DISHONEST, HONEST = load("dishonest"), load("honest")
# Where a second line holds: what cannot be planned without evidence, and what the ledger cannot fold. Everything else
# that the suite refuses is granted once its guards are gone.
STOPPED_LATER = {
    "optimise_without_baseline": "EVIDENCE_MISSING",
    "package_without_baseline": "EVIDENCE_MISSING",
    "validate_nothing": "EVIDENCE_MISSING",
    "keep_twice": "EVIDENCE_MISSING",
    "keep_after_packaging": "EVIDENCE_MISSING",
    "race_two_steps": "CORRUPT",
    "restart_in_between": "CORRUPT",
}
QUICK = [scenario for scenario in DISHONEST.scenario if not scenario.slow]


@pytest.fixture(scope="module")
def stagehand(tmp_path_factory: pytest.TempPathFactory) -> Stagehand:
    return Stagehand(DISHONEST, tmp_path_factory.mktemp("dishonest").resolve() / "suite", whole_way=False)


def test_there_are_thirty_dishonest_scenarios_and_each_names_guards_that_exist() -> None:
    assert len(QUICK) >= 30
    for scenario in DISHONEST.scenario:
        assert scenario.guards, scenario.name
        assert set(scenario.guards) <= set(GUARDS) | set(REMOVALS), scenario.name
    names = Counter(scenario.name for scenario in (*DISHONEST.scenario, *HONEST.scenario))
    assert [name for name, count in names.items() if count > 1] == []
    # Every guard of the table is behind some scenario, but for those that need a device: test_target.py has them.
    remote = {"protocol_long_enough", "sustained_on_target"}
    assert set(GUARDS) - remote <= {guard for scenario in DISHONEST.scenario for guard in scenario.guards}


@pytest.mark.promise("P1", "P2", "P3", "P4", "P5", "P7", "P8", "P12")
@pytest.mark.parametrize("scenario", QUICK, ids=lambda scenario: scenario.name)
async def test_a_dishonest_agent_is_refused_nothing_changes_and_the_advice_leads_back(
    stagehand: Stagehand, scenario: Scenario
) -> None:
    played = await stagehand.play(scenario)
    assert played.findings == ()
    assert (played.outcome, played.code) == ("refused", scenario.do[-1].refused)
    assert played.recovered


@pytest.mark.parametrize("scenario", QUICK, ids=lambda scenario: scenario.name)
async def test_without_the_guards_it_names_the_same_agent_gets_further(
    stagehand: Stagehand, scenario: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stagehand.reach(scenario.given)  # on the sound build
    remove(scenario.guards, monkeypatch)
    played = await stagehand.play(scenario)
    assert played.code == STOPPED_LATER.get(scenario.name, ""), played


@pytest.mark.promise("P12")
async def test_an_agent_that_follows_the_advice_stops_at_a_file_that_is_no_model(tmp_path: Path) -> None:
    """The way to a package is gone below; `edgewright eval honest` goes all of them."""
    scenario = next(scenario for scenario in HONEST.scenario if scenario.name == "not_a_model")
    played = await Stagehand(HONEST, tmp_path.resolve() / "suite").play(scenario)
    assert (played.findings, played.outcome) == ((), "stopped")


@pytest.mark.promise("P12")
async def test_an_agent_that_follows_the_advice_packages_and_pays_no_more_context_than_the_kept_figures(
    stagehand: Stagehand,
) -> None:
    """`python benchmarks/context.py` measures the same and writes the file."""
    now, kept = await measure(stagehand), json.loads(KEPT.read_text(encoding="utf-8"))
    assert now.tokens <= 12_000
    grown = {name: (value, kept[name]) for name, value in asdict(now).items() if value > kept[name] * GROWTH}
    assert grown == {}, "if it is worth it: python benchmarks/context.py --write"


async def test_a_suite_that_is_none_and_an_agent_that_is_none_are_named(tmp_path: Path) -> None:
    with pytest.raises(EdgewrightError, match="dishonest, honest"):
        load("nothing")
    (tmp_path / "wrong.toml").write_text('format = 1\n[[scenario]]\nname = "a"\nabout = "b"\nspeed = 3\n')
    with pytest.raises(EdgewrightError, match="speed"):
        load(str(tmp_path / "wrong.toml"))
    with pytest.raises(EdgewrightError, match="module:function"):
        agent_named("nowhere:nobody")


def test_the_documented_form_is_the_form() -> None:
    """The example in the suites' README is a suite."""
    import tomllib

    readme = (Path(__file__).parent.parent.parent / "server" / "evaluation" / "suites" / "README.md").read_text()
    example = readme.split("```toml\n")[1].split("```")[0]
    suite = Suite.model_validate(tomllib.loads(example))
    assert json.loads(suite.model_dump_json())["format"] == 1
