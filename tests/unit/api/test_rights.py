"""Role x address, made from the permission table and really asked: by nobody, by a stranger's token, by each role with
a grant of each scope, inside and outside. Nothing that is asked for is kept: every write is rolled back."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import ClientSession, DummyCookieJar, web
from aiohttp.test_utils import TestClient, TestServer
from sqlalchemy.ext.asyncio import AsyncConnection

from streamer.api.context import SERVICES
from streamer.api.permissions import RULES, Open, Rule
from streamer.api.routes import ROUTES
from streamer.conference.grants import PERMISSIONS, Action, Grant, Role, Target, new_token
from streamer.conference.rooms import Room, Venue
from streamer.settings import Settings
from streamer.store import revision
from streamer.store.database import Database
from streamer.store.grants import Grants
from streamer.store.reach import reaching
from streamer.store.rooms import Rooms
from streamer.store.venues import Venues
from streamer.web.application import assemble
from tests.fakes.media_plane import FakePlane
from tests.fakes.planned import add_event, add_session
from tests.fakes.stores import sqlite_store
from tests.unit.api.conftest import bearer
from tests.unit.api.test_signalling import OFFER, SDP

EVERYTHING = Target()
VENUE, ROOM = Target(venue="in-venue"), Target(room="in-room", venue="in-venue")
EVENT = Target(venue="in-venue", event="in-event")
SESSION = Target(room="in-room", venue="in-venue", event="in-event", session="in-session")
SCOPES: tuple[dict[str, str], ...] = (
    {},
    *({kind: f"{side}-{kind}"} for kind in ("venue", "room", "event", "session") for side in ("in", "out")),
)
TIMES = {"start": "2030-01-01T09:00:00Z", "end": "2030-01-01T10:00:00Z"}


@dataclass(frozen=True)
class Question:
    """How an address is asked for so that nothing but rights can refuse it."""

    target: Target = EVERYTHING
    body: Any = None
    query: str = ""
    raw: tuple[str, str] | None = None
    """A body that is no JSON: content type and text."""
    missing: bool = False
    """There is nothing under the address, so that only the role can be seen to be asked."""
    absent: bool = False
    """404 may be the answer to whoever may: the room is off, or what was made has been rolled back."""

    def sent(self, headers: dict[str, str]) -> dict[str, Any]:
        """For the HTTP client."""
        if self.raw is not None:
            return {"data": self.raw[1], "headers": {**headers, "Content-Type": self.raw[0]}}
        return {"json": self.body, "headers": headers} if self.body is not None else {"headers": headers}


SDP_OFFER = (SDP["Content-Type"], OFFER)
CALENDAR = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:test
BEGIN:VEVENT
UID:1@test
DTSTAMP:20300101T000000Z
DTSTART:20300101T090000Z
DTEND:20300101T100000Z
SUMMARY:New
LOCATION:in
END:VEVENT
END:VCALENDAR
"""

