"""Sound files: one rate, one channel, one length where the card says so."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from data_desk import Card, Desk
from numpy.typing import NDArray

from edgewright.state.errors import Code
from edgewright.tools import extras

RATE = 8000


def tone(rate: int, seconds: float = 0.5, hertz: float = 440.0) -> NDArray[np.float64]:
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate)


def card(length: int | None = None, **fields: object) -> Card:
    audio = {"rate": RATE} | ({"length": length} if length else {})
    return {"inputs": {"x": {"kind": "tensor", "array": "audio"}}, "audio": audio, **fields}


def written(desk: Desk) -> Path:
    folder = desk.root / "sounds"
    folder.mkdir()
    soundfile.write(folder / "a.wav", tone(RATE), RATE, subtype="FLOAT")
    soundfile.write(folder / "b.flac", np.column_stack([tone(44_100), tone(44_100)]), 44_100)
    soundfile.write(folder / "c.wav", tone(RATE, 0.25), RATE, subtype="PCM_16")
    (folder / "labels.csv").write_text("file,said\na.wav,yes\nb.flac,no\nc.wav,yes\n")
    return folder


@pytest.mark.promise("P9")
def test_every_file_comes_at_the_models_rate_with_one_channel(desk: Desk) -> None:
    label = {"csv": "labels.csv", "file": "file", "label": "said"}
    data = desk.open(written(desk), card(label=label, classes=["no", "yes"]))
    column = data.inputs["x"]
    assert (column.dtype, [len(column[row]) for row in range(3)]) == ("float32", [4000, 4000, 2000])
    np.testing.assert_array_equal(column[0], tone(RATE).astype(np.float32))
    # Resampled from stereo at 44.1 kHz it is the same tone; the ends ring.
    np.testing.assert_allclose(column[1][200:-200], tone(RATE)[200:-200], atol=5e-3)
    assert data.labels is not None
    assert data.labels.batch(0, 3).tolist() == [1, 0, 1]


def test_one_length_cuts_and_fills(desk: Desk) -> None:
    column = desk.open(written(desk), card(3000)).inputs["x"]
    assert column.regular
    assert column[2][2000:].tolist() == [0.0] * 1000
    np.testing.assert_array_equal(column[0], tone(RATE)[:3000].astype(np.float32))


@pytest.mark.promise("P9")
def test_another_rate_or_length_is_another_preprocessing(desk: Desk) -> None:
    folder = written(desk)
    digests = {desk.prepare(folder, made).preprocessing for made in (card(), card(3000), card(3001))}
    assert len(digests) == 3


@pytest.mark.parametrize("content", [b"", b"RIFF....WAVEfmt ", b"no sound at all"])
def test_a_file_that_cannot_be_decoded_is_named(desk: Desk, content: bytes) -> None:
    folder = written(desk)
    (folder / "c.wav").write_bytes(content)
    refusal = desk.refusal(folder, card())
    assert (refusal.code, "c.wav" in refusal.what) == (Code.DATA_INVALID, True)


def test_a_silent_file_without_frames_and_another_format_are_refused(desk: Desk) -> None:
    folder = written(desk)
    soundfile.write(folder / "c.wav", np.zeros(0), RATE)
    assert "it holds 0 frames" in desk.refusal(folder, card()).why
    soundfile.write(folder / "c.wav", tone(RATE), RATE, format="AIFF")
    assert "its format is AIFF" in desk.refusal(folder, card()).why


def test_a_card_for_something_else_and_an_empty_folder_are_refused(desk: Desk) -> None:
    folder = written(desk)
    wrong = {**card(), "inputs": {"x": {"kind": "image"}}}
    assert desk.refusal(folder, wrong).code is Code.CARD_INVALID
    (desk.root / "empty").mkdir()
    assert "0 sound files" in desk.refusal(desk.root / "empty", card()).why


def test_without_its_library_sound_is_refused_with_the_line_that_installs_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(extras, "import_module", absent)
    refusal = desk.refusal(written(desk), card())
    assert (refusal.code, refusal.facts["install"]) == (Code.MISSING_EXTRA, "pip install 'edgewright[audio]'")
