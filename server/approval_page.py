"""A page on loopback where a person reads the figures and types the passphrase: level L2 without a terminal.

The link is no approval: it carries an opaque word only. The first browser that opens it is the only one; whatever
comes from another page, another origin or too late is turned away, and after one acceptance there is no page any more.
"""

import argparse
import hmac
import html
import socket
import time
import webbrowser
from collections.abc import Callable
from dataclasses import dataclass, field
from secrets import token_urlsafe
from urllib.parse import parse_qs

import anyio
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from edgewright.server import terminal
from edgewright.server.acceptances import draft, figures, grant, pending, require_enrolled, signed
from edgewright.server.house import House
from edgewright.server.http import GRACE_S, LOOPBACK
from edgewright.state.errors import EdgewrightError, Refused
from edgewright.state.policy import Level
from edgewright.state.run import Run
from edgewright.state.waivers import Subject
from edgewright.tools.legible import legible

OPEN_S = 600
COOKIE = "edgewright-approval"
BODY_BYTES = 8192
STYLE = (
    "body{font:18px/1.5 system-ui,sans-serif;max-width:44rem;margin:2rem auto;padding:0 1rem}"
    "li{font-variant-numeric:tabular-nums;overflow-wrap:anywhere}label{display:block;margin:.8rem 0}"
    "input{font:inherit;width:100%;box-sizing:border-box}input[type=checkbox]{width:auto}.error{font-weight:bold}"
)


@dataclass
class Page:
    """One question on one page.

    Attributes:
        house: Whose run it is about.
        run: The run as it stands.
        subject: What is to be accepted.
        hours: How long an acceptance is good.
        origin: Scheme, host and port that the page is served on.
        clock: Seconds that only rise.
        link: The unguessable last part of the page's address.
        accepted: The run with the acceptance, once it is given.
    """

    house: House
    run: Run
    subject: Subject
    hours: float
    origin: str
    clock: Callable[[], float] = time.monotonic
    link: str = field(default_factory=lambda: token_urlsafe(32))
    accepted: Run | None = None
    _browser: str = ""
    _csrf: str = field(default_factory=lambda: token_urlsafe(32))
    _closes: float = 0.0

    def __post_init__(self) -> None:
        self._closes = self.clock() + OPEN_S

    @property
    def address(self) -> str:
        """Where a person opens it."""
        return f"{self.origin}/{self.link}"

    @property
    def is_over(self) -> bool:
        """Whether nothing can be accepted here any more."""
        return self.accepted is not None or self.clock() >= self._closes

    def app(self) -> Starlette:
        """Return the application that serves it."""
        return Starlette(routes=[Route("/{link}", self._answer, methods=["GET", "POST"])])

    async def _answer(self, request: Request) -> Response:
        if f"http://{request.headers.get('host', '')}" != self.origin:
            return _page("Not here.", 421)
        if not hmac.compare_digest(request.path_params["link"].encode(), self.link.encode()):
            return _page("There is no such page.", 404)
        if self.is_over:
            return _page("This page is closed. Run the command again for a new one.", 410)
        known = hmac.compare_digest(request.cookies.get(COOKIE, "").encode(), self._browser.encode())
        if self._browser and not known:
            return _page("Another browser opened this page. If that was not you, end the command and ask why.", 403)
        return await self._accept(request) if request.method == "POST" else self._show()

    def _show(self) -> Response:
        """Show the question; the first browser that sees it is the only one from then on."""
        response = self._form("")
        if not self._browser:
            self._browser = token_urlsafe(32)
            response.set_cookie(COOKIE, self._browser, httponly=True, samesite="strict", path=f"/{self.link}")
        return response

    async def _accept(self, request: Request) -> Response:
        if not self._browser or request.headers.get("origin") != self.origin:
            return _page("This form was not sent by this page.", 403)
        form = await _fields(request)
        if not hmac.compare_digest(form.get("csrf", "").encode(), self._csrf.encode()):
            return _page("This form was not sent by this page.", 403)
        if form.get("accept") != "yes":
            return self._form("Nothing was accepted: the box is not ticked.")
        try:
            # The passphrase costs a second; meanwhile nobody else needs this page.
            self.accepted = await anyio.to_thread.run_sync(self._give, form)
        except Refused as refused:
            return self._form(refused.refusal.sentence)
        except EdgewrightError as error:
            return self._form(str(error))
        return _page("Accepted. You can close this page.", 200)

    def _give(self, form: dict[str, str]) -> Run:
        name, reason = form.get("name", ""), form.get("reason", "")
        waiver = draft(self.run, self.subject, Level.OUT_OF_BAND, approver=name, reason=reason, hours=self.hours)
        authority = self.house.authority
        return grant(self.house, signed(waiver, authority, form.get("passphrase", "")))

    def _form(self, trouble: str) -> Response:
        lines = "".join(f"<li>{_shown(line)}</li>" for line in figures(self.run, self.subject))
        said = f'<p class="error" role="alert">{_shown(trouble)}</p>' if trouble else ""
        return _page(
            f"<h1>Accept a trade-off?</h1>{said}<ul>{lines}</ul>"
            f'<form method="post" action="/{self.link}" autocomplete="off">'
            f'<input type="hidden" name="csrf" value="{self._csrf}">'
            '<label>Your name <input name="name" required maxlength="100"></label>'
            '<label>Why <input name="reason" required maxlength="500"></label>'
            '<label><input type="checkbox" name="accept" value="yes"> I accept exactly these figures, once</label>'
            '<label>Passphrase <input type="password" name="passphrase" required></label>'
            "<button>Accept</button></form>",
            403 if trouble else 200,
        )


def approve(house: House, arguments: argparse.Namespace) -> Run:
    """Serve the page until it is used or closed; return the run with the acceptance.

    Raises:
        Refused: If there is nothing to accept.
        EdgewrightError: If the page was closed unused.
    """
    run, subject = pending(house, arguments.run, arguments.kind)
    require_enrolled(house.authority)

    async def serve() -> Run | None:
        listener = socket.create_server((LOOPBACK, 0))
        page = Page(house, run, subject, arguments.hours, f"http://{LOOPBACK}:{listener.getsockname()[1]}")
        server = uvicorn.Server(
            uvicorn.Config(
                page.app(), log_level="error", access_log=False, lifespan="off", timeout_graceful_shutdown=GRACE_S
            )
        )
        terminal.show(f"Open this page within {OPEN_S // 60} minutes, in one browser: {page.address}")
        webbrowser.open(page.address)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.serve, [listener])
            while not page.is_over:
                await anyio.sleep(0.2)
            server.should_exit = True
        return page.accepted

    accepted = anyio.run(serve)
    if accepted is None:
        raise EdgewrightError("the page was closed; nothing was accepted")
    return accepted


async def _fields(request: Request) -> dict[str, str]:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES:
            return {}
    return {name: values[-1] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}


def _shown(text: str) -> str:
    return html.escape(legible(text, 4000))


def _page(content: str, status: int = 200) -> HTMLResponse:
    nonce = token_urlsafe(16)
    document = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Edgewright</title>'
        f'<style nonce="{nonce}">{STYLE}</style></head><body><main>{content}</main></body></html>'
    )
    policy = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )
    headers = {
        "Content-Security-Policy": policy,
        "X-Frame-Options": "DENY",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Referrer-Policy": "same-origin",
        "Cache-Control": "no-store",
    }
    return HTMLResponse(document, status, headers)
