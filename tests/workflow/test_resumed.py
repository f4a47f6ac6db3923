"""A set that was refused half way is not decoded twice: the same call takes up what the first one left."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from workflow import Connect, demo_arguments, done, refused

from edgewright.server.settings import Settings
from edgewright.tools.job_folder import JobFolder

pytestmark = pytest.mark.anyio
COUNT = 210


def as_pictures(root: Path) -> Path:
    """Write part of the demo's validation set as a folder of pictures."""
    folder = root / "pictures"
    folder.mkdir()
    lines = ["file,label"]
    with np.load(root / "validation.npz") as data:
        for number, (image, label) in enumerate(zip(data["image"][:COUNT], data["label"], strict=False)):
            Image.fromarray(image[:, :, 0]).save(folder / f"{number:03}.png")
            lines.append(f"{number:03}.png,{label}")
    (folder / "labels.csv").write_text("\n".join(lines))
    card = json.loads((root / "validation.card.json").read_text())
    card["label"] = {"csv": "labels.csv", "file": "file", "label": "label"}
    (folder / "card.json").write_text(json.dumps(card))
    return folder


@pytest.mark.promise("P11", "P12")
async def test_a_corrected_set_is_taken_up_where_it_was_refused(
    connect: Connect, settings: Settings, root: Path
) -> None:
    folder = as_pictures(root)
    content = (folder / "200.png").read_bytes()
    arguments = demo_arguments(root, validation=str(folder), calibration=None)
    async with connect() as client:
        (folder / "200.png").write_bytes(content[:60])
        refusal = await refused(client, "profile_model", **arguments)
        assert "200.png" in str(refusal)
        (folder / "200.png").write_bytes(content)
        reply = await done(client, "profile_model", **arguments)
    assert "196 of them were decoded by an earlier job that ended without an answer" in reply["summary"]
    jobs = (settings.state_folder / "jobs").iterdir()
    assert [job.name for job in jobs if JobFolder(job).lasting.exists()] == []
