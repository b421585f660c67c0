"""The audience beside the player in Chromium: two viewers talk, ask, vote; a moderator acts; nothing hostile runs."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator

from tests.fakes.attendees import Attendee, joined
from tests.fakes.browser import Opened, needs_chromium, opened
from tests.fakes.hostile import HARMLESS, HOSTILE, LOOK, NAMES
from tests.fakes.publishing import TINY, camera
from tests.fakes.running import ADMIN_TOKEN, Running
from tests.fakes.waiting import until_answered

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow, *needs_chromium]

MODE = {"chat": "open", "questions": "open", "anonymous": True}
AT_ONCE = 3
"""Messages of one participant before a pause is asked for."""
LATE_MS = 8_000
LONG = "A message as long as one may be: " + "and on it goes " * 11
PHONE: dict[str, Any] = {"width": 390, "height": 844, "has_touch": True, "is_mobile": True}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(server: Running) -> Running:
    await server.room("talk", name="Grande salle", start="auto")
    return server


@pytest_asyncio.fixture(loop_scope="session")
async def on_air(server: Running) -> AsyncIterator[None]:
    """With a picture, for what is told of it. The tests that want it stand together: the room stays open between."""
    async with camera(server, "talk", options=TINY):
        await server.wait_state("talk", "live")
        yield


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def viewers(browser: Browser, server: Running) -> AsyncIterator[tuple[Opened, Opened]]:
    """Ada in the hall, and Bob, who has said nothing yet, and only listens: a picture less costs the machine less."""
    url = f"{server.url}/watch/talk"
    async with opened(browser, f"{url}?place=Amphi%20A") as ada, opened(browser, f"{url}?poor") as bob:
        for seen in (ada, bob):
            await seen.page.get_by_role("log").wait_for()
            await seen.text("Nobody has said anything yet")
        await say(ada, "Hello from the hall", name="Ada")
        await row(bob, "Hello from the hall").wait_for()
        yield ada, bob


def come(
    server: Running, namespace: str = "/audience", **auth: Any
) -> contextlib.AbstractAsyncContextManager[Attendee]:
    return joined(server.url, namespace, room="talk", **auth)


@pytest_asyncio.fixture(loop_scope="session")
async def moderator(server: Running) -> AsyncIterator[Attendee]:
    async with come(server, "/moderation", token=ADMIN_TOKEN) as client:
        yield client
        await client.does("room.mode", MODE)


def row(seen: Opened, text: str) -> Locator:
    return seen.page.locator("[data-id]").filter(has=seen.page.locator(".text", has_text=text))


def tab(seen: Opened, name: str) -> Locator:
    return seen.page.get_by_role("tab", name=re.compile(f"^{name}"))


async def look_at(seen: Opened, name: str) -> None:
    await tab(seen, name).click()


async def say(seen: Opened, text: str, *, name: str = "Bob") -> None:
    """``name``: what the page is told where it asks, before the first message."""
    field = seen.page.get_by_label("Your message")
    await field.fill(text)
    await field.press("Enter")
    dialog = seen.page.get_by_role("dialog", name="What is your name?")
    await dialog.or_(row(seen, text)).first.wait_for()
    if await dialog.is_visible():
        await dialog.get_by_label("Name").fill(name)
        await dialog.get_by_label("Name").press("Enter")
        await row(seen, text).wait_for()


async def act(message: Locator, action: str) -> None:
    """Through what stands behind a message's or a question's three points."""
    await message.get_by_role("button", name=re.compile("^What to do")).click()
    await message.get_by_role("button", name=action, exact=True).click()


async def stored(server: Running, seen: Opened) -> dict[str, Any]:
    """The data that the server keeps of the page's user."""
    answer = await seen.context.request.get(f"{server.url}/api/v1/me/data")
    assert answer.ok
    return dict((await answer.json())["data"])


