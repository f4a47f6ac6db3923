"""Every note says where its facts come from, and the code in it runs or names what it needs."""

import datetime
import os
import re
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

import numpy as np
import pytest

from edgewright.knowledge.note import Note, Passage, bundled, passages, read

ROOT = Path(__file__).parent.parent.parent
DEMO = ROOT / "server" / "demo" / "fashion_mnist"
LONGEST_CHARACTERS = 4000
INSTALLED = {found.name for found in distributions()}


def code_of(note: Note) -> list[Passage]:
    return [passage for passage in passages(note.body) if passage.is_code]


PYTHON = [(note, passage) for note in bundled() for passage in code_of(note) if passage.language == "python"]


@pytest.mark.parametrize("note", bundled(), ids=lambda note: Path(note.path).stem)
def test_a_note_is_short_and_names_versions_sources_and_what_was_checked(note: Note) -> None:
    assert note.collection in {"edge_ai", "python"}
    assert note.topics
    assert note.versions
    assert note.checked
    assert isinstance(note.date, datetime.date)
    assert note.sources
    for source in note.sources:
        assert re.match(r"https://", source.at) or (ROOT / source.at).exists(), source
    assert note.body.startswith(f"# {note.title}\n")
    assert len(note.body) <= LONGEST_CHARACTERS


def test_a_note_without_a_source_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "note.md").write_text('+++\ntitle = "a"\ncollection = "edge_ai"\n+++\n# a\n', encoding="utf-8")
    with pytest.raises(ValueError, match="front matter"):
        read(tmp_path / "note.md")


@pytest.mark.parametrize(("note", "passage"), PYTHON, ids=lambda value: getattr(value, "heading", ""))
def test_an_example_compiles(note: Note, passage: Passage) -> None:
    compile(passage.text, note.path, "exec")


def needs(passage: Passage) -> str:
    """Return what an example says that it needs beside the core."""
    first = passage.text.splitlines()[0]
    return first.removeprefix("# needs: ") if first.startswith("# needs: ") else ""


def is_here(needed: str) -> bool:
    """Whether what an example needs is packages, and all of them are installed."""
    packages = needed.removeprefix("pip install ").split()
    return not needed or (needed.startswith("pip install ") and set(packages) <= INSTALLED)


def test_every_example_whose_packages_are_here_runs(tmp_path: Path) -> None:
    """In one process: the imports cost more than the examples. Each finds models and samples."""
    with np.load(DEMO / "calibration.npz") as data:
        pictures = data["image"][:16].astype(np.float32) / 255
    np.save(tmp_path / "samples.npy", pictures.transpose(0, 3, 1, 2))
    np.save(tmp_path / "samples_nhwc.npy", pictures)
    (tmp_path / "model.onnx").write_bytes((DEMO / "fashion_mnist_cnn.onnx").read_bytes())
    (tmp_path / "model.tflite").write_bytes((DEMO / "fashion_mnist_mobile.tflite").read_bytes())
    runnable = [passage for _, passage in PYTHON if is_here(needs(passage))]
    assert len(runnable) >= 14
    lines = [
        f"exec(compile({passage.text!r}, {passage.heading!r}, 'exec'), {{'__name__': 'example'}})"
        for passage in runnable
    ]
    (tmp_path / "examples.py").write_text("\n".join(lines), encoding="utf-8")
    environment = {"PATH": os.environ["PATH"], "ORT_DISABLE_TELEMETRY": "1"}
    command = [sys.executable, "examples.py"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_sections_keep_the_headings_above_them_and_code_keeps_the_words_before_it() -> None:
    body = "# A\n\nFirst.\n\n## B\n\nDo this:\n\n```python\n# no heading\nx = 1\n```\n\n# C\n\nLast."
    cut = [(passage.heading, passage.text, passage.language, passage.near) for passage in passages(body)]
    assert cut == [
        ("A", "First.", "", ""),
        ("A > B", "Do this:", "", ""),
        ("A > B", "# no heading\nx = 1", "python", "Do this:"),
        ("C", "Last.", "", ""),
    ]
