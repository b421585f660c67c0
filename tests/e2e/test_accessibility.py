"""axe in Chromium: nothing serious or critical in any page and state, in both languages, on desktops and on phones."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from PIL import Image
from playwright.async_api import Browser

from tests.fakes.browser import AXE, SENDS_SMALL, Opened, needs_chromium, opened
from tests.fakes.publishing import TINY, camera
from tests.fakes.running import Running
from tests.fakes.shared import close_rooms

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.slow,
    *needs_chromium,
    pytest.mark.skipif(not AXE.exists(), reason="axe-core is not installed (make setup)"),
]

NARROWEST = 320


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(server: Running) -> Running:
    venue = await server.api("POST", "/venues", {"id": "asso", "name": "Maison des associations"}, status=201)
    await server.api("POST", "/events", {"id": "long", "name": "Journées portes ouvertes de la maison"}, status=201)
    for room in ("live", "slate", "dark"):
        await server.room(room, name=f"Salle {room}", venue=venue["id"], start="auto")
    return server


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def on_air(server: Running) -> AsyncIterator[None]:
    """For the last tests, so that the cameras run no longer than they are needed."""
    # A source that is not on the programme: the room stays open, and shows its slate.
    async with camera(server, "slate", source="side", options=TINY, video=False), camera(server, "live", options=TINY):
        async with camera(server, "slate", options=TINY):
            await server.wait_state("slate", "live")
        await server.wait_state("live", "live")
        await server.wait_state("slate", "slate")
        yield
    await close_rooms(server)


ENGLISH, FRENCH = "en-GB", "fr-FR"
SIZES = {ENGLISH: (1280, 800), FRENCH: (360, 740)}
"""A language is looked at on a screen of its own: rules are asked about words on one and about room on the other."""


async def check(seen: Opened, language: str = ENGLISH) -> None:
    """At the language's size, and whether it fits at the narrowest that there is."""
    width, height = SIZES[language]
    await seen.page.set_viewport_size({"width": width, "height": height})
    assert await seen.page.evaluate("document.documentElement.lang") == language[:2]
    found = await seen.accessibility()
    await seen.page.set_viewport_size({"width": NARROWEST, "height": 640})
    overflow = await seen.overflow_px()
    assert found == []
    assert overflow == 0, f"{overflow} px have to be scrolled sideways at {NARROWEST} px"


async def check_in_both(seen: Opened) -> None:
    await check(seen)
    await seen.speak(FRENCH)
    await check(seen, FRENCH)


@pytest.mark.parametrize(
    ("path", "ready"),
    [
        ("/watch/dark", "document.querySelector('.card')"),
        ("/archive", "document.querySelector('h1')"),
        ("/studio/dark", "document.querySelector('input')"),
    ],
)
async def test_a_page_is_accessible(browser: Browser, server: Running, path: str, ready: str) -> None:
    async with opened(browser, f"{server.url}{path}") as seen:
        await seen.holds(f"Boolean({ready})")
        await check_in_both(seen)


@pytest.mark.parametrize("language", SIZES)
async def test_a_page_for_an_address_that_leads_nowhere_is_accessible(
    browser: Browser, server: Running, language: str
) -> None:
    async with opened(browser, f"{server.url}/watch/nowhere", language=language) as seen:
        await check(seen, language)


@pytest.mark.parametrize(("language", "scheme", "colour"), [(ENGLISH, "dark", "#101060"), (FRENCH, "light", "#ffe600")])
async def test_a_page_in_its_venues_colours_is_accessible(
    browser: Browser, server: Running, language: str, scheme: str, colour: str
) -> None:
    """With the colours that need most help: yellow on light, navy on dark."""
    name = f"look-{scheme}"
    picture = io.BytesIO()
    Image.new("RGB", (640, 360), "white").save(picture, "PNG")
    cover, portrait = [await server.upload(kind, picture.getvalue()) for kind in ("covers", "portraits")]
    look = {"colour": colour, "cover": cover, "typeface": "serif"}
    await server.api("POST", "/venues", {"id": name, "name": "Maison", **look}, status=201)
    await server.room(name, name="Salle", venue=name)
    start = datetime.now(UTC) + timedelta(hours=1)
    plan = {"start": start.isoformat(), "end": (start + timedelta(hours=1)).isoformat()}
    session = await server.api(
        "POST",
        "/sessions",
        {"room": name, "title": "Talk", "speakers": ["Ada"], "portraits": {"Ada": portrait}, **plan},
        status=201,
    )
    for path in (f"/?venue={name}", f"/watch/{name}", f"/session/{session['id']}"):
        async with opened(browser, f"{server.url}{path}", language=language, color_scheme=scheme) as seen:
            await seen.holds("document.querySelector('[role=timer]')")
            assert "Maison" in await seen.page.title()
            if path.startswith(("/session", "/?")):
                await seen.holds("document.querySelector('img[src*=portraits]')?.naturalWidth > 0")
            await check(seen, language)


