"""Recordings and their editions in the database. The archive has the files; these rows find and describe them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from streamer.conference.visibility import Caller
from streamer.errors import NotFound, Unprocessable
from streamer.store import revision
from streamer.store.mapping import RowMapping
from streamer.store.paging import Page, after_pair, page_of, pair_place
from streamer.store.tables import editions, recordings, rooms, sessions
from streamer.store.visibility import recording_told
from streamer.store.writing import add_rows, change_rows, put_row


class RecordingState(StrEnum):
    GROWING = "growing"
    READY = "ready"
    DELETED = "deleted"
    """By retention or by hand: the files are deleted, the row says that there was a recording."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Recording:
    """A session's material. Times are media times and include the handles; ``end_ms`` is None while it grows."""

    session: str
    room: str
    """The room where it was recorded."""
    broadcast: str
    folder: str
    """Relative to the data folder."""
    start_ms: int
    end_ms: int | None = None
    size_bytes: int = 0
    state: RecordingState = RecordingState.GROWING
    pinned: bool = False
    published: bool = False
    reviewed: bool = False
    created_ms: int = 0


@dataclass(frozen=True, slots=True)
class StoredEdition:
    """One cut of a recording, with an id that cannot be guessed. Media times."""

    id: str
    session: str
    start_ms: int
    end_ms: int | None = None
    """None during the session."""
    skips: tuple[tuple[int, int], ...] = ()
    """Incidents that are left out, ``(from, to)``."""
    created_ms: int = 0
    replaced_ms: int | None = None
    """The time when it was replaced or unpublished; its addresses answer 410 from then on."""


_RECORDINGS = RowMapping(Recording, recordings)
_EDITIONS = RowMapping(StoredEdition, editions)
_UNKNOWN = "The recording's session or room does not exist."


