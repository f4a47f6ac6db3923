"""Contents of files of known types, and frames of sound with and without a voice; all made here, none recorded."""

import bz2
import gzip
import io
import json
import lzma
import sysconfig
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

PADDING = 256
PART_BYTES, BLOCK_BYTES = 1024, 4096
RATE, FRAME = 16_000, 576


def file_contents(count: int) -> list[tuple[bytes, str]]:
    """Return contents and their types as Magika names them: `count` of each."""
    rng = np.random.default_rng(0)
    library = sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))[:count]
    made = [(path.read_bytes(), "python") for path in library]
    for _ in range(count):
        made += _pictures(rng)
        made += _archives(" ".join(rng.choice(["alpha", "beta", "gamma"], 200)).encode())
        numbers = rng.integers(0, 999, 60).tolist()
        made.append((json.dumps([{"id": n, "name": f"n{n}", "tags": ["a", "b"]} for n in numbers]).encode(), "json"))
        made.append(_csv(numbers))
        stream = io.BytesIO()
        np.save(stream, rng.random(300))
        made.append((stream.getvalue(), "npy"))
    return made


def as_magika_reads(content: bytes) -> list[int]:
    """Return the first and last 1024 bytes without white space around them, padded, as its README describes."""
    first = list(content[:BLOCK_BYTES].lstrip()[:PART_BYTES])
    last = list(content[-BLOCK_BYTES:].rstrip()[-PART_BYTES:])
    filling = [PADDING] * (2 * PART_BYTES - len(first) - len(last))
    return [*first, *filling, *last]


def frames(count: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return frames of sound, shape (count, 576), and which hold a voice: pulses through three formants, or noise."""
    rng = np.random.default_rng(0)
    voiced = np.arange(count) % 2
    made = [_vowel(rng) if one else rng.normal(0, rng.uniform(0.001, 0.1), FRAME) for one in voiced]
    return np.array(made, np.float32), voiced.astype(np.int64)


def _pictures(rng: np.random.Generator) -> Iterator[tuple[bytes, str]]:
    picture = Image.fromarray(rng.integers(0, 255, (40, 40, 3), np.uint8))
    for kind in ("PNG", "GIF", "BMP", "JPEG", "WEBP", "TIFF"):
        stream = io.BytesIO()
        picture.save(stream, kind)
        yield stream.getvalue(), kind.lower()


def _archives(text: bytes) -> Iterator[tuple[bytes, str]]:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.txt", text)
    yield stream.getvalue(), "zip"
    for compress, kind in ((gzip.compress, "gzip"), (bz2.compress, "bzip"), (lzma.compress, "xz")):
        yield compress(text), kind


def _csv(numbers: list[int]) -> tuple[bytes, str]:
    return ("id,name,price\n" + "".join(f"{n},item {n},{n / 7:.2f}\n" for n in numbers)).encode(), "csv"


def _vowel(rng: np.random.Generator) -> NDArray[np.float64]:
    """Return a frame of a synthetic vowel (source and filter: Fant, 1960)."""
    sound = np.zeros(4000 + FRAME)
    sound[np.arange(0, len(sound), RATE / rng.uniform(100, 220)).astype(int)] = 1
    for hertz, width in ((rng.uniform(300, 800), 80), (rng.uniform(900, 2200), 100), (2500, 150)):
        radius = np.exp(-np.pi * width / RATE)
        first, second = 2 * radius * np.cos(2 * np.pi * hertz / RATE), -(radius**2)
        for place in range(2, len(sound)):
            sound[place] += first * sound[place - 1] + second * sound[place - 2]
    frame = sound[-FRAME:]
    return 0.3 * frame / np.abs(frame).max()
