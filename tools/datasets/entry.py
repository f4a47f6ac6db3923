"""The one way in for a path that a caller names: below an allowed root, through no link, opened once.

A path is resolved by the kernel relative to the root's descriptor (openat2(2), RESOLVE_BENEATH), so nothing can be
swapped between a check and the use: everything afterwards happens through the descriptor. Imports the standard
library only, since the server process loads this module too.
"""

import errno
import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import NoReturn

from edgewright.state.errors import Code, Refused
from edgewright.tools.datasets.beneath import open_beneath
from edgewright.tools.legible import is_plain, legible

CHUNK_BYTES = 1 << 20
MOST_ENTRIES = 1_000_000

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@dataclass(frozen=True)
class Opened:
    """An open file or folder; closed at the end of a `with` block.

    Attributes:
        descriptor: The open descriptor, the only thing that content is read through.
        path: What the caller named, for messages.
        is_folder: Whether it is a folder.
    """

    descriptor: int
    path: str
    is_folder: bool

    def __enter__(self) -> "Opened":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self.descriptor)

    @property
    def size_bytes(self) -> int:
        """Size of the file now."""
        return os.fstat(self.descriptor).st_size

    def open_file(self, relative: str) -> "Opened":
        """Open a file below this folder.

        Raises:
            Refused: As `open_under_roots`.
        """
        path = f"{self.path}/{relative}"
        return _expect_file(_open_beneath(self.descriptor, _parts(relative), path))

    def open_folder(self, relative: str) -> "Opened":
        """Open a folder below this folder.

        Raises:
            Refused: As `open_under_roots`.
        """
        path = f"{self.path}/{relative}"
        return _expect_folder(_open_beneath(self.descriptor, _parts(relative), path))

    def chunks(self) -> Iterator[bytes]:
        """Yield the file's content from its start."""
        offset = 0
        while chunk := os.pread(self.descriptor, CHUNK_BYTES, offset):
            yield chunk
            offset += len(chunk)

    def read(self, limit_bytes: int) -> bytes:
        """Return the file's content.

        Raises:
            Refused: DATA_INVALID, if there is more of it than `limit_bytes`.
        """
        content = bytearray()
        for chunk in self.chunks():
            content += chunk
            if len(content) > limit_bytes:
                raise Refused.because(
                    Code.DATA_INVALID,
                    f"the file {legible(self.path)}",
                    f"it is larger than the {limit_bytes} bytes that a file of its kind may have",
                    "look whether it is the file you mean, and make it smaller if it is",
                    limit_bytes=limit_bytes,
                )
        return bytes(content)


def check_path(path: str, roots: Sequence[str]) -> None:
    """Refuse a path that could not be opened; nothing is read.

    Raises:
        Refused: As `open_under_roots`.
    """
    with open_under_roots(path, roots):
        return


def check_file(path: str, roots: Sequence[str]) -> None:
    """Refuse a path that could not be opened as a file; nothing is read.

    Raises:
        Refused: As `open_file_under_roots`.
    """
    with open_file_under_roots(path, roots):
        return


