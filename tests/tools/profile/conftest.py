"""A desk for every test of data."""

from pathlib import Path

import pytest
from data_desk import Desk

from edgewright.tools.workspace import Workspace


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    for name in ("allowed", "job", "objects"):
        (tmp_path / name).mkdir()
    return Desk(tmp_path / "allowed", Workspace(tmp_path / "job", tmp_path / "objects"))
