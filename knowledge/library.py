"""Where answers are looked up: the notes that come with Edgewright, and those that the user added."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from edgewright.knowledge.index import Hit, Index
from edgewright.knowledge.note import bundled
from edgewright.knowledge.words import asked
from edgewright.state.errors import Code, Refused

LEAST_SCORE = 0.25
"""Below it the notes share no more than a chance word with the question."""


@dataclass(frozen=True)
class Question:
    """What is looked for.

    Attributes:
        query: In anyone's words.
        collection: Only there; everywhere where it is `None`.
        code: Only code.
        language: Only code in it.
        n_results: At most so many.
        min_score: Leave out what scores less.
    """

    query: str
    collection: str | None = None
    code: bool = False
    language: str | None = None
    n_results: int = 5
    min_score: float = LEAST_SCORE


class Library:
    """All notes that can be searched."""

    def __init__(self, shelf: Path | None = None) -> None:
        """Name the folder of the user's own collections, which need not exist."""
        self._shelf = shelf
        self._opened: dict[Path, tuple[int, Index]] = {}

    @cached_property
    def _bundled(self) -> Index:
        return Index.of(bundled())

    def _indexes(self) -> list[Index]:
        """Return the indexes as they are now: a file written anew since the last look is opened anew."""
        files = sorted(self._shelf.glob("*.db")) if self._shelf else []
        written = {path: path.stat().st_mtime_ns for path in files}
        for path, moment in written.items():
            if self._opened.get(path, (0,))[0] != moment:
                self._opened[path] = (moment, Index.open(path))
        return [self._bundled, *(self._opened[path][1] for path in files)]

    def collections(self) -> tuple[str, ...]:
        """Return the names of all collections, `edge_ai` first."""
        names = dict.fromkeys(name for index in self._indexes() for name in index.collections())
        return tuple(names)

    def languages(self) -> tuple[str, ...]:
        """Return the languages that there is code in."""
        return tuple(sorted({name for index in self._indexes() for name in index.languages()}))

    def search(self, question: Question) -> list[Hit]:
        """Return what answers a question, the best first.

        Raises:
            Refused: INVALID_ARGUMENT for a query without a word, UNKNOWN_COLLECTION.
        """
        words = asked(question.query)
        if not words:
            raise Refused.because(
                Code.INVALID_ARGUMENT,
                "a search without a word",
                "the query holds neither letters nor digits",
                "ask in words, for example 'INT8 calibration data'",
            )
        if question.collection is not None and question.collection not in (known := self.collections()):
            raise Refused.because(
                Code.UNKNOWN_COLLECTION,
                f"a search in the collection {question.collection!r}",
                f"there are {', '.join(known)}",
                "name one of these, or leave `collection` out",
                collections=list(known),
            )
        hits = [
            hit
            for index in self._indexes()
            for hit in index.search(
                words, collection=question.collection, code=question.code, language=question.language
            )
            if hit.score >= question.min_score
        ]
        return sorted(hits, key=lambda hit: -hit.score)[: question.n_results]
