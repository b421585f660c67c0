"""The moderators' page in Chromium: a hostile chat by keys alone and by thumb, and what attacks browsers as text."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.fakes.attendees import Attendee
from tests.fakes.browser import AXE, MOST_SHIFTED, NOTES_SHIFTS, needs_chromium, opened
from tests.fakes.hostile import HARMLESS, HOSTILE, LOOK
from tests.fakes.moderators import begin, into, mode_of, page_of, row, with_moderators
from tests.fakes.running import Running
from tests.fakes.waiting import until, until_answered

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow, *needs_chromium]

ROOMS = {
    "keys": "Grande salle",
    "thumb": "Petite salle",
    "hostile": "<b class=hostile>Salle</b>",
    "many": "Amphi",
    "axe": "Atelier",
}

ALWAYS_SLOW = """
{
  const { setTimeout } = window
  window.setTimeout = (what, after_ms, ...rest) => setTimeout(what, after_ms === 1_000 ? 0 : after_ms, ...rest)
}
"""
"""Before the page's scripts: "Connecting" is told at once, as if the first answer had taken more than a second."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(pages_server: Running) -> Running:
    return await with_moderators(pages_server, ROOMS)


async def test_a_hostile_chat_by_keys_alone(browser: Browser, server: Running) -> None:
    await begin(server, "keys")
    other = await into(server, "keys", "/moderation", token=server.tokens["keys"])
    ann, ben, troll, pest, watcher = [
        await into(server, "keys", name=name) for name in ("Ann", "Ben", "Troll", "Pest", "Watcher")
    ]
    await other.does("room.mode", {"chat": "review", "questions": "review"})
    held = {}
    for who, text in ((ann, "Bonjour"), (troll, "You are all stupid"), (pest, "Buy this"), (ben, "Well said")):
        held[text] = (await who.does("chat.send", {"text": text}))["id"]
    asked = (await ben.does("question.ask", {"text": "Do plants sleep?"}))["id"]
    async with opened(browser, page_of(server, "keys"), script=ALWAYS_SLOW + NOTES_SHIFTS) as seen:
        press = seen.page.keyboard.press
        await row(seen, "Do plants sleep?").wait_for()
        assert await seen.page.evaluate("window.shifted") < MOST_SHIFTED
        assert "token" not in seen.page.url
        await seen.holds("document.title.startsWith('(5)')")

        # The good one is let through, the first of the bad ones goes; the cursor is on the next by itself.
        await press("j")
        await seen.holds("document.activeElement.textContent.includes('Bonjour')")
        await press("a")
        await watcher.told("chat.message", lambda data: data["text"] == "Bonjour")
        await seen.holds("document.activeElement.textContent.includes('You are all stupid')")
        await press("d")
        await seen.page.locator("[data-state=deleted]").filter(has_text="You are all stupid").wait_for()
        await seen.holds("document.activeElement.textContent.includes('Buy this')")
        await seen.holds("document.title.startsWith('(3)')")

        # A mute by its preset, and its undo.
        await press("1")
        await pest.told("you", lambda data: data["muted_until"] is not None)
        await seen.text("Muted: Pest")
        await press("u")
        await pest.told("you", lambda data: data["muted_until"] is None)

        # A ban says what it does; typing a reason is no shortcut.
        await press("b")
        await seen.text("held for review for an hour")
        await seen.page.keyboard.type("adds bad ads")
        await press("Enter")
        await until(lambda: pest.closed)
        assert pest.closed[0]["error"]["code"] == "banned"
        await other.told("action", lambda data: data["kind"] == "participant.ban" and data["reason"] == "adds bad ads")
        await seen.holds("document.title.startsWith('(2)')")
        await press("u")
        await until(lambda: not other.of("sanction")[-1]["data"]["banned"])
        await seen.holds("document.title.startsWith('(3)')")
        pest = await into(server, "keys", participant=pest.snapshots[0]["you"]["key"])

        # The shield, up and down.
        await press("!")
        await seen.text("Shield is up")
        await until(lambda: mode_of(other)["shield"])
        await press("!")
        await until(lambda: not mode_of(other)["shield"])

        # Two at once.
        await seen.page.get_by_role("row").filter(has_text="Buy this").focus()
        await press("x")
        await press("j")
        await press("x")
        await seen.text("2 selected")
        await press("a")
        for text in ("Buy this", "Well said"):
            await watcher.told("chat.message", lambda data, text=text: data["text"] == text)
        # Told in order: a second one would be from the time of the ban.
        assert len(watcher.of("chat.message", lambda data: data["text"] == "Buy this")) == 1

        # The question goes from the queue to the stage, and is answered.
        await seen.holds("document.title.startsWith('(1)')")
        await seen.holds("document.activeElement.textContent.includes('Do plants sleep?')")
        await press("s")
        await watcher.told("question.changed", lambda data: data["id"] == asked and data["state"] == "on_stage")
        # The page is told by a connection of its own.
        await seen.page.locator("[data-state=on_stage]").first.wait_for()
        await press("e")
        await watcher.told("question.changed", lambda data: data["id"] == asked and data["state"] == "answered")

        # A poll is made, opened and closed.
        await press("v")
        await seen.holds("document.activeElement.tagName === 'TEXTAREA'")
        await seen.page.keyboard.type("Coffee or tea, dear all?")
        await press("Tab")
        await seen.page.keyboard.type("Coffee\nTea")
        for _ in ("its kind", "results at the end", "open it"):
            await press("Tab")
        await press("Enter")
        poll = (await watcher.told("poll.changed"))["data"]
        assert [option["text"] for option in poll["options"]] == ["Coffee", "Tea"]
        await watcher.does("poll.vote", {"id": poll["id"], "options": ["Tea"]})
        await seen.text("1 person voted")
        await seen.page.get_by_role("button", name="Close it").focus()
        await press("Enter")
        await watcher.told("poll.changed", lambda data: data["state"] == "closed")
        await other.told("action", lambda data: data["kind"] == "poll.close")

        # Keys that are typed in a field do nothing else; without shortcuts no key does.
        await press("/")
        await seen.holds("document.activeElement.type === 'search'")
        await seen.page.keyboard.type("bonjour")
        await press("Escape")
        await press("?")
        shortcuts = seen.page.get_by_role("checkbox", name="Use single-key shortcuts")
        # Its role is gone as soon as it is not seen. Keys are the dialog's until the page has taken it away.
        dialog = seen.page.locator("dialog")
        await shortcuts.uncheck()
        await press("Escape")
        await dialog.wait_for(state="detached")
        await press("!")
        await press("u")
        # One connection carries every command of the page: the next action is the one that is meant.
        await seen.page.get_by_role("button", name="Keys").click()
        await shortcuts.check()
        await press("Escape")
        await dialog.wait_for(state="detached")
        await press("!")
        await until(lambda: [action["data"]["kind"] for action in other.of("action")][-1] != "poll.close")
        assert [action["data"]["kind"] for action in other.of("action")][-2:] == ["poll.close", "room.mode"]
        await until(lambda: mode_of(other)["shield"])
    for client in (other, ann, ben, troll, pest, watcher):
        await client.close()


