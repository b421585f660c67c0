"""Socket.IO over a real server: a director on the real rules without a database, access by known tokens."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import socketio
from aiohttp import web

from streamer.api.middlewares import errors
from streamer.audience.identity import Identities, ParticipantIdentity
from streamer.audience.news import Viewpoint
from streamer.audience.people import Participant
from streamer.audience.scope import Scope
from streamer.audience.service import Audience
from streamer.bus.local import LocalCore, LocalFront
from streamer.conference import clockwork, taps
from streamer.conference.airing import PublicStatus, public_status
from streamer.conference.alarms import Alarm, alarms_of
from streamer.conference.day import MINUTE_MS, RoomDay, find, following, sorted_day
from streamer.conference.grants import Grant, Role
from streamer.conference.notices import Notices
from streamer.conference.rooms import Room, Venue
from streamer.conference.sessions import Session, Visibility
from streamer.conference.sources import source_on
from streamer.conference.undo import Effect, effect, restore
from streamer.control import run_folder
from streamer.control.messages import RoomConfig
from streamer.director.kinds import kind_of, session_of
from streamer.director.news import Actor, AlarmsChanged, Listener, News, RoomChanged, SessionChanged
from streamer.director.room_alarms import RoomAlarms
from streamer.director.tapped import Tapped
from streamer.errors import NotFound, StreamerError, Unauthorized
from streamer.realtime.access import AuthenticatedCaller
from streamer.realtime.engine import PATH
from streamer.realtime.in_front import SocketsInFront
from streamer.realtime.service import Realtime
from streamer.realtime.sockets import Sockets, origins_of
from streamer.settings import AudienceSettings, RealtimeSettings
from streamer.store.actions import StoredAction
from streamer.store.answers import CommandId, Once
from streamer.store.erasing import Erasing
from streamer.store.room_states import Acknowledgement
from streamer.store.rooms import Rooms
from streamer.store.sessions import Sessions
from streamer.store.venues import Venues
from streamer.web.core import Core
from tests.fakes.attendees import Attendee
from tests.fakes.media_plane import FakePlane, FakeRoom
from tests.fakes.stores import sqlite_store

VENUE = Venue("paris", "Paris")
PUBLIC_URL = "https://streamer.test"
THROUGH_FRONT = False
"""Whether clients come by way of a front process. The fixture ``either_way`` sets it."""


class ScriptedDirector:
    """Rooms ``a`` and ``b`` in Paris. The clock is the machine's; nothing is looked at unless it is asked for."""

    def __init__(self, *rooms: str) -> None:
        self.rooms: dict[str, Room] = {name: Room(name, name.upper(), "paris") for name in rooms or ("a", "b")}
        self.days = {name: RoomDay(name, name.upper()) for name in self.rooms}
        self._listeners: list[Listener] = []
        self._alarms: dict[str, tuple[Alarm, ...]] = {}
        self._taken: dict[str, dict[str, Acknowledgement]] = {}
        self._actions: dict[str, tuple[StoredAction, Effect]] = {}
        self.alarm_actions = self
        self.room_alarms = RoomAlarms(Notices(), lambda: None)
        self.delay_s = 0.0
        self.actors: list[Actor] = []
        self.effects = self

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    # --- as a director ------------------------------------------------------------------------------

    def listen(self, listener: Listener) -> Callable[[], None]:
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def venue_of(self, room_id: str) -> Venue | None:
        return VENUE if room_id in self.rooms else None

    def day(self, room_id: str) -> RoomDay:
        if room_id not in self.days:
            raise NotFound("There is no such room.", code="no_such_room")
        return self.days[room_id]

    def readiness_at_a_glance(self, room_id: str) -> tuple[str | None, tuple[str, ...]]:
        return ("not_yet", ("voice", "focus")) if room_id == "a" else (None, ())

    def following(self, room_id: str) -> Session | None:
        return following(self.day(room_id), self.now_ms())

    def find(self, session_id: str) -> Session | None:
        return next((s for day in self.days.values() if (s := find(day, session_id)) is not None), None)

    def public_status(self, room_id: str) -> PublicStatus:
        return public_status(self.day(room_id), self.now_ms())

    def alarms(self, room_id: str) -> tuple[Alarm, ...]:
        return self._alarms.get(room_id, ())

    def acknowledged(self, room_id: str) -> Mapping[str, Acknowledgement]:
        return self._taken.get(room_id, {})

    async def run(self, room_id: str, command: taps.Command, actor: Actor, _once: Once | None = None) -> Tapped:
        await asyncio.sleep(self.delay_s)
        self.actors.append(actor)
        before = clockwork.advance(self.day(room_id), self.now_ms())
        after = clockwork.advance(taps.apply(before, command, self.now_ms()), self.now_ms())
        return self._done(room_id, before, after, kind_of(command), session_of(command))

    async def action(self, action_id: str) -> StoredAction:
        if action_id not in self._actions:
            raise NotFound("There is no such action.", code="no_such_action")
        return self._actions[action_id][0]

    async def first_answer(self, _asked: CommandId | None) -> Mapping[str, Any]:
        return {}

    async def done(self, _once: Once | None) -> None:
        return None

    async def undo(self, action_id: str, actor: Actor, _once: Once | None = None) -> Tapped:
        stored, done = self._actions[action_id]
        before = self.day(stored.room)
        tapped = self._done(stored.room, before, restore(before, done, self.now_ms()), f"{stored.kind}.undo", None)
        return Tapped(None, tapped.sessions)

    def source_on(self, day: RoomDay) -> str:
        return source_on(day.source)

    async def acknowledge(self, room_id: str, alarm_id: str, actor: Actor, _once: Once | None = None) -> None:
        if all(alarm.id != alarm_id for alarm in self.alarms(room_id)):
            raise NotFound("There is no such alarm.", code="no_such_alarm")
        taken = Acknowledgement(room_id, alarm_id, actor.id, actor.label, self.now_ms())
        self._taken.setdefault(room_id, {})[alarm_id] = taken
        self.tell(AlarmsChanged(room_id, self.alarms(room_id)))

    async def snooze(self, room_id: str, alarm_id: str, minutes: int, actor: Actor, _once: Once | None = None) -> None:
        until_ms = self.now_ms() + minutes * MINUTE_MS
        alarms = (
            replace(one, snoozed_until_ms=until_ms) if one.id == alarm_id else one for one in self.alarms(room_id)
        )
        self.ring(room_id, *alarms)

    async def normal(self, room_id: str, alarm_id: str, actor: Actor, _once: Once | None = None) -> None:
        self.ring(room_id, *(one for one in self.alarms(room_id) if one.id != alarm_id))

    # --- for tests ----------------------------------------------------------------------------------

    def tell(self, news: News) -> None:
        for listener in list(self._listeners):
            listener(news)

    def plan(self, session_id: str, begins_in: float, minutes: float = 45, room: str = "a", **values: Any) -> Session:
        start_ms = self.now_ms() + round(begins_in * MINUTE_MS)
        values.setdefault("title", f"Talk {session_id}")
        session = Session(
            id=session_id, room=room, start_ms=start_ms, end_ms=start_ms + round(minutes * MINUTE_MS), **values
        )
        self.put(sorted_day(self.days[room], (*self.days[room].sessions, session)))
        return session

    def put(self, day: RoomDay) -> None:
        """Set another day for the room and announce it, as the director does."""
        before = self.days[day.room]
        self._become(before, clockwork.advance(day, self.now_ms()))

    def change(self, session_id: str, **values: Any) -> None:
        session = self.find(session_id)
        assert session is not None
        day = self.days[session.room]
        rest = tuple(replace(s, **values) if s.id == session_id else s for s in day.sessions)
        self.put(sorted_day(day, rest))

    def remove(self, session_id: str) -> None:
        session = self.find(session_id)
        assert session is not None
        day = self.days[session.room]
        self.put(sorted_day(day, tuple(s for s in day.sessions if s.id != session_id)))

    def ring(self, room: str, *alarms: Alarm) -> None:
        self._alarms[room] = alarms
        self.tell(AlarmsChanged(room, alarms))

    def ring_as_the_rules_say(self, room: str) -> None:
        self.ring(room, *alarms_of(self.day(room), self.now_ms()))

    def _done(self, room: str, before: RoomDay, after: RoomDay, kind: str, session: str | None) -> Tapped:
        done = effect(before, after)
        action = None if done.empty else f"action-{len(self._actions) + 1}"
        if action is not None:
            stored = StoredAction(action, room, session, self.now_ms(), "someone", "Someone", kind, {}, {})
            self._actions[action] = (stored, done)
        self._become(self.days[room], after)
        return Tapped(action, tuple(image.after for image in done.sessions if image.after is not None))

    def _become(self, before: RoomDay, after: RoomDay) -> None:
        self.days[after.room] = after
        old, new = {s.id: s for s in before.sessions}, {s.id: s for s in after.sessions}
        for session in after.sessions:
            if old.get(session.id) != session:
                self.tell(SessionChanged(after.room, old.get(session.id), session))
        for session in before.sessions:
            if session.id not in new:
                self.tell(SessionChanged(after.room, session, None))
        self.tell(RoomChanged(after.room))


