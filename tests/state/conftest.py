"""Where the ledgers of these tests lie, and how hypothesis looks for counter-examples: the same way every time."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import run_builder as build
from hypothesis import settings

from edgewright.state.ledger import Ledger

settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
settings.load_profile("repeatable")


@pytest.fixture
def memory_folder() -> Iterator[Path]:
    """A folder without a disk behind it, where there is one: what is tested there is not durability."""
    place = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=place) as folder:
        yield Path(folder)


@pytest.fixture
def ledger(memory_folder: Path) -> Ledger:
    return Ledger(memory_folder / "ledger.db")


@pytest.fixture
def written(memory_folder: Path) -> Path:
    """A ledger with one run in which every kind of event happened."""
    path = memory_folder / "written.db"
    with Ledger(path).change() as change:
        change.append("run", *build.one_of_each())
    return path
