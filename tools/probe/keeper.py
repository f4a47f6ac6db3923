"""Keeps one measurement session on a target: a private folder, the probe that runs in it, and the end of both.

Sent over an SSH connection's standard input and run there as it is, so that nothing has to lie on the target before
or after: `python3 -I -c "import sys;exec(sys.stdin.buffer.read(N))"`. Standard input stays the life line. When it
closes, or nothing comes over it for `SILENCE_S`, everything that was started is killed and the folder is removed.

What goes over the line, both ways: one JSON object a line; `size` bytes follow one that has a `size`.

```
-> {"do": "put", "name": N, "size": S, "sha256": D} + S bytes    <- {"ok": true} or an error
-> {"do": "lock", "bundle": N}                                   <- {"locked": HOW} or an error
-> {"do": "run", "bundle": N, "folder": F,                       <- {"progress": {...}} now and then, at last
    "threads": T, "limit_s": L}                                  <- {"status": R, "files": {N: S}, "log": TEXT}
-> {"do": "get", "folder": F, "name": N}                         <- {"size": S} + S bytes
-> {"do": "drop", "folder": F}                                   <- {"ok": true}
-> {"do": "beat"}                                                (no answer)
```
"""

from __future__ import annotations

import errno
import glob
import hashlib
import json
import os
import platform
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from typing import Any, Dict, Iterator, List, Mapping, NoReturn, Optional, Union

VERSION = 1
# Said once before anything else: a login shell's own words may come before it.
GREETING = "edgewright keeper %d" % VERSION
# The other end sends a beat every second; ten seconds after its death nothing may be left here.
SILENCE_S = 6.0
POLL_S = 0.2
PROGRESS_EVERY_S = 1.0
CHUNK = 1 << 16
LOG_BYTES = 2000
DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
ENDINGS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
PR_SET_CHILD_SUBREAPER = 36  # prctl(2)
# An abstract socket (unix(7)) is one name a machine, whichever account holds it, and ends with its holder.
LOCK_NAME = "\0edgewright-keeper"
FOLDER_PREFIX = "edgewright-"
MODULES = {
    "numpy": ("numpy",),
    "onnxruntime": ("onnxruntime", "onnxruntime-gpu"),
    "ai_edge_litert": ("ai-edge-litert",),
    "tflite_runtime": ("tflite-runtime",),
    "tensorrt": ("tensorrt",),
}

Message = Dict[str, Any]


class HungUp(Exception):
    """The line is closed or silent."""


class Line:
    """Standard input and output as messages."""

    def __init__(self) -> None:
        self._pending = b""
        self._heard_s = time.monotonic()

    def _fill(self, wait_s: float) -> bool:
        """Read what is there within `wait_s`; return whether anything came.

        Raises:
            HungUp: The other end is gone, or was silent for too long.
        """
        if not select.select([0], [], [], wait_s)[0]:
            if time.monotonic() - self._heard_s > SILENCE_S:
                raise HungUp
            return False
        data = os.read(0, CHUNK)
        if not data:
            raise HungUp
        self._heard_s = time.monotonic()
        self._pending += data
        return True

    def message(self, wait_s: Optional[float] = None) -> Optional[Message]:
        """Return the next message; with `wait_s`, `None` where none comes in that time."""
        while b"\n" not in self._pending:
            came = self._fill(POLL_S if wait_s is None else wait_s)
            if not came and wait_s is not None:
                return None
        text, self._pending = self._pending.split(b"\n", 1)
        message: Message = json.loads(text.decode("utf-8"))
        return message

    def payload(self, size: int) -> Iterator[bytes]:
        """Yield the `size` bytes that follow a message."""
        while size:
            if not self._pending:
                self._fill(POLL_S)
                continue
            part, self._pending = self._pending[:size], self._pending[size:]
            size -= len(part)
            yield part

    @staticmethod
    def say(content: Mapping[str, Any]) -> None:
        """Send one message."""
        sys.stdout.buffer.write(json.dumps(content).encode("utf-8") + b"\n")
        sys.stdout.buffer.flush()


