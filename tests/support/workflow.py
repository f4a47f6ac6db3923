"""A client's side of the workflow: calls that wait for their jobs, and the demo's arguments."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import numpy as np
from mcp import Client
from mcp.types import CallToolResult

Connect = Callable[..., AbstractAsyncContextManager[Client]]
"""Opens a client: `connect("memory" | "stdio", "auto" | "legacy", given=Settings)`."""

STEPS: tuple[tuple[str, dict[str, object]], ...] = (
    ("quantize", {"scheme": "int8_static", "base": "original"}),
    ("benchmark", {}),
    ("validate", {}),
    ("decide", {"decision": "keep"}),
    ("package", {}),
)


def demo_arguments(root: Path, **changed: object) -> dict[str, object]:
    """Return the arguments of `profile_model` for the demo's model."""
    arguments: dict[str, object] = {
        "model_path": str(root / "fashion_mnist_cnn.onnx"),
        "validation": str(root / "validation.npz"),
        "calibration": str(root / "calibration.npz"),
        "metric": "top-1",
        "target_device": "cpu-generic",
        **changed,
    }
    return {name: value for name, value in arguments.items() if value is not None}


async def call(client: Client, tool: str, **arguments: object) -> CallToolResult:
    """Call a tool and wait for the end of its job."""
    result = await client.call_tool(tool, arguments)
    while content(result).get("status") == "running":
        result = await client.call_tool("get_job", {"job": content(result)["job"], "wait_seconds": 45})
    return result


def content(result: CallToolResult) -> dict[str, Any]:
    """Return the structured part of a result."""
    assert isinstance(result.structured_content, dict), result
    return result.structured_content


async def done(client: Client, tool: str, **arguments: object) -> dict[str, Any]:
    """Call a tool that must not be refused; return its reply."""
    result = await call(client, tool, **arguments)
    assert not result.is_error, content(result)
    return content(result)


async def refused(client: Client, tool: str, **arguments: object) -> dict[str, Any]:
    """Call a tool that must be refused; return the refusal."""
    result = await call(client, tool, **arguments)
    assert result.is_error, content(result)
    return content(result)


def small_demo(root: Path, validation: int = 200, calibration: int = 100) -> None:
    """Cut the demo's data down, so that each job takes a second or two."""
    for name, count in (("validation", validation), ("calibration", calibration)):
        with np.load(root / f"{name}.npz") as data:
            cut = {array: data[array][:count] for array in data.files}
        np.savez(root / f"{name}.npz", **cut)


async def state_of(client: Client, run: str) -> dict[str, Any]:
    """Return everything that is recorded of a run, but for the number of its records."""
    state: dict[str, Any] = (await done(client, "get_state", run=run, detail="full"))["detail"]["state"]
    del state["version"]
    return state


async def standing_of(client: Client, run: str) -> dict[str, Any]:
    """Return what is recorded of a run, but for what its jobs were refused."""
    state = await state_of(client, run)
    return {name: value for name, value in state.items() if name not in {"trouble", "turned_down"}}


async def kinds_of(client: Client, run: str) -> list[str]:
    """Return the kinds of a run's events in order."""
    return [event["kind"] for event in (await done(client, "get_state", run=run, detail="full"))["detail"]["events"]]
