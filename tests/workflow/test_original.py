"""The caller's own file is never touched, and a run does not go on with another one in its place."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fragile_model import fragile
from mcp import Client
from workflow import Connect, done, refused, standing_of

from edgewright.state.files import file_sha256

pytestmark = pytest.mark.anyio

STEPS: tuple[tuple[str, dict[str, object]], ...] = (
    ("quantize", {"scheme": "int8_dynamic"}),
    ("benchmark", {}),
    ("validate", {}),
    ("decide", {"decision": "keep"}),
    ("package", {}),
)


@pytest.mark.promise("P5", "P12")
async def test_no_step_goes_on_with_a_changed_original_and_every_step_does_once_it_is_back(
    connect: Connect, root: Path
) -> None:
    """The root is compared before and after each step too: no tool ever writes there."""
    arguments = fragile(root)
    original = root / "fragile.onnx"
    before = listing(root)
    async with connect() as client:
        run = (await done(client, "profile_model", **arguments))["run"]
        assert listing(root) == before
        for tool, given in STEPS:
            if tool != "decide":  # an event and nothing else: no file is looked at
                await is_refused_while_the_original_differs(client, original, run, tool, given)
            assert listing(root) == before
            await done(client, tool, run=run, **given)
            assert listing(root) == before


async def is_refused_while_the_original_differs(
    client: Client, original: Path, run: str, tool: str, given: dict[str, object]
) -> None:
    expected, before = file_sha256(original), await standing_of(client, run)
    with modified(original):
        found = file_sha256(original)
        refusal = await refused(client, tool, run=run, **given)
        assert refusal["code"] == "ORIGINAL_CHANGED"
        assert refusal["numbers"] == {"expected": expected, "found": found}
        assert expected in refusal["why"]
        assert found in refusal["why"]
        assert "P5" in refusal["promises"]
        blockers = (await done(client, "get_state", run=run))["summary"].split("blockers: ")[1]
        assert found in blockers
    assert await standing_of(client, run) == before


@pytest.mark.promise("P5", "P11", "P12")
async def test_a_run_whose_original_was_deleted_or_replaced_by_a_fifo_is_refused_and_intact(
    connect: Connect, root: Path
) -> None:
    arguments = fragile(root)
    original = root / "fragile.onnx"
    async with connect() as client:
        run = (await done(client, "profile_model", **arguments))["run"]
        before = await standing_of(client, run)
        aside = original.rename(root / "aside.onnx")
        refusal = await refused(client, "quantize", run=run, scheme="int8_dynamic")
        assert (refusal["code"], "unreadable" in refusal["why"]) == ("ORIGINAL_CHANGED", True)

        os.mkfifo(original)
        refusal = await refused(client, "quantize", run=run, scheme="int8_dynamic")
        assert (refusal["code"], "no regular file" in refusal["why"]) == ("ORIGINAL_CHANGED", True)

        original.unlink()
        aside.rename(original)
        assert await standing_of(client, run) == before
        assert (await done(client, "quantize", run=run, scheme="int8_dynamic"))["phase"] == "BENCHMARK"


@pytest.mark.promise("P5", "P12")
async def test_a_step_that_only_the_changed_original_prevented_is_recommended_again_once_it_is_back(
    connect: Connect, root: Path
) -> None:
    arguments = fragile(root)
    async with connect() as client:
        recommended = (await done(client, "profile_model", **arguments))["next"][0]
        with modified(root / "fragile.onnx"):
            refusal = await refused(client, recommended["tool"], **recommended["arguments"])
        assert refusal["code"] == "ORIGINAL_CHANGED"
        stop, again = (await done(client, "get_state", run=recommended["arguments"]["run"]))["next"][:2]
        assert (stop["tool"], "a person" in stop["why"]) == ("get_state", True)
        assert (again["tool"], again["arguments"]) == (recommended["tool"], recommended["arguments"])


@contextmanager
def modified(path: Path) -> Iterator[None]:
    """Append a byte for a while; content and times are as before afterwards."""
    content, status = path.read_bytes(), path.stat()
    path.write_bytes(content + b"\0")
    try:
        yield
    finally:
        path.write_bytes(content)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def listing(folder: Path) -> dict[str, tuple[str, int, int]]:
    """Return every file with its hash, time of change and mode."""
    return {
        str(path.relative_to(folder)): (file_sha256(path), path.stat().st_mtime_ns, path.stat().st_mode)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
