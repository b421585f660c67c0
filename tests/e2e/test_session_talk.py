"""A short talk with an audience, then its replay in Chromium: what was said appears in step with the picture."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from tests.fakes.attendees import Attendee
from tests.fakes.browser import AXE, Opened, needs_chromium, opened
from tests.fakes.publishing import TINY, camera
from tests.fakes.running import ADMIN_TOKEN, Running
from tests.fakes.shared import close_rooms
from tests.fakes.waiting import until_answered

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow, *needs_chromium]

ON_TIME_S = 0.3
"""An action so soon after it was due is not late."""
HIDDEN = ("Is that smoke?", "Everybody out", "Au feu !")
ATTACK = '<img src=x onerror="window.__xss=1">'


@dataclass
class Held:
    """A session that was held: what happened in it at which second."""

    id: str
    zero_ms: int
    """When the seconds begin to count."""
    before_s: float
    """The length of the recording before that."""
    staged_s: float
    """When the question was on stage, at the latest."""
    polled_s: float
    """When the poll was open, at the latest."""
    last_s: float
    """When the last words were said."""
    cut_s: float
    """The least length that is left out because of the alarm."""
    viewer: Opened


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(server: Running) -> Running:
    await server.room("replayed", name="Grande salle", caption_languages=["fr"])
    return server


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def held(server: Running, browser: Browser) -> AsyncIterator[Held]:
    """A message; a question, on stage at 3 and answered at 4.5; a poll; from 6 to 7.5 a fire alarm, of which nothing is
    told; the last message at 8.2. On a busy machine all from 3 on comes later. ``viewer`` has watched it live, and
    stays."""
    async with opened(browser) as viewer:
        yield await _hold(server, viewer)


async def _hold(server: Running, viewer: Opened) -> Held:
    now = time.time()
    plan = {
        "room": "replayed",
        "title": "Été",
        "start": datetime.fromtimestamp(now, UTC).isoformat(),
        "end": datetime.fromtimestamp(now + 3600, UTC).isoformat(),
    }
    session = await server.api("POST", "/sessions", plan, status=201)
    ada, moderator = Attendee("/audience"), Attendee("/moderation")
    await ada.connect(server.url, {"room": "replayed", "name": "Ada", "place": "Nantes"}, ["websocket"], {})
    await moderator.connect(server.url, {"room": "replayed", "token": ADMIN_TOKEN}, ["websocket"], {})

    async def done(client: Attendee, name: str, payload: dict[str, Any]) -> dict[str, Any]:
        answer = await client.command(name, payload)
        assert answer["ok"], answer
        return dict(answer)

    async with camera(server, "replayed", options=TINY):

        async def comes_in() -> bool:
            return bool((await server.state("replayed"))["sources"].get("main", {}).get("up"))

        await until_answered(comes_in, limit_s=60)
        started = await server.api("POST", f"/sessions/{session['id']}/start", {}, status=200)
        begin = int(started["started_at_ms"])
        await server.wait_state("replayed", "live")
        await viewer.page.goto(f"{server.url}/session/{session['id']}")
        zero, late = now_ms(), 0.0

        async def second(number: float) -> int:
            """Until it is over. Returns its media time."""
            at = zero + round((number + late) * 1000)
            await asyncio.sleep(max(0.0, (at - now_ms()) / 1000))
            return at

        def done_s(number: float) -> float:
            """When what was due at a second is done. A busy machine takes its time for it: what follows waits as
            long."""
            nonlocal late
            now_s = (now_ms() - zero) / 1000
            late = max(late, now_s - number - ON_TIME_S)
            return now_s

        await done(ada, "chat.send", {"text": "First words", "media_at": await second(0.75)})
        asked = await done(ada, "question.ask", {"text": "Why is the sky blue?", "media_at": await second(1.5)})
        await done(ada, "chat.send", {"text": ATTACK, "media_at": await second(1.9)})
        line = {"lang": "fr", "text": "Bonjour à tous.", "at": zero + 1200}
        await server.api("POST", "/rooms/replayed/captions", line, status=200)
        await second(3)
        await done(moderator, "question.move", {"id": asked["id"], "state": "on_stage"})
        staged_s = done_s(3)
        await second(4.5)
        await done(moderator, "question.move", {"id": asked["id"], "state": "answered"})
        done_s(4.5)
        await second(5.2)
        await done(moderator, "poll.open", {"kind": "single", "question": "Shall we go on?", "options": ["Yes", "No"]})
        polled_s = done_s(5.2)
        await second(6)
        await server.api("POST", "/rooms/replayed/hold", {"message": "Fire alarm"}, status=200)
        began_s = done_s(6)
        await done(ada, "chat.send", {"text": HIDDEN[0], "media_at": await second(6.4)})
        hidden_at = await second(6.8)
        await done(ada, "question.ask", {"text": HIDDEN[1], "media_at": hidden_at})
        await server.api("POST", "/rooms/replayed/captions", {**line, "text": HIDDEN[2], "at": hidden_at}, status=200)
        cut_s = (await second(7.5) - zero) / 1000 - began_s
        await server.api("POST", "/rooms/replayed/resume", {}, status=200)
        # Words from before it would be hidden as well.
        done_s(7.5)
        last_at = await second(8.2)
        await done(ada, "chat.send", {"text": "Last words", "media_at": last_at})
        await viewer.text("Last words")
        # A link to a moment of what is still on.
        errors: list[str] = []
        moment = await viewer.context.new_page()
        moment.on("pageerror", lambda error: errors.append(str(error)))
        await moment.goto(f"{server.url}/watch/replayed?t=1")
        await moment.get_by_role("button", name="Go live", exact=True).first.wait_for()
        await moment.wait_for_function("() => document.querySelector('video')?.readyState > 1")
        assert errors == []
        await moment.close()
        await second(9.5)
        await server.api("POST", f"/sessions/{session['id']}/end", {}, status=200)
    await ada.close()
    await moderator.close()

    async def published() -> bool:
        async with server.session.get(f"{server.url}/replay/{session['id']}/index.m3u8") as response:
            return response.status == 200 and "ENDLIST" not in await response.text()

    await until_answered(published, limit_s=60)
    await close_rooms(server)
    last_s = (last_at - zero) / 1000
    return Held(str(session["id"]), zero, (zero - begin) / 1000, staged_s, polled_s, last_s, cut_s, viewer)


async def shown(page: Page) -> list[str]:
    """The rows of the list, in order."""
    rows = await page.locator(".panel li .body").all_text_contents()
    return [re.sub(r"\s+", " ", row).strip() for row in rows]


async def begin(seen: Opened) -> None:
    """The replay stands still at its beginning."""
    await seen.page.get_by_role("button", name="Watch the replay").click()
    await seen.wait_moving()
    await seen.page.evaluate("document.querySelector('video').pause()")


async def at(seen: Opened, held: Held, second: float) -> int:
    """The picture of a second. Returns the moment that is in it."""
    position_s = held.before_s + second
    await seen.page.evaluate("(s) => { document.querySelector('video').currentTime = s }", position_s)
    await seen.holds("() => !document.querySelector('video').seeking && readStrip() !== null")
    strip = await seen.strip()
    assert strip is not None
    return strip


async def rows_are(seen: Opened, *words: str) -> None:
    """Exactly these rows, each by words that it has."""
    latest: list[str] = []

    async def so() -> bool:
        latest[:] = await shown(seen.page)
        return len(latest) == len(words) and all(word in row for word, row in zip(words, latest, strict=True))

    await until_answered(so, limit_s=60, what=lambda: f"{words} are shown, not {latest}")


FIRST, LAST = "First words", "Last words"
ALL = (FIRST, "Why is the sky", ATTACK, "On stage", "Answered", "A poll opens", LAST)


async def test_who_watched_it_live_has_the_replay_in_its_place(held: Held) -> None:
    page = held.viewer.page
    await page.get_by_role("button", name="Watch the replay").wait_for()
    await held.viewer.text("Thank you for watching")
    await held.viewer.text("What was said")
    await page.get_by_role("tab", name="Chapters").wait_for()
    assert await page.evaluate("window.__xss") is None
    assert await held.viewer.overflow_px() == 0


async def test_what_was_said_comes_with_the_picture_and_goes_with_it(
    browser: Browser, server: Running, held: Held
) -> None:
    async with opened(browser, f"{server.url}/session/{held.id}") as seen:
        await seen.text("appear as they did then")
        await begin(seen)
        strip = await at(seen, held, held.staged_s + 0.7)
        assert abs(strip - held.zero_ms - (held.staged_s + 0.7) * 1000) < 1000
        await rows_are(seen, FIRST, "Why is the sky", ATTACK, "On stage")
        await at(seen, held, 1.0)
        await rows_are(seen, FIRST)
        await at(seen, held, held.polled_s + 0.4)
        await rows_are(seen, *ALL[:-1])
        # A second and a half were cut away: the last words come as much earlier.
        await at(seen, held, held.last_s - held.cut_s + 0.7)
        await rows_are(seen, *ALL)
        await at(seen, held, 0.2)
        await rows_are(seen)
        await seen.page.get_by_role("switch", name="Show everything").check()
        await rows_are(seen, *ALL)
        await seen.page.get_by_role("switch", name="Show everything").uncheck()
        await rows_are(seen)
        # By itself, without anybody who seeks.
        await seen.page.evaluate("document.querySelector('video').play()")
        await rows_are(seen, FIRST)
        text = await seen.page.content()
        assert not any(words in text for words in HIDDEN)
        assert await seen.page.evaluate("window.__xss") is None
        assert await seen.page.locator(".panel img").count() == 0


async def test_a_press_leads_to_the_moment_and_chapters_are_in_the_bar(
    browser: Browser, server: Running, held: Held
) -> None:
    async with opened(browser, f"{server.url}/session/{held.id}") as seen:
        page = seen.page
        # Before anything plays: the recording begins there.
        await page.get_by_role("switch", name="Show everything").check()
        await page.get_by_role("button", name=re.compile(f"Go to .*: {LAST}")).click()
        await seen.wait_moving(beyond_ms=held.zero_ms + 8_000)
        await page.evaluate("document.querySelector('video').pause()")
        await page.get_by_role("switch", name="Show everything").uncheck()
        await page.get_by_role("tab", name="Questions").click()
        await page.get_by_role("button", name=re.compile("on stage, Why is the sky")).click()
        await page.evaluate("document.querySelector('video').pause()")

        async def there() -> bool:
            strip = await seen.strip()
            return strip is not None and abs(strip - held.zero_ms - held.staged_s * 1000) < 1500

        await until_answered(there, limit_s=60)
        await page.locator(".panel li.staged").wait_for()
        await page.get_by_role("tab", name="Chapters").click()
        chapter = page.get_by_role("button", name=re.compile("Go to .*: Why is the sky"))
        await chapter.wait_for()
        assert await page.locator(".timeline .marks i").count() == 1
        await page.get_by_role("tab", name="Transcript").click()
        await page.locator(".panel").get_by_text("Bonjour à tous.").wait_for()
        await page.get_by_role("tab", name="Polls").wait_for(state="hidden")


async def test_a_link_to_a_moment_begins_there(browser: Browser, server: Running, held: Held) -> None:
    async with opened(browser, f"{server.url}/session/{held.id}?t=0m3s") as seen:
        await seen.holds("document.querySelector('video')?.currentTime >= 3")
        await seen.page.get_by_role("button", name=re.compile(r"Copy at 0:0\d")).wait_for()
        await seen.holds("navigator.mediaSession.metadata?.title === document.querySelector('h1').textContent")
        assert await seen.page.locator(".first").count() == 0
        await seen.page.goto(f"{server.url}/archive?q=bonjour")
        await seen.page.get_by_role("link", name=re.compile("Said at 0:")).first.wait_for()


@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not installed (make setup)")
async def test_the_page_is_accessible_on_desktops_and_phones(browser: Browser, server: Running, held: Held) -> None:
    """In a language on each: their words differ, their colours do not."""
    async with opened(browser, f"{server.url}/session/{held.id}") as seen:
        await seen.page.get_by_role("switch").check()
        await seen.page.locator(".panel li").first.wait_for()
        for language, width, height in (("en-GB", 1280, 800), ("fr-FR", 390, 844)):
            await seen.speak(language)
            await seen.page.set_viewport_size({"width": width, "height": height})
            for tab in await seen.page.get_by_role("tab").all():
                await tab.click()
                assert await seen.accessibility() == []
        await seen.page.set_viewport_size({"width": 320, "height": 640})
        assert await seen.overflow_px() == 0
        await seen.speak("en-GB")
        assert await seen.overflow_px() == 0