async def test_two_viewers_talk(
    viewers: tuple[Opened, Opened], server: Running, moderator: Attendee, on_air: None
) -> None:
    ada, bob = viewers
    said = row(ada, "Hello from the hall")
    assert await said.get_by_text("(you)").is_visible()
    told = next(m for m in moderator.snapshots[0]["moderation"]["chat"] if m["text"] == "Hello from the hall")
    await ada.wait_moving()

    async def keeps_up() -> bool:
        # On a busy machine a player begins further behind.
        late = await ada.latency_ms()
        return late is not None and late < LATE_MS / 2

    await until_answered(keeps_up)
    await say(ada, "What a picture")
    about = (await moderator.told("chat.message", lambda data: data["text"] == "What a picture"))["data"]
    # Else it may be counted among those that come while Bob looks elsewhere.
    await row(bob, "What a picture").wait_for()
    behind_ms = datetime.fromisoformat(about["at"]).timestamp() * 1000 - about["media_at"]
    assert 200 < behind_ms < LATE_MS, "aligned with the picture that Ada saw"

    await act(row(bob, "Hello from the hall"), "Reply")
    await say(bob, "And hello from afar")
    reply = row(ada, "And hello from afar")
    await reply.get_by_role("button", name=re.compile("Hello from the hall")).wait_for()

    await look_at(bob, "Questions")
    await say(ada, "Is anybody awake?")
    await tab(bob, "Chat").get_by_label("1 new").wait_for()
    await look_at(bob, "Chat")
    assert await tab(bob, "Chat").get_by_label("1 new").count() == 0

    await act(row(ada, "Is anybody awake?"), "Delete")
    await row(bob, "Is anybody awake?").wait_for(state="detached")

    await act(row(bob, "Hello from the hall"), "Report")
    dialog = bob.page.get_by_role("dialog")
    await dialog.get_by_label("What is wrong with it? (optional)").fill("too friendly")
    await dialog.get_by_role("button", name="Report").click()
    await bob.text("The moderators have been told")
    report = await moderator.told("report")
    assert (report["data"]["item"], report["data"]["reason"]) == (told["id"], "too friendly")


async def test_who_hears_nothing_is_helped_before_the_technician_is_called(
    viewers: tuple[Opened, Opened], server: Running, moderator: Attendee, on_air: None
) -> None:
    ada, _ = viewers
    await ada.wait_moving()
    asked = ada.page.get_by_role("button", name="No sound?")
    await asked.click()
    await ada.text("Your player is muted.")
    await ada.page.get_by_role("group", name="No sound?").get_by_role("button", name="Turn on sound").click()
    await ada.holds("!document.querySelector('video').muted && !document.querySelector('video').paused")
    await ada.page.get_by_role("button", name="Still no sound").click()
    await ada.text("Thank you, the technician has been told")
    told = await moderator.told("trouble")
    assert told["data"] == {"kind": "no_sound", "people": 1, "alarm": False, "viewers": 2}
    assert len(moderator.of("trouble")) == 1, "the first press told nobody: its report would have come before"
    await ada.page.keyboard.press("Escape")


async def test_the_rooms_modes_are_told_and_counted_down(
    viewers: tuple[Opened, Opened], server: Running, moderator: Attendee
) -> None:
    ada, bob = viewers
    await moderator.does("room.mode", {"chat": "review"})
    await ada.text("A moderator looks at each message before it is shown.")
    await say(ada, "May I?")
    await row(ada, "May I?").get_by_text("A moderator looks at it first").wait_for()
    held = await moderator.told("chat.message", lambda data: data["text"] == "May I?")
    # A later event has come to Bob: the message has not.
    await moderator.does("notice", {"text": "Wait for it"})
    await bob.page.locator(".notice").get_by_text("Wait for it").wait_for()
    assert await row(bob, "May I?").count() == 0
    await moderator.does("notice", {"text": ""})
    await moderator.does("chat.approve", {"id": held["data"]["id"]})
    await row(bob, "May I?").wait_for()
    await row(ada, "May I?").get_by_text("A moderator looks at it first").wait_for(state="detached")

    await moderator.does("room.mode", {"chat": "slow", "slow_seconds": 90})
    # From one's last message on, and what was begun is kept.
    await ada.page.get_by_text(re.compile(r"The chat is in slow mode. Again in [78]\d seconds")).wait_for()
    await ada.page.get_by_label("Your message").fill("Slowly, then")
    await ada.page.get_by_label("Your message").press("Enter")
    assert await ada.page.get_by_label("Your message").input_value() == "Slowly, then"
    await ada.page.get_by_label("Your message").fill("")
    await moderator.does("room.mode", {"chat": "read_only"})
    await ada.text("The chat can only be read at the moment.")
    assert await ada.page.get_by_label("Your message").count() == 0

    await moderator.does("room.mode", {"chat": "questions_only"})
    await ada.page.get_by_role("button", name="Ask a question").click()
    await ada.page.get_by_label("Your question").wait_for()
    await moderator.does("room.mode", {"chat": "closed", "questions": "closed"})
    await ada.text("Chat and questions are closed at the moment.")
    assert await ada.page.get_by_role("tab").count() == 0
    await moderator.does("room.mode", MODE)
    await look_at(ada, "Chat")

    muted = await moderator.does("participant.mute", {"id": held["data"]["participant"], "seconds": 600})
    await ada.page.get_by_text(re.compile("A moderator has muted you for a while. Again in 10 minutes")).wait_for()
    await moderator.does("undo", {"action": muted["action"]})
    await ada.page.get_by_text("A moderator has muted you").wait_for(state="detached")


