"""One page, never loaded again, through all that happens to a room: no camera yet, gone, back, crashes, the end."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.fakes.browser import Opened, needs_chromium, opened
from tests.fakes.publishing import TINY, camera
from tests.fakes.running import Running
from tests.fakes.shared import close_rooms
from tests.fakes.waiting import until_answered

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow, *needs_chromium]

BEHIND_MS = 4_000
SELDOM = 5
"""A part may be asked for again: after another rendition, or by a player built anew."""


async def wait_slate(seen: Opened) -> None:
    """A picture that moves on, is not black, and is not the camera's."""
    await seen.page.get_by_text("Back in a moment").first.wait_for(state="visible")

    async def shown() -> bool:
        return await seen.strip() is None and float(await seen.page.evaluate(BRIGHTEST)) > 150

    await until_answered(shown, limit_s=60, what=lambda: "the slate is shown")
    at = await seen.page.evaluate("document.querySelector('video').currentTime")
    await seen.holds("(at) => document.querySelector('video').currentTime > at + 1", at)


BRIGHTEST = """() => {
  const video = document.querySelector('video'), canvas = document.createElement('canvas')
  canvas.width = 160; canvas.height = 90
  const context = canvas.getContext('2d')
  context.drawImage(video, 0, 0, 160, 90)
  return Math.max(...context.getImageData(0, 0, 160, 90).data.filter((_, index) => index % 4 === 1))
}"""


async def test_a_page_lives_through_a_rooms_day(browser: Browser, server: Running) -> None:
    await server.room("stage", name="Amphi", start="auto")
    async with opened(browser, f"{server.url}/watch/stage", requests=True) as seen:
        await seen.mark()
        await seen.text("Leave this page open: the broadcast starts here by itself.")
        await seen.text("Not started yet")
        async with camera(server, "stage", options=TINY):
            last = await seen.wait_moving()
            await seen.page.get_by_text("Leave this page open").wait_for(state="hidden")
        await wait_slate(seen)
        async with camera(server, "stage", options=TINY):
            last = await seen.wait_moving(beyond_ms=last)
            await seen.page.get_by_text("Back in a moment").first.wait_for(state="hidden")
        # As it does by itself, some time later.
        await close_rooms(server)
        await seen.text("The broadcast has ended", within_s=60)
        await server.wait_state("stage", "off")
        async with camera(server, "stage", options=TINY):
            await seen.wait_moving(beyond_ms=last)
        await seen.check_mark()
        part, times = seen.most_asked()
        assert times <= SELDOM, f"all who waited for the beginning ask for {part} again and again"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def pages(browser: Browser, server: Running) -> AsyncIterator[tuple[Opened, Opened]]:
    """Two that play the same camera, over HLS and over WebRTC. No test may load them again."""
    await server.room("killed", name="Killed", start="auto")
    async with camera(server, "killed", options=TINY):
        await server.wait_state("killed", "live")
        async with (
            opened(browser, f"{server.url}/watch/killed") as seen,
            opened(browser, f"{server.url}/watch/killed?latency=lowest") as lowest,
        ):
            await seen.mark()
            await lowest.mark()
            yield seen, lowest
    await close_rooms(server)


async def test_pages_go_on_when_the_rooms_process_is_killed(pages: tuple[Opened, Opened], server: Running) -> None:
    last = max([await page.wait_moving() for page in pages])
    await server.kill("room-killed")
    for page in pages:
        await page.wait_moving(beyond_ms=last + BEHIND_MS, within_s=60)
        await page.check_mark()


async def test_pages_go_on_when_the_web_process_is_killed(pages: tuple[Opened, Opened], server: Running) -> None:
    seen, lowest = pages
    last = max(await seen.wait_moving(), await lowest.wait_moving())
    old = await server.kill("web")
    await lowest.wait_moving(beyond_ms=last + 1_000)
    await seen.wait_moving(beyond_ms=last + BEHIND_MS, within_s=60)
    assert server.pid("web") != old
    for page in pages:
        await page.check_mark()
