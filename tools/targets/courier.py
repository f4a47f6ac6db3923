"""The one process of a job that may use the network: carries a worker's errands to the job's target and back.

Started by the supervisor as `python -I -m edgewright.tools.targets.courier FOLDER FD`, beside the confined worker and
outside its sandbox, so it believes the worker nothing: target, interpreter and probe are not the worker's to choose;
files go by digest, from the store or from the worker's own folder and through no link; answers land in a folder that
the worker can only read.
"""

import json
import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

from pydantic import ValidationError

from edgewright.state.codec import encode
from edgewright.state.errors import CorruptArtifact, Refused, WorkerFailed
from edgewright.state.files import file_sha256
from edgewright.state.lock import held
from edgewright.state.store import Store
from edgewright.tools.datasets.beneath import open_beneath
from edgewright.tools.inheritance import inherited_with_agent
from edgewright.tools.job_folder import Envelope, JobFolder
from edgewright.tools.targets.answer import ProgressNote
from edgewright.tools.targets.bundle import write_bundle
from edgewright.tools.targets.connection import Connection
from edgewright.tools.targets.errand import Carried, Errand

WAITING = ProgressNote(done=0, total=1, message="waiting for another measurement on the target")


def main() -> None:
    """Serve the worker until it hangs up."""
    folder = JobFolder(Path(sys.argv[1]))
    with ExitStack() as session:
        serve(Courier(folder, folder.envelope(), session), socket.socket(fileno=int(sys.argv[2])))


def serve(courier: "Courier", line: socket.socket) -> None:
    """Answer errand after errand until the other end of the line is closed."""
    with line, line.makefile("rwb") as messages:

        def say(carried: Carried) -> None:
            messages.write(carried.model_dump_json(exclude_defaults=True).encode() + b"\n")
            messages.flush()

        for raw in messages:
            say(courier.answer(raw, say))


class Courier:
    """Carries errands over one connection, which it opens for the first of them."""

    def __init__(self, folder: JobFolder, envelope: Envelope, session: ExitStack) -> None:
        if envelope.target is None:
            raise WorkerFailed(f"job {envelope.job} has no target, and so no business with a courier")
        self._folder = folder
        self._envelope = envelope
        self._target = envelope.target
        self._store = Store(Path(envelope.objects))
        self._session = session
        self._connection: Connection | None = None
        self._carried = 0

    def answer(self, raw: bytes, say: Callable[[Carried], None]) -> Carried:
        """Return what became of one errand."""
        try:
            return self._carry(Errand.model_validate_json(raw), say)
        except Refused as refused:
            return Carried(refusal=encode(refused.refusal))
        except (WorkerFailed, CorruptArtifact, OSError, ValidationError) as error:
            return Carried(trouble=str(error))

    def _carry(self, errand: Errand, say: Callable[[Carried], None]) -> Carried:
        connection = self._connected(say)
        bundle = self._folder.path / "probe.pyz"
        if not bundle.exists():
            write_bundle(bundle)
        with bundle.open("rb") as stream:
            connection.put(stream, bundle.name, file_sha256(bundle))
        if self._target.lock_clocks and not self._carried:
            connection.lock_clocks(bundle.name)
        for digest, named in errand.files.items():
            with self._open(digest, named) as stream:
                connection.put(stream, digest, digest)
        connection.put_bytes(json.dumps(errand.request).encode(), f"{errand.folder}/request.json")
        ended = connection.run(
            bundle=bundle.name,
            folder=errand.folder,
            threads=errand.threads,
            limit_s=self._envelope.limits.seconds,
            watcher=lambda note: say(Carried(progress=note)),
        )
        self._carried += 1
        answer = self._folder.returns / str(self._carried)
        answer.mkdir(parents=True)
        for name in ended.files:
            if name not in {"request.json", "progress.json", "output.log"}:
                connection.get(errand.folder, name, answer / name)
        connection.drop(errand.folder)
        return Carried(answer=str(answer), status=ended.status, log=ended.log)

    def _connected(self, say: Callable[[Carried], None]) -> Connection:
        """Return the connection; before it is opened, wait for whoever measures there from this state folder."""
        if self._connection is None:
            self._session.enter_context(held(Path(self._target.lock), lambda: say(Carried(progress=WAITING))))
            log = self._folder.path / "ssh.log"
            self._connection = self._session.enter_context(Connection(self._target, log, inherited_with_agent()))
        return self._connection

    @contextmanager
    def _open(self, digest: str, named: str) -> Iterator[BinaryIO]:
        """Open a file of the store, or of the worker's own folder through no link."""
        if not named:
            with self._store.verify(digest).open("rb") as stream:
                yield stream
            return
        folder = os.open(self._folder.work, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with os.fdopen(open_beneath(folder, named), "rb") as stream:
                yield stream
        finally:
            os.close(folder)


if __name__ == "__main__":
    main()
