"""Recordings and their editions in the database. The archive has the files; these rows find and describe them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import delete, select, update

from streamer.conference.visibility import Caller
from streamer.errors import NotFound, Unprocessable
from streamer.store import revision
from streamer.store.mapping import RowMapping
from streamer.store.paging import Page
from streamer.store.repository import Repository, there
from streamer.store.tables import editions, recordings, rooms, sessions
from streamer.store.visibility import recording_told
from streamer.store.writing import add_rows, put_row


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


SILENCE_LUFS = -120.0
"""The loudness of an edition without sound."""


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
    sound: str = ""
    """The levelled sound that is heard in it; empty: the room's."""
    loudness: float | None = None
    """Integrated, of the room's sound in it, LUFS. None: it is not measured yet."""


_RECORDINGS = RowMapping(Recording, recordings)
_EDITIONS = RowMapping(StoredEdition, editions)
_UNKNOWN = "The recording's session or room does not exist."


class Recordings(Repository):
    """One transaction's view of the recordings."""

    async def get(self, session: str) -> Recording:
        """Raises NotFound."""
        return there(await self.find(session), "There is no recording of this session.")

    async def find(self, session: str) -> Recording | None:
        return await self._first(_RECORDINGS, select(recordings).where(recordings.c.session_id == session))

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
        query = select(recordings)
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
        by = (recordings.c.start_ms, recordings.c.session_id)
        return await self._page(_RECORDINGS, query, limit, after, *by, descending=True)

    async def in_state(self, *states: RecordingState) -> list[Recording]:
        """Oldest first."""
        query = select(recordings).where(recordings.c.state.in_([state.value for state in states]))
        return await self._all(_RECORDINGS, query.order_by(recordings.c.start_ms, recordings.c.session_id))

    async def unpinned_before(self, room: str, before_ms: int) -> list[Recording]:
        """A room's recordings that retention may delete: over before ``before_ms``, with files, not pinned. Oldest
        first."""
        query = select(recordings).where(
            recordings.c.room_id == room,
            recordings.c.end_ms < before_ms,
            recordings.c.pinned.is_(False),
            recordings.c.state.in_([RecordingState.READY.value, RecordingState.FAILED.value]),
        )
        return await self._all(_RECORDINGS, query.order_by(recordings.c.start_ms, recordings.c.session_id))

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

    async def drop_growing(self, session_ids: Iterable[str]) -> None:
        """Delete the rows and editions of sessions that did not take place."""
        growing = recordings.c.state == RecordingState.GROWING.value
        await self._connection.execute(
            delete(recordings).where(recordings.c.session_id.in_(list(session_ids)), growing)
        )

    async def remove(self, session: str) -> None:
        """Delete the row and its editions; the archive deletes the files."""
        await self._connection.execute(delete(recordings).where(recordings.c.session_id == session))


class Editions(Repository):
    """One transaction's view of the editions."""

    async def find(self, edition_id: str) -> StoredEdition | None:
        return await self._first(_EDITIONS, select(editions).where(editions.c.id == edition_id))

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
        return await self._all(_EDITIONS, query.order_by(editions.c.created_ms, editions.c.id))

    async def unmeasured(self, before_ms: int) -> list[StoredEdition]:
        """Current editions of finished recordings, made before that, whose loudness is not known. Newest first."""
        query = (
            select(editions)
            .join(recordings, recordings.c.session_id == editions.c.session_id)
            .where(
                editions.c.replaced_ms.is_(None),
                editions.c.end_ms.is_not(None),
                editions.c.loudness.is_(None),
                editions.c.created_ms < before_ms,
                recordings.c.state == RecordingState.READY.value,
            )
            .order_by(editions.c.created_ms.desc(), editions.c.id)
        )
        return await self._all(_EDITIONS, query)

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