async def test_the_same_by_thumb_on_a_phone(browser: Browser, server: Running) -> None:
    await begin(server, "thumb")
    other = await into(server, "thumb", "/moderation", token=server.tokens["thumb"])
    ann, ben, troll = [await into(server, "thumb", name=name) for name in ("Ann", "Ben", "Troll")]
    await other.does("room.mode", {"chat": "review", "questions": "review"})
    for who, text in ((ann, "Bonjour"), (troll, "Stupid"), (troll, "Stupid again")):
        await who.does("chat.send", {"text": text})
    asked = (await ben.does("question.ask", {"text": "Do plants sleep?"}))["id"]
    phone = {"width": 390, "height": 844, "has_touch": True, "is_mobile": True}
    async with opened(browser, page_of(server, "thumb"), **phone) as seen:  # type: ignore[arg-type]
        button = seen.page.get_by_role

        async def tap(name: str, role: Any = "button", exact: bool = False) -> None:
            await button(role, name=name, exact=exact).first.tap()

        await row(seen, "Bonjour").get_by_role("button", name="Approve").tap()
        await ben.told("chat.message", lambda data: data["text"] == "Bonjour")
        await row(seen, "Stupid again").locator(".said").tap()
        for name, least in (("Approve", 44), ("Delete", 44), ("Mute", 44)):
            box = await seen.page.get_by_role("toolbar").get_by_role("button", name=name).bounding_box()
            assert box is not None
            assert box["height"] >= least
            assert box["y"] > 600, "within reach of a thumb"
        await tap("Mute", exact=True)
        await tap("Mute for 10 min")
        await troll.told("you", lambda data: data["muted_until"] is not None)
        await tap("More", exact=True)
        await tap("All of theirs")
        await seen.text("2 selected")
        await seen.page.get_by_role("toolbar").get_by_role("button", name="Delete").tap()
        await seen.holds("document.title.startsWith('(1)')")
        # Before the answer, the undo is the mute's.
        await seen.text("Removed: 2 items")
        await tap("Undo")
        await seen.holds("document.title.startsWith('(3)')")
        await row(seen, "Stupid again").locator(".said").tap()
        await tap("Ban…")
        await seen.page.get_by_role("dialog").get_by_role("button", name="Ban", exact=True).tap()
        await until(lambda: troll.closed)
        await seen.holds("document.title.startsWith('(1)')")
        await tap("Shield", exact=True)
        await until(lambda: mode_of(other)["shield"])
        await seen.page.get_by_role("alert").get_by_role("button", name="Lower the shield").tap()
        await until(lambda: not mode_of(other)["shield"])
        await row(seen, "Do plants sleep?").get_by_role("button", name="Approve").tap()
        await ben.told("question.changed", lambda data: data["id"] == asked and data["state"] == "approved")
        foot = seen.page.get_by_role("navigation", name="Parts of the page")
        await foot.get_by_role("button", name="Questions").tap()
        await tap("To the stage")
        await ben.told("question.changed", lambda data: data["id"] == asked and data["state"] == "on_stage")
        await tap("Answered", exact=True)
        await ben.told("question.changed", lambda data: data["id"] == asked and data["state"] == "answered")
        await foot.get_by_role("button", name="Polls").tap()
        await seen.page.get_by_label("Question").fill("Lunch?")
        await tap("Keep it for later")
        await tap("Open it")
        await ben.told("poll.changed", lambda data: data["question"] == "Lunch?")
        await tap("Close it")
        await ben.told("poll.changed", lambda data: data["state"] == "closed")
        await foot.get_by_role("button", name="Chat").tap()
        await tap("Read only")
        await ben.told("room.mode", lambda data: data["chat"] == "read_only")
        assert await seen.overflow_px() == 0
    for client in (other, ann, ben, troll):
        await client.close()


