"""People at one room: two moderators, the crew's line, a closed session's own audience, wrong links."""

from __future__ import annotations

import asyncio

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Route

from tests.fakes.attendees import join
from tests.fakes.browser import needs_chromium, opened
from tests.fakes.moderators import into, page_of, row, with_moderators
from tests.fakes.running import Running
from tests.fakes.waiting import until

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow, *needs_chromium]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(pages_server: Running) -> Running:
    return await with_moderators(pages_server, {"crew": "Amphi"})


async def test_the_board_edits_merges_adds_and_turns_to_a_closed_sessions_own_audience(
    browser: Browser, server: Running
) -> None:
    other = await into(server, "crew", "/moderation", token=server.tokens["crew"])
    ann, ben = [await into(server, "crew", name=name, place="Lyon") for name in ("Ann", "Ben")]
    first = (await ann.does("question.ask", {"text": "Do plants slep?"}))["id"]
    second = (await ben.does("question.ask", {"text": "Is it true that plants sleep?"}))["id"]
    await ben.does("question.vote", {"id": first, "value": 1})
    async with opened(browser, page_of(server, "crew")) as seen:
        dialog = seen.page.get_by_role("dialog")
        await row(seen, "Do plants slep?").get_by_role("button", name="Edit").click()
        await dialog.get_by_role("textbox", name="Question").fill("Do plants sleep?")
        await dialog.get_by_role("button", name="Save").click()
        await seen.text("Edited. Asked was: Do plants slep?")
        await row(seen, "Do plants sleep?").get_by_role("checkbox").check()
        await row(seen, "Is it true").get_by_role("checkbox").check()
        await seen.page.get_by_role("button", name="Merge…").click()
        await dialog.get_by_role("button", name="Merge").click()
        await seen.text("with 1 other")
        await other.told("question.changed", lambda data: data["id"] == second and data["merged_into"] == first)
        await seen.page.get_by_role("button", name="Add one…").click()
        await dialog.get_by_label("Question").fill("And from the back row?")
        await dialog.get_by_label("From (name)").fill("Zoé")
        await dialog.get_by_label("Place").fill("Gallery")
        await dialog.get_by_role("checkbox", name="Straight to the stage").check()
        await dialog.get_by_role("button", name="Enter it").click()
        told = await ann.told("question.changed", lambda data: data["state"] == "on_stage")
        assert (told["data"]["name"], told["data"]["place"]) == ("Zoé", "Gallery")
        await seen.page.get_by_role("button", name="Votes", exact=True).click()
        await other.told("question.order", lambda data: data["by"] == "votes")
        tools = seen.page.get_by_role("navigation", name="Tools")
        await tools.get_by_role("button", name="Log").click()
        await seen.text("Merged 2 questions")
        entry = seen.page.get_by_role("listitem").filter(has_text="Merged 2 questions")
        await entry.get_by_role("button", name="Undo").click()
        await until(
            lambda: other.of("question.changed", lambda data: data["id"] == second)[-1]["data"]["merged_into"] is None
        )
        # A private session runs: nobody else sees its audience, and its moderators turn to it.
        session = await server.plan("crew", "Board meeting", visibility="private")
        await server.begin(session)
        await seen.page.get_by_role("button", name="Moderate it").click()
        await seen.text("You moderate the session’s own audience")
        token = (await server.api("POST", "/grants", {"role": "viewer", "session": session}, status=201))["token"]
        member = await join(server.url, session=session, token=token, name="Member")
        await member.does("chat.send", {"text": "Behind closed doors"})
        await row(seen, "Behind closed doors").wait_for()
        await other.does("notice", {"text": "To everybody"})
        for client in (ann, other):
            await client.told("notice", lambda data: data.get("text") == "To everybody")
        assert "Behind closed doors" not in ann.text + other.text
        await other.does("notice", {"text": ""})
        await seen.page.get_by_role("button", name="Back to the room").click()
        await row(seen, "Behind closed doors").wait_for(state="detached")
        await server.api("POST", f"/sessions/{session}/end", {}, status=200)
        await seen.page.get_by_role("button", name="Moderate it").wait_for(state="detached")
    for client in (other, ann, ben, member):
        await client.close()