async def test_questions_are_asked_voted_for_and_answered(
    viewers: tuple[Opened, Opened], server: Running, moderator: Attendee
) -> None:
    ada, bob = viewers
    for seen in viewers:
        await look_at(seen, "Questions")
    field = ada.page.get_by_label("Your question")
    for text, anonymous in (("Why so early?", False), ("Who pays for it?", True)):
        await ada.page.get_by_role("checkbox", name=re.compile("Do not show my name")).set_checked(anonymous)
        await field.fill(text)
        await ada.page.get_by_role("button", name="Ask", exact=True).click()
        await bob.page.get_by_role("article", name=text).wait_for()
    hidden = bob.page.get_by_role("article", name="Who pays for it?")
    await hidden.get_by_text("Anonymous").wait_for()
    assert "Ada" not in await hidden.inner_text()
    await bob.page.get_by_role("article", name="Why so early?").get_by_text("Amphi A").wait_for()

    await hidden.get_by_role("button", name=re.compile("^Vote")).click()
    voted = ada.page.get_by_role("article", name="Who pays for it?")
    await voted.get_by_role("button", name=re.compile("1 vote$")).wait_for()

    async def same_order() -> bool:
        order = moderator.of("question.order")[-1:]
        ids = order[0]["data"]["ids"] if order else moderator.snapshots[0]["moderation"]["order"]["ids"]
        texts = {event["data"]["id"]: event["data"].get("text") for event in moderator.of("question.changed")}
        shown = [
            [await one.locator(".text").inner_text() for one in await seen.page.get_by_role("article").all()]
            for seen in viewers
        ]
        return shown[0] == shown[1] == [texts[one] for one in ids]

    await until_answered(same_order, limit_s=60)
    asked = (await moderator.told("question.changed", lambda data: data.get("text") == "Who pays for it?"))["data"]
    await moderator.does("question.move", {"id": asked["id"], "state": "on_stage"})
    await voted.get_by_text("On stage").wait_for()
    await moderator.does("question.move", {"id": asked["id"], "state": "answered"})
    await bob.page.get_by_text("Answered (1)").click()
    await hidden.get_by_text("Answered").wait_for()
    assert await hidden.get_by_role("button", name=re.compile("^Vote")).is_disabled()

    await act(ada.page.get_by_role("article", name="Why so early?"), "Withdraw")
    await bob.page.get_by_role("article", name="Why so early?").wait_for(state="detached")
    for seen in viewers:
        await look_at(seen, "Chat")


async def test_polls_are_voted_in_and_reactions_counted(
    browser: Browser, viewers: tuple[Opened, Opened], server: Running, moderator: Attendee
) -> None:
    ada, bob = viewers
    code = await server.api("POST", "/rooms/talk/hall-codes", {"place": "hall"}, status=201)
    first = await moderator.does("poll.open", {"kind": "single", "question": "Seen it before?"})
    await look_at(ada, "Polls")
    poll = ada.page.get_by_role("region", name="Seen it before?")
    async with (
        opened(browser, f"{server.url}/join/{code['code']}", width=390, height=844) as hall,
        come(server, name="Full hall") as others,
    ):
        cards = (poll, hall.page.get_by_role("region", name="Seen it before?"))
        for card in cards:
            await card.get_by_label("Yes").check()
        await others.does("poll.vote", {"id": first["id"], "options": [1]})
        for card in cards:
            await card.get_by_text("1 person voted").wait_for()
            assert await card.get_by_label("Yes").is_checked(), "somebody else's vote changes nothing of what is ticked"
        await others.does("poll.vote", {"id": first["id"], "options": []})
        await poll.get_by_text("0 people voted").wait_for()
    await poll.get_by_role("button", name="Vote").click()
    await poll.get_by_text("100 %, 1").wait_for()
    await poll.get_by_role("button", name="Change my vote").click()
    await poll.get_by_label("No").check()
    await poll.get_by_role("button", name="Vote").click()
    await poll.locator("li").filter(has_text="No").get_by_text("100 %, 1").wait_for()

    payload = {"kind": "multiple", "question": "Which?", "options": ["A", "B", "C"], "results_at_end": True}
    second = await moderator.does("poll.open", payload)
    await look_at(bob, "Polls")
    kept = bob.page.get_by_role("region", name="Which?")
    for option in ("A", "C"):
        await kept.get_by_label(option, exact=True).check()
    await kept.get_by_role("button", name="Vote").click()
    await kept.get_by_text("The results are shown when the poll is closed.").wait_for()
    assert "%" not in await kept.inner_text()
    for opened_poll in (first, second):
        await moderator.does("poll.close", {"id": opened_poll["id"]})
    await kept.locator("li").filter(has_text="C").get_by_text("100 %, 1").wait_for()
    assert await kept.locator("li").filter(has_text="B").get_by_text("0 %, 0").is_visible()

    # It is there for a second and a half: it is looked for before it can come.
    await asyncio.gather(
        bob.page.locator(".float").first.wait_for(state="attached"),
        ada.page.get_by_role("button", name="Applause").click(),
    )
    await moderator.told("reaction.counts", lambda data: data["counts"].get("clap"))
    for seen in viewers:
        await look_at(seen, "Chat")


