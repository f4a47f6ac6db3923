"""What `tests/system/install` has put beside the environment."""

import os
import sys
from pathlib import Path

import pytest

SYSTEM = Path(sys.prefix) / "system"


@pytest.fixture
def node() -> Path:
    """The Node that the clients below are run with."""
    return _installed(SYSTEM / "node")


@pytest.fixture
def conformance() -> Path:
    """The official conformance suite's program."""
    return _installed(SYSTEM / "node_modules/@modelcontextprotocol/conformance/dist/index.js")


@pytest.fixture
def inspector() -> Path:
    """The Inspector's program."""
    return _installed(SYSTEM / "node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js")


@pytest.fixture
def models() -> Path:
    """The folder that the wheels with models were unpacked into."""
    return _installed(SYSTEM / "models")


@pytest.fixture
def older() -> Path:
    """The folder that the runtime of an older device was unpacked into."""
    return _installed(SYSTEM / "older")


@pytest.fixture
def modules() -> Path:
    """Where the packages of npm lie, among them what drives the browser."""
    return _installed(SYSTEM / "node_modules/playwright-core").parent


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An environment whose home is a folder of this test, for programs that write to it."""
    return {**os.environ, "HOME": str(tmp_path), "NO_COLOR": "1"}


def _installed(path: Path) -> Path:
    assert path.exists(), f"{path} is missing: run tests/system/install {sys.prefix}/bin"
    return path
