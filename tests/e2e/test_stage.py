"""The hall: phones that ask and vote by a code, a moderator who brings it to the stage, and the screens there."""

from __future__ import annotations

import contextlib

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.fakes.attendees import joined
from tests.fakes.browser import AXE, Opened, needs_chromium, opened
from tests.fakes.hostile import HARMLESS, HOSTILE, LOOK, NAMES
from tests.fakes.running import Running
from tests.fakes.staged_hall import make_hall, moderating, speaking
from tests.fakes.waiting import until_answered

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow, *needs_chromium]

DESKTOP, PHONE = (1280, 800), (360, 740)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(pages_server: Running) -> Running:
    return pages_server


def on_phone(browser: Browser, address: str, language: str = "en-GB") -> contextlib.AbstractAsyncContextManager[Opened]:
    return opened(browser, address, language=language, width=390, height=844)


async def ask(phone: Opened, text: str, *, name: str = "") -> None:
    await phone.page.get_by_label("Your question").fill(text)
    await phone.page.get_by_role("button", name="Ask", exact=True).click()
    if name:
        await phone.page.get_by_label("Name", exact=True).fill(name)
        await phone.page.keyboard.press("Enter")


async def test_a_question_goes_from_a_phone_to_the_screens(browser: Browser, server: Running) -> None:
    hall = await make_hall(server, "turing")
    await hall.begin("Une régie pour une personne")
    heard: list[str] = []
    async with (
        moderating(hall) as moderate,
        speaking(hall, name="Bob", place="Nantes") as bob,
        on_phone(browser, f"{server.url}/join") as phone,
        opened(browser, f"{hall.stage}#token={hall.speaker}") as speaker,
        opened(browser) as screen,
    ):
        screen.page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: heard.append(str(frame))))
        await screen.page.goto(f"{hall.stage}?view=hall&code={hall.code}&lang=fr")
        # Typed as it is read off the screen.
        await phone.page.get_by_label("Code of the hall").fill(f" {hall.code[:3].lower()}-{hall.code[3:]}")
        await phone.page.get_by_role("button", name="Take part").click()
        await phone.page.wait_for_url(hall.join)
        await phone.page.get_by_role("heading", name="Une régie pour une personne").wait_for()
        first = await bob.does("question.ask", text="Which camera?")
        await ask(phone, "Is it free software?", name="Fatou")
        card = phone.page.get_by_role("article").filter(has_text="Is it free software?")
        await card.get_by_text("Fatou").wait_for()
        other = phone.page.get_by_role("article").filter(has_text="Which camera?")
        await other.get_by_role("button", name="Vote for this question").click()
        # The same order everywhere: by votes now.
        await moderate.does("room.mode", order="votes")
        for seen in (speaker, screen):
            await seen.holds("document.querySelector('ol li')?.textContent.includes('Which camera?')")
            await seen.holds("document.querySelector('ol li .votes').innerText === '▲ 1'")
        await phone.holds("document.querySelectorAll('article')[0]?.textContent.includes('Which camera?')")

        await moderate.does("question.move", id=first["id"], state="answered")
        listed = await moderate.does("question.add", text="Asked aloud", **{"from": "Row 3"})
        await moderate.does("question.move", id=listed["id"], state="on_stage")
        for seen in (speaker, screen):
            big = seen.page.locator(".question .text")
            await big.get_by_text("Asked aloud").wait_for()
            assert await big.evaluate("(element) => parseFloat(getComputedStyle(element).fontSize)") > 60
        await phone.page.get_by_role("heading", name="On stage now").wait_for()
        await screen.page.get_by_text("Posez vos questions, votez").wait_for()
        assert await screen.page.locator(".code").inner_text() == hall.code
        await screen.holds("document.querySelector('img')?.naturalWidth > 0")

        # For the speaker, and for nobody else.
        said = await moderate.does("crew.say", to="stage", text="Please repeat the question")
        cue = speaker.page.get_by_test_id("cue")
        await cue.get_by_text("Please repeat the question").wait_for()
        await cue.get_by_text("From the moderator", exact=True).wait_for()
        await moderate.does("undo", action=said["action"])
        await cue.wait_for(state="detached")
        await moderate.does("crew.say", to="stage", text="Hurry up a bit")
        await cue.get_by_text("Hurry up a bit").wait_for()
        await speaker.page.keyboard.press("Escape")
        await cue.wait_for(state="detached")
        await moderate.does("crew.say", to="stage", text="Hurry up, please")
        await cue.get_by_text("Hurry up, please").wait_for()
        await speaker.page.reload()
        await cue.get_by_text("Hurry up, please").wait_for()
        assert "token" not in speaker.page.url

        opened_poll = await moderate.does(
            "poll.open", kind="single", question="Next room?", options=["Turing", "Hopper"]
        )
        await phone.page.get_by_label("Hopper").check()
        await phone.page.get_by_role("button", name="Vote", exact=True).click()
        for seen in (speaker, screen):
            await seen.page.get_by_test_id("poll").get_by_text("100").wait_for()
        await moderate.does("poll.close", id=opened_poll["id"])
        await screen.page.get_by_text("Sondage terminé").wait_for()
        assert any("Asked aloud" in frame for frame in heard)
        assert not any("Hurry" in frame or "repeat the" in frame for frame in heard)
        assert await screen.page.get_by_test_id("cue").count() == 0
        assert "Hurry" not in await screen.page.inner_text("body")


