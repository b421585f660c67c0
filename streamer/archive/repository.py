"""Reads and writes the database's entry of a session's recording as a whole."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from streamer.archive import files
from streamer.archive.catalogue import Details, EditionRef, ReplayState
from streamer.archive.files import KeptEdition, RecordingSidecar
from streamer.archive.material import HANDLE_MS, Span, union
from streamer.archive.material_sources import FOREVER_MS
from streamer.conference.rooms import Room
from streamer.conference.sessions import Mark, MarkKind, Session, SessionState, Visibility
from streamer.errors import NotFound
from streamer.store.approvals import Approvals
from streamer.store.audit import AuditEntry, AuditLog
from streamer.store.database import Database
from streamer.store.events import Events
from streamer.store.marks import Marks
from streamer.store.recordings import Editions, Recording, Recordings, RecordingState, StoredEdition
from streamer.store.rooms import Rooms
from streamer.store.sessions import Sessions

AROUND_MS = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class RecordingEntry:
    """Everything that the database knows of one session's recording."""

    session: Session
    recording: Recording | None
    editions: tuple[StoredEdition, ...]
    """Oldest first."""
    marks: tuple[Mark, ...] = ()
    others: tuple[Session, ...] = ()
    """Sessions of the same room around it."""

    @property
    def current(self) -> StoredEdition | None:
        return next((edition for edition in reversed(self.editions) if edition.replaced_ms is None), None)

    def hidden(self, end_ms: int = FOREVER_MS) -> tuple[Span, ...]:
        """The incidents that replays skip; an incident that lasts is hidden up to ``end_ms``."""
        return union(
            Span(mark.at_ms, end_ms if mark.until_ms is None else mark.until_ms)
            for mark in self.marks
            if mark.kind is MarkKind.INCIDENT and mark.hidden
        )


@dataclass(frozen=True, slots=True)
class Who:
    """For the audit log: a grant's id and label."""

    id: str
    label: str = ""