async def test_texts_that_attack_browsers_are_text_in_every_field_of_the_page(
    browser: Browser, server: Running
) -> None:
    room = "hostile"
    await begin(server, room)
    other = await into(server, room, "/moderation", token=server.tokens[room])
    texts = [text for _, text in HOSTILE]
    words = {"words": texts[:3], "chat": "open", "anonymous": True}
    await other.does("room.mode", words)
    people = [await into(server, room, name=text[:40], place=text[:40]) for text in texts]
    said = []
    for number, (person, text) in enumerate(zip(people, texts, strict=True)):
        reply = {"reply_to": said[-1]["id"]} if said and said[-1]["state"] == "visible" else {}
        said.append(await person.does("chat.send", {"text": text[:200], **(reply if number % 2 else {})}))
        asked = await person.does("question.ask", {"text": text, "anonymous": number % 2 == 0})
        if number < 4:
            await other.does("question.edit", {"id": asked["id"], "text": f"{text} ?"})
    shown = [one["id"] for one in said if one["state"] == "visible"]
    for number, text in enumerate(texts):
        await people[number].does("item.report", {"kind": "message", "id": shown[number % len(shown)], "reason": text})
    victim = people[5].snapshots[0]["you"]["id"]
    for text in texts[:8]:
        await other.does("participant.note", {"id": victim, "text": text})
    await other.does("participant.mute", {"id": victim, "seconds": 60, "reason": texts[1]})
    await other.does("chat.delete", {"ids": [shown[0]], "reason": texts[2]})
    for to in ("crew", "stage"):
        await other.does("crew.say", {"text": texts[1], "to": to})
    await other.does("notice", {"text": texts[1]})
    await other.does("poll.open", {"kind": "single", "question": texts[1], "options": texts[3:6]})
    async with opened(browser, page_of(server, room)) as seen:
        await seen.page.locator("[role=grid] [data-key]").first.wait_for()
        for tab in ("Questions", "Polls", "Room", "Crew", "Log"):
            await seen.page.get_by_role("navigation", name="Tools").get_by_role("button", name=tab).click()
            assert await seen.page.evaluate(LOOK) == HARMLESS, tab
        await seen.page.get_by_role("row").filter(has_text=texts[5][:20]).locator("button.name").last.click()
        await seen.text("In this session")
        assert await seen.page.evaluate(LOOK) == HARMLESS
        await seen.page.get_by_role("button", name="Ban…").last.click()
        await seen.text("held for review for an hour")
        assert await seen.page.evaluate(LOOK) == HARMLESS
        await seen.page.keyboard.press("Escape")
        assert await seen.overflow_px() == 0
        assert texts[0] in await seen.page.inner_text("main")
    for client in (other, *people):
        await client.close()