SQUASHED = """() => {
    const box = (element) => element.getBoundingClientRect()
    const within = (a, b) =>
        a.top >= b.top - 1 && a.bottom <= b.bottom + 1 && a.left >= b.left - 1 && a.right <= b.right + 1
    const left = (a, b) => a.right <= b.left + 1 || a.bottom <= b.top + 1
    const apart = (a, b) => left(a, b) || left(b, a)
    const seen = { top: 0, left: 0, bottom: innerHeight, right: innerWidth }
    const found = []
    const parts = [...document.querySelectorAll('h1, [role=timer], .question, .poll, .next, .following, .cue, header')]
    for (const part of parts) {
        if (!within(box(part), seen)) found.push(`${part.className} leaves the screen`)
        for (const other of parts)
            if (part !== other && !part.contains(other) && !other.contains(part) && !apart(box(part), box(other)))
                found.push(`${part.className} lies over ${other.className}`)
        for (const text of part.querySelectorAll('h2, li, .text, .label, .time, button')) {
            if (box(text).height < 11 || parseFloat(getComputedStyle(text).fontSize) < 11.5)
                found.push(`${text.textContent} is squashed`)
            if (!within(box(text), box(part))) found.push(`${text.textContent} is cut off`)
        }
    }
    return found
}"""


async def test_with_a_poll_a_question_and_a_cue_nothing_is_squashed_on_a_small_screen(
    browser: Browser, server: Running
) -> None:
    hall = await make_hall(server, "small")
    await hall.begin("Une régie pour une personne, et ce que cela change pour les associations de quartier")
    await server.plan("small", "Ce qui vient ensuite", begins_in_s=2400, ends_in_s=4800)
    address = f"{hall.stage}?lang=fr#token={hall.speaker}"
    async with (
        moderating(hall) as moderate,
        opened(browser, address, language="fr-FR", width=1280, height=720) as screen,
    ):
        for number in range(4):
            await moderate.does(
                "question.add", text=f"Question {number}: combien de personnes faut-il, et pour combien ?"
            )
        options = [f"Une réponse {number}" for number in range(10)]
        await moderate.does(
            "poll.open", kind="single", question="Qu'en pensez-vous, ici et à distance ?", options=options
        )
        await moderate.does(
            "crew.say", to="stage", text="Plus que cinq minutes. Répétez les questions, s'il vous plaît."
        )
        await screen.page.get_by_test_id("cue").get_by_text("De la modération", exact=True).wait_for()
        await screen.page.get_by_test_id("poll").get_by_text("Une réponse 9").wait_for()

        async def nothing_squashed() -> bool:
            latest[:] = await screen.page.evaluate(SQUASHED)
            return latest == []

        latest: list[str] = []
        await until_answered(nothing_squashed, what=lambda: f"nothing squashed: {latest}")
        staged = await moderate.does(
            "question.add", text="Et celle qui est sur scène, est-ce qu'on peut encore la lire ?"
        )
        await moderate.does("question.move", id=staged["id"], state="on_stage")
        await screen.page.locator(".question .text").wait_for()
        await until_answered(nothing_squashed, what=lambda: f"nothing squashed: {latest}")

        async def nothing_covered() -> bool:
            latest[:] = [one for one in await screen.page.evaluate(SQUASHED) if "lies over" in one]
            return latest == []

        # A phone's page is longer than its screen.
        await screen.page.set_viewport_size({"width": 390, "height": 844})
        await until_answered(nothing_covered, what=lambda: f"nothing covered: {latest}")
        await screen.page.mouse.wheel(0, 400)
        await screen.holds("scrollY > 0")
        await until_answered(nothing_covered, what=lambda: f"nothing covered: {latest}")


