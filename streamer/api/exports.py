"""The schedule and the live streams for other programs: ``/schedule.xml``, ``.json``, ``.ics`` and
``/streams/v2.json``.

All of it is public, also for pages of other sites, and contains nothing of a closed session. A closed session's id is
answered like one that does not exist, and an event with closed sessions only like one without sessions.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from aiohttp import hdrs, web
from sqlalchemy.ext.asyncio import AsyncConnection

from streamer import __version__
from streamer.api.auth import authenticate
from streamer.api.context import SERVICES, Services, now_ms
from streamer.api.documents import Document, Documents, matches
from streamer.conference.airing import PublicSession, PublicStatus
from streamer.conference.rooms import DEFAULT_ZONE, Room, Venue
from streamer.conference.schedule import Schedule
from streamer.conference.sessions import Event, Session
from streamer.conference.visibility import ANYBODY, told
from streamer.errors import NotFound, StreamerError, TooMany
from streamer.schedules.assemble import digest_of, from_sessions
from streamer.schedules.fields import title_slug
from streamer.schedules.streams import CurrentEvent, StreamRoom, Talk, current_event, write_streams
from streamer.schedules.write_frab import write_frab
from streamer.schedules.write_json import write_json
from streamer.store import revision
from streamer.store.events import Events
from streamer.store.rooms import Rooms
from streamer.store.sessions import Sessions
from streamer.store.venues import Venues

TITLE = "Streamer"
"""The title of a schedule of several venues."""
SCHEDULE_AGE_S = 30
STREAMS_AGE_S = 5
_NEAR_MS = 36 * 3_600_000
"""An event with a public session this near may be under way."""
_AT_A_TIME = 100
"""Sessions that are read at once. Between two reads the loop does other things."""
_MINUTE_MS, _DAY_MS = 60_000, 86_400_000
_KEPT_STAMPS = 50_000
_NAMES = ("event", "room", "session")
_IDENT = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class _Asked:
    """The objects that the query names."""

    schedule: Schedule
    changed_ms: Mapping[str, int]
    """Guid -> the time when a person or the clock changed the session last, if that is known."""
    name: str
    """For the file's name."""
    query: str
    """The query without its empty parts: ``?event=…`` or empty."""