async def test_the_chat_stands_still_while_it_is_read_and_the_page_stays_small(
    browser: Browser, server: Running
) -> None:
    people = [await into(server, "many", name=f"P{number}") for number in range(60)]

    async def say(person: Attendee, text: str) -> None:
        await person.does("chat.send", {"text": text})

    for turn in range(3):
        await asyncio.gather(*(say(person, f"turn {turn} of {number}") for number, person in enumerate(people)))
    async with opened(browser, page_of(server, "many")) as seen:
        chat = seen.page.get_by_role("grid", name="Live chat")
        await chat.get_by_text("turn 2 of 59").wait_for()
        assert await chat.locator("[data-key]").count() <= 120
        await seen.holds(
            "() => { const g = document.querySelectorAll('[role=grid]')[1];"
            " return g.scrollTop + g.clientHeight > g.scrollHeight - 40 }"
        )
        in_sight = await chat.evaluate(
            "(grid) => [...grid.querySelectorAll('[data-key]')].map((row) => row.getBoundingClientRect())"
            ".filter(({ top }) => top >= grid.getBoundingClientRect().top).length"
        )
        assert in_sight >= 15, "a full hall is seen at a glance"
        await chat.hover()
        late = [await into(server, "many", name=name) for name in ("Late", "Later")]
        await say(late[0], "while you read")
        await seen.text("1 new")
        assert await chat.get_by_text("while you read").count() == 0
        await seen.page.mouse.move(5, 5)
        await chat.get_by_text("while you read").wait_for()
        # Back to the first, in a page that never has more than its share.

        async def at_the_first() -> bool:
            await chat.evaluate("(grid) => { grid.scrollTop = 0 }")
            return await chat.get_by_text("turn 0 of").count() > 0

        await until_answered(at_the_first, limit_s=60)
        assert await chat.locator("[data-key]").count() <= 120
        await say(late[1], "at the end")
        await seen.page.get_by_role("button", name="1 new").click()
        await chat.get_by_text("at the end").wait_for()
    for client in (*people, *late):
        await client.close()


@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not installed (make setup)")
async def test_the_page_is_accessible_on_desktops_and_phones(browser: Browser, server: Running) -> None:
    other = await into(server, "axe", "/moderation", token=server.tokens["axe"])
    ann = await into(server, "axe", name="Ann", place="hall")
    await other.does("room.mode", {"chat": "open", "words": ["spam"], "shield": False})
    seen_by_all = await ann.does("chat.send", {"text": "Hello"})
    await ann.does("chat.send", {"text": "Spam"})
    await ann.does("question.ask", {"text": "Is this a question?"})
    await other.does("participant.note", {"id": seen_by_all["id"], "text": "Kind"})
    await (await into(server, "axe")).does("item.report", {"kind": "message", "id": seen_by_all["id"], "reason": "x"})
    await other.does("room.mode", {"shield": True})
    async with opened(browser, page_of(server, "axe")) as seen:
        first = seen.page.locator("[role=grid] [data-key]").first
        await first.wait_for()
        await seen.page.keyboard.press("j")
        tools = seen.page.locator("aside nav button")
        for language in ("en-GB", "fr-FR"):
            await seen.page.set_viewport_size({"width": 1280, "height": 800})
            await seen.speak(language)
            for number in (0, 2):
                await tools.nth(number).click()
                assert await seen.accessibility() == []
            for key in ("?", "b", "o"):
                await first.focus()
                await seen.page.keyboard.press(key)
                await seen.page.get_by_role("dialog").wait_for()
                assert await seen.accessibility() == [], key
                await seen.page.keyboard.press("Escape")
                # Closed, and known to be: until then keys are the dialog's.
                await seen.page.locator("dialog").wait_for(state="detached")
            await seen.page.set_viewport_size({"width": 390, "height": 844})
            await seen.page.locator("nav.foot button").nth(1).click()
            assert await seen.accessibility() == []
            await seen.page.set_viewport_size({"width": 320, "height": 640})
            await seen.holds("document.documentElement.scrollWidth === document.documentElement.clientWidth")
    for client in (other, ann):
        await client.close()
