"""The first byte of the audience's pages: heads, text and oEmbed of public content, and nothing of any other."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from streamer.api import summaries
from streamer.api.context import SERVICES
from streamer.api.oembed import size
from streamer.api.summaries import shortened
from streamer.api.summary_markup import Reader, reader_of
from streamer.conference.captions import Cue
from streamer.errors import Unavailable
from streamer.store.captions import Captions
from streamer.store.database import Database
from tests.fakes.media_plane import FakePlane, on_air
from tests.fakes.studio import Studio
from tests.unit.api.conftest import Api, Client
from tests.unit.api.test_recordings import studio as studio

NASTY = 'Q&A: </script><!-- "Été" <b> \' & co'


class Page(HTMLParser):
    """A page as a reader without JavaScript sees it, and as services that show links read its head."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.meta: dict[str, str] = {}
        self.links: dict[str, str] = {}
        self.data: list[dict[str, Any]] = []
        self.tags: list[str] = []
        self.hrefs: set[str] = set()
        self.title = self.text = self.lang = ""
        self._inside: list[str] = []
        self._block = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        if tag == "html":
            self.lang = told["lang"]
        if tag == "meta" and "content" in told:
            self.meta[told.get("property") or told.get("name", "")] = told["content"]
        elif tag == "a":
            self.hrefs.add(told.get("href", ""))
        elif tag == "link":
            self.links[told.get("type") or told["rel"]] = told["href"]
        elif tag in ("title", "script", "style"):
            self._inside.append(tag)
            self._block = told.get("type", "")

    def handle_endtag(self, tag: str) -> None:
        if self._inside and self._inside[-1] == tag:
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        if "title" in self._inside:
            self.title += data
        elif self._inside:
            if self._block == "application/ld+json":
                self.data = json.loads(data)["@graph"]
        else:
            self.text += f" {data}"

    def told(self, kind: str) -> dict[str, Any]:
        return next(item for item in self.data if item["@type"] == kind)


async def read(client: Client, path: str, status: int = 200, headers: dict[str, str] | None = None) -> Page:
    async with client.get(path, headers=headers or {}) as response:
        text = await response.text()
        assert response.status == status, text
        return Page(text)


def times(minutes: float, length: float = 30) -> dict[str, str]:
    start = datetime.now(UTC) + timedelta(minutes=minutes)
    return {"start": start.isoformat(), "end": (start + timedelta(minutes=length)).isoformat()}


@pytest.fixture
async def talk(api: Api, plane: FakePlane) -> dict[str, Any]:
    """A talk on air in a room of a venue, and one after it."""
    await api("POST", "/venues", {"id": "v", "name": "Maison & fils"})
    await api("POST", "/rooms", {"id": "salle", "name": "Salle", "venue": "v"})
    await api("POST", "/events", {"id": "days", "name": "Two days", "venue": "v"})
    plane.rooms["salle"] = on_air()
    body = {
        "room": "salle",
        "event": "days",
        "title": NASTY,
        "abstract": f"About {NASTY}.",
        "speakers": ["Ada Lovelace", "Bob <i>"],
        "tags": ["<u>tag"],
        "language": "fr",
    }
    made = await api("POST", "/sessions", {**body, **times(-5)})
    await api("POST", "/sessions", {"room": "salle", "title": "The next one", "speakers": ["Eve"], **times(60)})
    started: dict[str, Any] = await api("POST", f"/sessions/{made['id']}/start", {}, expect=200)
    return started


async def test_a_rooms_page_tells_of_the_session_on_air(client: Client, talk: dict[str, Any]) -> None:
    page = await read(client, "/watch/salle")
    url = "http://streamer.test/watch/salle"
    assert page.title == f"{NASTY} – Salle · Streamer"
    assert page.meta["og:title"] == f"{NASTY} – Salle"
    assert page.meta["og:url"] == page.links["canonical"] == url
    assert page.meta["og:site_name"] == "Maison & fils"
    assert page.meta["og:image"] == "http://streamer.test/live/salle/still.jpg"
    assert page.meta["og:video"] == "http://streamer.test/embed/salle"
    assert page.meta["twitter:card"] == "summary_large_image"
    for part in ("Ada Lovelace, Bob <i>", "Salle, Maison & fils", f"About {NASTY}."):
        assert part in page.meta["og:description"]
    video = page.told("VideoObject")
    assert (video["name"], video["inLanguage"]) == (NASTY, "fr")
    assert video["thumbnailUrl"] == "http://streamer.test/live/salle/still.jpg"
    event = video["publication"]
    assert (event["@type"], event["isLiveBroadcast"]) == ("BroadcastEvent", True)
    assert [person["name"] for person in event["performer"]] == ["Ada Lovelace", "Bob <i>"]
    assert event["superEvent"]["name"] == "Two days"
    assert datetime.fromisoformat(event["startDate"]).utcoffset() is not None
    for part in (NASTY, "Ada Lovelace, Bob <i>", "Salle, Maison & fils", f"About {NASTY}.", "The next one", "Eve"):
        assert part in page.text
    assert not {"b", "i", "u"} & set(page.tags)


