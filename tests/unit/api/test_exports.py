"""Exports over a real database and a real HTTP server: what is public, and nothing else."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from streamer.api import exports
from streamer.api.addresses import Proxies
from streamer.api.admin_token import AdminToken
from streamer.api.context import SERVICES
from streamer.api.limits import RateLimit
from streamer.api.middlewares import errors
from streamer.conference.airing import PublicSession, PublicStatus
from streamer.conference.delays import ShownTimes
from streamer.conference.rooms import Room, Venue
from streamer.conference.sessions import Event, Flag, Kind, Session, SessionState, Visibility
from streamer.control.messages import RoomConfig
from streamer.errors import NotFound
from streamer.store.database import Database
from streamer.store.events import Events
from streamer.store.rooms import Rooms
from streamer.store.sessions import Sessions
from streamer.store.venues import Venues
from tests.fakes.broadcast import FakeBroadcast
from tests.fakes.media_plane import FakePlane
from tests.fakes.schedule_rules import check_json, check_xml
from tests.unit.api.conftest import Api, Client

URL = "http://streamer.test"
HOUR_MS = 3_600_000
NOON_MS = 1_780_308_000_000  # 2026-06-01T10:00:00Z, noon in Paris


def session(name: str, **fields: Any) -> Session:
    known: dict[str, Any] = {
        "id": f"id-{name}", "room": "a", "title": f"Title {name}", "start_ms": NOON_MS, "end_ms": NOON_MS + HOUR_MS,
    }  # fmt: skip
    return Session(**(known | fields))


def closed(name: str, visibility: Visibility = Visibility.PRIVATE, **fields: Any) -> Session:
    return session(
        name,
        visibility=visibility,
        subtitle=f"Sub {name}",
        speakers=(f"Speaker {name}",),
        track=f"Track {name}",
        tags=(f"tag-{name}",),
        **fields,
    )


@dataclass
class PublicRooms:
    """A director that knows what it is told."""

    known: dict[str, PublicStatus] = field(default_factory=dict)

    def public_status(self, room_id: str) -> PublicStatus:
        if room_id not in self.known:
            raise NotFound("There is no such room.")
        return self.known[room_id]


@dataclass
class World:
    client: TestClient[web.Request, web.Application]
    database: Database
    public_rooms: PublicRooms
    states: dict[str, str]
    plane: FakePlane

    async def add(self, *sessions: Session) -> None:
        async with self.database.write() as connection:
            await Sessions(connection).add_many(sessions)

    async def save(self, changed: Session) -> None:
        async with self.database.write() as connection:
            await Sessions(connection).save_many((changed,))

    async def get(self, path: str, *, status: int = 200, **headers: str) -> bytes:
        async with self.client.get(path, headers=headers) as response:
            body = await response.read()
            assert response.status == status, body
            return body

    async def streams(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(await self.get("/streams/v2.json"))
        return found

    async def room(self, room_id: str) -> dict[str, Any]:
        found = [
            room
            for conference in await self.streams()
            for group in conference["groups"]
            for room in group["rooms"]
            if room["slug"] == room_id
        ]
        assert len(found) == 1
        return dict(found[0])


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    async with database.write() as connection:
        await Venues(connection).add(Venue("v", "Maison", language="fr"))
        await Venues(connection).add(Venue("w", "Halle"))
        await Rooms(connection).add(Room("a", "Salle", venue="v"))
        await Rooms(connection).add(Room("b", "Salle", venue="w"))
        await Rooms(connection).add(Room("c", "Atelier", venue="v", guid="6b1f0a52-8d0e-4c1c-9d1b-2f0c4f1c7e35"))
        await Events(connection).add(Event("jdll", "JDLL 2026", venue="v", acronym="jdll2026"))
        await Events(connection).add(Event("council", "Secret Council", venue="v"))
    public_rooms, states = PublicRooms(), {}
    plane = FakePlane()
    services = SimpleNamespace(
        database=database,
        director=public_rooms,
        public_url=URL,
        plane=plane,
        state_of=lambda room: states.get(room, "off"),
        exports=RateLimit(600, burst=300),
        proxies=Proxies(["127.0.0.1"]),
        admin_token=AdminToken("", RateLimit(1)),
    )
    app = web.Application(middlewares=[errors])
    app[SERVICES] = services  # type: ignore[assignment]
    exports.add_routes(app)
    client: TestClient[web.Request, web.Application] = TestClient(TestServer(app))
    await client.start_server()
    yield World(client, database, public_rooms, states, plane)
    await client.close()


async def test_what_is_public_is_in_all_three_files(world: World) -> None:
    await world.add(
        session("x", event="jdll", speakers=("Ada",), url="https://jdll.org/x", kind=Kind.WORKSHOP, external_id="17"),
        session("off", room="b", state=SessionState.CANCELLED),
    )
    root = check_xml(await world.get("/schedule.xml"))
    assert [room.get("name") for room in root.findall("day/room")] == ["Salle (Maison)", "Salle (Halle)", "Atelier"]
    event = root.find("day/room/event")
    assert event is not None
    assert event.get("id") == "17"
    assert event.findtext("url") == f"{URL}/session/id-x"
    assert event.findtext("date") == "2026-06-01T12:00:00+02:00"
    assert [link.get("href") for link in event.findall("links/link")] == ["https://jdll.org/x"]
    assert root.findtext("url") == f"{URL}/schedule.xml"
    conference = check_json(await world.get("/schedule.json?event=jdll"))
    assert (conference["title"], conference["acronym"]) == ("JDLL 2026", "jdll2026")
    assert [room["name"] for room in conference["rooms"]] == ["Salle", "Atelier"]
    assert conference["rooms"][1]["guid"] == "6b1f0a52-8d0e-4c1c-9d1b-2f0c4f1c7e35"
    calendar = (await world.get("/schedule.ics")).decode()
    assert "SUMMARY:Title x" in calendar
    assert "STATUS:CANCELLED" in calendar
    assert f"URL:{URL}/session/id-x" in calendar
    assert "Title off" not in (await world.get("/schedule.xml")).decode()


async def test_nothing_tells_of_closed_sessions(world: World) -> None:
    before = {
        path: await world.get(path)
        for path in (
            "/schedule.xml", "/schedule.json", "/schedule.ics", "/schedule.xml?room=c", "/schedule.ics?room=c",
            "/schedule.json?event=jdll", "/schedule.xml?event=council", "/schedule.ics?event=council&room=c",
            "/streams/v2.json",
        )
    }  # fmt: skip
    await world.add(
        closed("p", room="c", event="council"),
        closed("u", Visibility.UNLISTED, room="c", event="jdll", guid="6b1f0a52-8d0e-4c1c-9d1b-000000000000"),
    )
    for path, body in before.items():
        assert await world.get(path) == body, path
    missing = await world.get("/schedule.ics?session=nothing", status=404)
    for name in ("id-p", "id-u"):
        assert await world.get(f"/schedule.ics?session={name}", status=404) == missing


async def test_a_session_that_becomes_private_is_gone_at_once(world: World) -> None:
    public = session("x")
    await world.add(public)
    async with world.client.get("/schedule.xml") as response:
        tag = response.headers["ETag"]
    await world.save(replace(public, visibility=Visibility.PRIVATE))
    assert b"Title x" not in await world.get("/schedule.xml", **{"If-None-Match": tag})


async def test_a_poll_that_finds_nothing_new_costs_nothing(world: World) -> None:
    await world.add(session("x"), closed("p", room="b"))
    for path in ("/schedule.xml", "/schedule.json", "/schedule.ics", "/streams/v2.json"):
        async with world.client.get(path) as response:
            tag = response.headers["ETag"]
            first = await response.read()
            assert response.headers["Access-Control-Allow-Origin"] == "*"
            assert response.headers["Cache-Control"].startswith("public, max-age=")
        assert await world.get(path, status=304, **{"If-None-Match": f'"other", {tag}'}) == b""
        async with world.client.head(path) as response:
            assert response.status == 200
            assert response.headers["ETag"] == tag
            assert await response.read() == b""
        async with world.client.get(path, headers={"Accept-Encoding": "gzip"}) as response:
            assert response.headers["Content-Encoding"] == "gzip"
            assert await response.read() == first
        async with world.client.options(path) as response:
            assert response.headers["Access-Control-Allow-Headers"] == "If-None-Match"
    async with world.client.get("/schedule.xml") as response:
        tag = response.headers["ETag"]
    # A closed session that changes is no news.
    await world.save(closed("p", room="b", title="Another"))
    await world.get("/schedule.xml", status=304, **{"If-None-Match": tag})
    await world.save(session("x", title="New title"))
    assert b"New title" in await world.get("/schedule.xml", **{"If-None-Match": tag})


async def test_content_types(world: World) -> None:
    await world.add(session("x", title="Été à Brest"))
    for path, wanted in (
        ("/schedule.xml", "application/xml; charset=utf-8"),
        ("/schedule.json", "application/json; charset=utf-8"),
        ("/schedule.ics", "text/calendar; charset=utf-8; method=PUBLISH"),
        ("/streams/v2.json", "application/json; charset=utf-8"),
    ):
        async with world.client.get(path) as response:
            assert response.headers["Content-Type"] == wanted
    async with world.client.get("/schedule.ics?session=id-x") as response:
        assert response.headers["Content-Disposition"] == 'attachment; filename="ete-a-brest.ics"'
        assert (await response.text()).count("BEGIN:VEVENT") == 1


async def test_a_calendars_stamp_moves_with_the_session_only(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.add(session("x"), session("y", room="b"))

    async def stamps_at(time_ms: int) -> dict[str, str]:
        monkeypatch.setattr(exports, "now_ms", lambda: time_ms)
        lines = (await world.get("/schedule.ics")).decode().split("\r\n")
        starts = [index for index, line in enumerate(lines) if line == "BEGIN:VEVENT"]
        found = {}
        for start in starts:
            event = dict(line.split(":", 1) for line in lines[start : lines.index("END:VEVENT", start)])
            found[event["SUMMARY"]] = event["DTSTAMP"]
        return found

    first = await stamps_at(NOON_MS)
    assert first == {"Title x": "20260601T100000Z", "Title y": "20260601T100000Z"}
    await world.save(session("x", abstract="More", sequence=1))
    assert await stamps_at(NOON_MS + 60_000) == {"Title x": "20260601T100100Z", "Title y": "20260601T100000Z"}
    await world.save(session("y", room="b", changed_ms=NOON_MS + 120_000))
    assert (await stamps_at(NOON_MS + 180_000))["Title y"] == "20260601T100200Z"


async def test_delays_are_in_the_files_and_overruns_are_not(world: World) -> None:
    late = session(
        "x", start_ms=NOON_MS + HOUR_MS, end_ms=NOON_MS + 2 * HOUR_MS, delay_ms=HOUR_MS, state=SessionState.OVERRUN
    )
    await world.add(late)
    event = ET.fromstring(await world.get("/schedule.xml")).find("day/room/event")
    assert event is not None
    assert event.findtext("start") == "13:00"
    assert event.findtext("duration") == "01:00"


async def test_streams_tell_what_is_on_now_and_next(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "now_ms", lambda: NOON_MS + HOUR_MS + 300_000)
    now = session("x", event="jdll", speakers=("Ada", "Bob"), track="Main", state=SessionState.OVERRUN)
    then = session("y", event="jdll", start_ms=NOON_MS + HOUR_MS, end_ms=NOON_MS + 2 * HOUR_MS, do_not_stream=Flag.YES)
    await world.add(now, then)
    world.states |= {"a": "live", "b": "slate"}
    world.public_rooms.known["a"] = PublicStatus(
        "overrun",
        "programme",
        current=PublicSession(now, ShownTimes(NOON_MS, NOON_MS + HOUR_MS + 600_000)),
        next=PublicSession(then, ShownTimes(NOON_MS + HOUR_MS + 600_000, NOON_MS + 2 * HOUR_MS + 600_000)),
    )
    link = await world.plane.ensure(RoomConfig("a", "Salle"))
    FakeBroadcast(link.feed, room="a").open()
    conferences = await world.streams()
    assert [(c["slug"], c["conference"], c["isCurrentlyStreaming"]) for c in conferences] == [
        ("jdll", "JDLL 2026", True),
        ("v", "Maison", False),
        ("w", "Halle", False),
    ]
    jdll = conferences[0]
    assert jdll["startsAt"] == "2026-06-01T12:00:00+02:00"
    assert jdll["endsAt"] == "2026-06-01T14:00:00+02:00"
    assert jdll["schedule"] == f"{URL}/schedule.xml?event=jdll"
    assert [group["group"] for group in jdll["groups"]] == ["Maison"]
    room = jdll["groups"][0]["rooms"][0]
    current = room["talks"]["current"]
    assert current["title"] == "Title x"
    assert current["speaker"] == "Ada, Bob"
    assert (current["fstart"], current["fend"]) == ("2026-06-01T12:00:00+02:00", "2026-06-01T13:10:00+02:00")
    assert (current["tstart"], current["tend"], current["offset"]) == ("12:00", "13:10", 7200)
    assert (current["start"], current["duration"]) == (NOON_MS // 1000, 4200)
    assert current["url"] == f"{URL}/session/id-x"
    assert room["talks"]["next"]["tstart"] == "13:10"
    assert room["talks"]["next"]["optout"] is True
    stream = room["streams"][0]
    assert stream["urls"]["hls"]["url"] == f"{URL}/live/a/index.m3u8"
    assert (stream["type"], stream["videoSize"]) == ("video", [1280, 720])
    assert room["thumb"] == f"{URL}/live/a/still.jpg"
    assert room["link"] == f"{URL}/watch/a"
    assert room["schedulename"] == "Salle (Maison)"
    assert (await world.room("b"))["isCurrentlyStreaming"] is False
    assert (await world.room("c"))["talks"] == {"current": None, "next": None}


async def test_a_reserved_room_says_reserved_and_until_when(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "now_ms", lambda: NOON_MS + 1_234_567)
    secret = closed("p", start_ms=NOON_MS, end_ms=NOON_MS + HOUR_MS, state=SessionState.ON_AIR, event="council")
    await world.add(secret)
    world.states["a"] = "slate"
    shown = PublicSession(secret, ShownTimes(NOON_MS, NOON_MS + HOUR_MS))
    # Even if the public status tells too much.
    world.public_rooms.known["a"] = PublicStatus(
        "reserved", "slate", current=shown, next=shown, reserved_until_ms=NOON_MS + HOUR_MS
    )
    text = (await world.get("/streams/v2.json")).decode()
    for word in ("id-p", "key-p", "Title p", "Sub p", "Speaker p", "Track p", "tag-p", "council", "Council"):
        assert word not in text, word
    room = await world.room("a")
    assert room["reservedUntil"] == "2026-06-01T13:00:00+02:00"
    assert room["isCurrentlyStreaming"] is False
    current = room["talks"]["current"]
    assert current["title"] == "Réservée jusqu’à 13:00"
    assert current["special"] == "reserved"
    # Its beginning is nobody's business.
    assert current["fstart"] == "2026-06-01T12:20:00+02:00"
    assert room["talks"]["next"] is None


async def test_events_long_over_are_no_conferences_and_their_rooms_stand_under_their_venues(world: World) -> None:
    await world.add(session("x", event="jdll", start_ms=NOON_MS - 5000 * HOUR_MS, end_ms=NOON_MS - 4999 * HOUR_MS))
    assert [conference["slug"] for conference in await world.streams()] == ["v", "w"]


async def test_odd_questions_are_answered_kindly(world: World) -> None:
    for query in ("event=%00", "room=../x", "session=" + "x" * 99, "room=nowhere"):
        async with world.client.get(f"/schedule.xml?{query}") as response:
            assert response.status == 404
            assert (await response.json())["error"]["code"] == "not_found"
            assert response.headers["Access-Control-Allow-Origin"] == "*"
    check_xml(await world.get("/schedule.xml?event=&room="))
    check_xml(await world.get("/schedule.xml?event=jdll"))


async def test_through_the_director_a_private_hour_is_reserved(client: Client, api: Api) -> None:
    await api("POST", "/rooms", {"id": "r", "name": "R"})
    now = datetime.now(UTC).replace(microsecond=0)

    async def plan(title: str, start: timedelta, end: timedelta, **fields: str) -> None:
        times = {"start": (now + start).isoformat(), "end": (now + end).isoformat()}
        await api("POST", "/sessions", {"room": "r", "title": title, **times, **fields})

    await plan("Secret meeting", timedelta(minutes=-5), timedelta(minutes=30), visibility="private")
    await plan("Open talk", timedelta(minutes=40), timedelta(minutes=80))
    async with client.get("/streams/v2.json") as response:
        text = await response.text()
    assert "Secret" not in text
    room = json.loads(text)[0]["groups"][0]["rooms"][0]
    assert room["talks"]["current"]["special"] == "reserved"
    assert datetime.fromisoformat(room["reservedUntil"]) >= now + timedelta(minutes=30)
    assert room["talks"]["next"]["title"] == "Open talk"
    async with client.get("/schedule.ics") as response:
        text = await response.text()
    assert "Open talk" in text
    assert "Secret" not in text