QUESTIONS: dict[str, Question] = {
    "PUT /api/v1/password": Question(body={"password": "a password that is long"}),
    "GET /api/v1/audit": Question(ROOM, query="?room=in-room"),
    "GET /api/v1/count": Question(VENUE, query="?venue=in-venue"),
    # A logo belongs to nobody before a venue or an event names it: only the role is asked.
    "POST /api/v1/logos": Question(raw=("image/png", "no picture"), missing=True),
    "POST /api/v1/covers": Question(raw=("image/png", "no picture"), missing=True),
    "POST /api/v1/portraits": Question(raw=("image/png", "no picture"), missing=True),
    "POST /api/v1/venues": Question(body={"name": "New"}),
    "PATCH /api/v1/venues/{id}": Question(VENUE, {"name": "New"}),
    # Its rooms are in the way: that is told to whoever may.
    "DELETE /api/v1/venues/{id}": Question(VENUE),
    "POST /api/v1/rooms": Question(VENUE, {"id": "new", "name": "New", "venue": "in-venue"}, absent=True),
    "PATCH /api/v1/rooms/{id}": Question(ROOM, {"name": "New"}),
    "DELETE /api/v1/rooms/{id}": Question(ROOM),
    "POST /api/v1/events": Question(VENUE, {"name": "New", "venue": "in-venue"}),
    "PATCH /api/v1/events/{id}": Question(EVENT, {"name": "New"}),
    "DELETE /api/v1/events/{id}": Question(EVENT),
    "POST /api/v1/sessions": Question(
        Target("in-room", "in-venue", "in-event"), {"room": "in-room", "event": "in-event", "title": "New", **TIMES}
    ),
    "POST /api/v1/sessions/{id}/repeat": Question(SESSION, {"dates": ["2030-06-01"]}),
    "PATCH /api/v1/sessions/{id}": Question(SESSION, {"title": "New"}),
    "DELETE /api/v1/sessions/{id}": Question(SESSION),
    "GET /api/v1/sessions/{id}/audience": Question(SESSION),
    "POST /api/v1/sessions/{id}/start": Question(SESSION, {}),
    "POST /api/v1/sessions/{id}/end": Question(SESSION, {}),
    "POST /api/v1/sessions/{id}/extend": Question(SESSION, {"minutes": 5}),
    "POST /api/v1/sessions/{id}/delay": Question(SESSION, {"minutes": 5}),
    "POST /api/v1/sessions/{id}/cancel": Question(SESSION),
    "POST /api/v1/sessions/{id}/reopen": Question(SESSION),
    "POST /api/v1/sessions/{id}/answer": Question(SESSION, {"record": True}),
    **{
        f"POST /api/v1/{target_kind}s/{{id}}/{what}": Question(target, {})
        for target_kind, target in (("venue", VENUE), ("room", ROOM), ("event", EVENT))
        for what in ("hold", "resume")
    },
    "POST /api/v1/rooms/{id}/ad_hoc": Question(ROOM, {}),
    "POST /api/v1/rooms/{id}/air": Question(ROOM, {"slate": True}),
    "PATCH /api/v1/rooms/{id}/sources/{name}": Question(ROOM, {"mute": False}),
    "POST /api/v1/rooms/{id}/forget": Question(ROOM, {"minutes": 1}),
    # The room is off: whoever may is told that there is none.
    "GET /api/v1/rooms/{id}/picture.jpg": Question(ROOM, absent=True),
    "GET /api/v1/rooms/{id}/captions": Question(ROOM),
    # There is no broadcast: callers with the right are told so.
    "POST /api/v1/rooms/{id}/captions": Question(ROOM, {"lang": "fr", "text": "Bonjour"}),
    "GET /api/v1/rooms/{id}/hall-codes": Question(ROOM),
    "POST /api/v1/rooms/{id}/hall-codes": Question(ROOM, {"place": "Nantes"}),
    # There is none: that is told to whoever may.
    "DELETE /api/v1/rooms/{id}/hall-codes/{code}": Question(ROOM, absent=True),
    "GET /api/v1/grants": Question(ROOM, query="?room=in-room"),
    "POST /api/v1/grants": Question(ROOM, {"role": "publisher", "room": "in-room"}),
    "GET /api/v1/grants/{id}": Question(ROOM),
    "PATCH /api/v1/grants/{id}": Question(ROOM, {"label": "New"}),
    "DELETE /api/v1/grants/{id}": Question(ROOM),
    "POST /whip/{room}": Question(ROOM, raw=SDP_OFFER),
    "POST /whip/{room}/{source}": Question(ROOM, raw=SDP_OFFER),
    "POST /whep/{room}/{source}": Question(ROOM, raw=SDP_OFFER, absent=True),
    "POST /api/v1/imports": Question(EVENT, query="?event=in-event", raw=("text/calendar", CALENDAR)),
    "POST /api/v1/imports/{id}/apply": Question(body={}, missing=True),
    "GET /api/v1/schedule-sources": Question(EVENT, query="?event=in-event"),
    # It names no schedule elsewhere: that is told to whoever may.
    "POST /api/v1/schedule-sources/{id}/poll": Question(EVENT),
    "POST /api/v1/schedule-sources/{id}/confirm": Question(EVENT),
    # There is no recording: the tests of recordings check how far grants reach.
    "PATCH /api/v1/recordings/{id}": Question(body={"pinned": True}, missing=True),
    "DELETE /api/v1/recordings/{id}": Question(missing=True),
    "GET /api/v1/recordings/{id}/still.jpg": Question(query="?at=5", missing=True),
    "GET /api/v1/recordings/{id}/waveform": Question(missing=True),
    "GET /api/v1/recordings/{id}/approval": Question(missing=True),
    "POST /api/v1/recordings/{id}/approval": Question(body={"label": "Zoé"}, missing=True),
    "DELETE /api/v1/recordings/{id}/approval": Question(missing=True),
    "POST /api/v1/recordings/{id}/approval/answer": Question(body={"edition": "e", "approved": True}, missing=True),
    "GET /api/v1/retention": Question(ROOM, query="?room=in-room"),
    "POST /api/v1/retention": Question(ROOM, query="?room=in-room"),
    # There is no action of that id: what undoing asks is in the tests of taps.
    "POST /api/v1/actions/{id}/undo": Question(missing=True),
    "GET /api/v1/actions": Question(ROOM, query="?room=in-room"),
    "GET /api/v1/rooms/{id}/readiness": Question(ROOM),
    "POST /api/v1/rooms/{id}/readiness": Question(ROOM),
    "POST /api/v1/rooms/{id}/sources/{name}/leaving": Question(ROOM),
    "GET /api/v1/alarms": Question(ROOM, query="?room=in-room"),
    # There is no alarm: the tests of taps check how far grants reach.
    "POST /api/v1/alarms/{id}/acknowledge": Question(missing=True),
    "POST /api/v1/alarms/{id}/snooze": Question(missing=True),
    "POST /api/v1/alarms/{id}/normal": Question(missing=True),
    "DELETE /api/v1/alarms/{id}/normal": Question(missing=True),
    # Everybody has their own: test_hooks.py has whose duty reaches what.
    "GET /api/v1/hooks": Question(missing=True),
    "POST /api/v1/hooks": Question(missing=True),
    "GET /api/v1/hooks/{id}": Question(missing=True),
    "PATCH /api/v1/hooks/{id}": Question(missing=True),
    "DELETE /api/v1/hooks/{id}": Question(missing=True),
    "POST /api/v1/hooks/{id}/test": Question(missing=True),
    "GET /api/v1/hooks/{id}/messages": Question(missing=True),
    "GET /api/v1/push-key": Question(missing=True),
    "GET /api/v1/duty": Question(missing=True),
    "POST /api/v1/duty": Question(missing=True),
    "GET /api/v1/duty/{id}": Question(missing=True),
    "PATCH /api/v1/duty/{id}": Question(missing=True),
    "DELETE /api/v1/duty/{id}": Question(missing=True),
    "POST /api/v1/duty/{id}/handover": Question(missing=True),
    "POST /api/v1/duty/{id}/accept": Question(missing=True),
    "POST /api/v1/templates": Question(VENUE, {"kind": "workshop", "venue": "in-venue"}),
    # There is none: test_templates.py has how far grants reach.
    "GET /api/v1/templates": Question(missing=True),
    "GET /api/v1/templates/{id}": Question(missing=True),
    "PATCH /api/v1/templates/{id}": Question(body={}, missing=True),
    "DELETE /api/v1/templates/{id}": Question(missing=True),
}

