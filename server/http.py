"""Streamable HTTP on loopback: a bearer token read from a file of the operator's, Host and Origin checked.

The token is made anew when its file is missing, readable by its owner alone, and compared in constant time.
"""

import hmac
import os
from contextlib import suppress
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

import uvicorn
from mcp.server import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from edgewright.state.errors import EdgewrightError

LOOPBACK = "127.0.0.1"
GRACE_S = 2


def token_of(state_folder: Path) -> str:
    """Return the token of this state folder, made on first use.

    Raises:
        EdgewrightError: If others than the owner may read it.
    """
    path = state_folder / "http-token"
    if not path.exists():
        made = path.with_name(f".http-token.{os.getpid()}")
        made.touch(mode=0o600)
        made.write_text(token_urlsafe(32), encoding="ascii")
        with suppress(FileExistsError):  # another server was first: its token is the one
            os.link(made, path)
        made.unlink()
    if path.stat().st_mode & 0o077:
        raise EdgewrightError(f"{path} may be read by others; remove it and start again")
    return path.read_text(encoding="ascii").strip()


class BearerOnly:
    """Lets a request pass only with the token."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._expected = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 401."""
        if scope["type"] == "http":
            given = dict(scope["headers"]).get(b"authorization", b"")
            if not hmac.compare_digest(given, self._expected):
                refused = JSONResponse({"error": "a bearer token is needed"}, 401, {"WWW-Authenticate": "Bearer"})
                await refused(scope, receive, send)
                return
        await self._app(scope, receive, send)


def http_app(server: MCPServer[Any], port: int, token: str) -> ASGIApp:
    """Return the application that serves `/mcp` on loopback at this port."""
    hosts = [f"{name}:{port}" for name in (LOOPBACK, "localhost")]
    security = TransportSecuritySettings(
        enable_dns_rebinding_protection=True,
        allowed_hosts=hosts,
        allowed_origins=[f"http://{host}" for host in hosts],
    )
    return BearerOnly(server.streamable_http_app(host=LOOPBACK, transport_security=security), token)


def serve_http(server: MCPServer[Any], port: int, token: str) -> None:
    """Serve until interrupted. Streams that clients hold open are cut; jobs go on without the server."""
    app = http_app(server, port, token)
    uvicorn.run(app, host=LOOPBACK, port=port, log_level="warning", timeout_graceful_shutdown=GRACE_S)
