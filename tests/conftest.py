"""Fixtures that every part's tests may use: a state folder, the demo's data, and clients of the real server."""

import os
import shutil
import sys
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters
from workflow import Connect

from edgewright.server.app import build_server
from edgewright.server.settings import Settings

DEMO = Path(__file__).parent.parent / "server" / "demo" / "fashion_mnist"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Tests see the defaults, whatever the person who runs them configured."""
    for name in [name for name in os.environ if name.startswith("EDGEWRIGHT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("EDGEWRIGHT_CONFIG", str(tmp_path / "no-config.toml"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder that the server may read from, with the demo's model and data in it."""
    folder = tmp_path / "allowed"
    shutil.copytree(DEMO, folder)
    return folder


@pytest.fixture
def settings(tmp_path: Path, root: Path) -> Settings:
    return Settings(state_folder=tmp_path / "state", roots=(root,))


@pytest.fixture
def connect(settings: Settings) -> Connect:
    """Return what opens a client: `connect("memory" | "stdio", "auto" | "legacy")`."""

    def opened(
        transport: str = "memory", era: str = "auto", *, given: Settings | None = None, **options: object
    ) -> AbstractAsyncContextManager[Client]:
        chosen = given or settings
        if transport == "memory":
            return Client(build_server(chosen), mode=era, **options)  # type: ignore[arg-type]
        return Client(stdio(chosen), mode=era, **options)  # type: ignore[arg-type]

    return opened


def stdio(settings: Settings) -> StdioServerParameters:
    """Return how a client starts the real server as a process."""
    arguments = ["-m", "edgewright.server", "serve", "--state-folder", str(settings.state_folder)]
    for allowed in settings.roots:
        arguments += ["--root", str(allowed)]
    limits = {
        f"EDGEWRIGHT_{name.upper()}": str(getattr(settings, name))
        for name in ("job_seconds", "job_memory_bytes", "wait_s", "least_validation", "tolerance_cap")
    }
    return StdioServerParameters(
        command=sys.executable,
        args=arguments,
        env={**limits, "PATH": os.environ["PATH"], "EDGEWRIGHT_CONFIG": os.environ["EDGEWRIGHT_CONFIG"]},
    )
