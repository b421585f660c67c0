"""The studio page in Chromium, with the browser's fake camera and microphone, up to what viewers get of it."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest
from playwright.async_api import Browser

from tests.fakes import decoding
from tests.fakes.browser import MOST_SHIFTED, NOTES_SHIFTS, SENDS_SMALL, Opened, needs_chromium, opened
from tests.fakes.devtools import tabbed_chromium
from tests.fakes.following import different, moving_pictures, whole_segments
from tests.fakes.hls_client import HlsFollower
from tests.fakes.publishing import TINY, camera
from tests.fakes.running import Running
from tests.fakes.waiting import until, until_answered, waited_s

PART_MS = 334
pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.slow,
    pytest.mark.usefixtures("closed_rooms"),
    *needs_chromium,
]

ELSEWHERE = "salle.example.test"
BACK_WITHIN_S = 30.0
LEAST_RATE = 5
"""Timers of a hidden tab run once a second."""
SELDOM = 5
"""Requests for one part, at most."""
SEGMENTS = 3
"""Of a second each, from a hidden tab."""


@contextlib.asynccontextmanager
async def studio(
    browser: Browser, server: Running, room: str, token: str | None = None, **options: Any
) -> AsyncIterator[Opened]:
    """``options``: those of :func:`opened`."""
    address = f"{server.url}/studio/{room}#token={token or server.tokens[room]}"
    async with opened(browser, address, permissions=("camera", "microphone"), **options) as seen:
        yield seen


async def open_devices(seen: Opened) -> None:
    # Two cores have to draw and encode this, and all else besides.
    await seen.page.get_by_role("radio", name="720p").check()
    # If media come in already, the key stands a second time below the picture.
    await seen.page.get_by_role("button", name="Open camera and microphone").first.click()
    await seen.holds("document.querySelector('[data-testid=preview]').videoHeight === 720")


async def tally(seen: Opened, state: str, *, within_s: float = 60) -> None:
    await seen.holds(
        "(state) => document.querySelector('[data-testid=tally]')?.dataset.state === state", state, within_s=within_s
    )


async def main_source(server: Running, room: str) -> dict[str, Any]:
    source = (await server.state(room))["sources"].get("main", {})
    assert isinstance(source, dict)
    return source


async def test_goes_on_air_and_viewers_get_moving_pictures_and_sound(browser: Browser, server: Running) -> None:
    token = await server.room("amphi", name="Amphi", start="auto")
    async with studio(browser, server, "amphi", script=NOTES_SHIFTS) as seen:
        assert token not in seen.page.url, "the token leaves the address bar"
        await open_devices(seen)
        assert await seen.page.evaluate("window.shifted") < MOST_SHIFTED, "a press may miss what moves"
        await seen.page.get_by_label("Camera", exact=True).select_option(label="fake_device_0")
        await seen.page.get_by_label("Microphone", exact=True).select_option(label="Fake Audio Input 1")
        await seen.page.get_by_role("button", name="Go on air").click()
        await tally(seen, "on_air")
        await server.wait_state("amphi", "live")
        source: dict[str, Any] = {}

        async def known() -> bool:
            # The room tells of its sources once a second, and of sound as soon as its first packet has come.
            source.update(await main_source(server, "amphi"))
            return bool(source.get("video") and source.get("audio") and source["video"]["width"])

        await until_answered(known, what=lambda: str(source))
        assert source["video"]["codec"] == "h264"
        assert (source["video"]["width"], source["video"]["height"]) == (1280, 720)
        assert source["audio"]["codec"] == "opus"
        assert source["audio"]["channels"] == 2
        async with HlsFollower(f"{server.url}/live/amphi/index.m3u8") as follower:
            await follower.open()
            await follower.follow(until=lambda f: min(f.edge("v720"), f.edge("v180"), f.edge("a128")) >= (3, 0))
            for name in ("v720", "v180"):
                assert (await moving_pictures(follower, name))[0].luma.std() > 10
            heard = decoding.sound(await whole_segments(follower, "a128"))
            # The fake microphone beeps.
            assert np.abs(heard.mono).max() > 0.02
            # If a browser's camera misses a beat, no cut can make a part of 85 % to 100 % of the target.
            assert [fault for fault in follower.violations if "under 85 %" not in fault] == []
        # The output beside it.
        await seen.holds("document.querySelector('[data-testid=output]').currentTime > 1")
        await seen.page.keyboard.press("o")
        await seen.page.get_by_role("button", name="End now").click()
        await tally(seen, "preview")
        await server.wait_state("amphi", "slate")
        await seen.text(re.compile("Viewers see the slate"))


@pytest.mark.parametrize(
    ("language", "button", "says", "width"),
    [
        ("en-GB", "Go on air now", "Only the crew sees and hears this.*deleted after 35 minutes", 1280),
        ("fr-FR", "Passer à l’antenne", "Seule l’équipe voit et entend ceci.*effacé au bout de 35 minutes", 320),
    ],
)
async def test_a_camera_in_an_empty_room_goes_on_air_in_one_press(
    browser: Browser, server: Running, language: str, button: str, says: str, width: int
) -> None:
    room = f"empty-{width}"
    await server.room(room, name="Salle vide")
    async with (
        studio(browser, server, room, language=language, requests=True) as seen,
        contextlib.AsyncExitStack() as cameras,
    ):
        await seen.page.set_viewport_size({"width": width, "height": 900})
        await cameras.enter_async_context(camera(server, room, options=TINY))
        await room_state(seen, "preview")
        await seen.text(re.compile(says))
        key = seen.page.get_by_role("button", name=button, exact=True)
        await key.wait_for()
        assert await seen.accessibility() == []
        assert await seen.overflow_px() == 0
        assert (await server.state(room))["state"] == "slate"
        if width == 320:
            await seen.page.keyboard.press("n")
        else:
            title = seen.page.get_by_label("Title (optional)")
            await title.press_sequentially("Impro")
            # A camera that goes takes the key away, and not the field from under one's fingers.
            await cameras.aclose()
            await room_state(seen, "standby")
            await seen.page.keyboard.type("mptu")
            await cameras.enter_async_context(camera(server, room, options=TINY))
            await room_state(seen, "preview")
            assert await title.input_value() == "Impromptu"
            await key.click()
        await room_state(seen, "on_air")
        told = await server.wait_state(room, "live")
        assert told["session"]["ad_hoc"]
        assert told["session"]["title"] == ("Salle vide" if width == 320 else "Impromptu")
        assert await key.count() == 0
        # The output beside it began with the broadcast.
        assert seen.most_asked()[1] <= SELDOM


async def room_state(seen: Opened, state: str) -> None:
    await seen.holds("(state) => document.querySelector('[data-testid=room-state]')?.dataset.state === state", state)


async def test_scenes_and_a_shared_screen_by_the_keys(browser: Browser, server: Running) -> None:
    await server.room("scenes", start="auto")
    async with studio(browser, server, "scenes") as seen:
        await open_devices(seen)
        share = seen.page.get_by_role("button", name="Share screen or window")
        stop = seen.page.get_by_role("button", name="Stop sharing")
        await share.click()
        await seen.text(re.compile(r"1920 × 1080"))
        await stop.click()
        # The browser's fake screen looks like its fake camera, which is green: red slides instead.
        await seen.page.evaluate(RED_SLIDES)
        await share.click()
        await stop.wait_for()
        left, right, corner = (0.25, 0.5), (0.85, 0.4), (0.9, 0.85)
        expected = {
            "Camera": {left: "green", right: "green", corner: "green"},
            "Slides": {left: "red", right: "red", corner: "red"},
            "Side by side": {left: "red", right: "green"},
            "Slides with camera": {left: "red", right: "red", corner: "green"},
        }
        for key, (scene, places) in enumerate(expected.items(), 1):
            await seen.page.keyboard.press(str(key))
            await seen.page.get_by_role("button", name=scene, exact=True, pressed=True).wait_for()
            for place, colour in places.items():
                await seen.holds(f"([place, colour]) => ({COLOUR})(place) === colour", [place, colour])
        await stop.click()
        await share.wait_for()


RED_SLIDES = """() => {
  const canvas = document.createElement('canvas'), context = canvas.getContext('2d')
  canvas.width = 320; canvas.height = 180
  setInterval(() => { context.fillStyle = '#d01010'; context.fillRect(0, 0, 320, 180) }, 100)
  navigator.mediaDevices.getDisplayMedia = async () => canvas.captureStream(10)
}"""
COLOUR = """([x, y]) => {
  const video = document.querySelector('[data-testid=preview]'), canvas = document.createElement('canvas')
  canvas.width = 64; canvas.height = 36
  const context = canvas.getContext('2d')
  context.drawImage(video, 0, 0, 64, 36)
  const [red, green] = context.getImageData(Math.floor(x * 64), Math.floor(y * 36), 1, 1).data
  return red > 2 * green ? 'red' : green > 2 * red ? 'green' : 'other'
}"""


async def test_takes_over_and_comes_back_by_itself_after_a_crash_and_after_a_reload(
    browser: Browser, server: Running
) -> None:
    await server.room("taken", start="auto")
    grant = await server.api(
        "POST", "/grants", {"role": "technician", "room": "taken", "label": "the other"}, status=201
    )

    async def publication() -> str:
        return str((await main_source(server, "taken"))["publication"])

    async def published_again() -> bool:
        source = await main_source(server, "taken")
        return bool(source.get("up")) and source["publication"] != before

    async with studio(browser, server, "taken", grant["token"], script=SENDS_SMALL) as seen:
        async with camera(server, "taken", options=TINY) as other:
            await server.wait_state("taken", "live")
            await open_devices(seen)
            await seen.text(re.compile("on air with another publisher"))
            await seen.page.get_by_role("button", name="Take over").click()
            dialog = seen.page.get_by_role("dialog", name="Take over the room?")
            await dialog.get_by_role("button", name="Take over").click()
            await tally(seen, "on_air")

            async def is_the_browsers() -> bool:
                return "Chrome" in (await main_source(server, "taken"))["client"]

            # The page is told by its own connection, the web process by the room.
            await until_answered(is_the_browsers)
            # The one that was cut off does not take it back.
            before = await publication()
            await until(lambda: other.publisher.state.last_error.startswith("409"))
            await asyncio.gather(server.wait_state("taken", "live"), tally(seen, "on_air"))
            assert await publication() == before

        chosen = await devices(seen)
        killed_at = time.monotonic()
        await server.kill("room-taken")
        await until_answered(published_again, limit_s=BACK_WITHIN_S)
        await server.wait_state("taken", "live")
        await tally(seen, "on_air")
        assert time.monotonic() - killed_at < BACK_WITHIN_S + 5

        before = await publication()
        await seen.page.reload()
        await tally(seen, "on_air")
        await until_answered(published_again, limit_s=BACK_WITHIN_S)
        assert await devices(seen) == chosen
        await server.wait_state("taken", "live")
        assert "token" not in seen.page.url

        # Opened anew it asks for a press: whoever comes along may not want to be on air.
        await seen.page.goto(f"{server.url}/studio/taken")
        await seen.page.get_by_role("button", name="Go on sending").click()
        await tally(seen, "on_air")


async def devices(seen: Opened) -> list[str]:
    found = await seen.page.evaluate(
        # The others choose a minute.
        "[...document.querySelectorAll('select')].map((select) => select.selectedOptions[0].label)"
        ".filter((label) => !/\\d+:\\d/.test(label))"
    )
    return [str(label) for label in found]


async def test_goes_on_in_a_tab_that_is_hidden(server: Running) -> None:
    token = await server.room("hidden", start="auto")
    async with tabbed_chromium("--autoplay-policy=no-user-gesture-required") as browser:
        tab = await browser.tab(f"{server.url}/studio/hidden#token={token}")
        await tab.show()
        await tab.holds("document.querySelector('input[type=radio][value=\"720p\"]') !== null")
        await tab.evaluate("document.querySelector('input[type=radio][value=\"720p\"]').click()")
        await tab.evaluate(SENDS_SMALL)
        await tab.holds(click("Open camera and microphone"))
        await tab.holds("document.querySelector('[data-testid=preview]').videoHeight === 720")
        await tab.holds(click("Go on air"))
        await server.wait_state("hidden", "live")
        front = await browser.tab("about:blank")
        await front.show()
        await tab.holds("document.hidden")
        rates: list[float] = []
        async with HlsFollower(f"{server.url}/live/hidden/index.m3u8") as follower:
            await follower.open()

            async def keeps_its_rate() -> bool:
                """In segments that began after it was hidden."""
                edge = follower.edge("v180")[0]
                await follower.follow(until=lambda f: f.edge("v180")[0] > edge + SEGMENTS)
                if len(follower.stretches("v180", edge + 1, edge + SEGMENTS)) > 1:
                    return False
                shown = decoding.pictures(await follower.run_bytes("v180", edge + 1, edge + SEGMENTS))
                rates.append(len(shown) / SEGMENTS)
                return rates[-1] >= LEAST_RATE and different(shown) >= 3

            await until_answered(keeps_its_rate, limit_s=60, what=lambda: f"pictures a second {rates}")
        assert await tab.evaluate("document.hidden")
        assert (await main_source(server, "hidden"))["up"]

        # Closed in a session it says so itself: nobody looks for a dead laptop.
        await server.plan("hidden", "Closed")
        told: list[str] = []

        async def is_told() -> bool:
            told[:] = [alarm["code"] for alarm in (await server.api("GET", "/alarms?room=hidden"))["items"]]
            return "page_closed" in told

        await tab.close()
        await until_answered(is_told, what=lambda: f"page_closed, of {told}")


def click(name: str) -> str:
    """JavaScript that presses a button by its words; false while there is none that can be pressed."""
    return f"""(() => {{
      const button = [...document.querySelectorAll('button:enabled')].find((one) => one.innerText.includes('{name}'))
      button?.click()
      return Boolean(button)
    }})()"""


async def test_a_bad_token_is_told_and_another_can_be_pasted(browser: Browser, server: Running) -> None:
    await server.room("locked", name="Locked", start="auto")
    async with studio(browser, server, "locked", "wrong.token-that-nobody-made") as seen:
        await seen.text(re.compile("does not accept this link"))
        field = seen.page.get_by_label("Link or token")
        await field.fill("no")
        await seen.page.get_by_role("button", name="Open the studio").click()
        await seen.text("That is neither a studio link nor a token.")
        await field.fill(f"{server.url}/studio/locked#token={server.tokens['locked']}")
        await seen.page.get_by_role("button", name="Open the studio").click()
        await seen.page.get_by_role("button", name="Open camera and microphone").wait_for()


async def test_a_venues_link_opens_all_its_rooms_and_a_rooms_link_no_other(browser: Browser, server: Running) -> None:
    await server.api("POST", "/venues", {"id": "lille", "name": "Lille"}, status=201)
    await server.room("haut", name="Salle haute", venue="lille")
    await server.room("ailleurs", name="Ailleurs")
    grant = await server.api("POST", "/grants", {"role": "technician", "venue": "lille"}, status=201)
    assert grant["link"] == f"{server.url}/studio#token={grant['token']}"
    async with opened(browser, grant["link"]) as seen:
        await seen.page.get_by_role("heading", name="Alarms").wait_for()
        assert seen.page.url == f"{server.url}/studio"
        # The wall stays: a room opens beside it.
        async with seen.context.expect_page() as beside:
            await seen.page.get_by_role("link", name="Salle haute").click()
        assert (await beside.value).url == f"{server.url}/studio/haut"
        await (await beside.value).close()
        await seen.page.goto(f"{server.url}/studio/haut")
        await room_state(seen, "standby")
        # Its other rooms open beside it: what is on air here goes on.
        async with seen.context.expect_page() as beside:
            await seen.page.get_by_role("link", name="All rooms").click()
        assert (await beside.value).url == f"{server.url}/studio"
        assert seen.page.url == f"{server.url}/studio/haut"
    async with studio(browser, server, "haut", server.tokens["ailleurs"]) as seen:
        # Before any camera.
        await seen.text("This link is for the room Ailleurs, not for Salle haute.")
        assert await seen.accessibility() == []
        await seen.page.get_by_role("link", name="Open the studio of Ailleurs").click()
        await seen.page.get_by_role("button", name="Open camera and microphone").wait_for()
        assert seen.page.url == f"{server.url}/studio/ailleurs"


def without_core_s(server: Running, room: str) -> float:
    """Seconds that the processes behind a press were ready and had no core."""
    return sum(waited_s(server.pid(name)) for name in ("web", f"room-{room}"))


NOTES_PRESS = "addEventListener('click', () => (globalThis.pressed_ms = Date.now()), { capture: true, once: true })"
"""A busy browser may take some time until it presses."""


async def test_a_hold_for_the_venue_is_read_on_the_page_and_on_the_slate_within_two_seconds(
    browser: Browser, server: Running
) -> None:
    await server.api("POST", "/venues", {"id": "brest", "name": "Brest", "language": "fr"}, status=201)
    await server.room("etage", name="Étage", venue="brest", start="auto")
    await server.room("autre", name="Autre", venue="brest")
    grant = await server.api("POST", "/grants", {"role": "technician", "venue": "brest"}, status=201)
    words = "Exercice : sortez par la cour"
    async with (
        camera(server, "etage", options=TINY),
        opened(browser, grant["link"]) as crew,
        opened(browser, f"{server.url}/watch/etage") as viewer,
    ):
        await server.wait_state("etage", "live")
        async with HlsFollower(f"{server.url}/live/etage/index.m3u8") as follower:
            await follower.open()
            await crew.page.get_by_role("button", name="Hold: All rooms of Brest").click()
            await crew.page.get_by_role("textbox", name="What viewers read").fill(words)
            assert await crew.accessibility() == []
            await crew.page.evaluate(NOTES_PRESS)
            begun_ms, before_s = time.time() * 1000, without_core_s(server, "etage")
            await crew.page.get_by_role("button", name="Hold now").click()
            held_ms = await crew.page.evaluate("globalThis.pressed_ms")
            await viewer.page.get_by_role("status").get_by_text(words).wait_for()
            await crew.page.get_by_text(words).first.wait_for()

            async def the_other_room_is_held() -> bool:
                return ((await server.state("autre"))["hold"] or {}).get("message") == words

            await until_answered(the_other_room_is_held)
            without_ms = (without_core_s(server, "etage") - before_s) * 1000
            name = next(track for track in follower.tracks if track.startswith("v"))
            edge = follower.edge(name)[0]
            await follower.follow(until=lambda f: f.edge(name)[0] >= edge + 4)
            known = follower.tracks[name].reader.known
            said: dict[int, Any] = {}
            for msn in sorted(msn for msn, segment in known.items() if segment.complete):
                first = decoding.pictures(await follower.run_bytes(name, msn, msn))[0]
                said[known[msn].pdt_ms or 0] = first.luma.astype(int)
            words_shown = [at for at, luma in said.items() if np.abs(luma - said[max(said)]).mean() < 1]
            # Going off air cuts at the last finished part.
            assert begun_ms - PART_MS < min(words_shown) < held_ms + 2000 + without_ms
        await crew.page.get_by_role("button", name="Resume all rooms of Brest").click()
        await server.wait_state("etage", "live")
        await viewer.page.get_by_text(words).wait_for(state="detached")


async def test_an_encoder_gets_a_token_that_is_not_the_technicians(browser: Browser, server: Running) -> None:
    token = await server.room("obs", name="OBS")
    async with studio(browser, server, "obs") as seen:
        await seen.page.get_by_role("button", name="Make a token for an encoder").click()
        field = seen.page.get_by_role("textbox", name="Bearer token")
        made = await field.input_value()
        assert made not in ("", token)
        assert await field.get_attribute("type") == "password"
        assert await seen.accessibility() == []
        async with camera(server, "obs", token=made, options=TINY):
            await until_answered(lambda: _comes_in(server, "obs"))
            await seen.page.get_by_role("button", name=re.compile("^Revoke: ")).click()
            await seen.page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
            await field.wait_for(state="detached")
            await until_answered(lambda: _is_silent(server, "obs"))


async def _comes_in(server: Running, room: str) -> bool:
    return bool((await main_source(server, room)).get("up"))


async def _is_silent(server: Running, room: str) -> bool:
    return not await _comes_in(server, room)


@pytest.mark.parametrize(
    ("language", "title", "how"),
    [
        ("en-GB", "This page cannot use your camera", "--tls-cert"),
        ("fr-FR", "Cette page ne peut pas utiliser votre caméra", "--tls-cert"),
    ],
)
async def test_without_encryption_it_says_so_and_how_to_get_it(
    browser: Browser, server: Running, language: str, title: str, how: str
) -> None:
    room = f"plain-{language[:2]}"
    token = await server.room(room, start="auto")
    port = server.url.rpartition(":")[2]
    async with opened(browser, f"http://{ELSEWHERE}:{port}/studio/{room}#token={token}", language=language) as seen:
        assert not await seen.page.evaluate("isSecureContext")
        await seen.text(title)
        await seen.text(re.compile(re.escape(how)))
        assert await seen.page.locator(".select select").count() == 0, "no list of devices that cannot be had"
        # An encoder is the way on air from here: what it needs stands open.
        await seen.text(re.compile("WHIP"))