class RecordingRepository:
    """Raises StoreUnavailable and the errors of the repositories."""

    def __init__(self, database: Database, recordings_dir: Path) -> None:
        self._database = database
        self._dir = recordings_dir

    def folder(self, session: str) -> Path:
        return self._dir / session

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncIterator[Recordings]:
        async with self._database.read() as connection:
            yield Recordings(connection)

    async def entry(self, session_id: str, *, around: bool = True) -> RecordingEntry | None:
        """None if there is no such session."""
        async with self._database.read() as connection:
            session = await Sessions(connection).find(session_id)
            if session is None:
                return None
            recording = await Recordings(connection).find(session_id)
            editions = await Editions(connection).of_session(session_id) if recording is not None else []
            marks = await Marks(connection).of_session(session_id)
            others: list[Session] = []
            if around and session.started_ms is not None:
                end_ms = session.ended_ms or session.started_ms + AROUND_MS
                others = await Sessions(connection).of_room_around(
                    session.room, session.started_ms - HANDLE_MS, end_ms + HANDLE_MS
                )
        return RecordingEntry(session, recording, tuple(editions), tuple(marks), tuple(others))

    async def details(self, session_id: str) -> Details:
        """For a file of the session; empty if there is no such session."""
        async with self._database.read() as connection:
            session = await Sessions(connection).find(session_id)
            if session is None:
                return Details()
            marks = await Marks(connection).of_session(session_id)
            event = ""
            if session.event is not None:
                with contextlib.suppress(NotFound):
                    event = (await Events(connection).get(session.event)).name
        begin_ms = session.start_ms if session.started_ms is None else session.started_ms
        return Details(
            session.title,
            session.speakers,
            event,
            session.abstract,
            datetime.fromtimestamp(begin_ms / 1000, UTC).date().isoformat(),
            tuple(
                (mark.at_ms, mark.label)
                for mark in marks
                if mark.kind is MarkKind.CHAPTER and mark.label and (session.closed or not mark.said_closed)
            ),
        )

    async def unfinished(self, since_ms: int) -> list[str]:
        """Sessions that need work after a restart: on air, growing, or ended since then, with or without a
        recording."""
        async with self._database.read() as connection:
            growing = await Recordings(connection).in_state(RecordingState.GROWING)
            recent = await Sessions(connection).of_rooms(None, since_ms, FOREVER_MS)
        ids = {recording.session for recording in growing}
        ids |= {session.id for session in recent if session.started_ms is not None}
        return sorted(ids)

    async def answering(self) -> set[str]:
        """Sessions whose replay answers."""
        found: set[str] = set()
        cursor: str | None = None
        while True:
            async with self._database.read() as connection:
                page = await Recordings(connection).page(500, cursor, published=True)
            found |= {r.session for r in page.items if r.state is not RecordingState.DELETED}
            cursor = page.cursor
            if cursor is None:
                return found

    async def unmeasured(self, before_ms: int) -> list[StoredEdition]:
        """Finished editions of before whose loudness is not known, newest first."""
        async with self._database.read() as connection:
            return await Editions(connection).unmeasured(before_ms)

    async def of_room(self, room: str, span: Span) -> list[str]:
        """Sessions with a recording that may hold something of ``span``."""
        async with self._database.read() as connection:
            sessions = await Sessions(connection).of_room_around(room, span.from_ms - HANDLE_MS, span.to_ms + HANDLE_MS)
            found = await Recordings(connection).find_many([s.id for s in sessions])
        return [name for name, recording in found.items() if recording.state is not RecordingState.DELETED]

    async def write(
        self,
        recording: Recording,
        *,
        edition: StoredEdition | None = None,
        saved: StoredEdition | None = None,
        withdraw_ms: int | None = None,
        who: Who | None = None,
        action: str = "",
        details: Mapping[str, Any] | None = None,
        at_ms: int = 0,
        approved_as: str = "",
    ) -> None:
        """In one transaction: the recording's row, changes of an edition (``saved``), a new edition that replaces it
        (``edition``) or no edition any more (``withdraw_ms``), and the audit log.

        ``approved_as``: the id of an edition with the same cut; its speaker's answer holds for the new one.
        """
        async with self._database.write() as connection:
            await Recordings(connection).put(recording)
            editions = Editions(connection)
            if saved is not None:
                await editions.save(saved)
            if withdraw_ms is not None:
                await editions.withdraw(recording.session, withdraw_ms)
            if edition is not None:
                await editions.add(edition)
                if approved_as:
                    await Approvals(connection).carry(recording.session, approved_as, edition.id)
            if who is not None:
                await AuditLog(connection).add(
                    AuditEntry(
                        at_ms,
                        who.id,
                        who.label,
                        action,
                        "recording",
                        recording.session,
                        room=recording.room,
                        details=details or {},
                    )
                )

    async def drop(self, session: str) -> None:
        async with self._database.write() as connection:
            await Recordings(connection).remove(session)

    async def restore(self, kept: RecordingSidecar) -> bool:
        """Restore the entry of a recording's folder. False if the database has it."""
        async with self._database.write() as connection:
            if await Recordings(connection).find(kept.session) is not None:
                return False
            if await Sessions(connection).find(kept.session) is None:
                await self._restore_session(connection, kept)
            recording = Recording(
                session=kept.session,
                room=kept.room,
                broadcast="",
                folder=kept.session,
                start_ms=kept.start_ms,
                end_ms=kept.end_ms,
                state=RecordingState.READY if kept.end_ms is not None else RecordingState.GROWING,
                pinned=kept.pinned,
                published=kept.published,
                reviewed=kept.reviewed,
                created_ms=kept.created_ms,
            )
            await Recordings(connection).add(recording)
            for edition in kept.editions:
                await Editions(connection).add(
                    StoredEdition(
                        edition.id,
                        kept.session,
                        edition.start_ms,
                        edition.end_ms,
                        edition.skips,
                        edition.created_ms,
                        edition.replaced_ms,
                        edition.sound,
                        edition.loudness,
                    )
                )
        return True

    async def _restore_session(self, connection: Any, kept: RecordingSidecar) -> None:
        """Restore enough of the session for its replay to have its title, its privacy and its place."""
        rooms = Rooms(connection)
        if kept.room not in {room.id for room in (await rooms.page(500, None)).items}:
            await rooms.add(Room(kept.room, kept.room))
        begin, end = kept.started_ms or kept.start_ms, kept.ended_ms or kept.end_ms or kept.start_ms + 1
        await Sessions(connection).add(
            Session(
                id=kept.session,
                room=kept.room,
                title=kept.title,
                speakers=kept.speakers,
                start_ms=begin,
                end_ms=max(end, begin + 1),
                started_ms=begin,
                ended_ms=end,
                state=SessionState.ENDED,
                visibility=Visibility(kept.visibility),
                generation=kept.generation,
            )
        )


