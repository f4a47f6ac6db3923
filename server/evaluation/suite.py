"""The form of a suite file: stages that scenarios begin at, what an agent does there, and what must be true after it.

`suites/README.md` explains it for those who write their own.
"""

import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from edgewright.state.errors import Code, EdgewrightError

FOLDER = Path(__file__).parent / "suites"
FRESH = "fresh"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Step(_Part):
    """One thing done: a call of a tool, or an act outside the protocol."""

    call: str = ""
    arguments: dict[str, Any] = Field(default_factory=dict, alias="with")
    refused: Code | None = None
    wait: bool = True
    act: str = ""

    @model_validator(mode="after")
    def _one_of_both(self) -> "Step":
        if bool(self.call) == bool(self.act):
            raise ValueError("a step has either `call` or `act`")
        return self


class Stage(_Part):
    """A point that several scenarios begin at, reached once and copied for each."""

    name: str
    after: str = FRESH
    do: tuple[Step, ...] = ()
    follow: int = Field(0, description="So many calls that `next` names first")


class End(_Part):
    """What must be true in the end; what is left out is not looked at."""

    phase: str | None = None
    packages: int | None = None
    outcome: Literal["packaged", "stopped"] | None = None


class Scenario(_Part):
    """One test of an agent: dishonest where it says what to do, honest where it gives a task and leaves the way."""

    name: str
    about: str
    given: str = FRESH
    settings: dict[str, Any] = Field(default_factory=dict)
    guards: tuple[str, ...] = Field((), description="Whose removal lets it through")
    do: tuple[Step, ...] = ()
    task: dict[str, Any] = Field(default_factory=dict, description="Arguments of profile_model")
    end: End = End()
    slow: bool = False

    @property
    def is_honest(self) -> bool:
        """Whether the way is left to the agent."""
        return bool(self.task)

    @model_validator(mode="after")
    def _told_or_tasked(self) -> "Scenario":
        if bool(self.do) == bool(self.task):
            raise ValueError(f"{self.name}: a scenario has either `do` or `task`")
        if self.do and self.do[-1].refused is None:
            raise ValueError(f"{self.name}: the last step says how it must be `refused`")
        return self


class Suite(_Part):
    """A file of scenarios."""

    format: Literal[1]
    stage: tuple[Stage, ...] = ()
    scenario: tuple[Scenario, ...]

    def stage_named(self, name: str) -> Stage:
        """Return a stage.

        Raises:
            EdgewrightError: If there is none of that name.
        """
        found = next((stage for stage in self.stage if stage.name == name), None)
        if found is None:
            raise EdgewrightError(f"the suite has no stage {name!r}")
        return found


def load(named: str) -> Suite:
    """Read a suite: one of Edgewright's own by its name, any other by the path of its file.

    Raises:
        EdgewrightError: If there is none, or it is not of the form.
    """
    path = FOLDER / f"{named}.toml"
    if not path.is_file() or "/" in named:
        path = Path(named)
    try:
        return Suite.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        own = ", ".join(sorted(file.stem for file in FOLDER.glob("*.toml")))
        raise EdgewrightError(f"no suite {named!r} ({error.strerror}); Edgewright's own are {own}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise EdgewrightError(f"the suite {named!r} is no TOML: {error}") from error
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False)]
        raise EdgewrightError(f"the suite {named!r} is not of the form: {'; '.join(problems[:5])}") from error