PATHS = {"room": "in-room", "session": "in-session", "source": "main", "path": "assets/app-abc123.js"}
IDS = {
    "venues": "in-venue",
    "rooms": "in-room",
    "events": "in-event",
    "schedule-sources": "in-event",
    "sessions": "in-session",
    "grants": "GRANT",
}


class Forgetful(Database):
    """Rolls back what requests write once ``forgetting`` is set."""

    forgetting = False

    @contextlib.asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        if not self.forgetting:
            async with super().write() as connection:
                yield connection
            return
        assert self._writer is not None
        async with self._writer.connect() as connection:
            yield connection
            reached = await revision.current(connection)
            await connection.rollback()
        # The writer knows the revision of the write.
        async with super().write() as connection:
            while await revision.current(connection) < reached:
                await revision.bump(connection)


@dataclass
class World:
    """A served application with one venue, room, event and session inside, and one of each outside."""

    client: TestClient[web.Request, web.Application]
    database: Forgetful
    tokens: dict[tuple[Role, str], str] = field(default_factory=dict)
    grants: dict[tuple[Role, str], Grant] = field(default_factory=dict)
    asked_grant: str = ""
    edge: ClientSession | None = None
    """It is asked in place of the server itself (tests/soak)."""
    metrics: int = 200
    """The status of ``/metrics``: only the server's own machine may read them."""

    @property
    def http(self) -> ClientSession | TestClient[web.Request, web.Application]:
        return self.edge or self.client

    def rules(self) -> Iterator[tuple[str, str]]:
        """``(METHOD template, METHOD)`` of what is registered."""
        for route in self.client.app.router.routes():  # type: ignore[union-attr]
            assert route.resource is not None
            # Front processes' own addresses have tests of their own (tests/unit/web).
            if route.method not in ("HEAD", "OPTIONS") and not route.resource.canonical.startswith("/~front"):
                yield f"{route.method} {_template(route.resource.canonical, route.resource.get_info())}", route.method

    async def ask(self, key: str, token: str, question: Question) -> tuple[int, str]:
        method, _, template = key.partition(" ")
        path = self.path(template) + question.query
        sent = question.sent(bearer(token) if token else {})
        async with self.http.request(method, path, **sent) as response:
            text = await response.text(errors="replace")
            return response.status, f"{key}: {response.status} {text[:300]}"

    def path(self, template: str) -> str:
        collection = template.split("/")[3] if template.startswith("/api/v1/") else ""
        values = {"id": IDS.get(collection, "nothing").replace("GRANT", self.asked_grant), **PATHS}
        return re.sub(r"{(\w+)}", lambda found: values.get(found[1], "nothing"), template)


