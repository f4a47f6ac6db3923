"""A world of its own for each scenario: models, data and a state folder, always at one path, copied from its stage."""

import shutil
from pathlib import Path
from typing import Any

from edgewright.server.evaluation import materials
from edgewright.server.evaluation.suite import FRESH
from edgewright.server.settings import Settings


def plain_settings(state_folder: Path, **changed: Any) -> Settings:  # noqa: ANN401 - checked by the settings
    """Return the defaults with a few changes; nothing of this machine's own configuration counts."""
    defaults = {name: field.get_default(call_default_factory=True) for name, field in Settings.model_fields.items()}
    return Settings(**{**defaults, "state_folder": state_folder, **changed})


class World:
    """The one folder that scenarios are played in, and its copies at each stage.

    A run remembers the path of its original, so every copy comes back to the same place.

    Attributes:
        folder: Where it is.
        runs: The newest run at each stage.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "world"
        self._copies = folder / "stages"
        self.runs: dict[str, str] = {}

    def prepare(self) -> None:
        """Write the material once, as the stage that all others come after."""
        self.folder.mkdir(parents=True)
        materials.write(self.folder / "models")
        self.keep(FRESH, "")

    def keep(self, stage: str, run: str) -> None:
        """Copy the world as it is, under the name of a stage."""
        shutil.copytree(self.folder, self._copies / stage)
        self.runs[stage] = run

    def enter(self, stage: str) -> str:
        """Put the world back as it was at a stage; return the newest run there."""
        shutil.rmtree(self.folder)
        shutil.copytree(self._copies / stage, self.folder, symlinks=True)
        return self.runs[stage]

    def settings(self, changed: dict[str, Any], *, wait: bool = True) -> Settings:
        """Return the operator's settings of this world."""
        waiting = {} if wait else {"wait_s": 0.0}
        return plain_settings(self.folder / "state", roots=(self.folder / "models",), **waiting, **changed)

    def filled(self, content: Any, run: str) -> Any:  # noqa: ANN401 - plain data of any form goes through
        """Return arguments with `$models` and `$run` filled in."""
        if isinstance(content, dict):
            return {name: self.filled(value, run) for name, value in content.items()}
        if isinstance(content, list):
            return [self.filled(value, run) for value in content]
        if isinstance(content, str):
            return content.replace("$models", str(self.folder / "models")).replace("$run", run)
        return content
