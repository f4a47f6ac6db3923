"""The samples of a folder of sound files: decoded by libsndfile, channels averaged, at the rate a model takes."""

import io
from collections.abc import Iterator
from math import gcd
from typing import Any

import numpy as np

from edgewright.state.errors import Code, Refused
from edgewright.tools.datasets.card import Card, TensorInput
from edgewright.tools.datasets.entry import Opened
from edgewright.tools.datasets.folders import Kind, find, refuse_file
from edgewright.tools.datasets.samples import Array, Block, Part, Samples
from edgewright.tools.datasets.sources import Audio
from edgewright.tools.extras import load
from edgewright.tools.legible import legible

SOUNDS = Kind("sound files", (".wav", ".flac"))
ARRAY = "audio"
FILE_LIMIT_BYTES = 256 << 20
MOST_FRAMES = 1 << 28


def read_audio(folder: Opened, card: Card, audio: Audio) -> Samples:
    """Return the sound files of a folder as the card describes them; `folder` must stay open while they are read.

    Raises:
        Refused: MISSING_EXTRA without soundfile and SciPy, CARD_INVALID for a card that is none for sound, DATA_INVALID
            with the file and what is wrong with it, DATA_EMPTY.
    """
    wrong = [name for name, e in card.inputs.items() if not isinstance(e, TensorInput) or e.array != ARRAY]
    if wrong:
        raise Refused.because(
            Code.CARD_INVALID,
            f"inputs.{legible(wrong[0])} of the data card",
            f"the data is sound, and it feeds inputs of the kind tensor from the array {ARRAY}",
            f'write "kind": "tensor", "array": "{ARRAY}"',
            "P9",
        )
    soundfile, signal = load("soundfile"), load("scipy.signal")
    found = find(folder, card, SOUNDS)

    def part(number: int, path: str) -> Part:
        def read() -> bytes:
            with folder.open_file(path) as opened:
                return opened.read(FILE_LIMIT_BYTES)

        def decode(content: bytes) -> Block:
            sound, rate = _decode(soundfile, content, f"{folder.path}/{path}")
            return {ARRAY: _at_rate(signal, sound, rate, audio)[np.newaxis]}

        return Part(number, read, decode)

    def parts() -> Iterator[Part]:
        yield from (part(number, path) for number, path in enumerate(found.paths))

    return Samples(len(found.paths), found.labels, found.classes, parts, found.notes)


def _decode(soundfile: Any, content: bytes, path: str) -> tuple[Array, int]:  # noqa: ANN401  (a module without types)
    """Return a file's sound, float32 of shape (frames,), and its frames a second."""
    try:
        with soundfile.SoundFile(io.BytesIO(content)) as file:
            if file.format not in {"WAV", "WAVEX", "FLAC"}:
                refuse_file(path, f"its format is {file.format}", "store it as WAV or FLAC")
            if not 0 < file.frames <= MOST_FRAMES:
                refuse_file(path, f"it holds {file.frames} frames, not 1 to {MOST_FRAMES}", "cut it, or drop it")
            sound = file.read(dtype="float32", always_2d=True)
            return sound.mean(axis=1), file.samplerate
    except soundfile.LibsndfileError as error:
        refuse_file(path, f"it cannot be decoded ({legible(str(error))})", "replace it; WAV and FLAC are read")


def _at_rate(signal: Any, sound: Array, rate: int, audio: Audio) -> Array:  # noqa: ANN401  (a module without types)
    """Return sound at the card's rate and length: polyphase filtering, SciPy's `resample_poly` with its defaults."""
    if rate != audio.rate:
        common = gcd(rate, audio.rate)
        sound = signal.resample_poly(sound, audio.rate // common, rate // common).astype(np.float32)
    if audio.length is None:
        return sound
    return np.pad(sound[: audio.length], (0, max(0, audio.length - len(sound))))