async def test_the_text_is_painted_before_the_programs_styles_are_there(client: Client, talk: dict[str, Any]) -> None:
    for path, page in (("/", "index"), ("/watch/salle", "watch"), (f"/session/{talk['id']}", "session")):
        async with client.get(path) as response:
            html = await response.text()
        style = f'<link rel="stylesheet" href="/assets/{page}.css">'
        assert html.count(style) == 1
        assert html.index("<style>") < html.index('<main class="first">') < html.index("</main>") < html.index(style)


async def test_the_home_page_lists_what_is_on_and_next(client: Client, talk: dict[str, Any]) -> None:
    page = await read(client, "/", headers={"Accept-Language": "fr"})
    assert page.lang == "fr"
    for part in ("En direct", NASTY, "Salle, Maison & fils", "Ensuite", "The next one"):
        assert part in page.text
    assert [item["name"] for item in page.data if item["@type"] == "BroadcastEvent"] == [NASTY, "The next one"]


async def test_a_venue_stands_under_its_own_name(client: Client, api: Api, talk: dict[str, Any]) -> None:
    await api("PATCH", "/venues/v", {"colour": "#0b7a4b"})
    home = await read(client, "/")
    assert home.meta["og:title"] == home.meta["og:site_name"] == home.told("WebSite")["name"] == "Maison & fils"
    # The name of the venue is in that of the room already.
    await api("POST", f"/sessions/{talk['id']}/end", {}, expect=200)
    assert (await read(client, "/watch/salle")).title == "Salle, Maison & fils"


async def test_a_sessions_page_tells_of_it_before_during_and_after(
    client: Client, api: Api, talk: dict[str, Any]
) -> None:
    page = await read(client, f"/session/{talk['id']}")
    assert page.title == f"{NASTY} · Streamer"
    assert page.told("VideoObject")["embedUrl"] == f"http://streamer.test/embed/salle?session={talk['id']}"
    for part in ("Two days", NASTY, "<u>tag", f"About {NASTY}."):
        assert part in page.text
    later = await api("POST", "/sessions", {"room": "salle", "title": "Tomorrow", **times(24 * 60)})
    page = await read(client, f"/session/{later['id']}")
    assert page.told("BroadcastEvent")["isLiveBroadcast"] is False
    assert "Not started yet" in page.text
    assert "og:image" not in page.meta
    await api("POST", f"/sessions/{later['id']}/cancel", {}, expect=200)
    page = await read(client, f"/session/{later['id']}")
    assert page.told("BroadcastEvent")["eventStatus"] == "https://schema.org/EventCancelled"
    assert "Cancelled" in page.text


async def test_a_replays_page_has_its_transcript_and_nothing_of_what_is_cut(
    client: Client, api: Api, database: Database, studio: Studio
) -> None:
    async with database.write() as connection:
        for second, session in ((1.0, "talk"), (3.0, "talk"), (7.0, "talk"), (9.0, "board")):
            at_ms = studio.at(second)
            cue = Cue(f"c{second}", "salle", "fr", f"<said> at {second}", at_ms, at_ms, at_ms + 1, at_ms, "g", session)
            await Captions(connection).add(cue)
    page = await read(client, "/session/talk")
    assert "<said> at 3.0 <said> at 7.0" in page.text
    assert "at 1.0" not in page.text
    assert "at 9.0" not in page.text
    assert page.told("VideoObject")["duration"] == "PT6S"
    archive = await read(client, "/archive", headers={"Accept-Language": "fr"})
    assert (archive.lang, archive.title, archive.meta["og:title"]) == (
        "fr",
        "Sessions passées · Streamer",
        "Sessions passées",
    )
    assert "/session/talk" in archive.hrefs
    await api("PATCH", "/recordings/talk", {"published": False})
    assert "/session/talk" not in (await read(client, "/archive")).hrefs
    page = await read(client, "/session/talk")
    assert "<said>" not in page.text
    assert [item["@type"] for item in page.data] == ["BroadcastEvent"]


async def test_a_closed_session_is_one_that_does_not_exist(client: Client, api: Api) -> None:
    await api("POST", "/rooms", {"id": "salle", "name": "Salle"})
    ids = ["nope"]
    for visibility in ("private", "unlisted"):
        body = {"room": "salle", "title": "Marmot", "visibility": visibility, **times(40 * len(ids) - 45)}
        ids.append((await api("POST", "/sessions", body))["id"])
    await api("POST", f"/sessions/{ids[1]}/start", {}, expect=200)
    # The first page of a browser gives a cookie.
    assert (await read(client, "/session/nope", 404, {"Accept-Language": "fr"})).lang == "fr"
    answers = []
    for name in ids:
        found = []
        for path in (f"/session/{name}", f"/oembed?url=http://streamer.test/session/{name}"):
            async with client.get(path) as response:
                kept = {key: response.headers.get(key) for key in ("Cache-Control", "Vary", "X-Robots-Tag", "ETag")}
                found.append((response.status, kept, (await response.text()).replace(name, "NAME")))
        answers.append(found)
    assert answers[0][0][0] == answers[0][1][0] == 404
    assert answers[1:] == answers[:1] * 2
    for path in ("/", "/watch/salle", "/oembed?url=http://streamer.test/watch/salle"):
        async with client.get(path) as response:
            assert "Marmot" not in await response.text()


