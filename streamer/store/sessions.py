"""Sessions in the database. Each change bumps the revision."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from sqlalchemy import ColumnElement, and_, bindparam, delete, or_, select, update

from streamer.conference.sessions import RUNNING, Session, SessionState
from streamer.conference.visibility import Caller
from streamer.store import revision
from streamer.store.bulk import batches
from streamer.store.mapping import RowMapping
from streamer.store.paging import Page
from streamer.store.repository import Repository, there
from streamer.store.tables import recordings, rooms, sessions
from streamer.store.visibility import also_in, session_told
from streamer.store.writing import add_rows, change_rows, remove_rows

_MAPPING = RowMapping(Session, sessions)
_UNKNOWN = "The session's room or event does not exist."


class Sessions(Repository):
    """One transaction's view of the sessions."""

    async def get(self, session_id: str) -> Session:
        """Raises NotFound."""
        return there(await self.find(session_id), "There is no such session.")

    async def find(self, session_id: str) -> Session | None:
        return await self._first(_MAPPING, select(sessions).where(sessions.c.id == session_id))

    async def page(
        self,
        limit: int,
        after: str | None,
        *,
        room: str | None = None,
        event: str | None = None,
        venue: str | None = None,
        from_ms: int | None = None,
        until_ms: int | None = None,
        states: Iterable[SessionState] | None = None,
        language: str | None = None,
        caller: Caller | None = None,
        now_ms: int | None = None,
    ) -> Page[Session]:
        """By planned start. ``room``: those that take place there, whichever room carries them. ``from_ms`` and
        ``until_ms``: sessions that overlap this time, by plan or in fact.
        ``now_ms``: what runs is in each time that begins before it; None: in each.
        ``caller``: only those that they may know of; None: all."""
        query = select(sessions)
        if room is not None:
            query = query.where(or_(sessions.c.room_id == room, also_in(room)))
        if event is not None:
            query = query.where(sessions.c.event_id == event)
        if venue is not None:
            of_venue = sessions.c.room_id.in_(select(rooms.c.id).where(rooms.c.venue_id == venue))
            query = query.where(or_(of_venue, sessions.c.venue_id == venue))
        if from_ms is not None:
            # A running session lasts at least until now; whether until some later day is not known.
            query = query.where(_lasts_past(from_ms, RUNNING if now_ms is None or from_ms <= now_ms else ()))
        if until_ms is not None:
            query = query.where(_begins_before(until_ms))
        if states is not None:
            query = query.where(sessions.c.state.in_([state.value for state in states]))
        if language is not None:
            # A query for ``fr`` finds ``fr-CA``, too.
            query = query.where(or_(sessions.c.language == language, sessions.c.language.startswith(f"{language}-")))
        if caller is not None:
            query = query.where(session_told(caller))
        return await self._page(_MAPPING, query, limit, after, sessions.c.start_ms, sessions.c.id)

    async def of_room_around(self, room: str, from_ms: int, until_ms: int) -> list[Session]:
        """By start: sessions that end at ``from_ms`` or later and begin before ``until_ms``, by plan or in fact.

        Armed and running sessions are always among them, however far away.
        """
        return await self.of_rooms((room,), from_ms, until_ms)

    async def of_rooms(self, room_ids: Iterable[str] | None, from_ms: int, until_ms: int) -> list[Session]:
        """As :meth:`of_room_around` for several rooms; None: all rooms."""
        lively = RUNNING | {SessionState.ARMED}
        query = select(sessions).where(
            _lasts_past(from_ms - 1, lively), or_(_begins_before(until_ms), sessions.c.state.in_(_values(lively)))
        )
        if room_ids is not None:
            query = query.where(sessions.c.room_id.in_(list(room_ids)))
        return await self._all(_MAPPING, query.order_by(sessions.c.start_ms, sessions.c.id))

    async def of_event(self, event: str) -> list[Session]:
        """All sessions of an event by start, for an import to compare with."""
        query = select(sessions).where(sessions.c.event_id == event)
        return await self._all(_MAPPING, query.order_by(sessions.c.start_ms, sessions.c.id))

    async def find_many(self, session_ids: Iterable[str]) -> dict[str, Session]:
        """The sessions that exist of these, by id."""
        found: dict[str, Session] = {}
        for ids in batches(list(session_ids)):
            for session in await self._all(_MAPPING, select(sessions).where(sessions.c.id.in_(ids))):
                found[session.id] = session
        return found

    async def add(self, session: Session) -> None:
        """Raises Conflict ``exists``, Unprocessable ``unknown_reference`` if room or event do not exist."""
        await self.add_many((session,))

    async def add_many(self, new: Sequence[Session]) -> None:
        """Adds all or none. Raises as :meth:`add` does."""
        if not new:
            return
        await revision.bump(self._connection)
        await add_rows(
            self._connection,
            sessions,
            [_MAPPING.values(session) for session in new],
            taken="A session with this id exists.",
            unknown=_UNKNOWN,
        )

    async def save_many(self, changed: Sequence[Session]) -> None:
        """Saves all that exist; the others are skipped. Raises Unprocessable ``unknown_reference``."""
        if not changed:
            return
        await revision.bump(self._connection)
        rows = [{f"new_{name}": value for name, value in _MAPPING.values(session).items()} for session in changed]
        statement = (
            update(sessions)
            .where(sessions.c.id == bindparam("new_id"))
            .values({name: bindparam(f"new_{name}") for name in _MAPPING.columns if name != "id"})
        )
        await change_rows(self._connection, statement, rows, unknown=_UNKNOWN)

    async def remove_many(self, session_ids: Iterable[str]) -> None:
        """Removes all or none, with their marks and grants. Raises Conflict ``has_recording`` while there are recorded
        files."""
        ids_to_go = list(session_ids)
        if ids_to_go:
            await revision.bump(self._connection)
        for ids in batches(ids_to_go):
            gone = and_(recordings.c.session_id.in_(ids), recordings.c.state == "deleted")
            await self._connection.execute(delete(recordings).where(gone))
            await remove_rows(
                self._connection,
                delete(sessions).where(sessions.c.id.in_(ids)),
                in_use="The session has a recording. Delete the recording first.",
                code="has_recording",
            )

    async def portrait_addresses(self) -> set[str]:
        """Of all sessions' portraits."""
        query = select(sessions.c.portraits).where(sessions.c.portraits != "[]").distinct()
        rows = await self._connection.execute(query)
        return {address for row in rows for _, address in json.loads(row.portraits)}


def _lasts_past(from_ms: int, besides: Iterable[SessionState]) -> ColumnElement[bool]:
    """Sessions that end after ``from_ms``, by plan, by extension or in fact, or are in one of the states
    ``besides``."""
    return or_(
        sessions.c.end_ms > from_ms,
        sessions.c.extended_until_ms > from_ms,
        sessions.c.ended_ms > from_ms,
        sessions.c.state.in_(_values(besides)),
    )


def _begins_before(until_ms: int) -> ColumnElement[bool]:
    return or_(sessions.c.start_ms < until_ms, sessions.c.started_ms < until_ms)


def _values(states: Iterable[SessionState]) -> list[str]:
    return sorted(state.value for state in states)