def kept_of(entry: RecordingEntry, recording: Recording) -> RecordingSidecar:
    """The copy of the entry that stands in the recording's folder."""
    session = entry.session
    return RecordingSidecar(
        session=session.id,
        room=recording.room,
        title=session.title,
        speakers=session.speakers,
        visibility=session.visibility.value,
        generation=session.generation,
        started_ms=session.started_ms,
        ended_ms=session.ended_ms,
        start_ms=recording.start_ms,
        end_ms=recording.end_ms,
        published=recording.published,
        reviewed=recording.reviewed,
        pinned=recording.pinned,
        created_ms=recording.created_ms,
        editions=tuple(
            KeptEdition(e.id, e.start_ms, e.end_ms, e.skips, e.created_ms, e.replaced_ms, e.sound, e.loudness)
            for e in entry.editions
        ),
    )


def new_edition(
    entry: RecordingEntry, start_ms: int, end_ms: int | None, skips: Iterable[Span], now_ms: int
) -> StoredEdition:
    """A cut under a new address. Its time is later than that of the session's others and than its own end. An edition
    that began during the session is thereby different."""
    created_ms = max([now_ms, (end_ms or 0) + 1, *(edition.created_ms + 1 for edition in entry.editions)])
    pairs = tuple((span.from_ms, span.to_ms) for span in skips)
    fresh = StoredEdition(secrets.token_urlsafe(12), entry.session.id, start_ms, end_ms, pairs, created_ms)
    current = entry.current
    if current is not None and (current.start_ms, current.end_ms, current.skips) == (start_ms, end_ms, pairs):
        # The same cut has the same sound.
        return replace(fresh, sound=current.sound, loudness=current.loudness)
    return fresh


def state_of(entry: RecordingEntry, folder: Path) -> ReplayState | None:
    """The state for delivery. None if there is no recording, or none any more."""
    recording = entry.recording
    if recording is None:
        return None
    deleted = recording.state is RecordingState.DELETED
    return ReplayState(
        session=entry.session.id,
        room=recording.room,
        folder=folder,
        editions=tuple(_refs(entry.editions, deleted)),
        published=recording.published and not deleted,
        closed=entry.session.closed,
        whole=whole_of(recording) if entry.current is not None else None,
    )


def whole_of(recording: Recording) -> EditionRef | None:
    """The whole material as an edition. Other material, after something was forgotten, has another id."""
    if recording.state is not RecordingState.READY or recording.end_ms is None:
        return None
    name = f"whole-{recording.start_ms}-{recording.end_ms}-{recording.size_bytes}"
    return EditionRef(name, recording.start_ms, recording.end_ms, created_ms=recording.end_ms)


def _refs(editions: Sequence[StoredEdition], deleted: bool) -> Iterable[EditionRef]:
    for edition, following in zip(editions, [*editions[1:], None], strict=True):
        # People who watch from the start while the session ends stay in the live edition. It shows the stretches of the
        # edition that was made of it, so it lasts as long as that one.
        goes_on = (
            following is not None
            and following.replaced_ms is None
            and edition.end_ms is not None
            and edition.end_ms == following.end_ms
            and (edition.start_ms, edition.skips) == (following.start_ms, following.skips)
            and edition.created_ms < edition.end_ms
            and edition.replaced_ms == following.created_ms
        )
        replaced = deleted or (edition.replaced_ms is not None and not goes_on)
        skips = tuple(Span(a, b) for a, b in edition.skips)
        yield EditionRef(
            edition.id, edition.start_ms, edition.end_ms, skips, edition.created_ms, replaced, edition.sound
        )


def with_edition(
    entry: RecordingEntry, recording: Recording, edition: StoredEdition | None, at_ms: int
) -> RecordingEntry:
    """The entry after :meth:`RecordingRepository.write`."""
    editions = tuple(replace(e, replaced_ms=at_ms) if e.replaced_ms is None else e for e in entry.editions)
    return replace(entry, recording=recording, editions=editions if edition is None else (*editions, edition))


def with_saved(entry: RecordingEntry, recording: Recording, saved: StoredEdition) -> RecordingEntry:
    """The entry after ``saved`` was written in place of the edition with its id."""
    editions = tuple(saved if edition.id == saved.id else edition for edition in entry.editions)
    return replace(entry, recording=recording, editions=editions)


def folders(recordings_dir: Path) -> list[Path]:
    """The folders of recordings with a copy of their entry. Blocks."""
    if not recordings_dir.is_dir():
        return []
    return sorted(f for f in recordings_dir.iterdir() if (f / files.STATE_FILE).is_file())
