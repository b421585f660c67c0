"""Captions in Chromium: typed on the page for it, seen by a viewer live and in the replay."""

from __future__ import annotations

import itertools
import json
import re
import time
from datetime import UTC, datetime

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.fakes.browser import AXE, Opened, needs_chromium, opened
from tests.fakes.publishing import TINY, camera
from tests.fakes.running import ADMIN_TOKEN, Running
from tests.fakes.shared import close_rooms
from tests.fakes.waiting import until_answered

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow, *needs_chromium]

SENTENCE = "Bonjour à toutes et à tous."
NOTES_CAPTIONS = """
window.captioned = []
new MutationObserver(() => {
  const layer = document.querySelector('.captions')
  if (!layer) return
  const text = [...layer.querySelectorAll('span')].map((row) => row.textContent).join(' ')
  const { className } = layer, last = captioned.at(-1)
  if (text !== last?.text || className !== last.className) captioned.push({ text, className })
}).observe(document, { subtree: true, childList: true, characterData: true, attributes: true })
"""
"""Before a page's scripts: notes what is over the picture. A line stays there for less than two seconds."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(server: Running) -> Running:
    await server.room("captioned", name="Grande salle", caption_languages=["fr", "en"])
    return server


async def turn_on(seen: Opened, *choices: str) -> None:
    for choice in choices:
        await seen.show_controls()
        await seen.page.get_by_role("button", name="Quality and delay").click()
        await seen.page.get_by_role("menuitemradio", name=choice, exact=True).click()


async def shows(seen: Opened, text: str, *classes: str) -> None:
    """The text is over the picture, or was, whatever its rows."""
    there = """([text, classes]) => captioned.some((one) =>
      one.text === text && classes.every((name) => one.className.split(' ').includes(name)))"""
    await seen.holds(there, [text, classes])


async def reads(seen: Opened, *lines: str) -> None:
    """A replay shows these and no others, in this order."""

    async def there() -> bool:
        said = [one["text"] for one in await seen.page.evaluate("captioned")]
        if [text for text, _ in itertools.groupby(said)] == list(lines):
            return True
        # The first line may have passed before they were turned on.
        await seen.page.evaluate(PLAY_AGAIN)
        return False

    await until_answered(there, limit_s=150, what=lambda: f"{lines} are shown")


PLAY_AGAIN = """() => {
  const video = document.querySelector('video')
  if (!video.ended) return
  captioned.length = 0
  video.currentTime = 0
  void video.play()
}"""


async def test_from_the_captioners_keys_to_the_viewers_eyes_live_and_in_the_replay(
    browser: Browser, server: Running
) -> None:
    grant = await server.api("POST", "/grants", {"role": "captioner", "room": "captioned", "label": "T"}, status=201)
    now = time.time()
    plan = {
        "room": "captioned",
        "title": "Été",
        "speakers": ["Zoé Dupont"],
        "start": datetime.fromtimestamp(now, UTC).isoformat(),
        "end": datetime.fromtimestamp(now + 3600, UTC).isoformat(),
    }
    session = await server.api("POST", "/sessions", plan, status=201)
    async with camera(server, "captioned", options=TINY):

        async def comes_in() -> bool:
            return bool((await server.state("captioned"))["sources"].get("main", {}).get("up"))

        await until_answered(comes_in, limit_s=60)
        await server.api("POST", f"/sessions/{session['id']}/start", {}, status=200)
        await server.wait_state("captioned", "live")
        async with (
            opened(browser, f"{server.url}/caption/captioned#token={grant['token']}") as typist,
            opened(browser, f"{server.url}/watch/captioned", script=NOTES_CAPTIONS) as viewer,
        ):
            await viewer.wait_moving()
            await turn_on(viewer, "Français", "Large", "Top")
            await typist.wait_moving()
            assert "token" not in typist.page.url
            field = typist.page.get_by_label("What is said")
            await field.press_sequentially("Bonjour à toutes et ", delay=20)
            await field.press_sequentially("à tous. Et", delay=20)
            assert await field.input_value() == "Et", "the end of a sentence finishes the line"
            await shows(viewer, SENTENCE, "large", "top")
            await field.fill("")
            await field.press_sequentially("<b>Deux</b> & <script>")
            await field.press("Enter")
            await shows(viewer, "<b>Deux</b> & <script>")
            # The viewer and the page for typing are told by connections of their own.
            sent = typist.page.locator(".log p.sent span")
            await sent.filter(has_text="<b>Deux</b>").wait_for()
            await field.press("ArrowUp")
            assert await field.input_value() == "<b>Deux</b> & <script>"
            await field.fill("Deux")
            await field.press("Enter")
            await sent.filter(has_text=re.compile("^Deux$")).wait_for()
            await typist.page.get_by_role("button", name="[applause]").click()
            await shows(viewer, "[applause]")
            await typist.page.get_by_role("button", name="Zoé Dupont").wait_for()
            # C on the keyboard takes them away and brings them back; the choice is remembered.
            await viewer.page.keyboard.press("c")
            assert await viewer.page.get_by_role("button", name="Captions").get_attribute("aria-pressed") == "false"
            await viewer.page.keyboard.press("c")
            kept = json.loads(await viewer.page.evaluate("localStorage.getItem('streamer.captions')"))
            assert kept == {"on": True, "language": "fr", "size": "large", "place": "top"}
        await server.api("POST", f"/sessions/{session['id']}/end", {}, status=200)

    async def published() -> bool:
        async with server.session.get(f"{server.url}/replay/{session['id']}/index.m3u8") as response:
            return response.status == 200 and "captions-fr" in await response.text()

    await until_answered(published, limit_s=60)
    await close_rooms(server)
    async with opened(browser, f"{server.url}/session/{session['id']}", script=NOTES_CAPTIONS) as viewer:
        await viewer.page.get_by_role("button", name="Watch the replay").click()
        await viewer.wait_moving()
        await turn_on(viewer, "Français")
        await reads(viewer, SENTENCE, "Deux", "[applause]")


@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not installed (make setup)")
async def test_the_page_is_accessible_on_desktops_and_phones(browser: Browser, server: Running) -> None:
    grant = await server.api("POST", "/grants", {"role": "captioner", "room": "captioned", "label": "T"}, status=201)
    for fragment in ("", f"#token={grant['token']}"):
        async with opened(browser, f"{server.url}/caption/captioned{fragment}") as seen:
            await seen.page.locator("form.card, textarea").first.wait_for()
            for language, width in (("English", 1280), ("Français", 360)):
                await seen.page.set_viewport_size({"width": width, "height": 800})
                await seen.page.get_by_role("button", name=language).click()
                assert await seen.accessibility() == []
                await seen.page.set_viewport_size({"width": 320, "height": 640})
                assert await seen.overflow_px() == 0


async def test_an_organiser_chooses_a_rooms_caption_languages(browser: Browser, server: Running) -> None:
    await server.room("small", name="Petite salle")
    async with opened(browser, f"{server.url}/admin#token={ADMIN_TOKEN}", language="fr-FR") as seen:
        page = seen.page
        await page.set_viewport_size({"width": 390, "height": 800})
        await page.get_by_role("button", name="Se déconnecter").or_(page.get_by_role("button", name="Menu")).wait_for()
        await page.goto(f"{server.url}/admin/rooms/small")
        field = page.get_by_role("group", name="Sous-titres")
        await field.get_by_label("Ajouter une langue").select_option("breton")
        await field.get_by_label("Ajouter une langue").select_option("Une autre, par son code")
        await field.get_by_label("Code de langue").fill("french")
        await field.get_by_role("button", name="Ajouter", exact=True).click()
        await field.get_by_role("alert").get_by_text("gsw").wait_for()
        await field.get_by_label("Code de langue").fill("GSW")
        await field.get_by_label("Code de langue").press("Enter")
        # The browser may know its name or not.
        await field.get_by_role("button", name=re.compile("Retirer (gsw|suisse allemand)")).wait_for()
        assert await seen.overflow_px() == 0
        await page.get_by_role("button", name="Enregistrer").click()

        async def saved() -> bool:
            return bool((await server.state("small"))["caption_languages"] == ["br", "gsw"])

        await until_answered(saved, limit_s=60)
