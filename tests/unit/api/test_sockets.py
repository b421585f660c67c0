"""Socket.IO in the whole application: real grants, cookies, revocations and the director's day."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import socketio
from aiohttp import web

from streamer.api.context import SERVICES
from streamer.api.edges import Edges
from streamer.control.messages import RoomConfig
from streamer.delivery.viewers import Viewers
from streamer.sections import EdgeSettings
from streamer.settings import Settings
from streamer.web.application import REALTIME, assemble
from streamer.web.viewers import tell_viewers, viewers_now
from tests.fakes.attendees import Attendee
from tests.fakes.everything_open import served
from tests.fakes.media_plane import FakePlane
from tests.fakes.stores import sqlite_store
from tests.fakes.waiting import in_time, until
from tests.unit.api.conftest import ADMIN, Api

URL = "http://streamer.test"


@dataclass
class Whole:
    api: Api
    url: str
    app: web.Application
    attendees: list[Attendee]

    async def connect(self, namespace: str = "/audience", headers: Any = None, **auth: Any) -> Attendee:
        attendee = Attendee(namespace)
        self.attendees.append(attendee)
        await attendee.connect(self.url, auth, ["websocket"], headers or {})
        return attendee

    async def plan(self, title: str, **fields: Any) -> Any:
        start = datetime.now(UTC)
        times = {"start": start.isoformat(), "end": (start + timedelta(minutes=45)).isoformat()}
        return await self.api("POST", "/sessions", {"room": "hall", "title": title, **times, **fields})


@pytest.fixture
async def whole(settings: Settings) -> AsyncIterator[Whole]:
    database = sqlite_store(settings.data)
    await database.start()
    plane = FakePlane()
    app = assemble(settings, database, plane, public_url=URL)
    stack = AsyncExitStack()
    client = await stack.enter_async_context(served(app, settings, plane))
    director, realtime = app[SERVICES].director, app[REALTIME]
    await app[SERVICES].keys.start()
    await director.start()
    await app[SERVICES].audience.start()
    await realtime.start()
    whole = Whole(Api(client), str(client.make_url("")).rstrip("/"), app, [])
    await whole.api("POST", "/rooms", {"id": "hall", "name": "Hall"})
    realtime.feed.look()
    yield whole
    for attendee in whole.attendees:
        await attendee.close()
    await realtime.close()
    await app[SERVICES].audience.close()
    await director.close()
    await stack.aclose()
    await database.close()


async def test_a_tap_that_is_sent_again_is_one_over_both_ways(whole: Whole) -> None:
    token = await whole.api.grant("technician", room="hall")
    studio, rest = await whole.connect("/studio", room="hall", token=token), whole.api.as_(token)
    session = await whole.plan("A talk")

    async def twice(name: str, payload: Any, command_id: str) -> Any:
        first, again = [await studio.command(name, payload, {"id": command_id}) for _ in range(2)]
        assert first["ok"], first
        assert again == first
        return first

    started = await twice("session.start", {"id": session["id"]}, "k1")
    over_rest = await rest("POST", f"/sessions/{session['id']}/start", expect=200, Idempotency_Key='"k1"')
    assert over_rest["action"] == started["action"] is not None
    extended = await twice("session.extend", {"minutes": 5}, "k2")
    slate = await twice("air.slate", {"on": True}, "k3")
    assert (await studio.command("air.slate", {"on": False}))["ok"]
    over_rest = await rest("POST", "/rooms/hall/air", {"slate": True}, expect=200, Idempotency_Key='"k3"')
    assert over_rest["action"] == slate["action"]
    assert (await rest("GET", "/rooms/hall"))["slate"] is False
    line = await twice("crew.say", {"text": "Two minutes"}, "k4")
    await twice("undo", {"action": line["action"]}, "k5")
    await twice("session.end", {}, "k6")
    # The repeat is of that session, although none is on air any more.
    late = await studio.command("session.extend", {"minutes": 5}, {"id": "k2"})
    assert (late["action"], late["session"]["id"]) == (extended["action"], session["id"])
    assert (await studio.command("session.extend", {"minutes": 5}))["error"]["code"] == "nothing_on_air"
    other = await studio.command("session.extend", {"minutes": 10}, {"id": "k2"})
    assert other["error"]["code"] == "id_reused"
    for options in ({"id": ""}, {"id": "x" * 129}, {"key": "k"}, "k"):
        assert (await studio.command("air.slate", {"on": True}, options))["error"]["code"] == "invalid"


async def test_a_day_over_rest_and_sockets_is_one_day(whole: Whole) -> None:
    viewer = await whole.connect(room="hall")
    token = await whole.api.grant("technician", room="hall")
    studio = await whole.connect("/studio", room="hall", token=token)
    session = await whole.plan("A talk", speakers=["Ada"])
    planned = await viewer.told("session.changed", lambda data: data["title"] == "A talk")
    assert planned["data"]["speakers"] == ["Ada"]
    assert "key" not in planned["data"]
    started = await studio.command("session.start", {"id": session["id"]})
    assert started["session"]["state"] == "on_air"
    assert started["action"]
    seen = await whole.api("GET", f"/sessions/{session['id']}")
    assert seen["state"] == "on_air"
    on_air = await viewer.told("session.changed", lambda data: data["state"] == "on_air")
    assert set(on_air["data"]) == set(await whole.api.as_("")("GET", f"/sessions/{session['id']}"))
    await viewer.told("broadcast.changed", lambda data: data["word"] == "on_air")
    await whole.api("POST", f"/sessions/{session['id']}/end", {}, expect=200)
    await viewer.told("session.changed", lambda data: data["state"] == "ended")
    reopened = await whole.api("POST", f"/sessions/{session['id']}/reopen", {}, expect=200)
    undone = await studio.command("undo", {"action": reopened["action"]})
    assert undone["ok"], undone
    audit = await whole.api("GET", "/audit")
    assert any(item["action"] == "session.start" for item in audit["items"]), audit["items"][:3]


async def test_a_revoked_grant_is_out_within_a_second(whole: Whole) -> None:
    made = await whole.api("POST", "/grants", {"role": "technician", "room": "hall"})
    studio = await whole.connect("/studio", room="hall", token=made["token"])
    with in_time(1):
        await whole.api("DELETE", f"/grants/{made['id']}")
        await until(studio.disconnected.is_set)
    assert studio.closed[0]["error"]["code"] == "revoked"
    with pytest.raises(socketio.exceptions.ConnectionError):
        await whole.connect("/studio", room="hall", token=made["token"])
    assert whole.attendees[-1].error["error"]["code"] == "invalid_token"


async def test_a_login_opens_the_studio_until_it_ends(whole: Whole) -> None:
    token = await whole.api.grant("organiser")
    async with whole.api.client.post("/api/v1/login", json={"token": token}) as response:
        cookie = {"Cookie": f"streamer_session={response.cookies['streamer_session'].value}"}
    studio = await whole.connect("/studio", headers=cookie, room="*")
    assert studio.snapshots[0]["you"]["role"] == "organiser"
    assert (await studio.command("air.slate", {"on": True, "room": "hall"}))["ok"]
    async with whole.api.client.post("/api/v1/logout", headers={**cookie, "Origin": URL}) as response:
        assert response.status in (200, 204)
    await until(studio.disconnected.is_set)
    assert studio.closed[0]["error"]["code"] == "logged_out"


async def test_a_private_session_has_its_own_audience(whole: Whole) -> None:
    session = await whole.plan("Secret board meeting", visibility="private")
    viewer = await whole.connect(room="hall")
    with pytest.raises(socketio.exceptions.ConnectionError):
        await whole.connect(session=session["id"])
    token = await whole.api.grant("viewer", session=session["id"])
    member = await whole.connect(session=session["id"], token=token)
    seen = await whole.api.as_(token)("GET", f"/sessions/{session['id']}")
    assert member.snapshots[0]["session"]["key"] == seen["key"] != session["key"]
    await whole.api("POST", f"/sessions/{session['id']}/start", {}, expect=200)
    await member.told("session.changed", lambda data: data["state"] == "on_air")
    assert viewer.snapshots[0]["rooms"]["hall"]["broadcast"]["word"] == "reserved"
    await whole.api("POST", f"/sessions/{session['id']}/end", {}, expect=200)
    await viewer.told("broadcast.changed", lambda data: data["reserved_until"] is None)
    assert "Secret" not in viewer.text
    assert session["id"] not in viewer.text


async def test_other_sites_pages_are_refused_in_the_application_too(whole: Whole) -> None:
    path = "/socket.io/?EIO=4&transport=polling"
    forged = {"Origin": "https://evil.test", "X-Forwarded-Host": "evil.test", "X-Forwarded-Proto": "https"}
    async with whole.api.client.get(path, headers=forged) as response:
        assert response.status == 400
        assert (await response.json())["error"]["code"] == "origin_not_allowed"
    async with whole.api.client.get(path, headers={"Origin": URL}) as response:
        assert response.status == 200
    async with whole.api.client.get("/metrics") as response:
        assert "streamer_realtime_connections_total" in await response.text()
    assert (await whole.connect("/studio", room="*", token=ADMIN)).snapshots[0]["you"]["role"] == "admin"


async def test_who_watches_is_told_to_the_audience_and_counted(whole: Whole) -> None:
    viewer = await whole.connect(room="hall")
    services = whole.app[SERVICES]
    plane: Any = services.plane
    await plane.ensure(RoomConfig("hall", "Hall"))
    now = [1000.0]
    viewers = Viewers(lambda: now[0])
    for _ in range(24):
        viewers.asked("hall", "public", "video", None)
    now[0] += 3
    await tell_viewers(services, viewers)
    told = await viewer.told("presence", lambda data: data["hls"] == 4)
    assert told["data"]["viewers"] == 4


async def test_behind_edges_players_reports_count_but_none_of_a_closed_session(
    whole: Whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer = await whole.connect(room="hall")
    services = whole.app[SERVICES]
    plane: Any = services.plane
    await plane.ensure(RoomConfig("hall", "Hall"))
    for _ in range(3):
        assert await whole.api("POST", "/rooms/hall/playback", {"e": "t", "sta": "p"}, expect=204) is None
    assert viewers_now(services, Viewers(), "hall") == 0
    monkeypatch.setattr(services, "edges", Edges(EdgeSettings(addresses=("http://127.0.0.1:1",), secret="x" * 32)))
    await tell_viewers(services, Viewers())
    await viewer.told("presence", lambda data: data["hls"] == 3)
    closed = await whole.plan("Board", visibility="private")
    for tap in ("start", "end"):
        await whole.api("POST", f"/sessions/{closed['id']}/{tap}", {}, expect=200)
        assert viewers_now(services, Viewers(), "hall") == 0, "they may be the board's"