class _Stamps:
    """The time when each session was first seen in its present form. DTSTAMP must not change while nothing else
    does."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, tuple[str, int]] = OrderedDict()

    def of(self, asked: _Asked, now: int) -> dict[str, int]:
        stamps: dict[str, int] = {}
        for item in asked.schedule.items:
            digest = digest_of(item)
            known = self._seen.pop(item.guid, None)
            seen_ms = known[1] if known is not None and known[0] == digest else now
            self._seen[item.guid] = (digest, seen_ms)
            stamps[item.guid] = max(seen_ms, asked.changed_ms.get(item.guid, 0))
        while len(self._seen) > _KEPT_STAMPS:
            self._seen.popitem(last=False)
        return stamps


class Exports:
    """The handlers, and the documents that were written last. Documents are written in threads: thousands of sessions
    take a while, and the loop serves media."""

    def __init__(self) -> None:
        self.documents = Documents()
        self._stamps = _Stamps()
        self._turn = asyncio.Lock()
        self._surroundings: tuple[tuple[int, int], _Surroundings] | None = None
        self._streams: tuple[tuple[int, int], list[StreamRoom]] | None = None
        self._streams_number = 0

    async def xml(self, request: web.Request) -> web.StreamResponse:
        address = f"{request.app[SERVICES].public_url}{request.path}"
        response, _ = await self._answer(
            request,
            "application/xml; charset=utf-8",
            lambda asked: write_frab(asked.schedule, address=f"{address}{asked.query}"),
        )
        return response

    async def json(self, request: web.Request) -> web.StreamResponse:
        response, _ = await self._answer(
            request, "application/json; charset=utf-8", lambda asked: write_json(asked.schedule)
        )
        return response

    async def ical(self, request: web.Request) -> web.StreamResponse:
        now = now_ms()
        response, document = await self._answer(
            request,
            "text/calendar; charset=utf-8; method=PUBLISH",
            lambda asked: _calendar(asked.schedule, stamp_ms=now, changed_ms=self._stamps.of(asked, now)),
        )
        # A single session is saved into a calendar; a calendar subscribes to everything else.
        kind = "attachment" if "session" in request.query else "inline"
        response.headers[hdrs.CONTENT_DISPOSITION] = f'{kind}; filename="{document.name}.ics"'
        return response

    async def streams(self, request: web.Request) -> web.StreamResponse:
        services = request.app[SERVICES]
        await _limit(request)
        now = now_ms()
        async with self._turn, services.database.read() as connection:
            known = (await revision.current(connection), now // _MINUTE_MS)
            if self._surroundings is None or self._surroundings[0] != known:
                self._surroundings = (known, await _surroundings(connection, now))
        around = self._surroundings[1]
        rooms = [self._stream_room(services, room) for room in around.rooms]
        if self._streams != (known, rooms):
            # Rooms open and sessions begin without a change to the schedule.
            self._streams, self._streams_number = (known, rooms), self._streams_number + 1

        def write() -> Document:
            body = write_streams(
                rooms,
                around.venues,
                around.current_events,
                title=TITLE,
                public_url=services.public_url,
                timezone=DEFAULT_ZONE,
                now_ms=now,
            )
            return Document.of(body, f'W/"{hashlib.sha256(body).hexdigest()[:24]}"')

        async def make() -> Document:
            return await asyncio.to_thread(write)

        document = await self.documents.get(("streams", self._streams_number), make)
        return _response(request, document, "application/json; charset=utf-8", STREAMS_AGE_S)

    def _stream_room(self, services: Services, room: Room) -> StreamRoom:
        state = services.state_of(room.id)
        try:
            public: PublicStatus | None = services.director.public_status(room.id)
        except NotFound:
            # Another process made the room a moment ago.
            public = None
        if public is None:
            return StreamRoom(room, state=state)
        reserved = public.reserved_until_ms is not None
        return StreamRoom(
            room,
            state=state,
            current=None if reserved else _talk(public.current),
            next=_talk(public.next),
            reserved_until_ms=public.reserved_until_ms,
            video_size=_video_size(services, room.id),
        )

    async def _answer(
        self, request: web.Request, content_type: str, write: Callable[[_Asked], bytes]
    ) -> tuple[web.Response, Document]:
        await _limit(request)
        named = tuple(_ident(request, name) for name in _NAMES)
        async with request.app[SERVICES].database.read() as connection:
            known = await revision.current(connection)

        async def make() -> Document:
            asked = await _ask(request, *named)
            return await asyncio.to_thread(_written, asked, content_type, write)

        # The document depends on the day: a schedule without sessions is dated today.
        key = (content_type, named, known, now_ms() // _DAY_MS)
        document = await self.documents.get(key, make)
        return _response(request, document, content_type, SCHEDULE_AGE_S), document


def add_routes(app: web.Application) -> None:
    exports = Exports()
    for path, handler in (
        ("/schedule.xml", exports.xml),
        ("/schedule.json", exports.json),
        ("/schedule.ics", exports.ical),
        ("/streams/v2.json", exports.streams),
    ):
        app.router.add_get(path, _for_any_site(handler))
        app.router.add_route(hdrs.METH_OPTIONS, path, _preflight)


# --- queries ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Surroundings:
    rooms: list[Room]
    venues: dict[str, Venue]
    current_events: list[CurrentEvent]


async def _surroundings(connection: AsyncConnection, now: int) -> _Surroundings:
    rooms = await Rooms(connection).all()
    venues = {venue.id: venue for venue in await Venues(connection).all()}
    return _Surroundings(rooms, venues, await _current_events(connection, now))


async def _limit(request: web.Request) -> None:
    """Raises TooMany for a household without a grant that asks too often."""
    services = request.app[SERVICES]
    try:
        services.exports.take(services.proxies.client_household(request))
    except TooMany:
        if await authenticate(request, services) is None:
            raise


async def _ask(
    request: web.Request, event_id: str | None, room_id: str | None, session_id: str | None
) -> Callable[[], _Asked]:
    """Resolves the query's ids. Returns the work to do in a thread. Raises NotFound for things that do not exist or are
    not public."""
    services = request.app[SERVICES]
    async with services.database.read() as connection:
        rooms = await Rooms(connection).all()
        venues = {venue.id: venue for venue in await Venues(connection).all()}
        event = None if event_id is None else await Events(connection).find(event_id)
        if session_id is not None:
            session = await Sessions(connection).find(session_id)
            sessions = [] if session is None or not told(ANYBODY, session, None).anything else [session]
        else:
            sessions = await _public_sessions(connection, event=event_id, room=room_id)
    if event_id is not None and event is None:
        raise NotFound("There is no such event.")
    if room_id is not None and all(room.id != room_id for room in rooms):
        raise NotFound("There is no such room.")
    if session_id is not None and not sessions:
        raise NotFound("There is no such session.")
    now = now_ms()

    def together() -> _Asked:
        return _together(services.public_url, rooms, venues, sessions, event, room_id, session_id, now)

    return together


def _together(
    public_url: str,
    rooms: Sequence[Room],
    venues: Mapping[str, Venue],
    sessions: Sequence[Session],
    event: Event | None,
    room_id: str | None,
    session_id: str | None,
    now: int,
) -> _Asked:
    listed = _listed(rooms, sessions, event, room_id, session_id)
    schedule = from_sessions(
        sessions,
        listed,
        venues,
        title=_title(listed, venues, room_id),
        public_url=public_url,
        event=event,
        timezone=DEFAULT_ZONE,
        now_ms=now,
    )
    pages = {f"{public_url}/session/{session.id}": session.changed_ms for session in sessions}
    changed = {item.guid: ms for item in schedule.items if (ms := pages.get(item.url)) is not None}
    event_id = None if event is None else event.id
    name = title_slug(sessions[0].title) if session_id is not None else event_id or room_id or "schedule"
    query = [(key, value) for key, value in zip(_NAMES, (event_id, room_id, session_id), strict=True) if value]
    return _Asked(schedule, changed, name, "?" + urlencode(query) if query else "")


def _ident(request: web.Request, name: str) -> str | None:
    value = request.query.get(name)
    if not value:
        return None
    if _IDENT.fullmatch(value) is None:
        raise NotFound(f"There is no such {name}.")
    return value


def _listed(
    rooms: Sequence[Room], sessions: Sequence[Session], event: Event | None, room_id: str | None, session_id: str | None
) -> list[Room]:
    """The rooms to list: of an event, the rooms of its venue and those of its public sessions. A closed session never
    adds or removes a room."""
    used = {room for session in sessions for room in session.rooms}
    if session_id is not None:
        return [room for room in rooms if room.id in used]
    if room_id is not None:
        return [room for room in rooms if room.id == room_id]
    if event is None:
        return list(rooms)
    return [room for room in rooms if room.id in used or (event.venue is not None and room.venue == event.venue)]


def _title(rooms: Sequence[Room], venues: Mapping[str, Venue], room_id: str | None) -> str:
    if room_id is not None and len(rooms) == 1:
        return rooms[0].name
    places = {room.venue for room in rooms}
    venue = venues.get(next(iter(places)) or "") if len(places) == 1 else None
    return TITLE if venue is None else venue.name


async def _public_sessions(connection: AsyncConnection, *, event: str | None, room: str | None) -> list[Session]:
    found: list[Session] = []
    cursor: str | None = None
    while True:
        page = await Sessions(connection).page(_AT_A_TIME, cursor, room=room, event=event, caller=ANYBODY)
        found += page.items
        cursor = page.cursor
        if cursor is None:
            return found


async def _current_events(connection: AsyncConnection, now: int) -> list[CurrentEvent]:
    near = await Sessions(connection).of_rooms(None, now - _NEAR_MS, now + _NEAR_MS)
    found: list[CurrentEvent] = []
    public = [session for session in near if told(ANYBODY, session, None).anything]
    for event_id in sorted({session.event for session in public if session.event is not None}):
        event = await Events(connection).find(event_id)
        if event is not None:
            sessions = await _public_sessions(connection, event=event_id, room=None)
            held = current_event(event, sessions, now)
            if held is not None:
                found.append(held)
    return found


def _talk(known: PublicSession | None) -> Talk | None:
    # Checked a second time: a closed session must never appear here, even if the public status has it.
    if known is None or not told(ANYBODY, known.session, None).anything:
        return None
    return Talk(known.session, known.shown.start_ms, known.shown.end_ms)


def _video_size(services: Services, room_id: str) -> tuple[int, int] | None:
    link = services.plane.rooms.get(room_id)
    broadcast = link.view.broadcast if link is not None else None
    if broadcast is None:
        return None
    sizes = [(r.width, r.height) for r in broadcast.renditions if r.width > 0 and r.height > 0]
    return max(sizes, default=None)


# --- answers ------------------------------------------------------------------------------------------


def _written(ask: Callable[[], _Asked], content_type: str, write: Callable[[_Asked], bytes]) -> Document:
    asked = ask()
    body = write(asked)
    changed = sorted(asked.changed_ms.items())
    digest = digest_of((asked.schedule, content_type, changed, asked.query, __version__))
    # Weak: another web process may have seen a session's change some seconds later.
    return Document.of(body, f'W/"{digest[:24]}"', asked.name)


_OPEN_HEADERS: dict[str, str] = {
    hdrs.ACCESS_CONTROL_ALLOW_ORIGIN: "*",
    hdrs.ACCESS_CONTROL_EXPOSE_HEADERS: "ETag",
}


def _calendar(schedule: Schedule, *, stamp_ms: int, changed_ms: Mapping[str, int]) -> bytes:
    # Here: the library of calendars is large, and a process that starts has no time for it.
    from streamer.schedules.write_ical import write_ical

    return write_ical(schedule, stamp_ms=stamp_ms, changed_ms=changed_ms)


def _headers(tag: str, age_s: int) -> dict[str, str]:
    return {
        **_OPEN_HEADERS,
        hdrs.ETAG: tag,
        hdrs.CACHE_CONTROL: f"public, max-age={age_s}",
        hdrs.VARY: "Accept-Encoding",
    }


def _response(request: web.Request, document: Document, content_type: str, age_s: int) -> web.Response:
    if matches(request, document.tag):
        return web.Response(status=304, headers=_headers(document.tag, age_s))
    headers = {**_headers(document.tag, age_s), hdrs.CONTENT_TYPE: content_type}
    if "gzip" in request.headers.get(hdrs.ACCEPT_ENCODING, "").lower():
        return web.Response(body=document.gzipped, headers={**headers, hdrs.CONTENT_ENCODING: "gzip"})
    return web.Response(body=document.body, headers=headers)


def _for_any_site(
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except StreamerError as error:
            # Other sites' pages may read the error, too.
            error.headers.update(_OPEN_HEADERS)
            raise

    return answer


async def _preflight(_request: web.Request) -> web.Response:
    """Browsers send ``If-None-Match`` only after a preflight."""
    return web.Response(
        status=204,
        headers={
            **_OPEN_HEADERS,
            hdrs.ACCESS_CONTROL_ALLOW_METHODS: "GET, HEAD",
            hdrs.ACCESS_CONTROL_ALLOW_HEADERS: "If-None-Match",
            hdrs.ACCESS_CONTROL_MAX_AGE: "86400",
        },
    )