def _template(canonical: str, info: Any) -> str:
    """Without the expressions of variable parts: ``/assets/{path}``."""
    return re.sub(r"{(\w+):[^}]*(?:{[^}]*}[^}]*)*}", r"{\1}", info.get("formatter", info.get("path", canonical)))


@pytest.fixture
async def world(settings: Settings) -> AsyncIterator[World]:
    database = sqlite_store(settings.data, Forgetful)
    await database.start()
    limits = settings.room.model_copy(update={"attempts_per_minute": 100_000, "failed_attempts_per_minute": 100_000})
    hls = settings.hls.model_copy(update={"max_held_per_address": 100_000})
    settings = settings.model_copy(update={"room": limits, "hls": hls})
    async with database.write() as connection:
        for side in ("in", "out"):
            await Venues(connection).add(Venue(id=f"{side}-venue", name=side))
            await Rooms(connection).add(Room(id=f"{side}-room", name=side, venue=f"{side}-venue"))
    for side in ("in", "out"):
        await add_event(database, f"{side}-event", venue=f"{side}-venue")
        await add_session(database, f"{side}-session", f"{side}-room", begins_in=5, event=f"{side}-event")
    plane = FakePlane()
    app = assemble(settings, database, plane, public_url="http://streamer.test")
    client = TestClient(TestServer(app), cookie_jar=DummyCookieJar())
    await client.start_server()
    director = app[SERVICES].director
    await director.start()
    await app[SERVICES].audience.start()
    world = World(client, database)
    async with database.write() as connection:
        for role in Role:
            for scope in SCOPES:
                made, name = new_token(), "".join(scope.values())
                grant = Grant(id=made.grant_id, role=role, **scope)  # type: ignore[arg-type]
                await Grants(connection).add(grant, made.secret_sha256)
                now = time.time_ns() // 1_000_000
                world.grants[role, name] = await reaching(connection, grant, now)
                world.tokens[role, name] = made.token
    world.asked_grant = world.grants[Role.PUBLISHER, "in-room"].id
    database.forgetting = True
    yield world
    await client.close()
    await app[SERVICES].audience.close()
    await director.close()
    await database.close()