def main() -> None:
    """Serve one session, and leave nothing behind."""
    for number in ENDINGS:
        signal.signal(number, _hang_up)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    _adopt_orphans()
    Line.say({"greeting": GREETING})
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as lock:
        try:
            lock.bind(LOCK_NAME)
        except OSError:
            Line.say(_error("busy", "another measurement holds this machine"))
            return
        folder, clocks = "", ExitStack()
        try:
            folder = _make_room()
            Line.say(_hello(folder))
            _serve(Line(), folder, clocks)
        except HungUp:
            pass
        except OSError as error:
            if error.errno != errno.EPIPE:
                Line.say(_error("disk" if error.errno in DISK_FULL else "folder", str(error)))
        finally:
            for number in ENDINGS:
                signal.signal(number, signal.SIG_IGN)  # the end is being made already
            _sweep()
            with suppress(Exception):  # whatever stands in the way of the clocks, the folder goes
                clocks.close()
            if folder:
                shutil.rmtree(folder, ignore_errors=True)


def _serve(line: Line, folder: str, clocks: ExitStack) -> None:
    tasks = {"put": _put, "run": _run, "get": _get, "drop": _drop}
    while True:
        message = line.message() or {"do": "beat"}
        if message["do"] == "lock":
            line.say(_lock(folder, message, clocks))
        elif message["do"] in tasks:
            tasks[message["do"]](line, folder, message)


def _lock(folder: str, message: Message, clocks: ExitStack) -> Message:
    """Hold the clocks until the session ends; what does that comes with the probe."""
    sys.path.insert(0, _inside(folder, message["bundle"]))
    from edgewright.tools.probe.clocks import ClocksKept, lock

    try:
        how, restore = lock(folder)
    except ClocksKept as error:
        return _error("clocks", str(error))
    clocks.callback(restore)
    return {"locked": how}


def _put(line: Line, folder: str, message: Message) -> None:
    """Receive a file. It has its name only once it is whole and has the digest that it was announced with."""
    path = _inside(folder, message["name"])
    digest = hashlib.sha256()
    failure: Optional[OSError] = None
    os.makedirs(os.path.dirname(path), exist_ok=True)
    temporary = path + ".part"
    with open(temporary, "wb") as stream:
        for part in line.payload(message["size"]):
            digest.update(part)
            try:
                if failure is None:
                    stream.write(part)
            except OSError as error:  # the rest of the file is still on its way and has to be taken off the line
                failure = error
        try:
            stream.flush()
        except OSError as error:
            failure = failure or error
    if failure is not None:
        os.unlink(temporary)
        line.say(_error("disk" if failure.errno in DISK_FULL else "folder", str(failure)))
    elif digest.hexdigest() != message["sha256"]:
        os.unlink(temporary)
        line.say(_error("digest", "%s arrived as %s" % (message["name"], digest.hexdigest())))
    else:
        os.replace(temporary, path)
        line.say({"ok": True})


