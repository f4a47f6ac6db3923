"""A note: one subject in Markdown under a TOML front matter, cut into passages that can be found and cited.

The front matter stands between two lines of `+++`: title, collection, topics, versions, sources, date, checked.
"""

import datetime
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PASSAGE_CHARACTERS = 1500
FOLDER = Path(__file__).parent / "notes"
FENCE = "```"
HEADING = re.compile(r"(#{1,6}) +(.+)")


@dataclass(frozen=True)
class Source:
    """Where a note's facts come from.

    Attributes:
        title: Of the page, paper or file.
        at: Its address, or a path in this repository.
    """

    title: str
    at: str


@dataclass(frozen=True)
class Note:
    """One note.

    Attributes:
        path: How results cite it.
        title: One line.
        collection: `edge_ai`, `python`, or one that the user named.
        topics: Words that it should be found by.
        versions: What its facts hold for.
        sources: Where they come from.
        date: When they were last checked.
        checked: What was checked, and how.
        body: The Markdown below the front matter.
        untrusted: Whether it is the user's own text, which is quoted and never followed.
    """

    path: str
    title: str
    collection: str
    body: str
    topics: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()
    date: datetime.date | None = None
    checked: str = ""
    untrusted: bool = False


@dataclass(frozen=True)
class Passage:
    """A part of a note that answers on its own.

    Attributes:
        heading: The headings above it, outermost first, joined by ` > `.
        text: Prose of one section, or one code block.
        language: Of a code block; empty for prose.
        near: The paragraph before a code block, which says what it does.
    """

    heading: str
    text: str
    language: str = ""
    near: str = ""

    @property
    def is_code(self) -> bool:
        """Whether it is a code block."""
        return bool(self.language)


@cache
def bundled() -> tuple[Note, ...]:
    """Return the notes that come with Edgewright, in the order of their names."""
    return tuple(read(path) for path in sorted(FOLDER.glob("*.md")))


def read(path: Path) -> Note:
    """Read one bundled note.

    Raises:
        ValueError: If its front matter is missing or incomplete.
    """
    parts = path.read_text(encoding="utf-8").split("+++\n", 2)
    if len(parts) != 3 or parts[0]:
        raise ValueError(f"{path.name} has no front matter")
    head = tomllib.loads(parts[1])
    try:
        return Note(
            path=f"knowledge/notes/{path.name}",
            title=head["title"],
            collection=head["collection"],
            body=parts[2].strip(),
            topics=tuple(head["topics"]),
            versions=tuple(head["versions"]),
            sources=tuple(Source(**source) for source in head["sources"]),
            date=head["date"],
            checked=head["checked"],
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path.name}: front matter without {error}") from error


def passages(body: str) -> Iterator[Passage]:
    """Cut Markdown into sections of prose and blocks of code, each with the headings above it.

    Line by line, so that no text takes longer than its length; a block that nobody closed is prose.
    """
    above: list[tuple[int, str]] = []
    section = _Section("")
    for line in body.splitlines():
        head = None if section.block else HEADING.fullmatch(line)
        if head is None:
            section.take(line)
            continue
        yield from section.passages()
        above = [*(entry for entry in above if entry[0] < len(head[1])), (len(head[1]), head[2].strip())]
        section = _Section(" > ".join(name for _, name in above))
    yield from section.passages()


class _Section:
    """What stands below one heading, as far as it was read.

    Attributes:
        block: The lines of the code block that is open, its fence first; empty outside of one.
    """

    def __init__(self, heading: str) -> None:
        self._heading = heading
        self._prose: list[str] = []
        self._code: list[Passage] = []
        self.block: list[str] = []

    def take(self, line: str) -> None:
        """Take the next line."""
        if self.block and line.rstrip() == FENCE:
            language = self.block[0].removeprefix(FENCE).strip() or "text"
            near = "\n".join(self._prose).strip().split("\n\n")[-1]
            self._code.append(Passage(self._heading, "\n".join(self.block[1:]), language, near))
            self.block = []
        elif self.block or line.startswith(FENCE):
            self.block.append(line)
        else:
            self._prose.append(line)

    def passages(self) -> Iterator[Passage]:
        """Return the section's prose, in pieces that fit a reply, then its code."""
        piece = ""
        for part in _parts("\n".join([*self._prose, *self.block])):
            if piece and len(piece) + len(part) > PASSAGE_CHARACTERS:
                yield Passage(self._heading, piece)
                piece = ""
            piece = f"{piece}\n\n{part}" if piece else part
        if piece:
            yield Passage(self._heading, piece)
        yield from self._code


def _parts(prose: str) -> Iterator[str]:
    """Return the paragraphs, those that are longer than a passage in several parts."""
    for paragraph in filter(None, map(str.strip, re.split(r"\n{2,}", prose))):
        for start in range(0, len(paragraph), PASSAGE_CHARACTERS):
            yield paragraph[start : start + PASSAGE_CHARACTERS]
