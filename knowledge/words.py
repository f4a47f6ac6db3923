"""How words are read: what the field says in several ways becomes one word, in notes and in questions alike."""

import re
import tomllib
from functools import cache
from pathlib import Path

WORD = re.compile(r"[^\W_]+")
MOST_WORDS = 48
"""A question has fewer; a pasted page is cut here, so that no query costs more than a few milliseconds."""


@cache
def _vocabulary() -> tuple[dict[tuple[str, ...], str], frozenset[str]]:
    """Return the word that stands for each phrase, and the common words."""
    table = tomllib.loads((Path(__file__).parent / "words.toml").read_text(encoding="utf-8"))
    stands = {tuple(phrase.split()): same[0] for same in table["same"] for phrase in same}
    return stands, frozenset(table["common"].split())


def normal(text: str) -> list[str]:
    """Return the words of a text in lower case, with one word for what means the same.

    Whatever is neither letter nor digit separates words, so a search engine's operators mean nothing here.
    """
    stands, _ = _vocabulary()
    longest = max(map(len, stands))
    words, found, at = WORD.findall(text.lower()), list[str](), 0
    while at < len(words):
        for length in range(min(longest, len(words) - at), 0, -1):
            if word := stands.get(tuple(words[at : at + length])):
                break
        else:
            length, word = 1, words[at]
        found.append(word)
        at += length
    return found


def asked(query: str) -> tuple[str, ...]:
    """Return the telling words of a query; where it has none, all it has."""
    _, common = _vocabulary()
    words = dict.fromkeys(normal(query)[:MOST_WORDS])
    return tuple(word for word in words if word not in common) or tuple(words)
