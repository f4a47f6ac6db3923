"""A real model from PROFILE to PACKAGE through a real client, in memory and over stdio, in both protocol eras."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from workflow import STEPS, Connect, demo_arguments, done, small_demo

from edgewright.state.evidence import Label

pytestmark = pytest.mark.anyio

SUMMARY_BYTES = 1300


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.promise("P1", "P2", "P3", "P4", "P5", "P6", "P9", "P10", "P12")
@pytest.mark.parametrize("era", ["auto", "legacy"])
@pytest.mark.parametrize("transport", ["memory", "stdio"])
async def test_an_honest_run_ends_packaged_and_the_original_is_untouched(
    connect: Connect, root: Path, transport: str, era: str
) -> None:
    if (transport, era) != ("stdio", "auto"):  # the whole of the data once is enough
        small_demo(root)
    original = root / "fashion_mnist_cnn.onnx"
    before = sha256(original), original.stat().st_mtime_ns
    async with connect(transport, era) as client:
        replies = {"profile_model": await done(client, "profile_model", **demo_arguments(root))}
        run = replies["profile_model"]["run"]
        for tool, arguments in STEPS:
            replies[tool] = await done(client, tool, run=run, **arguments)
        state = await done(client, "get_state", run=run)

    phases = [reply["phase"] for reply in replies.values()]
    assert phases == ["OPTIMIZE", "BENCHMARK", "VALIDATE", "VALIDATE", "OPTIMIZE", "PACKAGE"]
    assert all(reply["next"] for reply in replies.values())
    sizes = {tool: len(json.dumps(reply).encode()) for tool, reply in replies.items()}
    assert {tool: size for tool, size in sizes.items() if size > SUMMARY_BYTES} == {}
    baseline, benchmark = replies["profile_model"]["numbers"], replies["benchmark"]["numbers"]
    assert baseline["latency_ms"]["runs"] >= 100
    assert baseline["latency_ms"]["label"] == benchmark["candidate_ms"]["label"] == Label.HOST
    assert "p99" not in baseline["latency_ms"] or baseline["latency_ms"]["runs"] >= 662
    assert replies["validate"]["numbers"]["verdict"] == "PASS"
    assert Label.HOST in state["summary"]
    assert (sha256(original), original.stat().st_mtime_ns) == before
    check_package(Path(replies["package"]["summary"].split("Package written and run: ")[1].split(". ")[0]))


def check_package(folder: Path) -> None:
    """The package runs on its own, and its manifest names every file."""
    manifest = json.loads((folder / "manifest.json").read_text())
    listed = {entry["path"]: entry["sha256"] for entry in manifest["files"]}
    there = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    assert there == set(listed) | {"manifest.json"}
    assert {name: sha256(folder / name) for name in listed} == listed
    done_again = subprocess.run([sys.executable, "-I", str(folder / "inference.py"), "--verify"], check=False)
    assert done_again.returncode == 0
