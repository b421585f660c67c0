"""Sessions in the database. Each change bumps the revision."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from streamer.conference.sessions import RUNNING, Session, SessionState
from streamer.conference.visibility import Caller
from streamer.errors import NotFound
from streamer.store import revision
from streamer.store.mapping import RowMapping
from streamer.store.paging import Page, after_pair, page_of, pair_place
from streamer.store.tables import recordings, rooms, sessions
from streamer.store.visibility import also_in, session_told
from streamer.store.writing import add_rows, change_rows, remove_rows

_MAPPING = RowMapping(Session, sessions)
_UNKNOWN = "The session's room or event does not exist."
_AT_A_TIME = 500
"""Ids in one statement: both databases limit the number of values."""


class Sessions:
    """One transaction's view of the sessions."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def get(self, session_id: str) -> Session:
        """Raises NotFound."""
        session = await self.find(session_id)
        if session is None:
            raise NotFound("There is no such session.")
        return session

    async def find(self, session_id: str) -> Session | None:
        row = (await self._connection.execute(select(sessions).where(sessions.c.id == session_id))).first()
        return None if row is None else _MAPPING.item(row)

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
        query = select(sessions).order_by(sessions.c.start_ms, sessions.c.id).limit(limit + 1)
        if after is not None:
            query = query.where(after_pair(sessions.c.start_ms, sessions.c.id, after))
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
        rows = (await self._connection.execute(query)).all()
        return page_of([(pair_place(row.start_ms, row.id), _MAPPING.item(row)) for row in rows], limit)

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
        return await self._all(query.order_by(sessions.c.start_ms, sessions.c.id))

    async def of_event(self, event: str) -> list[Session]:
        """All sessions of an event by start, for an import to compare with."""
        query = select(sessions).where(sessions.c.event_id == event)
        return await self._all(query.order_by(sessions.c.start_ms, sessions.c.id))

    async def find_many(self, session_ids: Iterable[str]) -> dict[str, Session]:
        """The sessions that exist of these, by id."""
        found: dict[str, Session] = {}
        for ids in _batches(list(session_ids)):
            for session in await self._all(select(sessions).where(sessions.c.id.in_(ids))):
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

    async def save(self, session: Session) -> None:
        """Raises NotFound if it does not exist, Unprocessable ``unknown_reference``."""
        await revision.bump(self._connection)
        changed = await change_rows(
            self._connection,
            update(sessions).where(sessions.c.id == session.id).values(_MAPPING.values(session)),
            unknown=_UNKNOWN,
        )
        if not changed:
            raise NotFound("There is no such session.")

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

    async def remove(self, session_id: str) -> None:
        """Removes its marks and grants with it. Raises Conflict ``has_recording`` while there are recorded files."""
        await self.remove_many((session_id,))

    async def remove_many(self, session_ids: Iterable[str]) -> None:
        """Removes all or none. Raises as :meth:`remove` does."""
        batches = _batches(list(session_ids))
        if batches:
            await revision.bump(self._connection)
        for ids in batches:
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

    async def count(self, *, room: str | None = None, event: str | None = None) -> int:
        query = select(func.count()).select_from(sessions)
        if room is not None:
            query = query.where(sessions.c.room_id == room)
        if event is not None:
            query = query.where(sessions.c.event_id == event)
        return int((await self._connection.execute(query)).scalar_one())

    async def _all(self, query: Any) -> list[Session]:
        return [_MAPPING.item(row) for row in (await self._connection.execute(query)).all()]


def image_of(session: Session) -> dict[str, Any]:
    """A whole session as a JSON object, for :class:`~streamer.store.actions.StoredAction`."""
    return _MAPPING.values(session)


def session_of(image: Mapping[str, Any]) -> Session:
    """The reverse of :func:`image_of`, also for older versions: missing fields get their defaults."""
    return _MAPPING.of_values(image)


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


def _batches(ids: list[str]) -> list[list[str]]:
    return [ids[at : at + _AT_A_TIME] for at in range(0, len(ids), _AT_A_TIME)]
