"""A job's room: the one folder it may write, the store it may read, and the line on which it reports progress."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edgewright.state.files import file_sha256
from edgewright.state.store import Store

SCRATCH, LASTING = "scratch", "lasting"
Progress = Callable[[int, int, str], None]
"""Called as `progress(done, total, message)`; `done` never falls."""


@dataclass(frozen=True)
class NewFile:
    """A file that a job made and wants kept: it moves into the store when the job is settled."""

    sha256: str
    path: str
    size_bytes: int


class Workspace:
    """What a job is given to work in.

    Attributes:
        folder: The job's folder, the only place it may write.
        objects: The store's files, read-only.
        leftovers: What earlier jobs of the same order had done when they ended, read-only.
    """

    def __init__(
        self, folder: Path, objects: Path, progress: Progress | None = None, leftovers: Sequence[Path] = ()
    ) -> None:
        self.folder = folder
        self.objects = objects
        self.leftovers = tuple(leftovers)
        self._store = Store(objects)
        self._progress = progress
        self._new: dict[str, NewFile] = {}
        self._verified: set[str] = set()

    def scratch(self, name: str) -> Path:
        """Return the path of a file or folder of this name inside the job's folder; it does not exist yet."""
        return self._numbered(SCRATCH, name)

    def lasting(self, name: str) -> Path:
        """Return a path as `scratch` does, of what is left for the next try where this job ends without an answer."""
        return self._numbered(LASTING, name)

    def _numbered(self, room: str, name: str) -> Path:
        folder = self.folder / room
        folder.mkdir(exist_ok=True)
        number = sum(1 for _ in folder.iterdir())
        return folder / f"{number:03d}-{name}"

    def keep(self, path: Path) -> str:
        """Register a file inside the job's folder to be moved into the store; return its SHA-256."""
        with path.open("rb") as stream:
            os.fsync(stream.fileno())
        digest = file_sha256(path)
        self._new.setdefault(digest, NewFile(digest, str(path), path.stat().st_size))
        return digest

    @contextmanager
    def holding(self, *paths: Path) -> Iterator[tuple[str, ...]]:
        """Keep files for a while, for whoever reads by digest; they move nowhere and may be deleted afterwards."""
        digests = tuple(file_sha256(path) for path in paths)
        held = {
            digest: NewFile(digest, str(path), path.stat().st_size) for digest, path in zip(digests, paths, strict=True)
        }
        before = self._new
        self._new = {**before, **held}
        try:
            yield digests
        finally:
            self._new = {digest: new for digest, new in self._new.items() if digest in before or digest not in held}

    def keep_json(self, content: object, name: str) -> str:
        """Write `content` as JSON and keep it; return its SHA-256."""
        path = self.scratch(name)
        path.write_text(json.dumps(content, sort_keys=True), encoding="utf-8")
        return self.keep(path)

    def path_of(self, sha256: str) -> Path:
        """Return where the file of this digest lies: kept by this job, or in the store. It must not be written.

        Raises:
            CorruptArtifact: If the store's file is missing or no longer has its digest.
        """
        new = self._new.get(sha256)
        if new is not None:
            return Path(new.path)
        if sha256 not in self._verified:
            self._store.verify(sha256)
            self._verified.add(sha256)
        return self._store.path(sha256)

    @property
    def new_files(self) -> tuple[NewFile, ...]:
        """The files kept so far."""
        return tuple(self._new.values())

    def progress(self, done: int, total: int, message: str) -> None:
        """Report progress to whoever watches the job."""
        if self._progress is not None:
            self._progress(done, total, message)
