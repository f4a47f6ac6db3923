"""Dishonest agents get nowhere and back; without the guards that the suite names they do get somewhere."""

import json
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

import pytest
from context import KEPT, grown, measure
from removed_guards import REMOVALS, remove

from edgewright.server.evaluation.agent import agent_named
from edgewright.server.evaluation.play import Stagehand
from edgewright.server.evaluation.run import evaluate
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
    "convert_what_nobody_measured": "EVIDENCE_MISSING",
    "validate_nothing": "EVIDENCE_MISSING",
    "keep_twice": "EVIDENCE_MISSING",
    "keep_after_packaging": "EVIDENCE_MISSING",
    "race_two_steps": "CORRUPT",
    "race_the_package": "CORRUPT",
    "restart_in_between": "CORRUPT",
}
QUICK = [scenario for scenario in DISHONEST.scenario if not scenario.slow]
# `make test-system` has the slow ones, and plays every scenario once more by `edgewright eval`.
EVERY = [
    pytest.param(scenario, id=scenario.name, marks=[pytest.mark.system] if scenario.slow else [])
    for scenario in DISHONEST.scenario
]


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


@pytest.mark.parametrize("scenario", EVERY)
async def test_without_the_guards_it_names_the_same_agent_gets_further(
    stagehand: Stagehand, scenario: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stagehand.reach(scenario.given)  # on the sound build
    remove(scenario.guards, monkeypatch)
    played = await stagehand.play(scenario)
    assert played.code == STOPPED_LATER.get(scenario.name, ""), played


@pytest.mark.promise("P12")
async def test_an_agent_that_follows_the_advice_stops_at_a_file_that_is_no_model(tmp_path: Path) -> None:
    """The way to a package is gone below."""
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
    assert grown(now, kept) == {}, "if it is worth it: python benchmarks/context.py --write"


@pytest.mark.system
@pytest.mark.timeout(1800)
@pytest.mark.promise("P12")
def test_every_scenario_ends_as_it_must_and_every_advice_leads_to_a_legal_end(tmp_path: Path) -> None:
    """What `edgewright eval` plays: the honest tasks too, and each refusal's advice down to its end."""
    assert evaluate((), agent="follower", quick=False, record=tmp_path / "eval.json") == 0
    played = json.loads((tmp_path / "eval.json").read_text(encoding="utf-8"))["scenarios"]
    assert len(played) == len(DISHONEST.scenario) + len(HONEST.scenario)
    assert all(scenario["recovered"] for scenario in played if not scenario["is_honest"])


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
    suite = Suite.model_validate(tomllib.loads(example("toml")))
    assert json.loads(suite.model_dump_json())["format"] == 1


def test_the_documented_agent_plays_a_suite_of_ones_own_from_the_folder_of_the_call(tmp_path: Path) -> None:
    (tmp_path / "my_agent.py").write_text(example("python"), encoding="utf-8")
    (tmp_path / "my.toml").write_text(MINE, encoding="utf-8")
    command = ["-I", "-m", "edgewright.server", "eval", "my.toml", "--agent", "my_agent:agent", "--record", "out.json"]
    ended = subprocess.run([sys.executable, *command], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 1, ended.stderr
    assert "!! too_hopeful: outcome is stopped, not packaged" in ended.stdout
    played = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))["scenarios"]
    assert [(scenario["outcome"], len(scenario["findings"])) for scenario in played] == [("stopped", 0), ("stopped", 1)]


TASK = """
task.model_path = "$models/weights.onnx"
task.validation = "$models/validation.npz"
task.metric = "top-1"
task.target_device = "cpu-generic"
"""
MINE = f"""
format = 1

[[scenario]]
name = "no_model"
about = "Make this file fit for a general CPU"
end = {{ outcome = "stopped", packages = 0 }}{TASK}
[[scenario]]
name = "too_hopeful"
about = "The same, expected to be packaged"
end.outcome = "packaged"{TASK}"""


def example(language: str) -> str:
    """Return the example of the suites' README in a language."""
    readme = Path(__file__).parent.parent.parent / "server" / "evaluation" / "suites" / "README.md"
    return readme.read_text(encoding="utf-8").split(f"```{language}\n")[1].split("```")[0]
