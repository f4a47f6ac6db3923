"""Markdown that says what is in it: strings from model files and callers cannot become markup.

Escapes: CommonMark 0.31.2, section 2.4 (a backslash before ASCII punctuation makes it literal).
"""

import math
import re
from collections.abc import Iterable, Sequence

from edgewright.tools.legible import legible

LIMIT_CHARACTERS = 600
# Inside a word an underscore is literal already, and file names stay readable without a backslash before each.
_MARKUP = re.compile(r"[\\`*\[\]<>|~&$^]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|:(?=//)|@(?=\w)|(?<=www)\.")


def escaped(text: object, limit: int = LIMIT_CHARACTERS) -> str:
    """Return `text` as literal, visible characters on one line, at most `limit` of them before escaping."""
    return _MARKUP.sub(lambda match: f"\\{match.group()}", legible(str(text), limit))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; cells are Markdown already, strings in them escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def figure(value: float, digits: int = 3) -> str:
    """Return a number in plain notation with about `digits` significant digits."""
    if not math.isfinite(value) or value == 0:
        return f"{value:g}"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:.{decimals}f}"


def megabytes(size_bytes: int) -> str:
    """Return a size in units of a million bytes."""
    return figure(size_bytes / 1e6)


def percent(share: float) -> str:
    """Return a signed share of 1 as percent; a share that rounds to nothing has no sign."""
    if not math.isfinite(share):
        return "undefined"
    shown = f"{share:+.2%}"
    return "0.00%" if shown in {"+0.00%", "-0.00%"} else shown
