"""Walks the demo through a real client: starts the server over stdio, as any assistant's client would."""

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import anyio
from mcp import Client, StdioServerParameters
from mcp.types import CallToolResult
from rich.console import Console

from edgewright.server.demo.script import Scene, scenes

ASSETS = Path(__file__).parent / "fashion_mnist"
SHOWN_ARGUMENT_CHARACTERS = 60


def walk(state_folder: Path | None, record: Path | None) -> int:
    """Walk the demo; return 0 where every call ended as the script expects.

    Args:
        state_folder: Where ledger and packages go; a temporary folder that stays, where it is not given.
        record: File that the transcript is also written to, as Markdown.
    """
    folder = state_folder or Path(tempfile.mkdtemp(prefix="edgewright-demo-"))
    console = Console(record=record is not None, width=100, highlight=False)
    status = anyio.run(_walk, folder.resolve(), console)
    if record is not None:
        text = console.export_text(clear=False).replace(str(folder.resolve()), "/demo")
        lines = "\n".join(line.rstrip() for line in text.splitlines())
        record.write_text(f"```text\n{lines.strip()}\n```\n", encoding="utf-8")
    return status


async def _walk(folder: Path, console: Console) -> int:
    data = folder / "data"
    # A copy: package managers install by hard links, and the server refuses links out of its allowed folders.
    shutil.copytree(ASSETS, data, dirs_exist_ok=True)
    command = ["-m", "edgewright.server", "serve", "--root", str(data), "--state-folder", str(folder / "state")]
    script = scenes(str(data / "fashion_mnist_cnn.onnx"), str(data / "validation.npz"), str(data / "calibration.npz"))
    run, surprises = "", 0
    async with Client(StdioServerParameters(command=sys.executable, args=command)) as client:
        for number, scene in enumerate(script, start=1):
            console.print(f"\n[bold]{number}. {scene.say}[/bold]")
            result = await _play(client, scene, run, console)
            content: dict[str, Any] = result.structured_content or {}
            run = content.get("run") or run
            surprises += _show(scene, result, content, console)
    console.print(f"\nDone. State, ledger and package are in {folder / 'state'}", soft_wrap=True)
    return 1 if surprises else 0


async def _play(client: Client, scene: Scene, run: str, console: Console) -> CallToolResult:
    """Make the scene's call, and poll its job where it takes longer than a call may."""
    arguments = dict(scene.arguments(run))
    shown = ", ".join(f"{name}={_short(value)}" for name, value in arguments.items())
    console.print(f"   -> {scene.tool}({shown})", markup=False)

    async def progress(done: float, total: float | None, message: str | None) -> None:
        if sys.stdout.isatty():
            print(f"\r      {message} ({done:g}/{total or 0:g})".ljust(98), end="\r", flush=True)

    result = await client.call_tool(scene.tool, arguments, progress_callback=progress)
    while (result.structured_content or {}).get("status") == "running":
        job = (result.structured_content or {})["job"]
        result = await client.call_tool("get_job", {"job": job, "wait_seconds": 45}, progress_callback=progress)
    return result


def _show(scene: Scene, result: CallToolResult, content: dict[str, Any], console: Console) -> int:
    """Print the answer; return 1 where it is not what the script expects."""
    if result.is_error:
        expected = scene.refused_as == content.get("code")
        console.print(f"   <- REFUSED [{content.get('code')}]", markup=False, style="yellow" if expected else "red")
        console.print(f"      {content.get('refused')}: {content.get('why')}.", markup=False)
        console.print(f"      Do: {content.get('do')}.", markup=False)
        return 0 if expected else 1
    console.print(f"   <- {content.get('phase') or 'OK'}", markup=False, style="green")
    for line in str(content.get("summary")).splitlines():
        console.print(f"      {line}", markup=False)
    for name, value in content.get("numbers", {}).items():
        console.print(f"      {name}: {value}", markup=False)
    for warning in content.get("warnings", []):
        console.print(f"      Warning: {warning}", markup=False)
    return 0 if scene.refused_as is None else 1


def _short(value: object) -> str:
    text = Path(value).name if isinstance(value, str) and value.startswith("/") else repr(value)
    return text if len(text) <= SHOWN_ARGUMENT_CHARACTERS else text[:SHOWN_ARGUMENT_CHARACTERS] + "..."
