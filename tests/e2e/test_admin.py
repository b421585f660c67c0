"""The organisers' pages: planning, undo, imports with the difference first, links as cards, who sees what."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio
from PIL import Image
from playwright.async_api import Browser, Locator, Page, ViewportSize, expect

from tests.fakes.browser import AXE, LANGUAGES, PATIENCE_MS, Opened, needs_chromium, opened
from tests.fakes.running import Running
from tests.fakes.studio import write_programme
from tests.fakes.waiting import until_answered

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.slow,
    *needs_chromium,
    pytest.mark.skipif(not AXE.exists(), reason="axe-core is not installed (make setup)"),
]

VIEWS = (
    "sessions",
    "sessions?as=table",
    "sessions/new",
    "events",
    "imports",
    "templates",
    "rooms",
    "venues",
    "grants",
    "recordings",
    "retention",
    "count",
    "audit",
    "account",
)
DESKTOP, NARROWEST = ViewportSize(width=1280, height=800), ViewportSize(width=320, height=640)
CALENDAR = """BEGIN:VCALENDAR\r
VERSION:2.0\r
PRODID:-//test//EN\r
X-WR-CALNAME:Open days\r
{events}END:VCALENDAR\r
"""
EVENT = """BEGIN:VEVENT\r
UID:{uid}\r
DTSTAMP:20300101T000000Z\r
DTSTART:{start}\r
DTEND:{end}\r
SUMMARY:{title}\r
LOCATION:Salle des fêtes\r
END:VEVENT\r
"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(pages_server: Running) -> Running:
    for venue in ("asso", "annexe"):
        await pages_server.api("POST", "/venues", {"id": venue, "name": f"Maison {venue}"}, status=201)
    await pages_server.room("hall", name="Salle des fêtes", venue="asso")
    await pages_server.room("attic", name="Grenier", venue="annexe")
    start = datetime.now(UTC) + timedelta(hours=1)
    body = {"room": "hall", "title": "Déjà là", "start": start.isoformat()}
    body["end"] = (start + timedelta(hours=1)).isoformat()
    await pages_server.api("POST", "/sessions", body, status=201)
    return pages_server


async def link(server: Running, role: str = "organiser", *, view: str = "", **scope: str) -> str:
    """``view``: one of the pages that the link opens, instead of the first."""
    made = await server.api("POST", "/grants", {"role": role, "label": "Nora", **scope}, status=201)
    address = made["link"]
    assert isinstance(address, str)
    return address.replace("/admin#", f"/admin/{view}#") if view else address


LOADED = """() => document.querySelector('main h1')
  && ![...document.querySelectorAll('main p')].some((one) => /^(Loading|Chargement)…$/.test(one.textContent))"""

FOLLOW = """(path) => {
  const link = Object.assign(document.createElement('a'), { href: path })
  document.querySelector('main').append(link)
  link.click()
  link.remove()
}"""


async def follow(seen: Opened, path: str) -> None:
    """To another view without a load, as any link in the page leads there."""
    await seen.page.evaluate(FOLLOW, f"/admin/{path}")
    await seen.holds(LOADED)


async def titles(server: Running) -> dict[str, dict[str, Any]]:
    answer = await server.api("GET", "/sessions?limit=200")
    return {session["title"]: session for session in answer["items"]}


async def test_a_link_leads_to_the_page_and_its_token_leaves_the_address(browser: Browser, server: Running) -> None:
    address = await link(server, venue="asso")
    assert address.startswith(f"{server.url}/admin#token=")
    async with opened(browser, address, requests=True) as seen:
        await seen.page.locator("main h1").wait_for()
        await seen.holds("location.hash === ''")
        secret = address.rpartition(".")[2]
        assert not any(secret in request.url for request in seen.requests)
        await follow(seen, "rooms")
        await seen.text("Salle des fêtes")
        assert await seen.page.get_by_text("Grenier").count() == 0, "another venue's room"


async def test_a_technician_is_led_on_to_the_studio(browser: Browser, server: Running) -> None:
    token = (await link(server, "technician", room="hall")).partition("#")[2]
    async with opened(browser, f"{server.url}/admin#{token}") as seen:
        await seen.page.get_by_role("link", name="Go to your page").click()
        await seen.page.wait_for_url(f"{server.url}/studio/hall")