async def test_every_registered_address_is_listed_and_asks_what_the_list_says(world: World) -> None:
    registered = {key for key, _ in world.rules()}
    assert registered - set(RULES) == set(), "list these in streamer/api/permissions.py"
    for route in ROUTES:
        rule = RULES[f"{route.method} {route.full_path}"]
        assert route.action == (rule if isinstance(rule, Action) else None), route.full_path
    asked = {key for key in registered if isinstance(RULES[key], Action)}
    assert asked - set(QUESTIONS) == set(), "say how these are asked for"


async def test_each_role_and_scope_gets_what_the_table_says_and_no_more(world: World) -> None:
    wrong: list[str] = []
    allowed_later: list[tuple[str, str, Question]] = []
    asked = 0
    for key in sorted({key for key, _ in world.rules()}):
        rule = RULES[key]
        if not isinstance(rule, Action):
            continue
        question = QUESTIONS[key]
        status, said = await world.ask(key, "", question)
        if status != 401:
            wrong.append(f"nobody {said}")
        for (role, scope), token in world.tokens.items():
            if rule in PERMISSIONS[role]:
                if question.missing:
                    continue
                if world.grants[role, scope].allows(rule, question.target):
                    allowed_later.append((key, token, question))
                    continue
            elif scope not in ("", "in-room"):
                # The role is looked at before anything else: two of its scopes are enough.
                continue
            status, said = await world.ask(key, token, question)
            asked += 1
            if status != 403:
                wrong.append(f"{role} of {scope or 'everything'} {said}")
    assert wrong == []
    # Deletions come last: the fake media plane remembers, the database does not.
    for key, token, question in sorted(allowed_later, key=lambda item: item[0].startswith("DELETE")):
        status, said = await world.ask(key, token, question)
        asked += 1
        if (status in (401, 403, 404, 405) or status >= 500) and not (status == 404 and question.absent):
            wrong.append(said)
    assert wrong == []
    assert asked > 500


async def test_what_is_open_answers_nobody_and_everybody_alike(world: World) -> None:
    wrong: list[str] = []
    for key in sorted({key for key, _ in world.rules()}):
        rule: Rule = RULES[key]
        if isinstance(rule, Action):
            continue
        for token in ("", world.tokens[Role.VIEWER, "out-session"]):
            body = {} if key.startswith(("POST", "PUT")) and "/api/" in key else None
            status, said = await world.ask(key, token, Question(body=body, raw=SDP_OFFER if "/whep/" in key else None))
            if key == "GET /metrics":
                right = status == world.metrics
            elif rule is Open.HOLDER:
                right = status == (200 if token else 401)
            elif rule is Open.PARTICIPANT:
                right = status == 401
            elif rule is Open.CAPABILITY:
                # Guessing is the only way in here.
                right = status == 404
            else:
                right = status not in (401, 403, 405) and (status < 500 or status == 503)
            if not right:
                wrong.append(said)
    assert wrong == []


async def test_a_strangers_token_is_refused_everywhere_but_on_pages_and_media(world: World) -> None:
    for key in sorted({key for key, _ in world.rules()}):
        if " /api/v1/" in key and not key.endswith(("api.json", "/docs", "/login", "/logout", "/me")):
            status, said = await world.ask(key, "stranger.secret", QUESTIONS.get(key, Question()))
            assert status == 401, said


async def test_a_cookie_opens_what_its_token_opens_and_nothing_else(world: World) -> None:
    for role, scope in ((Role.TECHNICIAN, "in-session"), (Role.ORGANISER, "in-event"), (Role.VIEWER, "")):
        world.database.forgetting = False
        async with world.client.post("/api/v1/login", json={"token": world.tokens[role, scope]}) as response:
            cookie = response.cookies["streamer_session"].value
        world.database.forgetting = True
        for key, question in QUESTIONS.items():
            rule = RULES[key]
            if key not in {known for known, _ in world.rules()} or question.missing or key.startswith("DELETE"):
                continue
            assert isinstance(rule, Action)
            method, _, template = key.partition(" ")
            sent = question.sent({"Cookie": f"streamer_session={cookie}"})
            path = world.path(template) + question.query
            async with world.http.request(method, path, **sent) as response:
                may = world.grants[role, scope].allows(rule, question.target)
                assert (response.status not in (401, 403)) is may, (key, role, response.status)