def _run(line: Line, folder: str, message: Message) -> None:
    """Run the probe on the request in one of our folders; report progress, then how it ended and what it left."""
    place = _inside(folder, message["folder"])
    deadline_s = time.monotonic() + message["limit_s"]
    with open(os.path.join(place, "output.log"), "wb") as log:
        child = subprocess.Popen(
            [
                sys.executable,
                "-I",
                _inside(folder, message["bundle"]),
                os.path.join(message["folder"], "request.json"),
                str(os.getpid()),
            ],
            cwd=folder,
            env=_environment(place, message["threads"]),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    status = _wait(line, child, place, deadline_s)
    _sweep()
    names = sorted(os.listdir(place))
    files = {name: os.path.getsize(os.path.join(place, name)) for name in names}
    line.say({"status": status, "files": files, "log": _tail(os.path.join(place, "output.log"))})


def _wait(line: Line, child: "subprocess.Popen[bytes]", place: str, deadline_s: float) -> Union[int, str]:
    """Wait for the probe, keeping the line alive; return its status, or `"limit"`."""
    told_s = 0.0
    last: Optional[Message] = None
    while True:
        message = line.message(wait_s=POLL_S)
        if child.poll() is not None:
            return child.returncode
        if message is not None and message["do"] == "stop":
            return "stopped"
        if time.monotonic() > deadline_s:
            return "limit"
        if time.monotonic() - told_s >= PROGRESS_EVERY_S:
            told_s = time.monotonic()
            note = _progress(os.path.join(place, "progress.json"))
            if note and note != last:
                last = note
                line.say({"progress": note})


def _get(line: Line, folder: str, message: Message) -> None:
    path = _inside(folder, os.path.join(message["folder"], message["name"]))
    with open(path, "rb") as stream:
        line.say({"size": os.fstat(stream.fileno()).st_size})
        shutil.copyfileobj(stream, sys.stdout.buffer, CHUNK)
    sys.stdout.buffer.flush()


def _drop(line: Line, folder: str, message: Message) -> None:
    shutil.rmtree(_inside(folder, message["folder"]), ignore_errors=True)
    line.say({"ok": True})


def _hello(folder: str) -> Message:
    return {
        "folder": folder,
        "machine": platform.machine(),
        "python": platform.python_version(),
        "libc": " ".join(platform.libc_ver()).strip(),
        "free_bytes": shutil.disk_usage(folder).free,
        "modules": _modules(),
    }


def _modules() -> Dict[str, str]:
    """Return the version of each module that a measurement may need; those that are not there are left out."""
    from importlib import metadata, util

    found = {}
    for module, distributions in MODULES.items():
        if util.find_spec(module) is None:
            continue
        found[module] = "unknown"
        for name in distributions:
            try:
                found[module] = metadata.version(name)
                break
            except metadata.PackageNotFoundError:
                continue
    return found


def _make_room() -> str:
    """Return a new private folder on a disk, after removing those whose keeper was killed before it could.

    Whoever holds the lock is the only keeper of this machine, so any other folder of this account has no owner.
    """
    parent = "/var/tmp" if os.access("/var/tmp", os.W_OK) else tempfile.gettempdir()  # noqa: S108
    for stale in glob.glob(os.path.join(parent, FOLDER_PREFIX + "*")):
        if os.lstat(stale).st_uid == os.getuid():
            shutil.rmtree(stale, ignore_errors=True)
    return tempfile.mkdtemp(prefix=FOLDER_PREFIX, dir=parent)


def _inside(folder: str, name: str) -> str:
    """Return the path of a plain name, or a plain name in one folder, below `folder`."""
    if not re.match(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}(/[A-Za-z0-9][A-Za-z0-9._-]{0,99})?$", name):
        raise ValueError("%r is no name of a file here" % name)
    return os.path.join(folder, name)


def _environment(place: str, threads: int) -> Dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "HOME") if name in os.environ}
    kept.update(ORT_DISABLE_TELEMETRY="1", LANG="C.UTF-8", TMPDIR=place)
    # NumPy's own threads only stack arrays here; the runtime gets its number through its options.
    kept.update(OMP_NUM_THREADS=str(threads), OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
    return kept


def _progress(path: str) -> Optional[Message]:
    try:
        with open(path, encoding="utf-8") as stream:
            note: Message = json.load(stream)
            return note
    except (OSError, ValueError):
        return None


def _tail(path: str) -> str:
    with open(path, "rb") as stream:
        stream.seek(max(0, os.path.getsize(path) - LOG_BYTES))
        return stream.read().decode("utf-8", "replace")


def _error(kind: str, message: str) -> Message:
    return {"error": {"kind": kind, "message": message}}


def _hang_up(_number: int, _frame: object) -> NoReturn:
    raise HungUp


def _adopt_orphans() -> None:
    """Have whatever the probe starts become our child when its parent ends, so that the sweep finds it."""
    try:
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    except (ImportError, OSError, AttributeError):
        pass  # the probe's own session is still killed as a whole


def _sweep() -> None:
    """Kill and reap every process that descends from us."""
    while True:
        pids = _children()
        if not pids:
            return
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in pids:
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)


def _children() -> List[int]:
    found: List[int] = []
    for listing in glob.glob("/proc/self/task/*/children"):
        with suppress(OSError), open(listing, encoding="ascii") as stream:
            found += [int(pid) for pid in stream.read().split()]
    return found


if __name__ == "__main__":
    main()
