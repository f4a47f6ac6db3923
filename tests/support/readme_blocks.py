"""The README's generated blocks: `python tests/support/readme_blocks.py README.md NAME FILE` replaces one.

A block lies between `<!-- NAME:begin -->` and `<!-- NAME:end -->`.
"""

import re
import sys
from pathlib import Path

from edgewright.state.phases import diagram


def block(text: str, name: str) -> str:
    """Return the content of a block."""
    found = re.search(rf"<!-- {name}:begin -->\n(.*?)<!-- {name}:end -->", text, re.DOTALL)
    assert found, f"the README has no block {name}"
    return found.group(1)


def with_block(text: str, name: str, content: str) -> str:
    """Return the text with another content in a block."""
    return text.replace(
        f"<!-- {name}:begin -->\n{block(text, name)}<!-- {name}:end -->",
        f"<!-- {name}:begin -->\n{content.strip()}\n<!-- {name}:end -->",
    )


def diagram_block() -> str:
    """Return the phase diagram as the README shows it."""
    return f"```mermaid\n{diagram()}\n```\n"


if __name__ == "__main__":
    readme, name = Path(sys.argv[1]), sys.argv[2]
    content = Path(sys.argv[3]).read_text(encoding="utf-8") if len(sys.argv) > 3 else diagram_block()
    readme.write_text(with_block(readme.read_text(encoding="utf-8"), name, content), encoding="utf-8")