async def test_it_is_gone_from_the_page_as_soon_as_it_is_closed(client: Client, api: Api, talk: dict[str, Any]) -> None:
    path = f"/session/{talk['id']}"
    assert NASTY in (await read(client, path)).text
    await api("PATCH", f"/sessions/{talk['id']}", {"visibility": "private"})
    page = await read(client, path, 404)
    assert (page.meta, page.data) == ({}, [])
    for other in ("/", "/watch/salle"):
        assert "Ada" not in (await read(client, other)).text


async def test_its_crew_gets_the_page_of_a_closed_session(client: Client, api: Api) -> None:
    await api("POST", "/rooms", {"id": "salle", "name": "Salle"})
    made = await api("POST", "/sessions", {"room": "salle", "title": "M", "visibility": "private", **times(5)})
    path, viewer = f"/session/{made['id']}", await api.grant("viewer", session=made["id"])
    assert (await read(client, path, 200, {"Authorization": f"Bearer {viewer}"})).meta == {}
    other = await api.grant("technician", room="salle")
    services = client.app[SERVICES]
    assert services.director.find(made["id"]) is not None
    await read(client, path, 404, {"Authorization": "Bearer nothing"})
    await read(client, path, 404)
    assert other


async def test_a_page_is_embedded_by_its_address(client: Client, talk: dict[str, Any]) -> None:
    for path, frame in (
        ("/watch/salle", "/embed/salle"),
        (f"/session/{talk['id']}", f"/embed/salle?session={talk['id']}"),
    ):
        page = await read(client, path)
        link = urlsplit(page.links["application/json+oembed"])
        assert parse_qs(link.query)["url"] == [f"http://streamer.test{path}"]
        async with client.get(f"{link.path}?{link.query}&maxwidth=640&maxheight=200") as response:
            assert response.status == 200
            assert response.headers["Access-Control-Allow-Origin"] == "*"
            told = await response.json()
        assert (told["type"], told["version"], told["width"], told["height"]) == ("video", "1.0", 355, 199)
        assert (told["title"].startswith(NASTY), told["author_name"]) == (True, "Ada Lovelace, Bob <i>")
        source = re.search(r'src="([^"]+)"', told["html"])
        assert source is not None
        assert source[1] == f"http://streamer.test{frame}"
        assert "<b>" not in told["html"]
        other = urlsplit(page.links["text/xml+oembed"])
        async with client.get(f"{other.path}?{other.query}") as response:
            assert response.content_type == "text/xml"
            assert "&lt;iframe" in await response.text()


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 400),
        ("?url=", 400),
        ("?url=http://streamer.test/watch/salle&format=yaml", 501),
        ("?url=http://streamer.test/watch/salle&maxwidth=wide", 400),
        ("?url=http://streamer.test/watch/nowhere", 404),
        ("?url=http://elsewhere.test/watch/salle", 404),
        ("?url=http://[", 404),
        ("?url=http://streamer.test/studio/salle", 404),
        ("?url=http://streamer.test/watch/salle/more", 404),
    ],
)
async def test_an_address_that_is_none_of_ours_is_refused(client: Client, api: Api, query: str, status: int) -> None:
    await api("POST", "/rooms", {"id": "salle", "name": "Salle"})
    async with client.get(f"/oembed{query}") as response:
        assert response.status == status


def test_a_frame_fits_into_what_the_other_site_has() -> None:
    assert size(None, None) == (960, 540)
    assert size(320, None) == (320, 180)
    assert size(None, 90) == (160, 90)
    assert size(5000, 5000) == (960, 540)


def test_a_clock_has_twelve_hours_where_the_readers_region_has() -> None:
    at = datetime(2026, 11, 24, 16, 31, tzinfo=UTC)
    for header, text in (
        ("en-US,en;q=0.9", "4:31 PM"),
        ("en-GB,en-US;q=0.9", "16:31"),
        ("en", "16:31"),
        ("de,en-Latn-US;q=0.5", "4:31 PM"),
    ):
        assert reader_of("en", header).clock(at) == text
    assert reader_of("fr", "fr-CA").clock(at) == "16:31"
    assert Reader("en", True).clock(at.replace(hour=0)) == "12:31 AM"


def test_a_long_text_is_cut_at_a_word() -> None:
    assert shortened("one  two\nthree", 100) == "one two three"
    assert shortened("one two, three", 9) == "one two…"


async def test_a_page_opens_while_the_database_does_not_answer(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    async def unavailable(*_: object) -> None:
        raise Unavailable("The database does not answer.")

    monkeypatch.setattr(summaries, "of_session", unavailable)
    async with client.get("/session/any") as response:
        assert (response.status, response.content_type) == (503, "text/html")
        assert "streamer-config" in await response.text()
