"""Zip archives that hold a model: every reason against one, found before a framework unpacks it.

Format: PKWARE's APPNOTE. Nothing is ever extracted to disk here.
"""

import json
import zipfile
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn

from edgewright.state.errors import Code, Refused
from edgewright.tools.legible import is_plain, legible

MOST_MEMBERS = 10_000
# Weights hardly shrink, and text does not by more than about a thousand.
MOST_RATIO = 1100
MOST_BYTES = 1 << 35
MOST_TEXT_BYTES = 64 << 20
# Deeper than any configuration that a framework writes, far from where its own readers break.
DEEPEST = 200

_ENCRYPTED = 0x1
_AGAIN = "save the model again with a current version of its framework"


def refuse(why: str, do: str = _AGAIN, code: Code = Code.MODEL_INVALID, **facts: object) -> NoReturn:
    """Refuse a model file.

    Raises:
        Refused: Always.
    """
    raise Refused.because(code, "this model", why, do, **facts)


def open_archive(path: Path) -> zipfile.ZipFile:
    """Return the archive in a file if its members may be read.

    Raises:
        Refused: MODEL_INVALID, with what is wrong with it.
    """
    try:
        archive = zipfile.ZipFile(path)
        members = archive.infolist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        refuse(f"its archive cannot be read: {legible(str(error))}")
    if len(members) > MOST_MEMBERS:
        refuse(f"its archive has {len(members)} members, and {MOST_MEMBERS} are the most")
    names = [member.filename for member in members]
    if len(set(names)) != len(names):
        refuse("two members of its archive have one name, so that readers may disagree about what it holds")
    for member in members:
        _check_member(member)
    if sum(member.file_size for member in members) > MOST_BYTES:
        refuse(f"its archive unpacks to more than {MOST_BYTES} bytes")
    return archive


def _check_member(member: zipfile.ZipInfo) -> None:
    name, shown = PurePosixPath(member.filename), legible(member.filename)
    if name.is_absolute() or ".." in name.parts or "\\" in member.filename or not is_plain(member.filename, 400):
        refuse(f"the member '{shown}' of its archive leads out of it")
    if (member.external_attr >> 28) not in {0, 4, 8}:  # type bits of st_mode: none, a folder, a file
        refuse(f"the member '{shown}' of its archive is a link or a device")
    if member.flag_bits & _ENCRYPTED:
        refuse(f"the member '{shown}' of its archive is encrypted", "save the model without a password")
    if member.file_size > MOST_RATIO * max(1, member.compress_size):
        refuse(f"the member '{shown}' of its archive unpacks to {member.file_size} bytes from {member.compress_size}")


def read_json(archive: zipfile.ZipFile, name: str) -> Any:  # noqa: ANN401  (JSON)
    """Return what a JSON member says.

    Raises:
        Refused: MODEL_INVALID: it is missing, too large, nested too deep, or no JSON.
    """
    content = read_member(archive, name)
    try:
        text = content.decode("utf-8")
        if nesting(text) > DEEPEST:
            refuse(f"the member '{legible(name)}' of its archive is nested {DEEPEST} deep and deeper")
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        refuse(f"the member '{legible(name)}' of its archive is no JSON: {legible(str(error))}")


def read_member(archive: zipfile.ZipFile, name: str) -> bytes:
    """Return the content of a member that is text or small.

    Raises:
        Refused: MODEL_INVALID: it is missing, too large or damaged.
    """
    try:
        if archive.getinfo(name).file_size > MOST_TEXT_BYTES:
            refuse(f"the member '{legible(name)}' of its archive has more than {MOST_TEXT_BYTES} bytes")
        return archive.read(name)
    except (KeyError, zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError, EOFError) as error:
        refuse(f"the member '{legible(name)}' of its archive is missing or damaged: {legible(str(error))}")


def nesting(text: str) -> int:
    """Return how deep brackets are nested in a text, as far as it matters; those in strings count too."""
    depth = deepest = 0
    for character in text:
        if character in "[{":
            depth += 1
            deepest = max(deepest, depth)
            if deepest > DEEPEST:
                return deepest
        elif character in "]}":
            depth -= 1
    return deepest
