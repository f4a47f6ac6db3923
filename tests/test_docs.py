"""Documentation that can go stale is compared with what it documents."""

import re
from pathlib import Path

import pytest
from readme_blocks import block, diagram_block

from edgewright.server.catalog import CATALOG
from edgewright.server.cli import COMMANDS
from edgewright.server.demo.script import scenes
from edgewright.server.settings import Settings

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_readme_shows_the_phase_table_as_it_is() -> None:
    assert block(README, "diagram") == diagram_block()


def test_the_readme_names_every_tool_and_setting_and_the_changelog_every_command() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert [name for name in CATALOG if f"`{name}`" not in README] == []
    assert [name for name in COMMANDS if name not in changelog] == []
    unnamed = set(Settings.model_fields) - {"least_level", "wait_s"}
    assert [name for name in unnamed if f"`{name}`" not in README] == []


def test_the_readme_shows_a_transcript_that_the_demo_wrote() -> None:
    transcript = block(README, "transcript")
    for number, scene in enumerate(scenes("m", "v", "c"), start=1):
        assert f"{number}. {scene.say}" in transcript
        assert f"-> {scene.tool}(" in transcript
    codes = [scene.refused_as for scene in scenes("m", "v", "c") if scene.refused_as]
    assert re.findall(r"<- REFUSED \[(\w+)\]", transcript) == codes


def test_every_picture_of_the_readme_is_there_and_small() -> None:
    named = set(re.findall(r"docs/pictures/[\w.-]+", README))
    kept = {str(path.relative_to(ROOT)) for path in (ROOT / "docs/pictures").iterdir()}
    assert named
    assert named == kept
    assert [name for name in kept if (ROOT / name).stat().st_size > 200_000] == []


@pytest.mark.parametrize("promise", [f"P{number}" for number in range(1, 13)])
def test_every_promise_has_tests_that_name_it(promise: str) -> None:
    marked = re.compile(rf'mark\.promise\([^)]*"{promise}"')
    assert any(marked.search(path.read_text(encoding="utf-8")) for path in (ROOT / "tests").rglob("test_*.py"))