async def test_the_timer_turns_red_follows_an_extension_and_the_day_goes_on(browser: Browser, server: Running) -> None:
    hall = await make_hall(server, "lovelace")
    late = await hall.begin("Too long", ends_in_s=-75)
    following = await server.plan(hall.room, "The next one", begins_in_s=600, ends_in_s=2400)
    async with (
        opened(browser, f"{hall.stage}#token={hall.speaker}") as speaker,
        on_phone(browser, hall.join) as phone,
        opened(browser, f"{hall.stage}?view=hall") as screen,
    ):
        face = speaker.page.get_by_test_id("timer")
        await face.filter(has_text="+1:").wait_for()
        await speaker.text("Over time")
        # An overrun does not carry the end along.
        before = await face.inner_text()
        await speaker.holds(
            "(before) => (document.querySelector('[data-testid=timer]')?.innerText ?? '') > before", before
        )
        assert await speaker.page.locator(".timer.over").count() == 1
        await server.api("POST", f"/sessions/{late}/extend", {"minutes": 3}, status=200)
        await speaker.page.locator(".timer.soon").wait_for()
        await face.filter(has_text="2:").wait_for()
        await server.api("POST", f"/sessions/{late}/extend", {"minutes": 10}, status=200)
        await face.filter(has_text="min").wait_for()
        assert int((await face.inner_text()).split()[0]) in (12, 13)
        # Once the screen knows of the session.
        await screen.text("Too long")
        assert await screen.page.get_by_test_id("timer").count() == 0
        await phone.page.get_by_role("heading", name="Too long").wait_for()
        await ask(phone, "Left over?", name="Ada")
        await phone.page.get_by_role("article").filter(has_text="Left over?").wait_for()

        await server.api("POST", f"/sessions/{late}/end", {}, status=200)
        for seen in (speaker, screen):
            await seen.text("The next one")
            await seen.text("Next, at")
        await face.wait_for(state="detached")
        await server.begin(following)
        await phone.page.get_by_role("heading", name="The next one").wait_for()
        await face.filter(has_text="min").wait_for()
        # Questions stay with their session.
        for seen in (speaker, screen):
            await seen.holds("!document.body.innerText.includes('Left over?')")


async def test_what_is_written_without_a_connection_arrives_once(browser: Browser, server: Running) -> None:
    hall = await make_hall(server, "hopper")
    await hall.begin("Through a bad network")
    async with on_phone(browser, hall.join) as phone:
        await ask(phone, "Before", name="Fatou")
        await phone.page.get_by_role("article").filter(has_text="Before").wait_for()
        await phone.page.get_by_label("Your question").fill("A draft")
        await phone.page.reload()
        await phone.holds("document.querySelector('textarea')?.value === 'A draft'")
        await phone.page.get_by_text("Before").wait_for()
        await phone.page.evaluate("globalThis.stayed = true")
        await server.kill("web")
        await phone.text("The connection is lost", within_s=60)
        await ask(phone, "Written in between")
        await phone.page.get_by_text("Written in between").wait_for()

        async def back() -> bool:
            async with server.session.get(f"{server.url}/readyz") as response:
                return response.status == 200

        await until_answered(back, limit_s=60)
        card = phone.page.get_by_role("article").filter(has_text="Written in between")
        await card.wait_for(timeout=60_000)
        async with moderating(hall) as again:
            await again.does("question.add", text="Afterwards")
        await phone.page.get_by_role("article").filter(has_text="Afterwards").wait_for()
        assert await card.count() == 1
        assert await phone.page.get_by_role("article").count() == 3
        assert await phone.page.evaluate("globalThis.stayed") is True


