"""The page on loopback: its link is opened once, by one browser, and no other page can press its button."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx2
import pytest
import run_builder as build

from edgewright.server.acceptances import pending
from edgewright.server.approval_page import OPEN_S, Page
from edgewright.server.house import House
from edgewright.server.settings import Settings
from edgewright.state.phases import Phase
from edgewright.state.policy import Level
from edgewright.tools.authority.enrolment import TRIES, Authority, Cost

pytestmark = [pytest.mark.anyio, pytest.mark.promise("P3")]

ORIGIN = "http://127.0.0.1:8777"
PASSPHRASE = "correct horse battery"


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def page(settings: Settings, clock: Clock) -> Page:
    """The page of a run on hold, with a person enrolled."""
    house = House.open(settings)
    with house.ledger.change() as change:
        change.append("run", *build.past(Phase.VALIDATE, build.FAILING))
    Authority(settings.state_folder).enrol(PASSPHRASE, Cost(n=1 << 10))
    run, subject = pending(house, "run")
    return Page(house, run, subject, 24, ORIGIN, clock)


@asynccontextmanager
async def browser(page: Page) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(page.app()), base_url=ORIGIN) as client:
        yield client


def form(shown: httpx2.Response, **changed: str) -> dict[str, str]:
    """Return what a person who accepts sends from the page that is shown."""
    found = re.search(r'name="csrf" value="([^"]+)"', shown.text)
    assert found
    filled = {"csrf": found[1], "name": "Ada", "reason": "a demo", "accept": "yes", "passphrase": PASSPHRASE}
    return {**filled, **changed}


async def send(client: httpx2.AsyncClient, page: Page, data: dict[str, str], **headers: str) -> httpx2.Response:
    return await client.post(page.address, data=data, headers={"Origin": ORIGIN, **headers})


def waivers(page: Page) -> list[Level]:
    with page.house.ledger.read() as look:
        return [waiver.level for waiver in look.run("run").waivers]


async def test_a_person_reads_the_figures_and_accepts_with_the_passphrase_and_then_the_page_is_gone(page: Page) -> None:
    async with browser(page) as client:
        shown = await client.get(page.address)
        for figure in ("top1 (n=1000)", "Baseline: 0.9", "Candidate: 0.8", "11.11%", "floor 0.882"):
            assert figure in shown.text
        sent = form(shown)
        assert (await send(client, page, sent)).status_code == 200
        assert waivers(page) == [Level.OUT_OF_BAND]
        for again in (await send(client, page, sent), await client.get(page.address)):  # a replay
            assert again.status_code == 410
    assert waivers(page) == [Level.OUT_OF_BAND]
    assert page.is_over


async def test_the_link_alone_accepts_nothing_and_holds_nothing_but_an_opaque_word(page: Page) -> None:
    async with browser(page) as client:
        await client.get(page.address, params={"accept": "yes", "passphrase": PASSPHRASE})
    assert waivers(page) == []
    assert re.fullmatch(rf"{ORIGIN}/[\w-]{{43}}", page.address)


async def test_another_page_cannot_press_the_button(page: Page) -> None:
    async with browser(page) as client:
        good = form(await client.get(page.address))
        attempts = [
            await send(client, page, good, Origin="http://evil.example"),
            await send(client, page, good, Origin="null"),
            await send(client, page, good, Origin=f"{ORIGIN}0"),
            await client.post(page.address, data=good),  # none
            await send(client, page, {**good, "csrf": ""}),
            await send(client, page, {**good, "csrf": good["csrf"][:-1] + "x"}),
            await send(client, page, {name: value for name, value in good.items() if name != "csrf"}),
            await send(client, page, {**good, "padding": "x" * 10_000}),
        ]
        assert [attempt.status_code for attempt in attempts] == [403] * len(attempts)
        assert waivers(page) == []
        assert (await send(client, page, good)).status_code == 200


async def test_a_form_sent_before_anyone_opened_the_page_is_turned_away(page: Page) -> None:
    async with browser(page) as client:
        sent = {"csrf": "", "accept": "yes", "passphrase": PASSPHRASE, "name": "Eve", "reason": "x"}
        assert (await send(client, page, sent)).status_code == 403
    assert waivers(page) == []


async def test_a_second_browser_sees_nothing_and_the_first_is_told_apart_by_a_cookie_no_script_reads(
    page: Page,
) -> None:
    async with browser(page) as first, browser(page) as second:
        shown = await first.get(page.address)
        cookie = shown.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert (await second.get(page.address)).status_code == 403
        assert (await send(second, page, form(shown))).status_code == 403
        assert "csrf" not in (await second.get(page.address)).text
        assert (await first.get(page.address)).status_code == 200
    assert waivers(page) == []


async def test_the_page_is_no_frame_of_another_and_loads_nothing(page: Page) -> None:
    async with browser(page) as client:
        headers = (await client.get(page.address)).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert (headers["x-frame-options"], headers["cache-control"]) == ("DENY", "no-store")


async def test_a_guessed_link_or_another_host_leads_nowhere(page: Page) -> None:
    async with browser(page) as client:
        for guess in ("x", page.link[:-1], page.link + "a", page.link.swapcase()):
            assert (await client.get(f"{ORIGIN}/{guess}")).status_code == 404
        rebound = await client.get(page.address, headers={"Host": "evil.example"})
        assert rebound.status_code == 421
        assert (await client.get(page.address)).status_code == 200  # none of these was the first browser


async def test_after_its_time_the_page_is_closed(page: Page, clock: Clock) -> None:
    async with browser(page) as client:
        sent = form(await client.get(page.address))
        clock.now = OPEN_S
        assert (await send(client, page, sent)).status_code == 410
    assert page.is_over
    assert waivers(page) == []


async def test_wrong_passphrases_are_counted_and_what_is_not_ticked_is_not_accepted(page: Page) -> None:
    async with browser(page) as client:
        shown = await client.get(page.address)
        assert "not ticked" in (await send(client, page, form(shown, accept=""))).text
        for left in range(TRIES - 1, -1, -1):
            assert f"{left} of 5 tries" in (await send(client, page, form(shown, passphrase="wrong"))).text
        assert "5 times" in (await send(client, page, form(shown))).text
    assert waivers(page) == []


async def test_what_comes_from_outside_is_text_on_the_page(page: Page) -> None:
    async with browser(page) as client:
        shown = await client.get(page.address)
        refused = await send(client, page, form(shown, name="<script>alert(1)</script>", reason=" "))
    assert "<script" not in shown.text + refused.text
    assert waivers(page) == []
