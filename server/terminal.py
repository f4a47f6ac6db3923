"""What a person types: secrets without an echo, from a terminal and from nowhere else."""

import getpass
import sys
import warnings

from edgewright.state.errors import EdgewrightError
from edgewright.tools.legible import legible


def secret(prompt: str) -> str:
    """Return a line that is typed without being shown.

    Raises:
        EdgewrightError: If there is no terminal: a pipe would leave the secret in a script or a log.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            return getpass.getpass(prompt)
        except (getpass.GetPassWarning, EOFError) as error:
            raise EdgewrightError("a passphrase is typed at a terminal, and there is none") from error


def line(prompt: str) -> str:
    """Return a line that is typed in sight."""
    try:
        return input(prompt).strip()
    except EOFError as error:
        raise EdgewrightError("the question was not answered") from error


def show(*lines: str) -> None:
    """Print lines, with nothing in them that hides or reorders what stands there."""
    for text in lines:
        sys.stdout.write(f"{legible(text, 4000)}\n")
    sys.stdout.flush()
