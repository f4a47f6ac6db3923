"""The user's own notes: read from a folder, bounded, and indexed into a collection of their own as untrusted text.

What such a file says is quoted to whoever asks and never followed. A person adds a folder on the command line; no tool
does. PDF files are read in a process with limits of its own, since their content decides how much work they are.
"""

import os
import re
import resource
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlite_utils import Database

from edgewright.knowledge.index import fill
from edgewright.knowledge.note import Note, bundled
from edgewright.state.errors import EdgewrightError

COLLECTION = "own"
NAME = re.compile(r"[a-z0-9_]{1,32}")
SUFFIXES = frozenset({".md", ".markdown", ".txt", ".text", ".rst", ".pdf"})
MOST_FILES = 5_000
MOST_BYTES = 8 << 20
"""Of one file. A book has about a million letters."""
PDF_SECONDS = 30
PDF_MEMORY_BYTES = 1 << 30


@dataclass(frozen=True)
class Added:
    """What became of a folder.

    Attributes:
        files: How many were indexed.
        passages: How many passages they have.
        skipped: Why others were not, by their path in the folder.
    """

    files: int
    passages: int
    skipped: dict[str, str]


class Unreadable(Exception):
    """Raised where a file holds no text that can be taken."""


def add(folder: Path, shelf: Path, collection: str = COLLECTION) -> Added:
    """Index a folder's notes; what the collection held before is replaced, other collections stay.

    Args:
        folder: Looked through with its sub-folders. Links are not followed.
        shelf: Folder of the user's collections, one file each.
        collection: Its name.

    Raises:
        EdgewrightError: If the folder is none, or the name is unusable or taken by a collection of Edgewright's own.
    """
    if not NAME.fullmatch(collection) or collection in {note.collection for note in bundled()}:
        raise EdgewrightError(f"a collection cannot be called {collection!r}: choose 1 to 32 of a-z, 0-9 and _, unused")
    if not folder.is_dir():
        raise EdgewrightError(f"{folder} is no folder")
    notes, skipped = list[Note](), dict[str, str]()
    for path in _files(folder):
        name = str(path.relative_to(folder))
        if len(notes) == MOST_FILES:
            skipped[name] = f"more than {MOST_FILES} files; this one and those after it were left out"
            break
        try:
            notes.append(Note(f"{collection}/{name}", path.stem, collection, _text(path), untrusted=True))
        except Unreadable as error:
            skipped[name] = str(error)
    return Added(len(notes), _write(shelf / f"{collection}.db", notes), skipped)


def _files(folder: Path) -> Iterator[Path]:
    for where, folders, names in os.walk(folder, followlinks=False):
        folders.sort()
        yield from (path for path in (Path(where) / name for name in sorted(names)) if path.suffix.lower() in SUFFIXES)


def _text(path: Path) -> str:
    """Return a file's text.

    Raises:
        Unreadable: If it is a link or no regular file, too large, binary, or without text.
    """
    if path.is_symlink() or not path.is_file():
        raise Unreadable("a link or no regular file")
    if (size := path.stat().st_size) > MOST_BYTES:
        raise Unreadable(f"{size} bytes, and {MOST_BYTES} are the most")
    content = _pdf(path) if path.suffix.lower() == ".pdf" else path.read_bytes()
    if b"\0" in content:
        raise Unreadable("binary")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable("not UTF-8 text") from error
    if not text.strip():
        raise Unreadable("no text")
    return text


def _pdf(path: Path) -> bytes:
    """Return the text of a PDF, read by a process that cannot take more than its share of time and memory."""
    command = [sys.executable, "-I", "-m", "edgewright.knowledge.pdf", str(path.resolve()), str(MOST_BYTES)]
    try:
        child = subprocess.run(command, capture_output=True, check=False, timeout=PDF_SECONDS, preexec_fn=_limit)
    except subprocess.TimeoutExpired as error:
        raise Unreadable(f"reading it takes more than {PDF_SECONDS} s") from error
    if child.returncode != 0:
        lines = child.stderr.decode("utf-8", "replace").strip().splitlines()
        raise Unreadable(f"not readable as PDF: {lines[-1][:200] if lines else f'ended by signal {-child.returncode}'}")
    return child.stdout


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (PDF_MEMORY_BYTES, PDF_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (PDF_SECONDS, PDF_SECONDS))


def _write(index: Path, notes: list[Note]) -> int:
    """Write an index beside the old one and put it in its place in one move."""
    index.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = index.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    database = Database(fresh)
    count = fill(database, notes)
    database.close()
    fresh.replace(index)
    return count