async def test_a_session_is_planned_changed_and_taken_back(browser: Browser, server: Running) -> None:
    async with opened(browser, await link(server, venue="asso", view="sessions/new")) as seen:
        page = seen.page
        title = page.get_by_label("Title", exact=True)
        await title.fill("Vélos")
        ends = page.get_by_label("Ends", exact=True)
        proposed = await ends.input_value()
        await ends.fill("2020-01-01T00:00")
        await page.get_by_role("button", name="Create").click()
        await seen.text("The end must come after the start.")
        await seen.holds("document.activeElement.name === 'end'")
        # The text is still there after a reload.
        await page.reload()
        await seen.holds("document.querySelector('input[name=title]')?.value === 'Vélos'")
        await ends.fill(proposed)
        await page.get_by_role("button", name="Create").click()
        await seen.text("“Vélos” is planned.")
        planned = (await titles(server))["Vélos"]

        await page.get_by_role("link", name="Vélos").click()
        await page.get_by_role("button", name="Delay", exact=True).click()
        await seen.text("is moved by 10 minutes.")
        assert (await titles(server))["Vélos"]["delay_minutes"] == 10
        await page.keyboard.press("Escape")
        await seen.holds("document.activeElement.innerText.includes('Vélos')")
        await page.get_by_role("button", name="Undo").first.click()
        await seen.text("Undone.")
        assert (await titles(server))["Vélos"]["start"] == planned["start"]


async def test_an_import_changes_nothing_before_it_is_applied(
    browser: Browser, server: Running, tmp_path: Path
) -> None:
    day = datetime.now(UTC) + timedelta(days=30)

    def event(uid: str, hour: int) -> str:
        times = {"start": f"{day:%Y%m%d}T{hour:02}0000Z", "end": f"{day:%Y%m%d}T{hour:02}4500Z"}
        return EVENT.format(uid=uid, title=f"Talk {uid}", **times)

    file = tmp_path / "days.ics"
    file.write_text(CALENDAR.format(events=event("a", 9) + event("b", 10)), encoding="utf-8")
    async with opened(browser, await link(server, venue="asso", view="imports")) as seen:
        page = seen.page
        await page.locator("input[type=file]").set_input_files(file)
        await page.get_by_role("button", name="Compare").click()
        await seen.text("2 of 2 chosen")
        await page.get_by_role("checkbox", name="Apply “Talk b”").uncheck()
        assert not {"Talk a", "Talk b"} & set(await titles(server)), "only shown"
        assert await seen.accessibility() == []
        await page.get_by_role("button", name="Apply 1 change").click()
        await seen.text("1 session was added or changed.")
        assert {"Talk a", "Talk b"} & set(await titles(server)) == {"Talk a"}


async def test_links_are_cards_that_open_what_they_say(browser: Browser, server: Running) -> None:
    async with opened(browser, await link(server, venue="asso", view="grants/new")) as seen:
        page = seen.page
        await page.get_by_role("button", name="Create").click()
        await seen.text("These links are shown this once.")
        card = await page.locator("li code").inner_text()
        assert card.startswith(f"{server.url}/studio/hall#token=")
        await seen.holds("document.querySelector('li img').naturalWidth > 0")
        assert await seen.accessibility() == []
        await page.emulate_media(media="print")
        assert await page.locator("nav").is_visible() is False
        assert await page.locator("li img").is_visible()
        token = {"Authorization": "Bearer " + card.partition("token=")[2]}
        told = await page.request.get(f"{server.url}/api/v1/me", headers=token)
        assert (await told.json())["room"] == "hall"


PUSH = """
Notification.requestPermission = async () => 'granted'
PushManager.prototype.getSubscription = async () => null
PushManager.prototype.subscribe = async (options) => ({
  toJSON: () => ({
    endpoint: 'https://push.invalid/' + options.applicationServerKey.length,
    keys: {
      p256dh: 'BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4',
      auth: 'BTBZMqHH6r4Tts7J_aSIgg',
    },
  }),
})
"""
"""There is no push service here: all else of *ring this phone* is the browser's own."""