async def test_obs_gets_a_lower_third_over_nothing(browser: Browser, server: Running) -> None:
    hall = await make_hall(server, "noether")
    await hall.begin("In OBS")
    async with (
        moderating(hall) as moderate,
        opened(browser, f"{hall.stage}?transparent=1&token={hall.speaker}", width=1920, height=1080) as seen,
    ):
        plate = seen.page.get_by_test_id("lower-third")
        added = await moderate.does("question.add", text="Seen over the picture", place="Brest")
        await moderate.does("question.add", text="Never on stage")
        await moderate.does("crew.say", to="stage", text="Not for the picture")
        await moderate.does("question.move", id=added["id"], state="on_stage")
        await plate.get_by_text("Seen over the picture").wait_for()
        await plate.get_by_text("Brest").wait_for()
        for element in ("document.documentElement", "document.body"):
            assert await seen.page.evaluate(f"getComputedStyle({element}).backgroundColor") == "rgba(0, 0, 0, 0)"
        box = await plate.bounding_box()
        assert box is not None
        assert box["y"] > 540
        assert "Not for the picture" not in await seen.page.inner_text("body")
        assert seen.page.url == f"{hall.stage}?transparent=1"
        await moderate.does("question.move", id=added["id"], state="answered")
        # Although another one waits.
        await plate.wait_for(state="detached")


async def test_a_code_that_was_taken_back_leads_to_a_kind_page(browser: Browser, server: Running) -> None:
    hall = await make_hall(server, "curie")
    other = await server.api("POST", "/rooms/curie/hall-codes", {"place": "Nantes"}, status=201)
    await server.api("DELETE", f"/rooms/curie/hall-codes/{hall.code}", status=204)
    async with (
        on_phone(browser, hall.join, language="fr-FR") as phone,
        opened(browser, f"{hall.stage}?view=hall&code={hall.code}") as screen,
        opened(browser, f"{hall.stage}?view=hall&place=Nantes#token={hall.speaker}") as named,
    ):
        await phone.text(f"Il n’y a pas de code « {hall.code} ».")
        await screen.text("Ask on the room’s page")
        assert await screen.page.locator("img").get_attribute("src") == "/watch/curie/qr.svg"
        await named.page.get_by_text(other["code"]).wait_for()
        await phone.page.get_by_label("Code de la salle").fill(other["code"].lower())
        await phone.page.keyboard.press("Enter")
        await phone.text("Vous êtes ici : Nantes")


async def test_a_link_that_is_taken_back_leaves_a_screen_with_what_all_may_see(
    browser: Browser, server: Running
) -> None:
    hall = await make_hall(server, "germain")
    await hall.begin("In public")
    given = await server.api("POST", "/grants", {"role": "speaker", "room": "germain", "label": "T"}, status=201)
    async with moderating(hall) as moderate, opened(browser, given["link"]) as seen:
        await moderate.does("crew.say", to="stage", text="Only for you")
        await seen.page.get_by_test_id("cue").wait_for()
        await server.api("DELETE", f"/grants/{given['id']}", status=204)
        # It is asked for once a minute, and when the network is back.
        await seen.page.evaluate("dispatchEvent(new Event('online'))")
        await seen.text("This link is over, or was revoked.")
        await seen.page.get_by_test_id("cue").wait_for(state="detached")
        await seen.page.get_by_test_id("timer").wait_for()
        added = await moderate.does("question.add", text="For all")
        await moderate.does("question.move", id=added["id"], state="on_stage")
        await seen.page.locator(".question .text").get_by_text("For all").wait_for()


