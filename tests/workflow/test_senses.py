"""What people have, as they have it: masks, sounds and texts, profiled through a real client."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sense_models import SAMPLES, hearing, reading, seeing
from workflow import Connect, done, refused, state_of

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


@pytest.mark.promise("P9", "P12")
async def test_a_tokenizer_that_is_not_the_models_is_refused_before_the_model_runs(
    connect: Connect, settings: Settings, root: Path
) -> None:
    arguments = reading(root)
    tokenizer = json.loads((root / "tokenizer.json").read_text())
    words = tokenizer["model"]["vocab"]
    tokenizer["model"]["vocab"] = {word: n + 50 * (n > 1) for word, n in words.items()}
    (root / "tokenizer.json").write_text(json.dumps(tokenizer))
    async with connect(given=settings.model_copy(update={"least_validation": SAMPLES // 2})) as client:
        refusal = await refused(client, "profile_model", **arguments)
    assert refusal["code"] == "DATA_MISMATCH"
    assert "chooses among 8 rows, and sample 0 holds 5" in refusal["why"]
    assert refusal["why"].endswith("the tokenizer tokenizer.json is another one's")


@pytest.mark.promise("P3")
async def test_masks_that_ignore_every_pixel_do_not_count_towards_the_least_number(
    connect: Connect, settings: Settings, root: Path
) -> None:
    arguments = seeing(root)
    masks = sorted((Path(arguments["validation"]) / "masks").glob("*.png"))
    for mask in masks[:15]:
        Image.fromarray(np.full_like(np.asarray(Image.open(mask)), 255)).save(mask)
    async with connect(given=settings.model_copy(update={"least_validation": SAMPLES - 14})) as client:
        refusal = await refused(client, "profile_model", **arguments)
    assert refusal["code"] == "VALIDATION_TOO_SMALL"
    assert refusal["numbers"]["distinct"] == SAMPLES - 15
