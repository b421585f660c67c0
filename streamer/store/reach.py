"""The present reach of grants of sessions and events, from stored data; and connections that outlive their grant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from streamer.conference import reach
from streamer.conference.grants import ADMIN, Action, Grant, Target
from streamer.conference.visibility import target_of
from streamer.errors import NotFound
from streamer.store.events import Events
from streamer.store.grants import Grants, OpenConnection, WebRtcConnections
from streamer.store.rooms import Rooms
from streamer.store.sessions import Sessions
from streamer.store.tables import rooms, sessions, venues

_AROUND_MS = 48 * 3600_000
"""More than a day and the hours for which a session is expected."""
_MOST_SESSIONS = 2000


async def grant_as_it_is(connection: AsyncConnection, grant_id: str, now_ms: int) -> Grant | None:
    """A grant with the rooms that it reaches now; None: it does not exist."""
    if grant_id == ADMIN.id:
        return ADMIN
    try:
        return await reaching(connection, await Grants(connection).get(grant_id), now_ms)
    except NotFound:
        return None


async def reaching(connection: AsyncConnection, grant: Grant, now_ms: int) -> Grant:
    """``grant`` with the rooms that it reaches now; a grant of a room, a venue or everything stays as it is."""
    stored = Sessions(connection)
    session_rooms = None
    if grant.session is not None:
        session = await stored.find(grant.session)
        own = [] if session is None else [session]
    elif grant.event is not None:
        from_ms, until_ms = now_ms - _AROUND_MS, now_ms + _AROUND_MS
        page = await stored.page(_MOST_SESSIONS, None, event=grant.event, from_ms=from_ms, until_ms=until_ms)
        own = page.items
        of_event = select(sessions.c.room_id).where(sessions.c.event_id == grant.event).distinct()
        session_rooms = [row.room_id for row in await connection.execute(of_event) if row.room_id is not None]
    else:
        return grant
    around = sorted({session.room for session in own if session.room})
    others = await stored.of_rooms(around, now_ms - 1, now_ms + 1) if around else []
    zones = await _zones(connection, around)
    return reach.reaching(grant, own, others, now_ms, zones, session_rooms)


async def with_ends(connection: AsyncConnection, found: Sequence[Grant], now_ms: int) -> list[Grant]:
    """Grants for a list: those of sessions with their ends, none with its rooms."""
    of_sessions = {grant.session for grant in found if grant.session is not None}
    by_id = await Sessions(connection).find_many(of_sessions) if of_sessions else {}
    return [
        reach.reaching(grant, (by_id[grant.session],), (), now_ms, {}) if grant.session in by_id else grant
        for grant in found
    ]


async def _zones(connection: AsyncConnection, room_ids: list[str]) -> dict[str, tzinfo]:
    if not room_ids:
        return {}
    query = (
        select(rooms.c.id, venues.c.timezone)
        .join(venues, venues.c.id == rooms.c.venue_id)
        .where(rooms.c.id.in_(room_ids))
    )
    return {row.id: ZoneInfo(row.timezone) for row in await connection.execute(query)}


# --- targets ----------------------------------------------------------------------------------------


async def target_of_session(connection: AsyncConnection, session_id: str) -> Target:
    """Raises NotFound."""
    session = await Sessions(connection).get(session_id)
    room = await Rooms(connection).find(session.room) if session.room else None
    return target_of(session, None if room is None else room.venue)


async def target_of_event(connection: AsyncConnection, event_id: str) -> Target:
    """Raises NotFound."""
    event = await Events(connection).get(event_id)
    return Target(venue=event.venue, event=event.id)


async def target_of_room(connection: AsyncConnection, room_id: str) -> Target:
    """Raises NotFound."""
    room = await Rooms(connection).get(room_id)
    return Target(room=room.id, venue=room.venue)


# --- connections that outlive their grants ----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Lapse:
    """An open connection whose grant would not open it any more.

    ``grant`` None: it was deleted, with its room's session for example, and the connection must be closed. Otherwise a
    publication goes on and is reported (an expiry never takes somebody off the air), and a preview is closed.
    """

    connection: OpenConnection
    grant: Grant | None

    @property
    def closes(self) -> bool:
        return self.grant is None or self.connection.kind == "play"


async def lapses(connection: AsyncConnection, now_ms: int) -> list[Lapse]:
    """The connections that outlive their grants, oldest first."""
    grants = Grants(connection)
    known: dict[str, Grant | None] = {}
    targets: dict[str, Target] = {}
    out = []
    for opened in await WebRtcConnections(connection).all():
        if opened.grant not in known:
            try:
                known[opened.grant] = await reaching(connection, await grants.get(opened.grant), now_ms)
            except NotFound:
                known[opened.grant] = None
        if opened.room not in targets:
            targets[opened.room] = await target_of_room(connection, opened.room)
        grant = known[opened.grant]
        action = Action.PUBLISH if opened.kind == "publish" else Action.PREVIEW
        if grant is None or not grant.in_force(now_ms) or not grant.allows(action, targets[opened.room]):
            out.append(Lapse(opened, grant))
    return out
