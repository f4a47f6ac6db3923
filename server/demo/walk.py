"""Walks the demo through a real client: starts the server over stdio, as any assistant's client would."""

import shutil
import sys
import tempfile
import textwrap
from pathlib import Path
from typing import Any

import anyio
from mcp import Client, StdioServerParameters
from mcp.types import CallToolResult

from edgewright.server.demo.script import SCRIPTS, Scene
from edgewright.state.artifacts import Device

ASSETS = Path(__file__).parent / "fashion_mnist"
SHOWN_ARGUMENT_CHARACTERS = 60
WIDTH = 110


def walk(state_folder: Path | None, record: Path | None, device: Device) -> int:
    """Walk the demo; return 0 where every call ended as the script expects.

    Args:
        state_folder: Where ledger and packages go; a temporary folder that stays, where it is not given.
        record: File that the transcript is also written to, as Markdown.
        device: What the model is made for; one of `SCRIPTS`.
    """
    folder = state_folder or Path(tempfile.mkdtemp(prefix="edgewright-demo-"))
    transcript = Transcript()
    status = anyio.run(_walk, folder.resolve(), transcript, device)
    if record is not None:
        text = "\n".join(transcript.lines).replace(str(folder.resolve()), "/demo")
        record.write_text(f"```text\n{text.strip()}\n```\n", encoding="utf-8")
    return status


class Transcript:
    """What the viewer sees, line by line, kept for the record.

    Attributes:
        lines: Everything said so far.
    """

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str, indent: int = 0) -> None:
        """Show text, wrapped, and keep it."""
        margin = " " * indent
        for line in text.splitlines() or [""]:
            wrapped = textwrap.wrap(
                line, WIDTH, initial_indent=margin, subsequent_indent=margin, break_on_hyphens=False
            )
            for shown in wrapped or [""]:
                self.lines.append(shown)
                print(shown, flush=True)


async def _walk(folder: Path, transcript: Transcript, device: Device) -> int:
    data = folder / "data"
    # A copy: package managers install by hard links, and the server refuses links out of its allowed folders.
    shutil.copytree(ASSETS, data, dirs_exist_ok=True)
    command = ["-I", "-m", "edgewright.server", "serve", "--root", str(data), "--state-folder", str(folder / "state")]
    model, scenes = SCRIPTS[device]
    script = scenes(str(data / model), str(data / "validation.npz"), str(data / "calibration.npz"))
    run, surprises = "", 0
    async with Client(StdioServerParameters(command=sys.executable, args=command)) as client:
        for number, scene in enumerate(script, start=1):
            transcript.say(f"\n{number}. {scene.say}")
            result = await _play(client, scene, run, transcript)
            content: dict[str, Any] = result.structured_content or {}
            run = content.get("run") or run
            surprises += _show(scene, result, content, transcript)
    transcript.say(f"\nDone. State, ledger and package are in {folder / 'state'}")
    return 1 if surprises else 0


async def _play(client: Client, scene: Scene, run: str, transcript: Transcript) -> CallToolResult:
    """Make the scene's call, and poll its job where it takes longer than a call may."""
    arguments = dict(scene.arguments(run))
    shown = ", ".join(f"{name}={_short(value)}" for name, value in arguments.items())
    transcript.say(f"-> {scene.tool}({shown})", 3)

    async def shown_progress(progress: float, total: float | None, message: str | None) -> None:
        if sys.stdout.isatty():
            print(f"\r      {message} ({progress:g}/{total or 0:g})".ljust(98), end="\r", flush=True)

    result = await client.call_tool(scene.tool, arguments, progress_callback=shown_progress)
    while (result.structured_content or {}).get("status") == "running":
        job = (result.structured_content or {})["job"]
        result = await client.call_tool("get_job", {"job": job, "wait_seconds": 45}, progress_callback=shown_progress)
    return result


def _show(scene: Scene, result: CallToolResult, content: dict[str, Any], transcript: Transcript) -> int:
    """Print the answer; return 1 where it is not what the script expects."""
    if result.is_error:
        expected = scene.refused_as == content.get("code")
        transcript.say(f"<- REFUSED [{content.get('code')}]" + ("" if expected else "  (unexpected)"), 3)
        transcript.say(f"{content.get('refused')}: {content.get('why')}.", 6)
        transcript.say(f"Do: {content.get('do')}.", 6)
        return 0 if expected else 1
    transcript.say(f"<- {content.get('phase') or 'OK'}", 3)
    for line in str(content.get("summary")).splitlines():
        transcript.say(f"{line}", 6)
    for name, value in content.get("numbers", {}).items():
        transcript.say(f"{name}: {value}", 6)
    for kind in ("warnings", "notes"):
        for line in content.get(kind, []):
            transcript.say(f"{kind.removesuffix('s').capitalize()}: {line}", 6)
    return 0 if scene.refused_as is None else 1


def _short(value: object) -> str:
    if isinstance(value, dict) and "path" in value:  # data with its card in the call
        return f"{Path(value['path']).name} with its card"
    text = Path(value).name if isinstance(value, str) and value.startswith("/") else repr(value)
    return text if len(text) <= SHOWN_ARGUMENT_CHARACTERS else text[:SHOWN_ARGUMENT_CHARACTERS] + "..."
