"""The search over notes: SQLite's FTS5, Porter stems, BM25 with field weights. No network, no service, no model.

The bundled notes are indexed in memory on first use: there is no file that could be stale or missing, in a wheel or in
a checkout. The user's own lie in files that the server opens for reading only.
"""

import json
import math
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from sqlite_utils import Database

from edgewright.knowledge.note import Note, passages
from edgewright.knowledge.words import normal

# Weights of the indexed columns, in their order. A title names the subject, topics are chosen words.
WEIGHTS = {"title": 6.0, "topics": 4.0, "headings": 3.0, "words": 1.0, "near": 1.0}
_K1_PLUS_1 = 2.2
"""SQLite's BM25 has k1 = 1.2 (sqlite.org/fts5.html, "The bm25() function"): a word adds at most 2.2 times its idf."""
_EXAMINED = 200


@dataclass(frozen=True)
class Hit:
    """A passage that answers.

    Attributes:
        content: The passage as it stands in its note.
        score: From 0 to 1: the share of what a passage full of every word asked for would score.
        source_path: The note.
        heading: The headings above the passage.
        language: Of code; empty for prose.
        sources: Addresses of the note's sources.
        untrusted: Whether it is the user's own text.
    """

    content: str
    score: float
    source_path: str
    heading: str
    language: str
    sources: tuple[str, ...]
    untrusted: bool


class Index:
    """One searchable set of notes."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._lock = Lock()

    @classmethod
    def of(cls, notes: Iterable[Note]) -> "Index":
        """Return an index in memory, closed to changes."""
        connection = sqlite3.connect(":memory:", check_same_thread=False)
        fill(Database(connection), notes)
        connection.execute("PRAGMA query_only = ON")
        return cls(connection)

    @classmethod
    def open(cls, path: Path) -> "Index":
        """Return the index of a file, opened for reading only."""
        return cls(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, check_same_thread=False))

    def collections(self) -> tuple[str, ...]:
        """Return the names of the collections."""
        with self._lock:
            rows = self._connection.execute("SELECT DISTINCT collection FROM passages ORDER BY 1").fetchall()
        return tuple(row[0] for row in rows)

    def languages(self) -> tuple[str, ...]:
        """Return the languages of its code."""
        with self._lock:
            rows = self._connection.execute("SELECT DISTINCT language FROM passages WHERE language != '' ORDER BY 1")
            return tuple(row[0] for row in rows.fetchall())

    def search(
        self, words: tuple[str, ...], *, collection: str | None = None, code: bool = False, language: str | None = None
    ) -> list[Hit]:
        """Return the best passage of each note that has a word asked for, the best first.

        Args:
            words: What is asked for, as `edgewright.knowledge.words.asked` reads it.
            collection: Look only here.
            code: Look only at code.
            language: Look only at code of this language.
        """
        if not words:
            return []
        given = {"collection": collection, "code": code, "language": language, "examined": _EXAMINED}
        with self._lock:
            match = " OR ".join(map(_quoted, words))
            rows = self._connection.execute(_SEARCH, {**given, "match": match}).fetchall()
            best = _K1_PLUS_1 * sum(map(self._rarity, words))
        hits: dict[str, Hit] = {}
        for rank, content, path, heading, spoken, sources, untrusted in rows:
            score = round(min(1.0, -rank / best), 3)
            hits.setdefault(
                path, Hit(content, score, path, heading, spoken, tuple(json.loads(sources)), bool(untrusted))
            )
        return list(hits.values())

    def _rarity(self, word: str) -> float:
        """Return a word's inverse document frequency as SQLite's BM25 has it."""
        total, having = self._count("SELECT count(*) FROM passages"), self._count(_COUNT, _quoted(word))
        return max(math.log((total - having + 0.5) / (having + 0.5)), 1e-6)

    def _count(self, sql: str, *arguments: str) -> int:
        return int(self._connection.execute(sql, arguments).fetchone()[0])


_WEIGHED = ", ".join(map(str, WEIGHTS.values()))
_COUNT = "SELECT count(*) FROM passages_fts WHERE passages_fts MATCH ?"
_SEARCH = f"""
SELECT bm25(passages_fts, {_WEIGHED}) AS rank, content, path, heading, language, sources, untrusted
FROM passages_fts JOIN passages ON passages.id = passages_fts.rowid
WHERE passages_fts MATCH :match AND (:collection IS NULL OR collection = :collection)
  AND (NOT :code OR language != '') AND (:language IS NULL OR language = :language)
ORDER BY rank LIMIT :examined
"""  # noqa: S608 - the weights above are the only thing put in


def fill(database: Database, notes: Iterable[Note]) -> int:
    """Write the passages of notes into an empty database and index them; return how many there are."""
    rows = [
        {
            "id": number,
            "path": note.path,
            "collection": note.collection,
            "heading": passage.heading,
            "content": passage.text,
            "language": passage.language,
            "sources": json.dumps([source.at for source in note.sources]),
            "untrusted": int(note.untrusted),
            "title": _read(note.title),
            "topics": _read(", ".join(note.topics)),
            "headings": _read(passage.heading),
            "words": _read(passage.text),
            "near": _read(passage.near),
        }
        for number, (note, passage) in enumerate(((note, p) for note in notes for p in passages(note.body)), start=1)
    ]
    table = database.table("passages")
    table.insert_all(rows, pk="id")
    table.enable_fts(list(WEIGHTS), tokenize="porter unicode61")
    return len(rows)


def _read(text: str) -> str:
    return " ".join(normal(text))


def _quoted(word: str) -> str:
    """Return a word as a string of FTS5's query language; it holds letters and digits only."""
    return f'"{word}"'