async def test_the_interface_is_read_by_keys_and_accessible_closed_and_open(browser: Browser, server: Running) -> None:
    async with opened(browser, f"{server.url}/api/v1/docs") as seen:
        await seen.holds("document.querySelectorAll('summary').length > 200")
        press = seen.page.keyboard.press
        await seen.page.get_by_role("searchbox").focus()
        await seen.page.keyboard.type("get sessions/{id}")
        await seen.page.get_by_role("status").filter(has_text="4 ").wait_for()
        entry = seen.page.locator("summary", has_text="/api/v1/sessions/{id}").first
        await entry.focus()
        await press("Enter")
        await seen.page.get_by_role("link", name="SessionView", exact=True).first.focus()
        await press("Enter")
        await seen.holds("document.getElementById('rest-SessionView').closest('details').open")
        await seen.page.get_by_role("searchbox").fill("")
        await seen.holds("document.querySelectorAll('summary').length > 200")
        # One of each chapter is open, and two stay closed: all two hundred take axe ten seconds, and say the same.
        await seen.page.evaluate(
            "document.querySelectorAll(':nth-child(3 of details)').forEach((one) => { one.open = true })"
        )
        await seen.page.set_viewport_size({"width": NARROWEST, "height": 640})
        assert await seen.overflow_px() == 0
        ids = await seen.page.evaluate("[...document.querySelectorAll('[id]')].map(({ id }) => id)")
        assert len(ids) == len(set(ids)) > 200
        await seen.page.evaluate(
            "document.querySelectorAll(':nth-child(n + 4 of details)').forEach((one) => one.remove())"
        )
        await check_in_both(seen)


@pytest.mark.usefixtures("closed_rooms")
async def test_the_studio_is_accessible_before_and_on_air(browser: Browser, server: Running) -> None:
    token = await server.room("aired", start="auto")
    permissions = ("camera", "microphone")
    address = f"{server.url}/studio/aired#token={token}"
    async with opened(browser, address, permissions=permissions, script=SENDS_SMALL) as seen:
        tally = "document.querySelector('[data-testid=tally]')?.dataset.state === '{}'"
        dialog = seen.page.locator("dialog[open], [role=dialog]")
        await seen.holds(tally.format("standby"))
        await check_in_both(seen)
        await seen.page.set_viewport_size({"width": 1280, "height": 800})
        await seen.page.locator("input[type=radio][value='720p']").check()
        await seen.page.locator(".empty button").click()
        await seen.holds(tally.format("preview"))
        await seen.page.keyboard.press("o")
        await seen.holds(tally.format("on_air"))
        for language in (FRENCH, ENGLISH):
            await seen.speak(language)
            await check(seen, language)
            await seen.page.keyboard.press("o")
            await dialog.first.wait_for()
            await check(seen, language)
            await seen.page.keyboard.press("Escape")
            await dialog.first.wait_for(state="detached")


PLAYS = "document.querySelector('video')?.currentTime > 0"


@pytest.mark.parametrize(
    ("path", "ready"),
    [
        ("/watch/slate", PLAYS),
        ("/", "document.querySelectorAll('a.card').length >= 3"),
        ("/studio", "document.querySelectorAll('main a').length >= 3"),
    ],
)
async def test_a_page_is_accessible_while_rooms_are_on_air(
    browser: Browser, server: Running, on_air: None, path: str, ready: str
) -> None:
    async with opened(browser, f"{server.url}{path}") as seen:
        await seen.holds(f"Boolean({ready})")
        await check_in_both(seen)


@pytest.mark.parametrize("language", SIZES)
async def test_the_embedded_player_is_accessible(
    browser: Browser, server: Running, on_air: None, language: str
) -> None:
    async with opened(browser, f"{server.url}/embed/live", language=language) as seen:
        await seen.holds(PLAYS)
        await check(seen, language)


async def test_the_player_its_menu_and_its_help_are_accessible(browser: Browser, server: Running, on_air: None) -> None:
    async with opened(browser, f"{server.url}/watch/live") as seen:
        await seen.holds(PLAYS)
        await seen.show_controls()
        await seen.page.get_by_role("button", name="Quality and delay").click()
        await check(seen)
        await seen.page.keyboard.press("Escape")
        await seen.page.keyboard.press("?")
        await seen.page.get_by_role("dialog").wait_for()
        await check(seen)
        await seen.page.keyboard.press("Escape")
        await check_in_both(seen)
        # On a phone the menu is not squeezed into the picture's height.
        await seen.page.set_viewport_size({"width": 390, "height": 844})
        await seen.page.get_by_role("button", name="Qualité et délai").dispatch_event("click")
        menu = seen.page.get_by_role("menu")
        box = await menu.bounding_box()
        assert box is not None
        assert round(box["y"] + box["height"]) == 844
        assert await menu.evaluate("({ scrollHeight, clientHeight }) => scrollHeight <= clientHeight")
        await seen.page.keyboard.press("Escape")
        await menu.wait_for(state="detached")