async def test_a_technician_has_their_phone_rung_and_is_on_duty(browser: Browser, server: Running) -> None:
    address = (await link(server, "technician", venue="asso")).replace("/studio/hall", "/studio")
    options: dict[str, Any] = {"width": 320, "height": 640, "script": PUSH, "permissions": ("notifications",)}
    async with opened(browser, address, **options) as seen:
        await seen.page.get_by_role("button", name="My phone, duty").click()
        dialog = seen.page.get_by_role("dialog")
        await dialog.get_by_text("No way yet").wait_for()
        # A wrong address is refused where it is typed.
        await dialog.get_by_role("button", name="Another way").click()
        await dialog.get_by_label("Address of the receiver").fill("http://10.1.2.3/hook")
        await dialog.get_by_role("button", name="Add").click()
        await expect(dialog.get_by_role("alert")).to_contain_text("private network")
        await dialog.get_by_role("button", name="Cancel").click()
        await dialog.get_by_role("button", name="Ring this phone").click()
        await expect(dialog.get_by_role("listitem").filter(has_text="This app or browser")).to_be_visible()
        await expect(dialog.get_by_role("alert")).to_contain_text("cannot be reached")
        await dialog.get_by_role("button", name="I am on duty: Maison asso").click()
        await expect(dialog.get_by_text("Nora (you)")).to_be_visible()
        assert await seen.accessibility() == []
        assert await seen.overflow_px() == 0
        assert (
            await seen.page.evaluate("navigator.serviceWorker.ready.then((one) => new URL(one.scope).pathname)") == "/"
        )


async def test_whoever_is_logged_out_while_writing_goes_on_after_a_login(browser: Browser, server: Running) -> None:
    address = await link(server, venue="asso", view="sessions/new")
    async with opened(browser, address) as seen:
        page = seen.page
        await page.get_by_label("Title", exact=True).fill("Unhurried")
        await seen.context.clear_cookies()
        await page.get_by_role("button", name="Create").click()
        await page.get_by_label("Link or token").fill(address)
        await page.get_by_role("button", name="Log in", exact=True).click()
        await page.get_by_role("button", name="Create").click()
        await seen.text("“Unhurried” is planned.")


async def test_every_view_is_accessible_and_fits(browser: Browser, server: Running) -> None:
    (session,) = (one["id"] for one in (await titles(server)).values() if one["title"] == "Déjà là")
    async with opened(browser, await link(server, "admin")) as seen:
        await seen.page.locator("main h1").wait_for()
        hook = {
            "kind": "ntfy",
            "url": "https://ntfy.example.test/alarms-of-the-house-with-a-long-name",
            "label": "x" * 80,
        }
        made = await seen.page.request.post(f"{server.url}/api/v1/hooks", data=hook)
        assert made.status == 201, await made.text()
        await each_view_is_accessible(seen, VIEWS)
        await seen.speak("fr-FR")
        await each_view_is_accessible(seen, VIEWS, desktop=False)
        # A session that runs: its audience in numbers.
        await server.api("POST", f"/sessions/{session}/start", {})
        await follow(seen, f"sessions/{session}")
        card = seen.page.get_by_test_id("audience")
        await card.get_by_role("definition").first.wait_for()
        # The tables are plain links: the login's cookie opens them.
        table = await seen.page.request.get(f"{server.url}/api/v1/questions?session={session}&format=csv")
        assert table.headers["content-disposition"] == 'attachment; filename="questions.csv"'
        await accessible_in_both(seen)


ROWS_OF_A_TIME = """Math.max(...[...document.querySelectorAll('ol.log .figures')].map((one) => {
  const text = document.createRange()
  text.selectNodeContents(one)
  return new Set([...text.getClientRects()].map(({ top }) => Math.round(top))).size
}))"""
"""Of its text: the element is as high as the words beside it, whatever alarms have rung meanwhile."""


async def each_view_is_accessible(seen: Opened, views: Iterable[str], *, desktop: bool = True) -> None:
    """A language is looked at on a screen of its own, and fits on the small one."""
    for view in views:
        await seen.page.set_viewport_size(DESKTOP if desktop else NARROWEST)
        await follow(seen, view)
        if view == "account" and not desktop:
            # A way to be rung, its log, and the form for another one.
            await seen.page.get_by_role("button", name=re.compile("^Essai")).first.click()
            await seen.page.locator("main [role=alert]").get_by_text("injoignable").wait_for()
            await seen.page.get_by_role("button", name=re.compile("^Journal")).first.click()
            # It scrolls when much was sent: then a keyboard has to get there.
            await seen.page.locator("ol.log[tabindex='0'] .figures").first.wait_for()
            assert await seen.page.evaluate(ROWS_OF_A_TIME) == 1, "the time of a message is in one line"
            await seen.page.get_by_role("button", name=re.compile("^Autre")).click()
            await seen.page.get_by_role("combobox").filter(has_text="ntfy").select_option("ntfy")
        # Forms that are folded away, as each kind's template is.
        await seen.page.evaluate("document.querySelectorAll('main details').forEach((one) => (one.open = true))")
        assert [f"{view}: {line}" for line in await seen.accessibility()] == []
        await seen.page.set_viewport_size(NARROWEST)
        assert await seen.overflow_px() == 0, view
        tall = "Math.max(0, ...[...document.querySelectorAll('main tbody tr')].map((one) => one.offsetHeight))"
        assert await seen.page.evaluate(tall) < 200, f"{view}: squeezed cells make its rows tall"