async def test_a_closed_session_has_its_own_stage_and_tells_the_hall_nothing(browser: Browser, server: Running) -> None:
    hall = await make_hall(server, "ada")
    session = await server.plan("ada", "The secret", visibility="private", ends_in_s=1200)
    await server.begin(session)
    links = {
        role: await server.api("POST", "/grants", {"role": role, "session": session, "label": "T"}, status=201)
        for role in ("speaker", "moderator")
    }
    async with (
        opened(browser, links["speaker"]["link"]) as speaker,
        opened(browser, f"{hall.stage}?view=hall&code={hall.code}") as screen,
        on_phone(browser, hall.join) as phone,
    ):
        await speaker.page.wait_for_url(hall.stage)
        await speaker.page.get_by_role("heading", name="The secret").wait_for()
        await speaker.page.get_by_test_id("timer").wait_for()
        token = links["moderator"]["token"]
        async with joined(server.url, "/moderation", session=session, token=token) as moderate:
            added = await moderate.does("question.add", text="Asked in private")
            await moderate.does("question.move", id=added["id"], state="on_stage")
            await moderate.does("crew.say", to="stage", text="Wind up")
            await speaker.page.locator(".question .text").get_by_text("Asked in private").wait_for()
            await speaker.page.get_by_test_id("cue").get_by_text("Wind up").wait_for()
        await screen.text("The room is taken by a private session")
        await phone.text("A private session has the room")
        # The hall is told of its end after all that it must not be told.
        await server.api("POST", f"/sessions/{session}/end", {}, status=200)
        for seen, words in (
            (screen, "The room is taken by a private session"),
            (phone, "A private session has the room"),
        ):
            await seen.page.get_by_text(words).first.wait_for(state="hidden")
            shown = await seen.page.inner_text("body")
            assert "The secret" not in shown
            assert "Asked in private" not in shown


async def test_the_crew_finds_codes_posters_and_screens(browser: Browser, server: Running) -> None:
    hall = await make_hall(server, "meitner")
    organiser = await server.api("POST", "/grants", {"role": "organiser", "label": "Org"}, status=201)
    async with (
        opened(browser, f"{server.url}/studio/meitner#token={server.tokens['meitner']}") as studio,
        opened(browser, f"{server.url}/join#token={organiser['token']}", language="fr-FR") as admin,
    ):
        await studio.page.get_by_role("button", name="Hall and stage").click()
        await studio.page.get_by_role("article", name=hall.code).wait_for()
        await studio.page.get_by_label("Place", exact=True).fill("Nantes")
        await studio.page.keyboard.press("Enter")
        card = studio.page.get_by_role("article", name="Nantes")
        poster = await card.get_by_role("link", name="Poster to print").get_attribute("href")
        async with server.session.get(f"{server.url}{poster}") as response:
            assert "Nantes" in await response.text()
        screen = await studio.page.get_by_label("Hall screen", exact=True).input_value()
        assert screen == f"{hall.stage}?view=hall&code={hall.code}"
        # The holder of a technician's link hands out no others.
        assert await studio.page.get_by_role("button", name="Make a speaker’s link").count() == 0
        assert await studio.accessibility() == []
        await card.get_by_role("button", name="Revoke").click()
        await studio.page.get_by_role("dialog", name="Revoke").get_by_role("button", name="Revoke").click()
        await card.wait_for(state="detached")
        await admin.page.wait_for_url("**/admin**")
        await admin.page.goto(f"{server.url}/admin/rooms")
        row = admin.page.get_by_role("row").filter(has=admin.page.locator("a[href='/studio/meitner']"))
        await row.get_by_role("button", name="Salle et scène").click()
        await admin.page.get_by_role("button", name="Créer un lien d’intervenant").click()
        made = admin.page.get_by_label("Lien d’intervenant, montré cette seule fois", exact=True)
        link = await made.input_value()
        assert await admin.accessibility() == []
    async with moderating(hall) as moderate, opened(browser, link) as speaker:
        await moderate.does("crew.say", to="stage", text="Welcome")
        await speaker.page.get_by_test_id("cue").get_by_text("Welcome").wait_for()


