"""The other public pages: the list of rooms, the player in other people's pages, and addresses that lead nowhere."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiohttp import web
from playwright.async_api import Browser

from tests.fakes.browser import needs_chromium, opened
from tests.fakes.publishing import TINY, camera
from tests.fakes.running import Running
from tests.fakes.shared import close_rooms

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow, *needs_chromium]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(server: Running) -> Running:
    await server.room("foyer", name="Grand foyer", start="auto")
    await server.room("attic", name="Grenier")
    return server


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def on_air(server: Running) -> AsyncIterator[None]:
    """For the last tests, so that the camera runs no longer than it is needed."""
    async with camera(server, "foyer", options=TINY):
        await server.wait_state("foyer", "live")
        yield
    await close_rooms(server)


@pytest.mark.parametrize(
    ("language", "words"), [("fr-FR", "Vers la liste des salles"), ("en-GB", "To the list of rooms")]
)
@pytest.mark.parametrize("page", ["watch", "embed", "studio"])
async def test_an_unknown_room_is_404_in_the_readers_language(
    browser: Browser, server: Running, language: str, words: str, page: str
) -> None:
    async with opened(browser, language=language) as seen:
        answer = await seen.page.goto(f"{server.url}/{page}/nowhere")
        assert answer is not None
        assert answer.status == 404
        assert await seen.page.evaluate("document.documentElement.lang") == language[:2]
        await seen.page.get_by_role("link", name=words).click()
        await seen.page.wait_for_url(f"{server.url}/")


async def test_no_other_page_may_be_framed_by_another_site(browser: Browser, server: Running) -> None:
    async with opened(browser) as seen:
        for page in ("watch/foyer", "studio/foyer", ""):
            answer = await seen.page.goto(f"{server.url}/{page}")
            assert answer is not None
            assert "frame-ancestors" in answer.headers["content-security-policy"]
            assert "frame-ancestors *" not in answer.headers["content-security-policy"]


async def test_home_lists_the_rooms_and_shows_what_is_on(browser: Browser, server: Running, on_air: None) -> None:
    async with opened(browser, f"{server.url}/") as seen:
        on = seen.page.locator("a.card").filter(has_text="Grand foyer")
        await on.get_by_text("Live", exact=True).wait_for()
        off = seen.page.locator("a.card").filter(has_text="Grenier")
        await off.get_by_text("Off air").wait_for()
        await seen.holds("document.querySelector('a[href=\"/watch/foyer\"] img')?.naturalWidth === 320")
        await on.click()
        await seen.wait_moving()
        assert seen.page.url == f"{server.url}/watch/foyer"


async def test_the_embedded_player_plays_in_a_page_of_another_site(
    browser: Browser, server: Running, on_air: None
) -> None:
    async def article(request: web.Request) -> web.Response:
        body = f'<!doctype html><title>A</title><iframe src="{server.url}/embed/foyer" width=640 height=360></iframe>'
        return web.Response(text=body, content_type="text/html")

    app = web.Application()
    app.router.add_get("/", article)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    try:
        async with opened(browser, f"http://asso.example.test:{port}/") as seen:
            (frame,) = (frame for frame in seen.page.frames if "/embed/" in frame.url)
            await frame.wait_for_function("() => readStrip() !== null")
            first = await frame.evaluate("readStrip()")
            await frame.wait_for_function("(first) => (readStrip() ?? 0) > first", arg=first)
            link = frame.get_by_role("link", name="Open the room’s page")
            assert await link.get_attribute("href") == f"{server.url}/watch/foyer"
    finally:
        await runner.cleanup()