def open_under_roots(path: str, roots: Sequence[str]) -> Opened:
    """Open the file or folder that a caller names.

    Args:
        path: Absolute path.
        roots: Real paths of the folders that the operator allows.

    Raises:
        Refused: INVALID_ARGUMENT, PATH_OUTSIDE_ROOTS, PATH_IS_LINK (symbolic or hard), NOT_FOUND, NOT_A_FILE or
            UNREADABLE, each with what to do.
    """
    if not path.startswith("/"):
        _refuse(
            Code.INVALID_ARGUMENT,
            path,
            "it is not an absolute path",
            "give the whole path, beginning with / and without ~ or variables",
        )
    parts = _parts(path)
    _require_root(parts, path, roots)
    # From the very top, so that the root itself cannot be a link by now either.
    top = os.open("/", getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return _open_beneath(top, parts, path)
    finally:
        os.close(top)


def open_file_under_roots(path: str, roots: Sequence[str]) -> Opened:
    """Open the regular file that a caller names.

    Raises:
        Refused: As `open_under_roots`, and NOT_A_FILE for a folder.
    """
    return _expect_file(open_under_roots(path, roots))


def import_file(path: str, roots: Sequence[str], destination: Path) -> str:
    """Copy a file that a caller names, and return the SHA-256 of exactly the bytes that were copied.

    Args:
        path: Absolute path under one of the roots.
        roots: Real paths of the folders that the operator allows.
        destination: Where the copy goes; it must not exist. It is durable when this returns.

    Raises:
        Refused: As `open_under_roots`, and DISK_FULL.
    """
    with open_file_under_roots(path, roots) as source:
        return copy_file(source, destination)


def copy_file(source: Opened, destination: Path) -> str:
    """Copy an open file, and return the SHA-256 of exactly the bytes that were copied.

    Raises:
        Refused: DISK_FULL; then there is no copy.
    """
    digest = hashlib.sha256()
    try:
        with refusing_full_disk(f"the copy of {legible(source.path)}"), destination.open("xb") as copy:
            for chunk in source.chunks():
                digest.update(chunk)
                copy.write(chunk)
            copy.flush()
            os.fsync(copy.fileno())
    except Refused:
        destination.unlink(missing_ok=True)
        raise
    return digest.hexdigest()


@contextmanager
def refusing_full_disk(what: str) -> Iterator[None]:
    """Turn the errors of a disk that takes no more into a refusal.

    Raises:
        Refused: DISK_FULL.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        raise Refused.because(
            Code.DISK_FULL,
            what,
            f"the disk of the state folder takes no more ({os.strerror(error.errno)})",
            "free space there, or have the operator raise `job_file_bytes`, and call again; nothing was changed",
            "P11",
        ) from error


@dataclass(frozen=True)
class Listing:
    """Names in a folder, sorted.

    Attributes:
        files: Regular files, or what looks like them; opening decides.
        folders: Sub-folders.
    """

    files: tuple[str, ...]
    folders: tuple[str, ...]


def list_folder(folder: Opened, most: int = MOST_ENTRIES) -> Listing:
    """List a folder; names that begin with a dot are left out.

    Args:
        folder: An open folder.
        most: Largest number of entries.

    Raises:
        Refused: DATA_INVALID for too many entries or names that cannot be shown safely, PATH_IS_LINK for a link.
    """
    files: list[str] = []
    folders: list[str] = []
    with os.scandir(folder.descriptor) as entries:
        for count, entry in enumerate(entries, 1):
            if count > most:
                raise Refused.because(
                    Code.DATA_INVALID,
                    f"the folder {legible(folder.path)}",
                    f"it holds more than {most} entries",
                    "split it, or pack the samples into an .npz file",
                    most=most,
                )
            if entry.name.startswith("."):
                continue
            _check_name(folder, entry)
            (folders if entry.is_dir(follow_symlinks=False) else files).append(entry.name)
    return Listing(tuple(sorted(files)), tuple(sorted(folders)))


def _check_name(folder: Opened, entry: "os.DirEntry[str]") -> None:
    shown = legible(f"{folder.path}/{entry.name}", 300)
    if not is_plain(entry.name, 255):
        raise Refused.because(
            Code.DATA_INVALID,
            f"the folder {legible(folder.path)}",
            f"the name of '{legible(entry.name)}' has control, reordering or undecodable characters",
            "rename it to visible characters",
            name=legible(entry.name),
        )
    if entry.is_symlink():
        _refuse_link(shown, "symbolic link")


def _parts(path: str) -> tuple[str, ...]:
    if "\0" in path:
        _refuse(Code.INVALID_ARGUMENT, path, "it holds a NUL byte", "give a path as the file system shows it")
    parts = tuple(part for part in PurePosixPath(path).parts if part != "/")
    if ".." in parts:
        _refuse(
            Code.PATH_OUTSIDE_ROOTS,
            path,
            "it climbs with `..`, and where that leads is not settled by the path alone",
            "write the path without `..`",
        )
    return parts


def _require_root(parts: tuple[str, ...], path: str, roots: Sequence[str]) -> None:
    """Refuse a path under no root. Compared part by part: `/data-2` is not under `/data`."""
    if not any(parts[: len(_parts(root))] == _parts(root) for root in roots):
        allowed = ", ".join(legible(root) for root in roots) or "none: the operator configured no `roots`"
        _refuse(
            Code.PATH_OUTSIDE_ROOTS,
            path,
            f"it lies under none of the allowed roots ({allowed})",
            "move or copy the data under an allowed root, or have the operator extend `roots`",
            roots=list(roots),
        )


def _open_beneath(start: int, parts: tuple[str, ...], path: str) -> Opened:
    relative = "/".join(parts) or "."
    try:
        descriptor = open_beneath(start, relative)
    except UnicodeEncodeError:
        _refuse(
            Code.INVALID_ARGUMENT,
            path,
            "it holds half a surrogate pair, which no file name can",
            "give a path as the file system shows it",
        )
    except OSError as error:
        _refuse_open(error, path)
    try:
        status = os.fstat(descriptor)
        _check_kind(status, path)
    except Refused:
        os.close(descriptor)
        raise
    return Opened(descriptor, path, stat.S_ISDIR(status.st_mode))


def _check_kind(status: os.stat_result, path: str) -> None:
    mode = status.st_mode
    if stat.S_ISDIR(mode):
        return
    if not stat.S_ISREG(mode):
        kinds = {stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket"}
        kind = kinds.get(stat.S_IFMT(mode), "a device")
        _refuse(Code.NOT_A_FILE, path, f"it is {kind}, which has no fixed content", "give a regular file or a folder")
    if status.st_nlink > 1:
        _refuse_link(path, f"file with {status.st_nlink} hard links", links=status.st_nlink)


def _refuse_link(path: str, kind: str, **facts: object) -> NoReturn:
    _refuse(
        Code.PATH_IS_LINK,
        path,
        f"it is a {kind}, which can lead to content that no allowed root was meant to hold",
        "make a copy of its own under an allowed root, for example `cp --dereference LINK COPY`, and name the copy",
        **facts,
    )


def _expect_file(opened: Opened) -> Opened:
    if opened.is_folder:
        os.close(opened.descriptor)
        _refuse(Code.NOT_A_FILE, opened.path, "it is a folder, and a file is needed", "name a file in it")
    return opened


def _expect_folder(opened: Opened) -> Opened:
    if not opened.is_folder:
        os.close(opened.descriptor)
        _refuse(Code.NOT_A_FILE, opened.path, "it is a file, and a folder is needed", "name the folder it lies in")
    return opened


def _refuse_open(error: OSError, path: str) -> NoReturn:
    match error.errno:
        case errno.ELOOP:
            _refuse_link(path, "path through a symbolic link")
        case errno.EXDEV:
            _refuse(
                Code.PATH_OUTSIDE_ROOTS, path, "it leads out of its allowed root", "name a path that stays under it"
            )
        case errno.ENOENT | errno.ENOTDIR | errno.ENAMETOOLONG:
            _refuse(
                Code.NOT_FOUND,
                path,
                f"there is no such file or folder ({error.strerror})",
                "check the spelling; upper and lower case differ",
            )
        case errno.ENXIO | errno.ENODEV:
            _refuse(Code.NOT_A_FILE, path, "it is a socket or a device", "give a regular file or a folder")
        case _:
            _refuse(
                Code.UNREADABLE,
                path,
                f"the server's account may not read it ({error.strerror})",
                "give that account the right to read it, for example with `chmod a+r`, and to enter its folders",
            )


def _refuse(code: Code, path: str, why: str, do: str, **facts: object) -> NoReturn:
    shown = legible(path, 300)
    raise Refused.because(code, f"the path {shown or '(empty)'}", why, do, path=shown, **facts)