async def test_texts_that_attack_are_words_on_every_screen(browser: Browser, server: Running) -> None:
    text = dict(HOSTILE)
    hall = await make_hall(server, "shannon", name=text["image"], place=NAMES[1])
    await hall.begin(text["script"] + text["svg"])
    async with (
        moderating(hall) as moderate,
        speaking(hall, name=NAMES[3], place=NAMES[2]) as stranger,
        on_phone(browser, hall.join) as phone,
        opened(browser, f"{hall.stage}#token={hall.speaker}") as speaker,
        opened(browser, f"{hall.stage}?view=hall&code={hall.code}") as screen,
        opened(browser, f"{hall.stage}?transparent=1") as obs,
        opened(browser, f"{hall.join}/poster") as poster,
    ):
        asked = await stranger.does("question.ask", text=text["mutation"])
        added = [asked["id"]]
        for number, (_, words) in enumerate(HOSTILE):
            if words.strip():
                answer = await moderate.does("question.add", text=words, place=NAMES[number % len(NAMES)])
                added.append(answer["id"])
        await stranger.does("chat.send", text=text["frame"])
        await moderate.does("notice", text=text["end of a tag"])
        await moderate.does(
            "poll.open", kind="multiple", question=text["style"], options=[text["form"], text["entities"]]
        )
        await moderate.does("crew.say", to="stage", text=text["link in markup"])
        await moderate.does("question.move", id=added[0], state="on_stage")
        await speaker.page.locator(".question .text").get_by_text("<mglyph>").wait_for()
        await speaker.page.get_by_test_id("cue").get_by_text("<a class=hostile").wait_for()
        await obs.page.get_by_test_id("lower-third").get_by_text("<mglyph>").wait_for()
        await screen.page.get_by_test_id("poll").get_by_text("<form class=hostile").wait_for()
        await phone.holds("(many) => document.querySelectorAll('article').length >= many", len(added))
        await phone.page.get_by_role("tab", name="Chat").click()
        await phone.page.get_by_text("<iframe class=hostile").wait_for()
        for seen in (phone, speaker, screen, obs, poster):
            assert await seen.page.evaluate(LOOK) == HARMLESS, seen.page.url


@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not installed (make setup)")
async def test_the_halls_pages_are_accessible(browser: Browser, server: Running) -> None:
    hall = await make_hall(server, "euler")
    await hall.begin("For everybody", ends_in_s=200)
    async with (
        moderating(hall) as moderate,
        opened(browser) as english,
        opened(browser, language="fr-FR") as french,
    ):
        added = [
            (await moderate.does("question.add", text=text, **{"from": "Ann"}))["id"] for text in ("First?", "Second?")
        ]
        await moderate.does("question.move", id=added[0], state="on_stage")
        await moderate.does("poll.open", kind="multiple", question="Which?", options=["One", "Two"])
        await moderate.does("crew.say", to="stage", text="Louder")
        await moderate.does("notice", text="Coffee upstairs")
        pages = {
            hall.join: "article",
            f"{server.url}/join/nothing": "form",
            f"{hall.stage}?view=speaker&token={hall.speaker}": "[data-testid=cue]",
            f"{hall.stage}?view=hall&theme=light&code={hall.code}": "img",
            f"{hall.join}/poster": "svg",
        }
        for seen, (width, height) in ((english, DESKTOP), (french, PHONE)):
            for address, ready in pages.items():
                # The words differ, the colours do not: the second language is looked at where room is short.
                await seen.page.set_viewport_size({"width": width, "height": height})
                await seen.page.goto(address)
                await seen.page.locator(ready).first.wait_for()
                assert await seen.accessibility() == [], (address, width)
                await seen.page.set_viewport_size({"width": 320, "height": 640})
                assert await seen.overflow_px() == 0, address
