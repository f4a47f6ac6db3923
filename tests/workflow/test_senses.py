"""What people have, as they have it: masks, sounds and texts, profiled through a real client."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sense_models import SAMPLES, hearing, reading, seeing
from workflow import Connect, done, state_of

from edgewright.server.settings import Settings

pytestmark = pytest.mark.anyio


@pytest.mark.promise("P1", "P9")
@pytest.mark.parametrize(
    ("sense", "expected"),
    [
        (seeing, ("labels: uint8 of shape (16, 16) a sample", 0.9, 0.999)),
        (hearing, ("first labels: 'cda', 'acac'", 0.001, 0.3)),
        (reading, ("decoded int64 (5)", 0.9, 0.999)),
    ],
)
async def test_a_baseline_on_files_as_people_have_them(
    connect: Connect,
    settings: Settings,
    root: Path,
    sense: Callable[[Path], dict[str, Any]],
    expected: tuple[str, float, float],
) -> None:
    arguments, (echo, least, most) = sense(root), expected
    async with connect(given=settings.model_copy(update={"least_validation": SAMPLES // 2})) as client:
        reply = await done(client, "profile_model", **arguments)
        accuracy = (await state_of(client, reply["run"]))["profiled"]["baseline"]["accuracy"]
    assert echo in reply["summary"]
    assert least < accuracy["value"] < most
    assert (accuracy["metric"], accuracy["n"]) == (arguments["metric"], SAMPLES)