async def test_what_is_hostile_arrives_as_text(
    viewers: tuple[Opened, Opened], server: Running, moderator: Attendee
) -> None:
    ada, bob = viewers
    await say(ada, dict(HOSTILE)["image"])
    for start in range(0, len(HOSTILE), AT_ONCE):
        batch = HOSTILE[start : start + AT_ONCE]
        async with come(server, name=NAMES[start % len(NAMES)], place=NAMES[-1]) as hostile:
            for _, text in batch:
                await hostile.does("chat.send", {"text": text})
            await hostile.does("question.ask", {"text": batch[0][1]})
    for begin in range(0, 10, 5):
        options = [text[:100] for _, text in HOSTILE[begin : begin + 5]]
        payload = {"kind": "single", "question": HOSTILE[begin][1], "options": options}
        opened_poll = await moderator.does("poll.open", payload)
    await moderator.does("notice", {"text": dict(HOSTILE)["mutation"]})
    for seen in viewers:
        await row(seen, "{name} {count}").wait_for()
        await seen.page.locator(".notice").get_by_text("<math>").wait_for()
        for name in ("Questions", "Polls", "Chat"):
            await look_at(seen, name)
            assert await seen.page.evaluate(LOOK) == HARMLESS, name
    quoted = row(bob, "<a class=hostile href").last
    await act(quoted, "Reply")
    await say(bob, "What is this?")
    await row(ada, "What is this?").wait_for()
    for seen in viewers:
        assert await seen.page.evaluate(LOOK) == HARMLESS
    assert opened_poll["ok"]
    await bob.page.get_by_role("button", name="I have read it").click()
    await bob.page.locator(".notice").wait_for(state="detached")
    await moderator.does("notice", {"text": ""})


async def test_a_reader_is_not_moved_and_a_keyboard_reaches_everything(
    viewers: tuple[Opened, Opened], server: Running, moderator: Attendee
) -> None:
    ada, bob = viewers
    log = ada.page.get_by_role("log")
    await log.evaluate("(log) => { log.scrollTop = 0; log.dispatchEvent(new Event('scroll')) }")
    await ada.page.get_by_role("button", name="To the newest").wait_for()
    await say(bob, "Further down")
    await ada.page.get_by_role("button", name="1 new message").wait_for()
    assert await log.evaluate("(log) => log.scrollTop") == 0
    await ada.page.get_by_role("button", name="1 new message").click()
    await ada.holds("(() => { const log = document.querySelector('[role=log]'); return log.scrollTop > 0 })()")

    await log.focus()
    for key in ("ArrowUp", "ArrowUp", "ArrowDown", "Enter"):
        await ada.page.keyboard.press(key)
    await ada.page.keyboard.press("Tab")
    assert await ada.page.evaluate("document.activeElement.textContent.trim()") == "Reply"
    await ada.page.keyboard.press("Escape")

    await ada.page.get_by_label("Your message").fill("not finished")
    # A separate region is read out, at a limited pace.
    assert await log.get_attribute("aria-live") == "off"
    await ada.page.locator("[role=status]").filter(has_text="Bob: Further down").wait_for(state="attached")
    await look_at(ada, "Questions")
    await ada.page.reload()
    await ada.page.get_by_role("log").wait_for()
    assert await ada.page.get_by_label("Your message").input_value() == "not finished"
    await ada.page.get_by_label("Your message").fill("")
    assert await row(ada, "Hello from the hall").get_by_text("(you)").is_visible()


