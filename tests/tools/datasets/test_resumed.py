"""Decoding that was cut off: what is whole on disk is not decoded again, and nothing else is taken over."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from data_desk import Card, Desk, picture, scenes, with_fields

from edgewright.state.errors import Refused
from edgewright.state.evidence import Dataset
from edgewright.tools.datasets import read_images
from edgewright.tools.datasets.leftover import NOTE
from edgewright.tools.datasets.prepare import prepare
from edgewright.tools.datasets.rows import in_order
from edgewright.tools.orders import DataSource
from edgewright.tools.workspace import Workspace

COUNT = 60
CARD: Card = {
    "inputs": {"x": {"kind": "image", "colour": "GRAY", "scale": 1 / 255, "resize": {"height": 24, "width": 24}}},
    "label": {"csv": "labels.csv", "file": "file", "label": "kind"},
}
# Prepares a folder and says after each sample how many there are; notes are written after every one.
PROGRAM = """
import json, sys
from pathlib import Path
from edgewright.tools.datasets import writing
from edgewright.tools.datasets.prepare import prepare
from edgewright.tools.orders import DataSource
from edgewright.tools.workspace import Workspace
writing.NOTE_INTERVAL_S = 0.0
folder, root, card = sys.argv[1:]
workspace = Workspace(Path(folder), Path(folder) / "objects", lambda done, total, said: print(done, flush=True))
prepare(DataSource(root + "/set", json.loads(card)), (root,), workspace, "validation data")
"""


@pytest.fixture
def folder(desk: Desk) -> Path:
    for number, image in enumerate(scenes(COUNT)):
        picture(desk.root / "set" / f"{number:02}.png", image[:, :, 0])
    lines = "".join(f"{number:02}.png,{number % 3}\n" for number in range(COUNT))
    (desk.root / "set" / "labels.csv").write_text(f"file,kind\n{lines}")
    return desk.root / "set"


def again(desk: Desk, path: Path, card: Card = CARD) -> tuple[Dataset, int]:
    """Prepare with what the desk's first workspace left; return the dataset and how many pictures were decoded."""
    counted: list[str] = []
    plain = read_images.decode
    later = desk.workspace.folder.parent / f"job-{len(list(desk.workspace.folder.parent.iterdir()))}"
    later.mkdir()
    workspace = Workspace(later, desk.workspace.objects, leftovers=[desk.workspace.folder / "lasting"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(read_images, "decode", lambda content, name: (counted.append(name), plain(content, name))[1])
        dataset = prepare(DataSource(str(path), card), (str(desk.root),), workspace, "validation data")
    return dataset, len(counted)


@pytest.mark.promise("P11")
def test_after_a_refusal_only_what_was_not_decoded_is(desk: Desk, folder: Path) -> None:
    content = (folder / "50.png").read_bytes()
    (folder / "50.png").write_bytes(b"damaged")
    assert "50.png" in desk.refusal(folder, CARD).what
    (folder / "50.png").write_bytes(content)
    dataset, decoded = again(desk, folder)
    # The first four are shown as they came, and what lay behind the damaged one was not kept.
    assert decoded == 4 + COUNT - 50
    assert f"{50 - 4} of them were decoded by an earlier job that ended without an answer" in dataset.echo
    assert dataset.digest == desk.prepare(folder, CARD).digest


@pytest.mark.promise("P11")
@pytest.mark.parametrize("moment", [1, 17, 45])
def test_a_killed_job_is_resumed_and_ends_with_the_same_digest(desk: Desk, folder: Path, moment: int) -> None:
    arguments = [str(desk.workspace.folder), str(desk.root), json.dumps(CARD)]
    with subprocess.Popen([sys.executable, "-c", PROGRAM, *arguments], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) == moment:
                os.kill(process.pid, signal.SIGKILL)
    dataset, decoded = again(desk, folder)
    assert decoded <= max(COUNT - moment + 4, 4)
    assert dataset.digest == desk.prepare(folder, CARD).digest


@pytest.mark.promise("P9", "P11")
def test_other_content_and_other_preprocessing_are_decoded_anew(desk: Desk, folder: Path) -> None:
    desk.prepare(folder, CARD)
    for number in (9, 30):
        picture(folder / f"{number:02}.png", scenes(1, seed=number)[0, :, :, 0])
    changed, decoded = again(desk, folder)
    assert decoded == 4 + 2
    assert changed.digest == desk.prepare(folder, CARD).digest
    assert again(desk, folder, with_fields(CARD, scale=1 / 127))[1] == COUNT


@pytest.mark.promise("P11")
def test_labels_are_read_anew_and_names_do_not_matter(desk: Desk, folder: Path) -> None:
    desk.prepare(folder, CARD)
    (folder / "20.png").rename(folder / "renamed.png")
    text = (folder / "labels.csv").read_text()
    (folder / "labels.csv").write_text(text.replace("20.png,2", "renamed.png,1").replace("05.png,2", "05.png,0"))
    dataset, decoded = again(desk, folder)
    assert decoded == 4
    assert dataset.digest == desk.prepare(folder, CARD).digest
    assert dataset.classes == {"0": 21, "1": 21, "2": 18}


@pytest.mark.promise("P11")
@pytest.mark.parametrize("harm", ["cut", "gone", "note cut", "note gone", "no note"])
def test_a_leftover_that_is_not_whole_is_not_believed(desk: Desk, folder: Path, harm: str) -> None:
    sound = desk.prepare(folder, CARD)
    (left,) = (desk.workspace.folder / "lasting").iterdir()
    values, note = left / "input-0.npy", left / NOTE
    match harm:
        case "cut":
            values.write_bytes(values.read_bytes()[:4000])
        case "gone":
            values.unlink()
        case "note cut":
            note.write_bytes(note.read_bytes()[:-100])
        case "note gone":
            note.unlink()
        case "no note":
            np.savez(note, keys=np.zeros((COUNT, 32), np.uint8))
    dataset, decoded = again(desk, folder)
    assert dataset.digest == sound.digest
    assert decoded >= COUNT - 4


def test_many_are_decoded_at_a_time_in_order_and_never_more_than_a_few_wait() -> None:
    given: list[int] = []
    both = threading.Barrier(2, timeout=60)

    def work(number: int) -> int:
        if number < 2:
            both.wait()  # passes only where two are at work at once
        return number

    def numbers() -> Iterator[int]:
        for number in range(200):
            given.append(number)
            yield number

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3})
        made = []
        for one in in_order(work, numbers()):
            made.append(one)
            assert len(given) - len(made) <= 8
    assert made == list(range(200))


@pytest.mark.parametrize("wrong", [(10, 40), (40, 41)])
def test_of_several_damaged_files_the_first_is_named(desk: Desk, folder: Path, wrong: tuple[int, int]) -> None:
    for number in wrong:
        (folder / f"{number}.png").write_bytes(b"damaged")
    with pytest.raises(Refused) as caught:
        desk.prepare(folder, CARD)
    assert f"{wrong[0]}.png" in caught.value.refusal.what
