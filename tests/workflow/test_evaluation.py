"""Dishonest agents get nowhere and back; without the guards that the suite names they do get somewhere."""

import json
from collections import Counter
from pathlib import Path

import pytest
from removed_guards import REMOVALS, remove

from edgewright.server.evaluation.agent import agent_named
from edgewright.server.evaluation.play import Stagehand
from edgewright.server.evaluation.suite import Scenario, Suite, load
from edgewright.state.errors import EdgewrightError
from edgewright.state.guards import GUARDS

pytestmark = pytest.mark.anyio

DISHONEST, HONEST = load("dishonest"), load("honest")
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
    # Every guard of the table is behind some scenario.
    assert set(GUARDS) <= {guard for scenario in DISHONEST.scenario for guard in scenario.guards}


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
    assert played.code != scenario.do[-1].refused
    further = {"read_outside_the_roots", "read_through_a_link"}
    if scenario.name not in further:
        assert "granted" in played.outcome, played


@pytest.mark.promise("P12")
@pytest.mark.parametrize("name", [scenario.name for scenario in HONEST.scenario if not scenario.slow])
async def test_an_honest_agent_that_follows_the_advice_ends_as_it_must(tmp_path: Path, name: str) -> None:
    scenario = next(scenario for scenario in HONEST.scenario if scenario.name == name)
    played = await Stagehand(HONEST, tmp_path.resolve() / "suite").play(scenario)
    assert played.findings == ()


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
