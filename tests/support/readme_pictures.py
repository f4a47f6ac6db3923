"""Takes the README's pictures of a real run: `make pictures`. The demo's model and data, with a strict floor."""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import anyio
from mcp import Client
from PIL import Image
from rich.console import Console

from edgewright.server import reports, watch
from edgewright.server.app import build_server
from edgewright.server.demo.walk import ASSETS
from edgewright.server.house import House
from edgewright.server.settings import Settings
from edgewright.tools.package.pictures import draw

SYSTEM = Path(sys.prefix) / "system"
TESTS = Path(__file__).parents[1] / "system"
STRICT = 0.001  # of a thousand samples one answer lost is too many: the run ends on hold
SUSTAINED_S = 20.0
CHAT_PX, TALLEST_PX, COLOURS = 720, 2600, 64
CHARTS = ("latency", "drift", "operators", "weights", "sensitivity")
STEPS: tuple[dict[str, object], ...] = (
    {"scheme": "fp16"},
    {"scheme": "int8_dynamic"},
    {"scheme": "int8_static", "per_channel": False},
    {"scheme": "int8_static", "ranges": "entropy"},
)
LAST = {"scheme": "int8_static"}


async def answered(client: Client, tool: str, **arguments: object) -> dict[str, Any]:
    """Call a tool, wait for its job, and return the answer."""
    content = (await client.call_tool(tool, arguments)).structured_content or {}
    while content.get("status") == "running":
        content = (await client.call_tool("get_job", {"job": content["job"]})).structured_content or {}
    assert content["status"] == "done", content
    return content


async def tried(client: Client, data: Path) -> str:
    """Walk a run until a verdict holds it; return its handle."""
    paths = {name: str(data / f"{name}.npz") for name in ("validation", "calibration")}
    given = {"model_path": str(data / "fashion_mnist_cnn.onnx"), "metric": "top-1", "target_device": "cpu-generic"}
    profiled = await answered(client, "profile_model", **given, **paths, accuracy_tolerance=STRICT)
    run = str(profiled["run"])
    for arguments in STEPS:
        await answered(client, "quantize", run=run, base="original", **arguments)
        await answered(client, "benchmark", run=run)
        verdict = (await answered(client, "validate", run=run))["numbers"]["verdict"]
        await answered(client, "decide", run=run, decision="keep" if verdict == "PASS" else "revert")
    await answered(client, "benchmark", run=run, protocol="sustained")
    await answered(client, "analyze_sensitivity", run=run, base="original")
    await answered(client, "quantize", run=run, base="original", **LAST)
    await answered(client, "benchmark", run=run)
    held = await answered(client, "validate", run=run)
    assert held["numbers"]["verdict"] == "FAIL", held
    return run


def browse(script: str, *arguments: str) -> None:
    """Run one of the scripts that drive a browser."""
    command = [str(SYSTEM / "node"), str(TESTS / script), str(SYSTEM / "node_modules"), *arguments]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)


def chat(run: str, settings: Settings, scheme: str, out: Path) -> None:
    """Take the view in a chat."""
    order = {
        "command": sys.executable,
        "args": ["-m", "edgewright.server", "serve", "--state-folder", str(settings.state_folder)],
        "run": run,
        "tool": "report",
        "screenshot": str(out),
        "scheme": scheme,
        "width": CHAT_PX,
    }
    path = settings.state_folder / "order.json"
    path.write_text(json.dumps(order), encoding="utf-8")
    browse("host_in_browser.mjs", str(path))


def page(house: House, run: str, out: Path) -> None:
    """Take the report's page."""
    path = house.settings.state_folder / "report.html"
    path.write_text(reports.rendered(house, run, "html"), encoding="utf-8")
    browse("report_in_browser.cjs", str(path), str(out), "light")


def terminal(house: House, run: str, out: Path) -> None:
    """Write what `edgewright watch` shows, as a vector image."""
    with Path("/dev/null").open("w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=116, file=nowhere, force_terminal=True)
        console.print(watch.frame(watch.seen(house, run)))
        drawn = console.export_svg(title=f"edgewright watch {run}")
    out.write_text(re.sub(r"@font-face {[^}]*}", "", drawn), encoding="utf-8")  # a picture fetches nothing


def slim(path: Path) -> None:
    """Keep a picture small: its top, in the few colours that flat areas need."""
    image = Image.open(path).convert("RGB")
    top = image.crop((0, 0, image.width, min(image.height, TALLEST_PX)))
    # The kind of palette that keeps rare colours: those of points and rules.
    top.quantize(COLOURS, Image.Quantize.MAXCOVERAGE).save(path, optimize=True)


def main(folder: Path) -> None:
    """Walk the run and take every picture."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="demo-") as scratch:
        data = Path(scratch).resolve() / "data"
        data.mkdir()
        for asset in ASSETS.iterdir():
            (data / asset.name).write_bytes(asset.read_bytes())
        settings = Settings(state_folder=data.parent / "state", roots=(data,), sustained_s=SUSTAINED_S)

        async def walk() -> str:
            async with Client(build_server(settings)) as client:
                return await tried(client, data)

        run, house = anyio.run(walk), House.open(settings)
        for scheme in ("light", "dark"):
            chat(run, settings, scheme, folder / f"chat-{scheme}.png")
        page(house, run, folder / "report.png")
        terminal(house, run, folder / "watch.svg")
        with house.ledger.read() as look:
            drawn = draw(house.seen(look.run(run)), house.store.path)
        for picture in drawn.pictures:
            if picture.name in CHARTS:
                (folder / f"{picture.name}.png").write_bytes(picture.png)
    for path in folder.glob("*.png"):
        slim(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