async def test_on_a_phone_the_picture_stays_in_sight(browser: Browser, server: Running) -> None:
    async with opened(browser, f"{server.url}/watch/talk?poor", language="fr-FR", **PHONE) as seen:
        await row(seen, "Hello from the hall").wait_for()
        # One may write at once, without a scroll.
        await seen.holds(
            "scrollY === 0 && document.querySelector('textarea').getBoundingClientRect().bottom <= innerHeight"
        )
        for language, tabs in {"Français": ("Chat", "Questions"), "English": ("Chat", "Polls")}.items():
            await seen.page.get_by_role("button", name=language).click()
            await seen.page.emulate_media(color_scheme="dark" if language == "Français" else "light")
            for name in tabs:
                await look_at(seen, name)
                assert await seen.accessibility() == [], name
                assert await seen.overflow_px() == 0
        await look_at(seen, "Chat")
        async with come(server, name="Ada Lovelace") as other:
            await other.does("chat.send", {"text": LONG})
        await act(row(seen, LONG), "Reply")
        for width, height in ((390, 844), (360, 640), (320, 640)):
            await seen.page.set_viewport_size({"width": width, "height": height})
            assert await seen.overflow_px() == 0
            box = await seen.page.get_by_role("button", name="Send", exact=True).bounding_box()
            assert box is not None
            assert box["x"] + box["width"] <= width, "what is replied to pushes nothing away"
        await seen.page.get_by_role("button", name="Do not reply").click()
        # The height that a keyboard leaves.
        await seen.page.set_viewport_size({"width": 390, "height": 480})
        await seen.page.locator("textarea").click()
        await seen.holds("""(() => {
            const inside = (selector) => {
                const { top, bottom } = document.querySelector(selector).getBoundingClientRect()
                return top >= -1 && bottom <= innerHeight + 1
            }
            return inside('video') && inside('textarea') && inside('[role=tablist]')
        })()""")
        await seen.page.get_by_role("button", name="My name, my data, hide").click()
        await seen.page.get_by_role("button", name="Hide this panel").click()
        await seen.page.get_by_role("log").wait_for(state="detached")
        await seen.page.reload()
        await seen.page.get_by_role("button", name="Show chat and questions").click()
        await seen.page.get_by_role("log").wait_for()


async def test_nothing_is_lost_or_said_twice_when_the_server_is_killed(
    viewers: tuple[Opened, Opened], server: Running
) -> None:
    ada, bob = viewers
    for seen in viewers:
        await seen.mark()
    await say(bob, "Before")
    await row(ada, "Before").wait_for()
    await server.kill("web")
    await ada.page.get_by_label("Your message").fill("While it was away")
    await ada.page.get_by_label("Your message").press("Enter")
    await ada.text("Sent once the connection is back")

    async def ready() -> bool:
        with contextlib.suppress(aiohttp.ClientError):
            async with server.session.get(f"{server.url}/readyz") as response:
                return response.status == 200
        return False

    await until_answered(ready, limit_s=60)
    for seen in viewers:
        # As a browser does that has its network again: the next attempt may be far off by now.
        await seen.page.evaluate("window.dispatchEvent(new Event('online'))")
    await row(bob, "While it was away").wait_for(timeout=60_000)
    await say(bob, "After")
    await row(ada, "After").wait_for()
    for seen in viewers:
        await seen.check_mark()
        for text in ("Before", "While it was away", "After"):
            assert await row(seen, text).count() == 1, text
    assert await ada.page.get_by_text("Sent once the connection is back").count() == 0
    texts = [message["text"] for message in (await stored(server, ada))["chat_messages"]]
    assert texts.count("While it was away") == 1


async def test_ones_own_data_are_taken_along_and_deleted(
    viewers: tuple[Opened, Opened], server: Running, tmp_path: Path
) -> None:
    ada, bob = viewers
    await bob.page.get_by_role("button", name="My name, my data, hide").click()
    await bob.page.get_by_role("button", name="My data", exact=True).click()
    async with bob.page.expect_download() as downloading:
        await bob.page.get_by_role("button", name="Download my data").click()
    file = tmp_path / "mine.json"
    await (await downloading.value).save_as(file)
    data = json.loads(file.read_text("utf-8"))["data"]
    assert "And hello from afar" in [message["text"] for message in data["chat_messages"]]
    assert "Hello from the hall" not in json.dumps(data)
    await bob.page.get_by_role("button", name="Delete my data").click()
    await bob.page.get_by_role("button", name="Delete it all").click()
    await row(ada, "And hello from afar").wait_for(state="detached")
    await bob.page.get_by_role("button", name="Start again").click()
    await row(bob, "Hello from the hall").wait_for()
    await say(bob, "I am new here", name="Robert")
    await row(ada, "I am new here").get_by_text("Robert").wait_for()
