"""The watch page in Chromium: it plays, and each of its controls does what it says."""

from __future__ import annotations

import contextlib
import re
import statistics
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.fakes.browser import BY_WEBRTC, WEBRTC_AGAIN_S, Opened, needs_chromium, opened
from tests.fakes.publishing import camera
from tests.fakes.running import Running
from tests.fakes.shared import close_rooms
from tests.fakes.waiting import Pace, until, until_answered

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow, *needs_chromium]

HEIGHT, LOWER = 240, 180
"""Of the pictures."""
PART = re.compile(r"/\d+\.\d+\.m4s$")
FIRST_PICTURE_S = 8.0
LATENCY_LIMIT_MS = 4_000
LOOKS, LOOK_S = 12, 0.1
"""At pictures, for how late they are."""
SEEK_BACK_MS = 20_000
SEEK_STEP_MS = 10_000
LONGER = """(ms) => {
  const bar = document.querySelector('.timeline input')
  return bar !== null && bar.max - bar.min > ms
}"""
"""There is that much to go back to."""
BACK_AT_START = """() => {
  const bar = document.querySelector('.timeline input')
  return bar !== null && bar.value - bar.min < 10_000
}"""
BEHIND_EDGE = """() => {
  const at = readStrip()
  return at === null ? null : document.querySelector('.timeline input').max - at
}"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(server: Running) -> AsyncIterator[Running]:
    await server.room("hall", name="Grande salle", start="auto")
    async with camera(server, "hall", width=426, height=HEIGHT, frame_rate=15):
        await server.wait_state("hall", "live")
        yield server
    await close_rooms(server)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def viewer(browser: Browser, server: Running) -> AsyncIterator[Opened]:
    """A page for the tests of its controls. Each leaves it as it was: live, automatic, without sound."""
    async with watching(browser, server) as seen:
        yield seen


@contextlib.asynccontextmanager
async def watching(
    browser: Browser, server: Running, query: str = "", language: str = "en-GB"
) -> AsyncIterator[Opened]:
    async with opened(browser, f"{server.url}/watch/hall{query}", language=language, requests=True) as seen:
        yield seen


async def choose(seen: Opened, label: str) -> None:
    """An entry of the menu of qualities and delays, by its first words: the automatic one tells its height too."""
    await seen.show_controls()
    await seen.page.get_by_role("button", name="Quality and delay").click()
    await seen.page.locator("[role^=menuitem]").filter(has_text=re.compile(rf"^\s*{label}")).click()


async def test_opens_and_plays_without_sound_in_a_few_seconds(browser: Browser, server: Running) -> None:
    async with opened(browser, requests=True) as seen:
        began, pace, strips = time.monotonic(), Pace(), set[int | None]()
        await seen.page.goto(f"{server.url}/watch/hall")

        async def moves() -> bool:
            strips.add(await seen.strip())
            return len(strips - {None}) >= 2

        await pace.until_answered(moves, what=lambda: f"the picture moves; strips {strips}")
        assert time.monotonic() - began < pace.allowed_s(FIRST_PICTURE_S), pace
        assert await seen.page.evaluate("document.querySelector('video').muted")
        # The picture may move before: the player begins with a whole segment where the playlist has one there.
        await until(lambda: any(PART.search(request.url) for request in seen.requests))
        await seen.text("Grande salle")
        assert "Grande salle" in await seen.page.title()


async def test_keys_pause_mute_and_fill_the_screen(browser: Browser, server: Running) -> None:
    async with watching(browser, server) as seen:
        await seen.wait_moving()
        for key, page, controls in (
            ("k", "document.querySelector('video').paused", "mediapaused"),
            ("m", "!document.querySelector('video').muted", "!mediamuted"),
            ("f", "document.fullscreenElement?.matches('.player')", "mediaisfullscreen"),
        ):
            # The controls hear of a change by an event, a moment later; a key pressed before that says the same again.
            told = f"document.querySelector('media-controller').hasAttribute('{controls.removeprefix('!')}')"
            told = f"!{told}" if controls.startswith("!") else told
            await seen.page.keyboard.press(key)
            await seen.holds(f"{page} && {told}")
            await seen.page.keyboard.press(key)
            await seen.holds(f"!({page}) && !({told})")
        # A button has its key to itself.
        await seen.show_controls()
        await seen.page.get_by_role("button", name="Quality and delay").press(" ")
        await seen.page.get_by_role("menu").wait_for()
        assert not await seen.page.evaluate("document.querySelector('video').paused")
        await seen.page.keyboard.press("Escape")
        await seen.page.keyboard.press("?")
        await seen.page.get_by_role("dialog", name="Keyboard shortcuts").wait_for(state="visible")
        await seen.page.get_by_text("Work anywhere on the page").click()
        await seen.page.keyboard.press("Escape")
        await seen.page.get_by_role("dialog").wait_for(state="hidden")
        await seen.page.locator("body").evaluate("(body) => document.activeElement?.blur?.()")
        await seen.page.keyboard.press("m")
        assert await seen.page.evaluate("document.querySelector('video').muted"), "single keys were turned off"


async def test_lowest_latency_plays_over_webrtc_and_falls_back_when_it_is_full(
    browser: Browser, server: Running
) -> None:
    async with watching(browser, server, "?latency=lowest") as first:
        await first.holds(BY_WEBRTC, within_s=WEBRTC_AGAIN_S)
        await first.wait_moving()
        measured: list[float] = []
        asked: list[int] = []

        async def quick() -> bool:
            """With no part asked for meanwhile. If no picture came in time, the page tries again a minute later."""
            late = await first.latency_ms()
            if late is not None:
                measured.append(late)
                asked.append(len(first.requests))
            if len(measured) < LOOKS or statistics.median(measured[-LOOKS:]) >= 1_000:
                return False
            return not any(PART.search(request.url) for request in first.requests[asked[-LOOKS] :])

        limit_s = WEBRTC_AGAIN_S + 60
        await until_answered(quick, limit_s=limit_s, seldom_s=LOOK_S, what=lambda: f"latencies {measured[-LOOKS:]}")
        assert await first.page.evaluate(BY_WEBRTC)
        async with watching(browser, server, "?latency=lowest") as second:
            # Its first attempt is over.
            await second.wait_moving()
            answers: list[int] = []
            second.page.on("response", lambda answer: answers.append(answer.status) if "/whep/" in answer.url else None)
            await second.page.reload()
            await second.wait_moving()
            assert answers == [503]
            await second.holds("document.querySelector('video').srcObject === null")
            assert any(PART.search(request.url) for request in second.requests)


async def test_speaks_the_browsers_language_and_the_one_that_is_chosen(browser: Browser, server: Running) -> None:
    async with watching(browser, server, language="fr-FR") as seen:
        await seen.page.get_by_role("button", name="Activer le son", exact=True).wait_for()
        assert await seen.page.evaluate("document.documentElement.lang") == "fr"
        await seen.page.get_by_role("button", name="English").click()
        await seen.page.get_by_role("button", name="Turn on sound", exact=True).wait_for()
        assert await seen.page.evaluate("document.documentElement.lang") == "en"
        await seen.page.reload()
        await seen.page.get_by_role("button", name="Turn on sound", exact=True).wait_for()


async def test_on_a_phone_a_first_tap_only_shows_the_controls(browser: Browser, server: Running) -> None:
    phone = {"width": 390, "height": 844, "has_touch": True, "is_mobile": True}
    async with opened(browser, f"{server.url}/watch/hall", language="fr-FR", **phone) as seen:
        await seen.wait_moving()
        await seen.holds(LONGER, 10_000)
        hidden = "document.querySelector('media-controller').hasAttribute('userinactive')"
        await seen.holds(hidden)
        box = await seen.page.locator(".timeline input").bounding_box()
        assert box is not None
        at = box["x"] + box["width"] * 0.1, box["y"] + box["height"] / 2
        back = seen.page.get_by_role("button", name=re.compile("^Revenir au direct"))
        await seen.page.touchscreen.tap(*at)
        await seen.holds(
            f"!({hidden}) && getComputedStyle(document.querySelector('.timeline')).pointerEvents !== 'none'"
        )
        assert await back.count() == 0, "a tap on what is not seen moves nothing"

        async def tapped() -> bool:
            # On a busy machine the controls may have hidden again.
            await seen.page.touchscreen.tap(*at)
            return await back.is_visible()

        await until_answered(tapped)
        for width in (390, 320):
            await seen.page.set_viewport_size({"width": width, "height": 844})
            box = await seen.page.locator("media-fullscreen-button").bounding_box()
            assert box is not None
            assert box["x"] + box["width"] <= width, "full screen is within reach"


async def test_is_a_few_seconds_behind_the_camera_and_says_so(viewer: Opened) -> None:
    await viewer.wait_moving()
    measured: list[float] = []

    async def steady() -> bool:
        late = await viewer.latency_ms()
        if late is not None:
            measured.append(late)
        return len(measured) >= LOOKS and statistics.median(measured[-LOOKS:]) < LATENCY_LIMIT_MS

    await until_answered(steady, limit_s=60, seldom_s=LOOK_S, what=lambda: f"latencies {measured[-LOOKS:]}")
    assert min(measured) > 100, "nothing is shown before it was filmed"
    told = viewer.page.get_by_role("button", name=re.compile(r"Live, [\d.]+ seconds behind"))
    said: list[float] = []

    async def says_so() -> bool:
        """By what is seen at about the same time."""
        await steady()
        label = await told.get_attribute("aria-label")
        assert label is not None
        said.append(float(label.split()[1]) * 1000)
        return abs(said[-1] - statistics.median(measured[-LOOKS:])) < 1500

    await until_answered(says_so, seldom_s=LOOK_S, what=lambda: f"says {said[-LOOKS:]}, is {measured[-LOOKS:]}")


async def test_sound_is_a_click_away(viewer: Opened) -> None:
    await viewer.wait_moving()
    unmute = viewer.page.get_by_role("button", name="Turn on sound", exact=True)
    await viewer.show_controls()
    await unmute.click()
    await viewer.holds("!document.querySelector('video').muted")
    await unmute.wait_for(state="hidden")
    await viewer.wait_moving(beyond_ms=await viewer.wait_moving())
    # The output of the sound decoder; the browser counts it for its own page only.
    await viewer.holds("document.querySelector('video').webkitAudioDecodedByteCount > 10_000")
    await viewer.page.keyboard.press("m")
    await viewer.holds("document.querySelector('video').muted")


async def test_quality_menu_switches_the_picture_and_back_to_automatic(viewer: Opened) -> None:
    await viewer.wait_moving()
    for height in (LOWER, HEIGHT):
        await choose(viewer, f"{height}p")
        await viewer.holds("(height) => document.querySelector('video').videoHeight === height", height)
        await viewer.wait_moving()
    await choose(viewer, "Automatic")
    await viewer.wait_moving()


async def test_seeks_back_in_the_broadcast_and_returns_to_live(viewer: Opened) -> None:
    await viewer.wait_moving()
    bar = viewer.page.get_by_role("slider", name="Position in the broadcast")
    await bar.focus()
    # Until there is that much to go back to.
    await viewer.holds(LONGER, SEEK_BACK_MS + 2_000)
    for _ in range(SEEK_BACK_MS // SEEK_STEP_MS):
        # Held for longer than the element takes to tell its new place.
        await bar.press("ArrowLeft", delay=400)
    await viewer.wait_moving()

    measured: list[float | None] = []

    async def went_back() -> bool:
        # From the live edge, which a busy machine may have behind the clock.
        measured.append(back := await viewer.page.evaluate(BEHIND_EDGE))
        return back is not None and SEEK_BACK_MS - 3_000 < back < SEEK_BACK_MS + 10_000

    # Keys pressed in a row add up; the picture of the first may be seen for a moment.
    await until_answered(went_back, limit_s=60, what=lambda: f"behind the edge {measured[-30:]}")
    # The first segment may begin some µs before zero.
    await bar.press("Home")
    await viewer.holds(BACK_AT_START)
    await viewer.wait_moving()
    live = viewer.page.get_by_role("button", name=re.compile("^Go live"))
    await viewer.show_controls()
    await live.click()
    await live.wait_for(state="hidden")
    await until_answered(lambda: _is_live(viewer), limit_s=60)


async def _is_live(seen: Opened) -> bool:
    late = await seen.latency_ms()
    return late is not None and late < LATENCY_LIMIT_MS


async def test_a_poor_link_gets_sound_and_stills_and_no_parts(viewer: Opened) -> None:
    await viewer.wait_moving()
    await choose(viewer, "Poor link")
    await viewer.text("Poor link: sound and stills")
    await viewer.page.get_by_alt_text("Picture of the room, renewed every 10 seconds").wait_for(state="visible")
    before = await viewer.page.evaluate("document.querySelector('video').currentTime")
    await viewer.holds("(before) => document.querySelector('video').currentTime > before + 1", before)
    asked = len(viewer.requests)
    await until(lambda: len(_segments(viewer, asked)) >= 2, limit_s=60)
    later = viewer.requests[asked:]
    assert not [request.url for request in later if PART.search(request.url)]
    assert not [request.url for request in later if re.search(r"/live/.*/v\d+(/|\.m3u8)", request.url)], "no pictures"
    await viewer.page.get_by_role("button", name="Back to video").click()
    await viewer.wait_moving()


def _segments(seen: Opened, since: int) -> list[str]:
    return [request.url for request in seen.requests[since:] if request.url.endswith(".m4s")]


async def test_a_viewer_without_network_is_told_and_goes_on_when_it_is_back(viewer: Opened) -> None:
    await viewer.mark()
    last = await viewer.wait_moving()
    await viewer.context.set_offline(True)
    await viewer.text("Connection lost, trying again", within_s=60)
    await viewer.context.set_offline(False)
    last = await viewer.wait_moving(beyond_ms=last + 1_000)
    await until_answered(lambda: _is_live(viewer), limit_s=60)
    await viewer.page.get_by_text("Connection lost, trying again").first.wait_for(state="hidden")
    await viewer.check_mark()
    await until_answered(lambda: _outage_is_told(viewer), limit_s=60, what=lambda: "the server is told")


async def _outage_is_told(seen: Opened) -> bool:
    """Afterwards: while it lasted, no word came through."""
    for request in seen.requests:
        if request.url.endswith("/rooms/hall/playback") and '"ec":["network"]' in (request.post_data or ""):
            answer = await request.response()
            if answer is not None and answer.status == 204:
                return True
    return False
