"""The real server as a process that speaks HTTP, and a loopback proxy for clients that cannot send its token."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Thread

LOOPBACK = "127.0.0.1"
START_S = 60
STOP_S = 15
HEAD_LIMIT_BYTES = 65_536


@dataclass(frozen=True)
class HttpServer:
    """A server at work.

    Attributes:
        port: Where it listens on loopback.
        pid: Its process.
        token: What it wants to be shown.
    """

    port: int
    pid: int
    token: str

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}/mcp"

    @property
    def authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


@contextmanager
def http_server(state_folder: Path, *roots: Path, **settings: object) -> Iterator[HttpServer]:
    """Start `edgewright serve --http` on a free port; end it afterwards, as an operator does.

    Raises:
        subprocess.TimeoutExpired: If it does not end.
    """
    port = free_port()
    command = [sys.executable, "-m", "edgewright.server", "serve", "--http", "--port", str(port)]
    command += ["--state-folder", str(state_folder), *(word for root in roots for word in ("--root", str(root)))]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("EDGEWRIGHT_")}
    environment |= {f"EDGEWRIGHT_{name.upper()}": str(value) for name, value in settings.items()}
    environment["EDGEWRIGHT_CONFIG"] = str(state_folder / "no-config.toml")
    with subprocess.Popen(command, env=environment) as process:
        try:
            wait_for(port, process)
            yield HttpServer(port, process.pid, (state_folder / "http-token").read_text(encoding="ascii"))
            process.terminate()
            process.wait(STOP_S)
        finally:
            process.kill()


def free_port() -> int:
    """Return a loopback port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    """Return once the process listens on the port."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex((LOOPBACK, port)) == 0:
                return
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.05)
    raise TimeoutError(f"nothing listens on port {port}; exit status {process.poll()}")


@contextmanager
def authorized(server: HttpServer) -> Iterator[str]:
    """Yield the address of a proxy that adds the server's token to each request and changes nothing else.

    Only its own host and port become the server's, in `Host` and `Origin`, so that the server's checks of others are
    met unchanged. One request a connection: `Connection: close` spares the proxy from finding where a body ends.
    """

    class Handler(BaseRequestHandler):
        def handle(self) -> None:
            own = self.server.server_address[1]
            head, body = _read_head(self.request)
            if not head:
                return
            lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
            lines += [b"Connection: close", b"Authorization: " + server.authorization["Authorization"].encode()]
            for name in (LOOPBACK, "localhost"):
                lines = [line.replace(f"{name}:{own}".encode(), f"{name}:{server.port}".encode()) for line in lines]
            with socket.create_connection((LOOPBACK, server.port)) as upstream:
                upstream.sendall(b"\r\n".join(lines) + b"\r\n\r\n" + body)
                Thread(target=_pump, args=(self.request, upstream), daemon=True).start()
                _pump(upstream, self.request)

    class Proxy(ThreadingTCPServer):
        daemon_threads = True
        request_queue_size = 64

    with Proxy((LOOPBACK, 0), Handler) as proxy:
        Thread(target=proxy.serve_forever, daemon=True).start()
        yield f"http://{LOOPBACK}:{proxy.server_address[1]}/mcp"
        proxy.shutdown()


def _read_head(connection: socket.socket) -> tuple[bytes, bytes]:
    """Return a request's head without the empty line after it, and what came of its body."""
    received = b""
    while b"\r\n\r\n" not in received and len(received) < HEAD_LIMIT_BYTES and (more := connection.recv(65_536)):
        received += more
    head, _, body = received.partition(b"\r\n\r\n")
    return head, body


def _pump(source: socket.socket, sink: socket.socket) -> None:
    """Copy bytes until one side is done; then end both."""
    with suppress(OSError):
        while chunk := source.recv(65_536):
            sink.sendall(chunk)
    for side in (source, sink):
        with suppress(OSError):
            side.shutdown(socket.SHUT_RDWR)
