"""Strings out of model files, made safe to show: whoever wrote the file chose them."""

import unicodedata

# Control, format (bidirectional marks, zero-width characters), surrogate, private, unassigned, line and paragraph
# separators: Unicode Standard Annex 44, General_Category.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
LIMIT_CHARACTERS = 120
LIMIT_MESSAGE = 300


def is_plain(text: str, limit: int = LIMIT_CHARACTERS) -> bool:
    """Return whether `text` can be shown as it is."""
    return len(text) <= limit and not any(unicodedata.category(character) in _HIDDEN for character in text)


def legible(text: str, limit: int = LIMIT_CHARACTERS) -> str:
    """Return `text` with characters that hide or reorder others written as escapes, cut to `limit` characters."""
    shown = "".join(
        f"\\u{ord(character):04x}" if unicodedata.category(character) in _HIDDEN else character
        for character in text[:limit]
    )
    return shown[:limit] + ("..." if len(text) > limit or len(shown) > limit else "")


def clause(message: object, limit: int = LIMIT_MESSAGE) -> str:
    """Return a library's message as one legible line without a full stop."""
    return legible(" ".join(str(message).split()), limit).rstrip(". ")
