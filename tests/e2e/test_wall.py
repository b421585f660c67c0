"""The page of all rooms in Chromium, and pushes, with stand-ins for rooms (tests/fakes/lively_plane.py): no media."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page
from playwright.async_api import TimeoutError as BrowserTimeout

from streamer.notify.messages import Links, push_body, wording
from streamer.store.hooks import HookMessage
from tests.fakes.browser import MOST_SHIFTED, NOTES_SHIFTS, chromium, needs_chromium, opened
from tests.fakes.running import Running
from tests.fakes.waiting import until, until_answered
from tests.unit.api.test_signalling import OFFER

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow, *needs_chromium]

NAMES = {
    "wall-a": "Amphi Turing",
    "wall-b-slate": "Salle Curie",
    "wall-c-hung": "Studio Étage",
    "wall-d": "Verrière",
}
ROW = "[data-room='{}']"
TYPED_APART_MS = 2_000
"""Letters that are further apart are of two names."""


async def sends(server: Running, room: str) -> None:
    """A camera opens the room."""
    headers = {"Content-Type": "application/sdp", "Authorization": f"Bearer {server.tokens[room]}"}
    async with server.session.post(f"{server.url}/whip/{room}", data=OFFER, headers=headers) as response:
        assert response.status == 201, await response.text()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def wall(pages_server: Running) -> Running:
    """Four rooms of a venue: on air, with an incoming picture beside the slate, without news, and off."""
    server, now = pages_server, datetime.now(UTC)
    await server.api("POST", "/venues", {"id": "mines", "name": "Maison des Mines"}, status=201)
    for room, name in NAMES.items():
        await server.room(room, name=name, venue="mines")
        times = {"start": (now - timedelta(minutes=9)).isoformat(), "end": (now + timedelta(minutes=50)).isoformat()}
        session = await server.api("POST", "/sessions", {"room": room, "title": f"In {name}", **times}, status=201)
        if room != "wall-d":
            await sends(server, room)
        if room == "wall-a":
            await server.api("POST", f"/sessions/{session['id']}/start", {}, status=200)
    return server


async def link(server: Running) -> str:
    grant = await server.api("POST", "/grants", {"role": "technician", "venue": "mines", "label": "Inès"}, status=201)
    return str(grant["link"])


async def session_in(server: Running, room: str) -> Any:
    return (await server.state(room))["session"]


@pytest.mark.parametrize(
    ("path", "last"),
    [
        ("/studio", ROW.format("wall-a") + "[data-age=fresh]"),
        ("/studio/wall-a", "[data-testid=room-state][data-state=on_air]"),
        ("/", "h2"),
    ],
)
async def test_a_page_stands_still_while_it_opens_on_a_phone(
    browser: Browser, wall: Running, path: str, last: str
) -> None:
    login = (await link(wall)).partition("#")[2]
    async with opened(browser, f"{wall.url}{path}#{login}", script=NOTES_SHIFTS, width=360, height=740) as seen:
        await seen.page.locator(last).first.wait_for()
        await seen.page.evaluate("document.fonts.ready")
        assert await seen.page.evaluate("window.shifted") < MOST_SHIFTED


async def test_a_glance_shows_each_room_and_how_old_what_it_says_is(browser: Browser, wall: Running) -> None:
    async with opened(browser, await link(wall)) as seen:
        page = seen.page
        await page.locator(ROW.format("wall-a")).get_by_text("On air", exact=True).wait_for()
        assert await page.locator("[data-room] .name b").all_text_contents() == list(NAMES.values())
        for room, pictures in (("wall-a", 1), ("wall-b-slate", 1), ("wall-d", 0)):
            await seen.holds(
                "([row, count]) => document.querySelectorAll(`${row} img`).length === count",
                [ROW.format(room), pictures],
            )
        row = page.locator(ROW.format("wall-b-slate"))
        await row.get_by_text("Comes in: main").wait_for()
        await row.locator(".pictures").get_by_text("Slate", exact=True).wait_for()
        await page.locator(ROW.format("wall-a")).get_by_role("img", name="Sound: Good").wait_for()
        await page.locator(ROW.format("wall-a") + "[data-age=fresh]").wait_for()
        await page.locator(ROW.format("wall-a")).get_by_test_id("readiness").get_by_text("Running").wait_for()
        unready = page.locator(ROW.format("wall-d")).get_by_test_id("readiness")
        await unready.get_by_text("Not yet complete: Level, Voice heard, Picture moves").wait_for()
        # Its process says nothing any more: grey, and never green.
        await page.locator(ROW.format("wall-c-hung") + "[data-age=stale]").wait_for()
        hung = page.locator(ROW.format("wall-c-hung"))
        await hung.get_by_role("img", name="Sound: No sound").wait_for()
        assert "grayscale" in await hung.evaluate("row => getComputedStyle(row).filter")
        # A trouble stands first in its row and in the list; no row has moved.
        await page.locator(ROW.format("wall-d")).get_by_text("Nothing is coming in").first.wait_for()
        await page.get_by_role("region", name="Alarms").get_by_role("link", name="Verrière").first.wait_for()
        assert await page.locator("[data-room] .name b").all_text_contents() == list(NAMES.values())
        # The row names who takes it.
        for cause in (
            "Nothing is coming in, and a session is due",
            "The session’s time has come, and nobody started it",
        ):
            await page.get_by_role("button", name=f"I take it: {cause}, Verrière").click()
        await page.locator(ROW.format("wall-d")).get_by_text("taken by Inès").wait_for()


KIOSK = """
if (location.protocol !== 'about:') localStorage.setItem('streamer.studio.sound', 'on')
Object.defineProperty(navigator, 'wakeLock', {
  value: { request: async () => ((globalThis.lit = true), { release: async () => undefined }) },
})
addEventListener('pointerdown', () => (globalThis.touched = true), true)
Object.defineProperty(AudioContext.prototype, 'state', { get: () => (globalThis.touched ? 'running' : 'suspended') })
"""
"""Sound at alarms is kept from the last time. Chromium without windows lets every page be heard, and lights no
screen."""


async def test_a_kiosk_keeps_its_screen_lit_and_says_that_it_may_not_be_heard_yet(
    browser: Browser, wall: Running
) -> None:
    async with opened(browser, await link(wall), script=KIOSK) as seen:
        await seen.page.locator(ROW.format("wall-a")).wait_for()
        await seen.page.goto(f"{wall.url}/studio?kiosk")
        await seen.holds("globalThis.lit === true")
        assert await seen.page.get_by_role("checkbox", name="Keep the screen on").is_checked()
        press = seen.page.get_by_role("button", name="Sound is off: press")
        await press.click()
        await press.wait_for(state="detached")


async def test_keys_select_a_room_and_act_on_the_one_that_is_named(browser: Browser, wall: Running) -> None:
    asked: list[str] = []
    async with opened(browser, await link(wall)) as seen:
        page = seen.page
        page.on("request", lambda request: asked.append(f"{request.method} {request.url.removeprefix(wall.url)}"))
        await page.locator(ROW.format("wall-a")).get_by_text("On air", exact=True).wait_for()
        bar = page.get_by_role("region", name="Selected room")
        await page.keyboard.press("2")
        await bar.get_by_role("heading", name="Salle Curie").wait_for()
        await page.keyboard.press(" ")
        await until_answered(lambda: _is("POST /whep/wall-b-slate" in asked))
        await page.keyboard.press("Shift+Space")
        await until_answered(lambda: _is("POST /whep/wall-b-slate/main" in asked))
        await until_answered(lambda: _is(any(one.startswith("DELETE /whep/wall-b-slate/public/") for one in asked)))
        opened_in_order = [one for one in asked if one.startswith("POST /whep/")]
        assert opened_in_order == ["POST /whep/wall-b-slate", "POST /whep/wall-b-slate/main"], "outgoing opens no other"
        await page.keyboard.press("Escape")
        await bar.wait_for(state="detached")

        async def found() -> bool:
            # Letters that come too far apart on a busy machine are two names; the next try begins a new one.
            await page.keyboard.type("et")
            with contextlib.suppress(BrowserTimeout):
                await bar.get_by_role("heading", name="Studio Étage").wait_for(timeout=TYPED_APART_MS)
                return True
            return False

        await until_answered(found)
        async with seen.context.expect_page() as beside:
            await page.keyboard.press("Enter")
        assert (await beside.value).url == f"{wall.url}/studio/wall-c-hung"
        await (await beside.value).close()
        # End wants a second press, on the same room.
        await page.keyboard.press("1")
        await bar.get_by_role("heading", name="Amphi Turing").wait_for()
        again = bar.get_by_role("button", name="Press again to end")
        # It asks for some seconds: it is looked for before it can come.
        await asyncio.gather(again.wait_for(), page.keyboard.press("End"))
        await page.keyboard.press("2")
        await bar.get_by_role("heading", name="Salle Curie").wait_for()
        await page.keyboard.press("1")
        await bar.get_by_role("heading", name="Amphi Turing").wait_for()
        assert await again.count() == 0, "another room was selected in between"
        await asyncio.gather(again.wait_for(), page.keyboard.press("End"))
        assert await session_in(wall, "wall-a") is not None

        async def ended() -> bool:
            if await session_in(wall, "wall-a") is None:
                return True
            await page.keyboard.press("End")
            return False

        # A press that comes too late is a first one again.
        await until_answered(ended)
        await again.wait_for(state="detached")


async def test_a_ready_sentence_rings_in_the_room_until_somebody_there_acknowledges(
    browser: Browser, wall: Running
) -> None:
    async with opened(browser, await link(wall)) as seen:
        # The other page has the login of this one.
        await seen.page.locator(ROW.format("wall-d")).wait_for()
        room = await seen.context.new_page()
        await room.goto(f"{wall.url}/studio/wall-d")
        await seen.page.keyboard.press("4")
        await seen.page.get_by_role("button", name="Say to Verrière: Call me").click()
        call = room.get_by_test_id("call")
        await call.get_by_role("heading", name="Call me").wait_for()
        await room.keyboard.press("Escape")
        await room.set_viewport_size({"width": 390, "height": 844})
        assert await call.bounding_box() == {"x": 0, "y": 0, "width": 390, "height": 844}, "only its button closes it"
        await call.get_by_role("button", name="Understood").click()
        await call.wait_for(state="hidden")
        await room.get_by_text("Seen: I call you").first.wait_for()


async def test_the_wall_fits_from_a_phone_to_a_television(browser: Browser, wall: Running) -> None:
    async with opened(browser, await link(wall)) as seen:
        await seen.page.locator(ROW.format("wall-a")).locator("img").first.wait_for()
        await seen.page.keyboard.press("1")
        for language, looked_at in (("English", 1920), ("Français", 390)):
            await seen.page.get_by_role("button", name=language).click()
            for width, height in (390, 844), (320, 640), (3840, 2160), (1920, 1080):
                await seen.page.set_viewport_size({"width": width, "height": height})
                assert await seen.overflow_px() == 0, width
                # The words of a row, in any language, do not move the rows below it.
                heights = await seen.page.evaluate(
                    "[...document.querySelectorAll('[data-room]')].map((row) => row.offsetHeight)"
                )
                assert len(set(heights)) == 1, (language, width, heights)
                if width == looked_at:
                    assert await seen.accessibility() == [], width
            top = await seen.page.evaluate(
                """() => ['.troubles', '.rows'].map((one) => document.querySelector(one).getBoundingClientRect().top)"""
            )
            assert top[0] <= top[1]


async def test_a_phone_asks_for_the_pictures_in_sight_alone(browser: Browser, wall: Running) -> None:
    async with opened(browser, await link(wall), width=360, height=400, requests=True) as seen:
        row = seen.page.locator(ROW.format("wall-b-slate"))
        await row.wait_for()
        await seen.page.get_by_role("region", name="Alarms").get_by_role("link", name="Verrière").first.wait_for()
        assert [request.url for request in seen.requests if "/picture.jpg" in request.url] == []
        await row.scroll_into_view_if_needed()
        await row.locator("img").wait_for()


async def test_a_browser_shows_what_the_server_pushes_in_the_language_of_its_owner(wall: Running) -> None:
    facts = {"room_name": "Hall", "remedy": "Check the cable.", "title": "Knots", "since_ms": 0, "zone": "UTC"}
    links = Links(page=f"{wall.url}/alarm/a/b", take=f"{wall.url}/alarm/a")
    began = HookMessage("m", "h", "began", "hall/no_media", facts | {"cause": "Black picture"}, 0, None)
    ended = replace(began, kind="ended")
    async with chromium(whole=True) as browser:
        context = await browser.new_context(permissions=["notifications"])
        page = await context.new_page()
        await page.goto(f"{wall.url}/join")
        await page.evaluate("navigator.serviceWorker.register('/service-worker.js')")
        messages = [(began, "en"), (ended, "en"), (began, "fr"), (ended, "fr")]
        assert await pushed(page, wall, messages, links) == [
            ["Hall: Black picture", "Check the cable.\nSince 00:00.\nKnots", "en", True, ["I take it"]],
            ["Hall: Over: Black picture", "Knots", "en", False, ["I take it"]],
            ["Hall: Black picture", "Check the cable.\nDepuis 00:00.\nKnots", "fr", True, ["Je m’en occupe"]],
            ["Hall: C’est fini : Black picture", "Knots", "fr", False, ["Je m’en occupe"]],
        ]


NOTIFIED = """() => navigator.serviceWorker.ready.then((one) => one.getNotifications()).then((all) => all.map(
  (one) => [one.title, one.body, one.lang, one.requireInteraction, one.actions.map(({ title }) => title)]))"""


async def pushed(
    page: Page, server: Running, messages: Iterable[tuple[HookMessage, str]], links: Links
) -> list[list[Any]]:
    """The browser's notifications for messages that its service worker gets as from the push service."""
    found: list[dict[str, Any]] = []
    await page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    protocol = await page.context.new_cdp_session(page)
    protocol.on("ServiceWorker.workerRegistrationUpdated", lambda told: found.extend(told["registrations"]))
    await protocol.send("ServiceWorker.enable")
    await until(lambda: any(one["scopeURL"] == f"{server.url}/" for one in found))
    worker = next(one["registrationId"] for one in found if one["scopeURL"] == f"{server.url}/")
    shown: list[list[Any]] = []

    async def changed(parameters: dict[str, str]) -> bool:
        # One that comes while the worker starts is lost, and one that comes twice is shown once.
        await protocol.send("ServiceWorker.deliverPushMessage", parameters)
        now = await page.evaluate(NOTIFIED)
        assert len(now) <= 1, "one of a trouble"
        return len(now) == 1 and now != shown[-1:] and bool(shown.append(now[0]) or True)

    for message, language in messages:
        data = push_body(message, wording(message, language), links, language).decode()
        await until_answered(partial(changed, {"origin": server.url, "registrationId": worker, "data": data}))
    await protocol.detach()
    return shown


async def _is(value: bool) -> bool:
    return value