async def test_two_moderators_see_who_works_on_what(browser: Browser, server: Running) -> None:
    grant = {"role": "moderator", "room": "crew", "label": "Karim"}
    karim = (await server.api("POST", "/grants", grant, status=201))["token"]
    other = await into(server, "crew", "/moderation", token=karim)
    ann = await into(server, "crew", name="Ann")
    await other.does("room.mode", {"chat": "review"})
    held = (await ann.does("chat.send", {"text": "Look at me"}))["id"]
    async with opened(browser, page_of(server, "crew")) as seen:
        await row(seen, "Look at me").wait_for()
        await other.does("claim", {"id": held})
        await seen.text("Karim works on this")
        await seen.page.keyboard.press("j")
        await seen.page.keyboard.press("d")
        await seen.text("Press again to do it all the same")
        await other.does("claim", {"id": held, "on": False})
        await other.told("claim", lambda data: data["by"] == "Anna")
        await seen.page.keyboard.press("d")
        await other.told("chat.deleted", lambda data: data["id"] == held)
    await other.does("room.mode", {"chat": "open"})
    for client in (other, ann):
        await client.close()


async def test_the_technician_reads_the_crews_line_and_answers(browser: Browser, server: Running) -> None:
    grant = {"role": "technician", "room": "crew", "label": "Karim"}
    technician = (await server.api("POST", "/grants", grant, status=201))["token"]
    anna = await into(server, "crew", "/moderation", token=server.tokens["crew"])
    await anna.does("crew.say", {"text": "The sound is <b>low</b>"})
    async with opened(browser, f"{server.url}/studio/crew#token={technician}") as seen:
        line = seen.page.get_by_role("region", name="Crew line")
        await line.get_by_text("The sound is <b>low</b>").wait_for()
        await line.get_by_text("1 new line").wait_for()
        # The link is unused, and new on the page of all rooms too.
        await seen.page.goto(f"{server.url}/studio")
        row = seen.page.get_by_role("listitem").filter(has=seen.page.get_by_role("link", name="Amphi"))
        await row.get_by_text("1 new line").wait_for()
        # Answer leads to a field: it is offered to those who may, once the page knows.
        known = asyncio.Event()

        async def late(route: Route) -> None:
            await known.wait()
            await route.continue_()

        await seen.page.route("**/api/v1/me", late)
        await seen.page.go_back()
        await seen.page.set_viewport_size({"width": 390, "height": 500})
        notice = seen.page.get_by_test_id("line-notice")
        await notice.wait_for()
        answer = notice.get_by_role("button", name="Answer")
        assert await answer.count() == 0
        known.set()
        await answer.click()
        await seen.page.keyboard.type("On it")
        await seen.page.keyboard.press("Enter")
        await anna.told("crew.line", lambda data: data.get("text") == "On it" and data["label"] == "Karim")
        assert await line.get_by_text("1 new line").count() == 0
        await line.get_by_role("button", name="Undo: On it").click()
        await anna.told("crew.line", lambda data: data.get("removed") is True)
        await line.get_by_text("On it").wait_for(state="detached")
        assert await seen.overflow_px() == 0
        assert await seen.accessibility() == []
    await anna.close()


async def test_whoever_has_no_right_is_told_and_may_paste_a_link(browser: Browser, server: Running) -> None:
    async with opened(browser, f"{server.url}/moderate/crew") as seen:
        field = seen.page.get_by_label("Link or token")
        await field.fill("no-such-token-at-all")
        await seen.page.get_by_role("button", name="Open").click()
        await seen.text("does not open this room")
        await field.fill(f"{server.url}/moderate/crew#token={server.tokens['crew']}")
        # The refusal of the first token may still be on its way.
        async with seen.page.expect_response(lambda answer: answer.url.endswith("/api/v1/login") and answer.ok):
            await seen.page.get_by_role("button", name="Open").click()
        await seen.text("Live chat")
        # Logged in by that; whoever has several rooms finds them listed.
        await seen.page.goto(f"{server.url}/moderate")
        await seen.page.get_by_role("link", name="Amphi").click()
        await seen.text("Live chat")
