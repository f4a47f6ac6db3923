"""The text of one PDF on standard output: `python -I -m edgewright.knowledge.pdf FILE MOST_BYTES`.

Run by `edgewright.knowledge.own` under limits of time and memory. pypdf is pure Python, BSD-licensed and kept up; it
bounds what a compressed stream may unpack to.
"""

import sys


def main() -> int:
    """Print the text of the file named on the command line; stop at the size given beside it."""
    try:
        from pypdf import PdfReader
        from pypdf.errors import PyPdfError
    except ModuleNotFoundError:
        print("pypdf is missing: pip install 'edgewright[pdf]'", file=sys.stderr)
        return 1
    left = int(sys.argv[2])
    try:
        for page in PdfReader(sys.argv[1]).pages:
            text = (page.extract_text().replace("\0", "") + "\n\n").encode("utf-8", "replace")[:left]
            sys.stdout.buffer.write(text)
            left -= len(text)
            if left == 0:
                break
    except (PyPdfError, ValueError, OSError, RecursionError, MemoryError, KeyError, TypeError) as error:
        print(f"{type(error).__name__}: {error}"[:300], file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