@dataclass(frozen=True)
class Visitor:
    grant: Grant
    login: bytes | None = None


@dataclass
class ListedAccess:
    """Tokens and cookies that are known; ``revoke`` takes one back."""

    known: dict[str, Visitor] = field(default_factory=dict)
    failing: bool = False

    def admit(self, token: str, role: Role | str, **values: Any) -> str:
        """``token`` is a grant's id as well."""
        self.known[token] = Visitor(Grant(token, Role(role), label=token.title(), **values))
        return token

    def address(self, request: web.Request) -> str:
        return request.headers.get("X-Test-Address", "127.0.0.1")

    async def identify(self, request: web.Request, token: str | None) -> AuthenticatedCaller | None:
        if token is None:
            return self.known.get(request.cookies.get("streamer_session", ""))
        if token not in self.known:
            raise Unauthorized("The token is not valid.", code="invalid_token")
        return self.known[token]

    def is_link(self, session: Session, key: str) -> bool:
        return session.visibility is Visibility.UNLISTED and key == f"link.{session.id}"

    async def renew(self, caller: AuthenticatedCaller) -> AuthenticatedCaller | None:
        if self.failing:
            raise StreamerError("The database does not answer.", code="store_unavailable", status=503)
        found = self.known.get(caller.grant.id)
        return found if found is not None and found.grant.in_force(time.time_ns() // 1_000_000) else None


class PlainViews:
    def public(self, session: Session) -> dict[str, Any]:
        return {
            "id": session.id,
            "room": session.room,
            "title": session.title,
            "state": session.state,
            "visibility": session.visibility,
        }

    def crew(self, session: Session, caller: AuthenticatedCaller | None = None, link: str = "") -> dict[str, Any]:
        return {**self.public(session), "key": f"{caller.grant.id}.{session.id}" if caller is not None else link}


@dataclass
class Service:
    """A served Realtime and the fakes behind it. ``sockets``: where connections end, in it or in a front process."""

    realtime: Realtime
    sockets: Sockets[Any]
    port: int
    director: ScriptedDirector
    plane: FakePlane
    access: ListedAccess
    audience: Any
    clients: list[Attendee] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def open_room(self, room: str = "a", state: str = "slate") -> FakeRoom:
        link = await self.plane.ensure(RoomConfig(room, room))
        link.state = state
        return link

    async def connect(
        self, namespace: str = "/audience", transports: list[str] | None = None, headers: Any = None, **auth: Any
    ) -> Attendee:
        """A client that is in. Raises socketio's ConnectionError with the answer if it is refused."""
        client = Attendee(namespace)
        self.clients.append(client)
        await client.connect(self.url, auth or {"room": "a"}, transports or ["websocket"], headers or {})
        return client

    async def refused(self, namespace: str = "/audience", **auth: Any) -> str:
        """The code that a connection is refused with."""
        client = Attendee(namespace)
        self.clients.append(client)
        try:
            await client.connect(self.url, auth, ["websocket"], {})
        except socketio.exceptions.ConnectionError:
            assert client.error is not None
            assert client.error["data"]["error"] == client.error["error"]
            return str(client.error["error"]["code"])
        raise AssertionError("it was let in")


class QuietAudience:
    """An audience without messages, for tests of its surroundings."""

    def __init__(self) -> None:
        self._identities = Identities(b"k" * 32)

    def listen(self, listener: Any) -> Callable[[], None]:
        return lambda: None

    def new_identity(self) -> tuple[ParticipantIdentity, str]:
        return self._identities.issue(time.time_ns() // 1_000_000)

    def identity(self, token: str) -> ParticipantIdentity | None:
        return self._identities.read(token)

    async def join(self, scope: Scope, participant: Participant, address: str) -> None: ...

    def leave(self, scope: Scope, participant: str) -> None: ...

    async def run(self, scope: Scope, who: Any, command: Any) -> dict[str, Any]:
        raise NotFound("There is nothing here.")

    async def snapshot(self, scope: Scope, viewpoint: Viewpoint, participant: str | None = None) -> dict[str, Any]:
        return {"lines": []}

    async def crew_messages(self, scope: Scope) -> list[dict[str, Any]]:
        return []


class ScriptedSessions:
    """The audience's view of a scripted director's days."""

    def __init__(self, director: ScriptedDirector) -> None:
        self._director = director

    def sessions(self, room: str) -> Sequence[Session]:
        return self._director.day(room).sessions

    def find(self, session_id: str) -> Session | None:
        return self._director.find(session_id)

    def listen(self, listener: Callable[[str], None]) -> Callable[[], None]:
        def hear(news: News) -> None:
            if isinstance(news, SessionChanged):
                listener(news.room)

        return self._director.listen(hear)


@contextlib.asynccontextmanager
async def audience_of(director: ScriptedDirector, folder: Path, **settings: Any) -> AsyncIterator[Audience]:
    """A real one, with its database in a folder. The present plan is stored there."""
    database = sqlite_store(folder)
    await database.start()
    async with database.write() as connection:
        rooms, sessions = Rooms(connection), Sessions(connection)
        if await Venues(connection).find(VENUE.id) is None:
            await Venues(connection).add(VENUE)
        for room in director.rooms.values():
            if await rooms.find(room.id) is None:
                await rooms.add(room)
        planned = [session for day in director.days.values() for session in day.sessions]
        known = await sessions.find_many([session.id for session in planned])
        await sessions.add_many([session for session in planned if session.id not in known])
    audience = Audience(
        database,
        clock=director.now_ms,
        sessions=ScriptedSessions(director),
        settings=AudienceSettings(**settings),
        erasing=Erasing(folder, database, clock=director.now_ms),
    )
    await audience.start()
    try:
        yield audience
    finally:
        await audience.close()
        await database.close()


@contextlib.asynccontextmanager
async def core_of(
    director: ScriptedDirector,
    audience: Any,
    plane: FakePlane,
    access: ListedAccess,
    run_dir: Path | None = None,
    port: int = 0,
    **settings: Any,
) -> AsyncIterator[tuple[Realtime, web.AppRunner]]:
    """Served at a port; with a ``run_dir`` for front processes, there."""

    async def find_session(session_id: str) -> Session | None:
        return None

    realtime = Realtime(
        RealtimeSettings(**settings),
        public_url=PUBLIC_URL,
        allowed_origins=["https://other.test"],
        director=director,
        plane=plane,
        access=access,
        views=PlainViews(),
        audience=audience,
        find_session=find_session,
        state_of=lambda room: plane.rooms[room].state if room in plane.rooms else "off",
        clock=director.now_ms,
        bus=None if run_dir is None else LocalCore(run_dir),
    )
    app = web.Application(middlewares=[errors])
    realtime.add_routes(app)
    await realtime.start()
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=2)
    await runner.setup()
    if run_dir is None:
        await web.TCPSite(runner, "127.0.0.1", port).start()
    else:
        await web.SockSite(runner, run_folder.listen(run_dir, run_folder.CORE_SOCKET)).start()
    try:
        yield realtime, runner
    finally:
        await realtime.close()
        await runner.cleanup()


@contextlib.asynccontextmanager
async def front_of(
    run_dir: Path, name: str = "1", port: int = 0, **settings: Any
) -> AsyncIterator[tuple[SocketsInFront, int]]:
    """Socket.IO of a front process before the core, and its port."""
    core = Core(run_folder.make_run_dir(run_dir))
    await core.start()
    sockets = SocketsInFront(
        RealtimeSettings(**settings),
        origins_of(PUBLIC_URL, ["https://other.test"]),
        LocalFront(run_dir),
        name,
        headers_of=lambda request: core.headers(request).items(),
    )

    async def handle(request: web.Request) -> web.StreamResponse:
        if sockets.takes(request):
            return await sockets.handle(request, "127.0.0.1")
        return await core.forward(request)

    app = web.Application(middlewares=[errors])
    app.router.add_route("*", PATH, handle)
    app.on_shutdown.append(sockets.let_go)
    await sockets.start()
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=2, auto_decompress=False)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield sockets, runner.addresses[0][1]
    finally:
        core.release()
        await runner.cleanup()
        await sockets.close()
        await core.close()


@contextlib.asynccontextmanager
async def served(
    director: ScriptedDirector | None = None, *, audience: Any = None, port: int = 0, **settings: Any
) -> AsyncIterator[Service]:
    """``audience``: a real one, for tests that talk in it."""
    director = director or ScriptedDirector()
    audience = audience or QuietAudience()
    plane, access = FakePlane(), ListedAccess()
    async with contextlib.AsyncExitStack() as stack:
        run_dir = Path(stack.enter_context(tempfile.TemporaryDirectory())) if THROUGH_FRONT else None
        core = core_of(director, audience, plane, access, run_dir, port, **settings)
        realtime, runner = await stack.enter_async_context(core)
        sockets: Sockets[Any] = realtime
        if run_dir is None:
            port = runner.addresses[0][1]
        else:
            sockets, port = await stack.enter_async_context(front_of(run_dir, port=port, **settings))
        service = Service(realtime, sockets, port, director, plane, access, audience)
        try:
            yield service
        finally:
            for client in service.clients:
                await client.close()
            assert [fault for client in service.clients for fault in client.faults] == []
