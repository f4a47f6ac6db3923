"""What `tests/system/install` has put beside the environment."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

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


Browse = Callable[..., dict[str, Any]]
"""Runs a script of this folder that drives a browser; returns what it saw: `browse(script, *arguments, said=stdin)`."""


@pytest.fixture
def browse(node: Path, modules: Path, environment: dict[str, str]) -> Browse:
    """What opens a page in Debian's Chromium."""

    def browsed(script: str, *arguments: str, said: str = "") -> dict[str, Any]:
        ended = subprocess.run(
            [str(node), str(Path(__file__).with_name(script)), str(modules), *arguments],
            input=said,
            env=environment,
            capture_output=True,
            encoding="utf-8",
            timeout=120,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        seen: dict[str, Any] = json.loads(ended.stdout)
        return seen

    return browsed


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An environment whose home is a folder of this test, for programs that write to it."""
    return {**os.environ, "HOME": str(tmp_path), "NO_COLOR": "1"}


def _installed(path: Path) -> Path:
    assert path.exists(), f"{path} is missing: run tests/system/install {sys.prefix}/bin"
    return path