class Recordings:
    """One transaction's view of the recordings."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def get(self, session: str) -> Recording:
        """Raises NotFound."""
        recording = await self.find(session)
        if recording is None:
            raise NotFound("There is no recording of this session.")
        return recording

    async def find(self, session: str) -> Recording | None:
        row = (await self._connection.execute(select(recordings).where(recordings.c.session_id == session))).first()
        return None if row is None else _RECORDINGS.item(row)

    async def find_many(self, session_ids: Iterable[str]) -> dict[str, Recording]:
        """Session -> its recording, for those that exist."""
        query = select(recordings).where(recordings.c.session_id.in_(list(session_ids)))
        return {row.session_id: _RECORDINGS.item(row) for row in await self._connection.execute(query)}

    async def page(
        self,
        limit: int,
        after: str | None,
        *,
        room: str | None = None,
        venue: str | None = None,
        event: str | None = None,
        states: Iterable[RecordingState] | None = None,
        published: bool | None = None,
        caller: Caller | None = None,
    ) -> Page[Recording]:
        """Newest first. ``caller``: only those that they may know of; None: all."""
        order = (recordings.c.start_ms.desc(), recordings.c.session_id.desc())
        query = select(recordings).order_by(*order).limit(limit + 1)
        if after is not None:
            query = query.where(after_pair(recordings.c.start_ms, recordings.c.session_id, after, descending=True))
        if room is not None:
            query = query.where(recordings.c.room_id == room)
        if venue is not None:
            query = query.where(recordings.c.room_id.in_(select(rooms.c.id).where(rooms.c.venue_id == venue)))
        if event is not None:
            of_event = select(sessions.c.id).where(sessions.c.event_id == event)
            query = query.where(recordings.c.session_id.in_(of_event))
        if states is not None:
            query = query.where(recordings.c.state.in_([state.value for state in states]))
        if published is not None:
            query = query.where(recordings.c.published == published)
        if caller is not None:
            query = query.join(sessions, sessions.c.id == recordings.c.session_id).where(recording_told(caller))
        rows = (await self._connection.execute(query)).all()
        return page_of([(pair_place(row.start_ms, row.session_id), _RECORDINGS.item(row)) for row in rows], limit)

    async def in_state(self, *states: RecordingState) -> list[Recording]:
        """Oldest first."""
        query = select(recordings).where(recordings.c.state.in_([state.value for state in states]))
        rows = await self._connection.execute(query.order_by(recordings.c.start_ms, recordings.c.session_id))
        return [_RECORDINGS.item(row) for row in rows]

    async def unpinned_before(self, room: str, before_ms: int) -> list[Recording]:
        """A room's recordings that retention may delete: over before ``before_ms``, with files, not pinned. Oldest
        first."""
        query = select(recordings).where(
            recordings.c.room_id == room,
            recordings.c.end_ms < before_ms,
            recordings.c.pinned.is_(False),
            recordings.c.state.in_([RecordingState.READY.value, RecordingState.FAILED.value]),
        )
        rows = await self._connection.execute(query.order_by(recordings.c.start_ms, recordings.c.session_id))
        return [_RECORDINGS.item(row) for row in rows]

    async def total_bytes(self, *, room: str | None = None) -> int:
        """The size of all recordings with files."""
        query = select(func.coalesce(func.sum(recordings.c.size_bytes), 0)).where(
            recordings.c.state != RecordingState.DELETED.value
        )
        if room is not None:
            query = query.where(recordings.c.room_id == room)
        return int((await self._connection.execute(query)).scalar_one())

    async def add(self, recording: Recording) -> None:
        """Raises Conflict ``exists``, Unprocessable ``unknown_reference``."""
        await add_rows(
            self._connection,
            recordings,
            (_RECORDINGS.values(recording),),
            taken="The session has a recording.",
            unknown=_UNKNOWN,
        )

    async def put(self, recording: Recording) -> None:
        """Add it, or save it if the session has one. Raises Unprocessable ``unknown_reference``."""
        values = _RECORDINGS.values(recording)
        key = {"session_id": values.pop("session_id")}
        await put_row(self._connection, recordings, key, values, unknown=_UNKNOWN)

    async def save(self, recording: Recording) -> None:
        """Raises NotFound, Unprocessable ``unknown_reference``."""
        statement = (
            update(recordings).where(recordings.c.session_id == recording.session).values(_RECORDINGS.values(recording))
        )
        if not await change_rows(self._connection, statement, unknown=_UNKNOWN):
            raise NotFound("There is no recording of this session.")

    async def drop_growing(self, session_ids: Iterable[str]) -> None:
        """Delete the rows and editions of sessions that did not take place."""
        growing = recordings.c.state == RecordingState.GROWING.value
        await self._connection.execute(
            delete(recordings).where(recordings.c.session_id.in_(list(session_ids)), growing)
        )

    async def remove(self, session: str) -> None:
        """Delete the row and its editions; the archive deletes the files."""
        await self._connection.execute(delete(recordings).where(recordings.c.session_id == session))


class Editions:
    """One transaction's view of the editions."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def find(self, edition_id: str) -> StoredEdition | None:
        row = (await self._connection.execute(select(editions).where(editions.c.id == edition_id))).first()
        return None if row is None else _EDITIONS.item(row)

    async def current(self, session: str) -> StoredEdition | None:
        """The edition that the session's replay points to."""
        return (await self.current_of((session,))).get(session)

    async def current_of(self, session_ids: Iterable[str]) -> dict[str, StoredEdition]:
        """Session -> its edition; sessions without one are left out."""
        query = select(editions).where(editions.c.session_id.in_(list(session_ids)), editions.c.replaced_ms.is_(None))
        return {row.session_id: _EDITIONS.item(row) for row in await self._connection.execute(query)}

    async def of_session(self, session: str) -> list[StoredEdition]:
        """Oldest first, replaced ones included."""
        query = select(editions).where(editions.c.session_id == session)
        rows = await self._connection.execute(query.order_by(editions.c.created_ms, editions.c.id))
        return [_EDITIONS.item(row) for row in rows]

    async def add(self, edition: StoredEdition) -> None:
        """Make it the session's current edition: the one before is replaced at ``edition.created_ms``. Bumps the
        revision: stretches that it leaves out leave the live windows, too.

        Raises Conflict ``exists``, Unprocessable ``unknown_reference`` if the session has no recording.
        """
        await revision.bump(self._connection)
        if edition.replaced_ms is None:
            await self.withdraw(edition.session, edition.created_ms)
        await add_rows(
            self._connection,
            editions,
            (_EDITIONS.values(edition),),
            taken="An edition with this id exists.",
            unknown="The session has no recording.",
        )

    async def save(self, edition: StoredEdition) -> None:
        """Raises NotFound, Unprocessable ``bad_edition`` if it would stand beside the current one."""
        if edition.replaced_ms is None:
            current = await self.current(edition.session)
            if current is not None and current.id != edition.id:
                raise Unprocessable("Another edition has replaced this one.", code="bad_edition")
        changed = await self._connection.execute(
            update(editions).where(editions.c.id == edition.id).values(_EDITIONS.values(edition))
        )
        if not changed.rowcount:
            raise NotFound("There is no such edition.")

    async def withdraw(self, session: str, at_ms: int) -> bool:
        """Unpublish the current edition. Returns whether there was one."""
        changed = await self._connection.execute(
            update(editions)
            .where(editions.c.session_id == session, editions.c.replaced_ms.is_(None))
            .values(replaced_ms=at_ms)
        )
        return changed.rowcount > 0