async def accessible_in_both(seen: Opened) -> None:
    """In the language that the page speaks, on the screen that it has; then in the other one on the smallest."""
    spoken = await seen.page.evaluate("document.documentElement.lang")
    assert await seen.accessibility() == []
    await seen.page.set_viewport_size(NARROWEST)
    assert await seen.overflow_px() == 0
    await seen.speak(next(name for name in LANGUAGES if name[:2] != spoken))
    assert await seen.accessibility() == []
    assert await seen.overflow_px() == 0


async def test_a_look_is_previewed_with_its_contrast_in_words_and_worn(browser: Browser, server: Running) -> None:
    await server.api("POST", "/venues", {"id": "look", "name": "Maison"}, status=201)
    await server.room("look", venue="look")
    picture = io.BytesIO()
    Image.new("RGB", (320, 180), "white").save(picture, "PNG")
    async with opened(browser, await link(server, "admin", view="venues/look")) as seen:
        page = seen.page
        await page.locator("[name=colour]").fill("#FFE600")
        await page.get_by_role("status").filter(has_text="A darker one is used, #").wait_for()
        cover = page.locator("input[type=file]").nth(1)
        await cover.set_input_files({"name": "c.png", "mimeType": "image/png", "buffer": picture.getvalue()})
        await seen.holds("document.querySelector('img.wide')?.naturalWidth === 320")
        await accessible_in_both(seen)
        await page.get_by_role("status").filter(has_text="Une plus foncée sert à sa place, #").wait_for()
        await page.locator("form button[type=submit]").click()
        await seen.holds("!document.querySelector('[name=colour]')")
        await page.goto(f"{server.url}/watch/look")
        # It is there before the page's program is.
        band = "getComputedStyle(document.documentElement).getPropertyValue('--color-band')"
        assert await page.evaluate(band) == "#ffe600"


async def test_what_is_left_out_says_that_it_leaves_the_live_window_and_forget_stands_beside_it(
    browser: Browser, server: Running
) -> None:
    """A press is tried once, in one of the languages; both have words for all of it."""
    session = await recorded(server, "cut")
    from_ms = session["started_at_ms"] + 1_000
    stretch = [moment_of(from_ms), moment_of(from_ms + 1_000)]
    view = f"recordings/{session['id']}"
    async with opened(browser, await link(server, "admin", view=view), width=320, height=700) as seen:
        page = seen.page
        await seen.text(re.compile("leaves the live window at once"))
        await cut_by_keys(page, WORDS["en-GB"])
        words = WORDS["fr-FR"]
        await seen.speak("fr-FR")
        await seen.text(re.compile("le direct"))
        await page.get_by_role("slider", name=words["wave"]).wait_for()
        await page.get_by_role("button", name=words["begin"]).wait_for()
        for label, text in zip(words["edges"], stretch, strict=True):
            await page.get_by_label(label, exact=True).fill(text)
        await page.get_by_role("button", name=words["add"]).click()
        forget = page.get_by_role("button", name=words["forget"]).last
        edited = await forget.element_handle()
        await page.get_by_role("button", name=words["save"]).click()
        # The new edition gets a new editor, which takes the old one's dialog away.
        await edited.wait_for_element_state("hidden")
        await forget.wait_for()
        await accessible_in_both(seen)
        words = WORDS["en-GB"]
        await page.get_by_role("button", name=words["add"]).wait_for()
        await page.get_by_role("button", name=words["save"]).wait_for()
        await page.get_by_role("button", name=words["forget"]).last.focus()
        await page.keyboard.press("Enter")
        await page.get_by_role("dialog").get_by_role("button", name=words["sure"]).click()
        await seen.text(re.compile(words["done"]))
        await seen.speak("fr-FR")
        await approved_by_link(browser, server, page, session["id"])
        entry = (await server.api("GET", "/audit?kind=room&id=cut"))["items"][0]
        assert entry["action"] == "media.forget"
        assert abs(entry["details"]["from_ms"] - from_ms) <= 1


async def cut_by_keys(page: Page, words: dict[str, Any]) -> None:
    """The material plays, and a key sets the cut's beginning at the picture that is shown. One press takes it back."""
    wave, begins = page.get_by_role("slider", name=words["wave"]), page.get_by_label(words["time"]).first
    video = page.get_by_label(words["picture"])
    await expect(page.get_by_role("button", name=words["begin"])).to_be_enabled(timeout=PATIENCE_MS)
    before = await begins.input_value()
    shown_s = await video.evaluate("video => video.currentTime")
    await wave.focus()
    await page.keyboard.press("ArrowRight")
    await until_answered(lambda: later(video, shown_s + 0.5))
    await page.keyboard.press(".")
    await page.keyboard.press("i")
    await expect(begins).not_to_have_value(before)
    await page.get_by_role("button", name=words["undo"]).click()
    await expect(begins).to_have_value(before)


async def approved_by_link(browser: Browser, server: Running, page: Page, session: str) -> None:
    """The speaker sees the cut by the link, without a login, and approves it."""
    words = WORDS["fr-FR"]
    panel = page.locator("section", has=page.get_by_role("heading", name=words["approval"]))
    await panel.get_by_role("textbox").first.fill("Zoé")
    await panel.get_by_role("button", name=words["ask"]).click()
    address = await panel.get_by_label(re.compile("Zoé")).first.input_value()
    async with opened(browser, address, width=320, height=700) as speaker:
        video = speaker.page.locator("video")
        await until_answered(lambda: shows(video))
        assert "token" not in speaker.page.url
        await speaker.page.get_by_role("button", name=WORDS["en-GB"]["approve"]).wait_for()
        await accessible_in_both(speaker)
        await speaker.page.get_by_role("button", name=words["approve"]).click()
        await speaker.text(re.compile(words["thanks"]))
    assert (await server.api("GET", f"/recordings/{session}"))["approval"] == "approved"


async def shows(video: Locator) -> bool:
    return bool(await video.evaluate("video => video.readyState >= 2 && video.duration > 1"))


async def later(video: Locator, than_s: float) -> bool:
    return bool(await video.evaluate("(video, than) => video.currentTime > than", than_s))


WORDS: dict[str, dict[str, Any]] = {
    "en-GB": {
        "edges": ("From", "To"),
        "add": "Leave out a stretch",
        "save": "Make this cut",
        "forget": "Forget…",
        "sure": "Forget for good",
        "done": "Forgotten: ",
        "wave": "Recorded sound",
        "picture": "The recorded picture",
        "begin": "Begin here",
        "undo": "Undo",
        "time": "Time of day",
        "approval": "Speaker’s approval",
        "ask": "Ask for approval",
        "approve": "Approve",
        "thanks": "You have approved",
    },
    "fr-FR": {
        "edges": ("De", "À"),
        "add": "Omettre un passage",
        "save": "Faire cette coupe",
        "forget": "Oublier…",
        "sure": "Oublier pour de bon",
        "done": "Oublié",
        "wave": "Son enregistré",
        "picture": "L’image enregistrée",
        "begin": "Commencer ici",
        "undo": "Annuler",
        "time": "Heure",
        "approval": "Accord de l’intervenant",
        "ask": "Demander l’accord",
        "approve": "Approuver",
        "thanks": "Vous avez approuvé",
    },
}


def moment_of(at_ms: int) -> str:
    """As the page writes times of day at the venue."""
    return datetime.fromtimestamp(at_ms / 1000, ZoneInfo("Europe/Paris")).strftime("%H:%M:%S.%f")[:-3]


async def recorded(server: Running, room: str) -> dict[str, Any]:
    """A session of six seconds that is just over, with its recording: the programme lies on the disk already."""
    await server.room(room, name=room, venue="asso")
    start = datetime.now(UTC) - timedelta(seconds=8)
    write_programme(server.data / "rooms" / room, room, epoch_ms=round(start.timestamp() * 1000), seconds=8)
    body = {"room": room, "title": "Enregistrée", "start": start.isoformat()}
    body["end"] = (start + timedelta(minutes=30)).isoformat()
    session = await server.api("POST", "/sessions", body, status=201)
    path = f"/sessions/{session['id']}"
    await server.api("POST", f"{path}/start", {"at": (start + timedelta(seconds=1)).isoformat()}, status=200)
    await server.api("POST", f"{path}/end", {}, status=200)

    async def ready() -> bool:
        return bool((await server.api("GET", f"/recordings/{session['id']}")).get("state") == "ready")

    await until_answered(ready, limit_s=60)
    return dict(await server.api("GET", path))
