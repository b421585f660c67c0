"""The archivist makes, cuts and deletes recordings, so that the public can watch sessions again.

It follows sessions' marks (``changed``), looks at each session that may have changed, and updates its recording; a look
at an up-to-date recording does nothing. :mod:`.editing` has people's changes. One task looks, at one session at a time.
Delivery asks :meth:`Archivist.find` for every segment, which is answered from memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import structlog

from streamer.archive import deleting, files, restoring
from streamer.archive.catalogue import Details, ReplayState
from streamer.archive.editions import LAG_MS, common_end
from streamer.archive.material import HANDLE_MS, Material, Span, glance, union
from streamer.archive.material_sources import (
    FOREVER_MS,
    PART_MS,
    combined,
    forbidden,
    from_indexes,
    wait_for_mark,
    with_handles,
)
from streamer.archive.repository import (
    RecordingEntry,
    RecordingRepository,
    Who,
    kept_of,
    new_edition,
    state_of,
    with_edition,
    with_saved,
)
from streamer.broadcast.media_events import PROGRAMME_OUTPUT
from streamer.conference.sessions import ReplayPolicy, Session
from streamer.control.media_plane import MediaPlane
from streamer.errors import StreamerError
from streamer.formats import erasures
from streamer.shares import Shares
from streamer.store.database import Database
from streamer.store.erasing import Erasing
from streamer.store.recordings import Recording, RecordingState
from streamer.supervision import TASKS, start_kept

log = structlog.get_logger(__name__)

CHECKPOINT_S = 60.0
"""Time between two links and records of a running session's material. A lost database or room costs this much at
most."""
TAIL_S = 10.0
"""The wait after the end of the handle behind the session, while the last media reach the disk."""
LOOK_BACK_MS = 2 * 3600 * 1000
REMEMBERED = 512
MAX_STILLS = 8
RETRY_S = 5.0
LATE_BEGIN_MS = 5_000
"""If the material begins this much after the start mark, its beginning may be in another place."""
GRACE_MS = 10_000
"""An incident, or an end, that began less than this ago changes only segments that are not listed yet."""


class Archivist:
    """``clock``: UTC milliseconds. ``start`` it first, ``close`` it last; all on the loop."""

    def __init__(
        self,
        data: Path,
        database: Database,
        plane: MediaPlane,
        *,
        clock: Callable[[], int],
        room_dir: Callable[[str], Path],
        erasing: Erasing,
    ) -> None:
        self.erasing = erasing
        erasing.does(erasures.RecordingErasure, functools.partial(deleting.again, self))
        self.dir = data / "recordings"
        self.repository = RecordingRepository(database, self.dir)
        self.clock = clock
        self.faults = 0
        """Failed looks; each is logged and repeated."""
        self.answers: Callable[[str, ReplayState | None], None] = lambda session, state: None  # told what find answers
        self.decoding = asyncio.Lock()
        """Held while a still is decoded: one at a time."""
        self.stills = Shares(MAX_STILLS)
        """Requests for a still that wait or are being answered, by grant."""
        self.waveforms = Shares(MAX_STILLS)
        self.levelling: dict[str, asyncio.Task[bytes]] = {}
        """The work at the sound of sessions (``levelling.py``)."""
        self._failed: dict[str, tuple[str, int]] = {}  # session -> its room, and the looks in a row that failed
        self._plane = plane
        self._room_dir = room_dir
        self._locks: dict[str, asyncio.Lock] = {}
        self._known: OrderedDict[str, ReplayState | None] = OrderedDict()
        self._answering: set[str] = set()
        self._writes = 0
        """Grows with every change that alters an answer of :meth:`find`."""
        self._renewed: set[str] = set()
        """Sessions whose edition everybody knew and that not everybody may see any more."""
        self._due: dict[str, int] = {}
        """Session -> the time of the next look at it, UTC milliseconds."""
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    # --- life --------------------------------------------------------------------------------------

    async def restore(self) -> None:
        """Restore the recordings that the database has lost, and delete those that it calls deleted. Call it before
        :meth:`start` and before erasures are applied, which may delete some of them again. Raises StoreUnavailable."""
        self.faults += await restoring.put_back(self.repository, self.dir)
        await deleting.finish(self)

    async def start(self) -> None:
        """Continue the work from before the restart. Raises StoreUnavailable."""
        self._answering = await self.repository.answering()
        now_ms = self.clock()
        self._due = dict.fromkeys(await self.repository.unfinished(now_ms - LOOK_BACK_MS), now_ms)
        self._task = start_kept("archivist", self._run)

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    # --- events -------------------------------------------------------------------------------------

    def changed(self, before: Session | None, after: Session | None) -> None:
        """A session has changed. Returns at once; the archivist's task does the work."""
        session = after or before
        assert session is not None
        self._known.pop(session.id, None)
        self._writes += 1
        if before is not None and after is not None and after.closed and not before.closed:
            self._renewed.add(session.id)
        if before is not None and after is not None and _same_for_replay(before, after):
            return
        if session.started_ms is not None or (before is not None and before.started_ms is not None):
            self.look_at(session.id)

    def marks_changed(self, session: str) -> None:
        """An incident of the session began, ended, was hidden or shown."""
        self.look_at(session)

    def look_at(self, session: str, *, after_s: float = 0.0) -> None:
        at = self.clock() + round(after_s * 1000)
        self._due[session] = min(at, self._due.get(session, at))
        self._woken.set()

    # --- questions ------------------------------------------------------------------------------------

    async def find(self, session: str) -> ReplayState | None:
        """The recording that delivery may serve of a session (``ReplayCatalogue``)."""
        if session in self._known:
            self._known.move_to_end(session)
            return self._known[session]
        writes = self._writes
        entry = await self.repository.entry(session, around=False)
        state = state_of(entry, self.repository.folder(session)) if entry is not None else None
        if writes == self._writes:
            # Otherwise something was written during the read, and the remembered state is newer.
            self.remember(session, state)
        return state

    async def details(self, session: str) -> Details:
        """The session's title and other details for its file (``ReplayCatalogue``)."""
        return await self.repository.details(session)

    def has_replay(self, session: str) -> bool:
        """Whether the session's replay answers."""
        return session in self._answering

    def remember(self, session: str, state: ReplayState | None) -> None:
        """Keep the state for later answers of :meth:`find`."""
        self.answers(session, state)
        self._writes += 1
        self._known[session] = state
        self._known.move_to_end(session)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        self._answering.discard(session)
        if state is not None and state.published and state.current is not None:
            self._answering.add(session)

    def fails(self, room: str) -> bool:
        """Whether a recording of the room could not be kept at one try, nor at the next."""
        return any(where == room and count > 1 for where, count in self._failed.values())

    @contextlib.asynccontextmanager
    async def alone(self, session: str) -> AsyncIterator[None]:
        """A lock: inside it only the caller changes the session's recording."""
        async with self._locks.setdefault(session, asyncio.Lock()):
            yield

    async def interrupt(self, session: str) -> None:
        """End the work at the session's sound, because bytes of it are about to be deleted."""
        if (work := self.levelling.get(session)) is not None:
            work.cancel()
            await asyncio.wait((work,))

    # --- looking --------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            self._woken.clear()
            now_ms = self.clock()
            due = [session for session, at in self._due.items() if at <= now_ms]
            for session in due:
                del self._due[session]
            async with asyncio.TaskGroup() as group:
                for session in due:
                    group.create_task(self._look_safely(session), name=f"archivist {session}")
            wait_s = min((at - self.clock() for at in self._due.values()), default=60_000) / 1000
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.05, min(wait_s, 60.0))):
                    await self._woken.wait()

    async def _look_safely(self, session: str) -> None:
        try:
            async with self.alone(session):
                await self.look(session)
            self._failed.pop(session, None)
        except Exception as error:
            self.faults += 1
            room, count = self._failed.get(session, ("", 0))
            self._failed[session] = room, count + 1
            if isinstance(error, (StreamerError, OSError)):
                log.error("recording_not_kept", session=session, error=str(error))
                self.look_at(session, after_s=RETRY_S)
            else:
                TASKS.note("archivist")
                log.exception("archivist_failed", session=session)
                self.look_at(session, after_s=CHECKPOINT_S)

    async def look(self, session_id: str) -> None:
        """Update one session's recording. Raises StreamerError, OSError."""
        entry = await self.repository.entry(session_id)
        if entry is None or (entry.session.started_ms is None and entry.recording is None):
            self.remember(session_id, None)
            if entry is None:
                # A session that began unplanned and was undone has no row that could tell of its files.
                await deleting.remove_left(self, session_id)
            return
        session, recording = entry.session, entry.recording
        self._failed[session_id] = session.room, self._failed.get(session_id, ("", 0))[1]
        if session.started_ms is None or not session.recorded:
            await self._give_up(entry)
        elif session.running:
            await self._grow(entry)
        elif recording is None or recording.state is not RecordingState.DELETED:
            await self._finish(entry)

    async def _give_up(self, entry: RecordingEntry) -> None:
        """The session did not begin after all, or must not be recorded."""
        recording = entry.recording
        if recording is None or recording.state is RecordingState.DELETED:
            return
        if entry.session.recorded and recording.pinned:
            return
        await self.erase(entry, recording)
        if entry.session.started_ms is None:
            await self.repository.drop(entry.session.id)
            self.remember(entry.session.id, None)

    async def erase(
        self, entry: RecordingEntry, recording: Recording, *, who: Who | None = None, action: str = ""
    ) -> None:
        """Delete the files; the row says that there was a recording. Raises NotErased if the disk keeps some of them:
        then nobody is served them, and the deletion is tried again."""

        def withdraw() -> Awaitable[None]:
            return deleting.withdraw(self, entry, recording, who, action)

        await deleting.remove(self, entry.session.id, recording.room, withdraw)

    async def withhold(self, entry: RecordingEntry, recording: Recording) -> None:
        """Serve the recording to nobody until it is cut again. The next look that finds the disk working does that."""
        now_ms = self.clock()
        await self.repository.write(recording, withdraw_ms=now_ms)
        self.publish(with_edition(entry, recording, None, now_ms))

    async def _grow(self, entry: RecordingEntry) -> None:
        session, now_ms = entry.session, self.clock()
        assert session.started_ms is not None
        if self.erasing.stretches(session.room):
            # Before the recording is shown again its material must be without the erased parts, or this raises.
            await self._keep(entry, await self._gather(entry, FOREVER_MS))
        known = entry.recording
        recording = replace(known or self._new(session), room=session.room, state=RecordingState.GROWING, end_ms=None)
        if known is not None and known.state is RecordingState.DELETED:
            # This is another recording, so the erasure of the one before does not concern it.
            recording = replace(recording, created_ms=self.clock())
        recording = replace(recording, published=_published(session, recording))
        skips = entry.hidden()
        pairs = tuple((span.from_ms, span.to_ms) for span in skips)
        current = entry.current
        if (
            current is None
            or known is None
            or known.state is not RecordingState.GROWING
            or current.end_ms is not None
            or current.start_ms != session.started_ms
            or _changes_the_past(current.skips, pairs, now_ms)
            or self._is_to_be_renewed(known, recording)
        ):
            fresh = new_edition(entry, session.started_ms, None, skips, now_ms)
            await self.repository.write(recording, edition=fresh)
            entry = with_edition(entry, recording, fresh, fresh.created_ms)
        elif recording != known or current.skips != pairs:
            saved = replace(current, skips=pairs)
            await self.repository.write(recording, saved=saved)
            entry = with_saved(entry, recording, saved)
        self._renewed.discard(session.id)
        self.publish(entry)
        await self._keep(entry, await self._gather(entry, FOREVER_MS))
        self.look_at(session.id, after_s=CHECKPOINT_S)

    async def _finish(self, entry: RecordingEntry) -> None:
        """The session has ended, or its marks have moved since."""
        session, known = entry.session, entry.recording
        assert session.started_ms is not None
        end_ms = session.ended_ms if session.ended_ms is not None else session.end_ms
        growing = known is None or known.state is RecordingState.GROWING
        if growing and (link := self._plane.rooms.get(session.room)) is not None:
            await wait_for_mark(link, end_ms)
        material = await self._keep(entry, await self._gather(entry, end_ms))
        if not material.reels:
            # No disk has any of it. The row says that this is known.
            recording = replace(known or self._new(session), state=RecordingState.FAILED, published=False)
            await self.repository.write(recording, withdraw_ms=self.clock())
            self.publish(with_edition(entry, recording, None, self.clock()))
            log.warning("nothing_recorded", session=session.id, room=session.room)
            return
        recording = self._measured(known or self._new(session), material, end_ms)
        recording = replace(recording, published=_published(session, recording))
        cut = _Cut(session.started_ms, end_ms, entry.hidden(end_ms))
        if known is None or growing or _marks_moved(entry, known, cut) or self._is_to_be_renewed(known, recording):
            if not growing and known is not None and known.reviewed and (current := entry.current) is not None:
                cut = _Cut(current.start_ms, current.end_ms or end_ms, tuple(Span(a, b) for a, b in current.skips))
            entry = await self._cut(entry, recording, material, cut)
        elif recording != known:
            await self.repository.write(recording)
            entry = replace(entry, recording=recording)
        self._renewed.discard(session.id)
        self.publish(entry)
        await self.copy_entry(entry)
        tail_ms = end_ms + HANDLE_MS + round(TAIL_S * 1000)
        if self.clock() < tail_ms:
            self.look_at(session.id, after_s=(tail_ms - self.clock()) / 1000)

    async def _cut(self, entry: RecordingEntry, recording: Recording, material: Material, cut: _Cut) -> RecordingEntry:
        """Make a new edition from the marks."""
        now_ms, live = self.clock(), entry.current
        end_ms = common_end(material, cut.end_ms)
        skips = tuple(Span(s.from_ms, min(s.to_ms, end_ms)) for s in cut.skips if s.from_ms < end_ms)
        edition = new_edition(entry, cut.start_ms, end_ms, skips, now_ms)
        saved = None
        if live is not None and live.end_ms is None and now_ms - cut.end_ms < GRACE_MS:
            # The live edition ends where this edition ends, so that its viewers may watch to the end.
            saved = replace(live, end_ms=end_ms, skips=edition.skips)
            entry = with_saved(entry, recording, saved)
        await self.repository.write(recording, saved=saved, edition=edition)
        return with_edition(entry, recording, edition, edition.created_ms)

    def _is_to_be_renewed(self, known: Recording | None, now: Recording) -> bool:
        """Whether everybody knows the address of a recording that not everybody may see any more."""
        return now.session in self._renewed or (known is not None and known.published and not now.published)

    def publish(self, entry: RecordingEntry) -> None:
        """Let delivery answer with it from now on."""
        self.remember(entry.session.id, state_of(entry, self.repository.folder(entry.session.id)))

    async def copy_entry(self, entry: RecordingEntry) -> None:
        """Write the copy of the database's entry beside the media."""
        if entry.recording is None:
            return
        folder = self.repository.folder(entry.session.id)
        await asyncio.to_thread(files.write_state, folder, kept_of(entry, entry.recording))

    # --- material -------------------------------------------------------------------------------------

    async def _gather(self, entry: RecordingEntry, end_ms: int) -> Material:
        """All material of the session so far, with its handles and without other sessions' minutes."""
        session = entry.session
        assert session.started_ms is not None
        before = await self.material(session.id, session.room)
        going = (Span(one.from_ms, one.to_ms) for one in self.erasing.stretches(session.room))
        gone = union((*forbidden(session, entry.others), *going))
        span = with_handles(Span(session.started_ms, end_ms), gone)
        link = self._plane.rooms.get(session.room)
        seen = glance(link.view, PROGRAMME_OUTPUT, span) if link is not None else None
        mirrored = await asyncio.to_thread(seen) if seen is not None else None
        fresh = [mirrored] if mirrored is not None else []
        begins_ms = min((reel.begin_ms for reel in (*fresh, *before.reels)), default=FOREVER_MS)
        another = mirrored is not None and mirrored.broadcast.id not in {r.broadcast.id for r in before.reels}
        if mirrored is None or begins_ms > session.started_ms + LATE_BEGIN_MS or (another and before.reels):
            # After a restart, or if the room was closed meanwhile: from its own index.
            read = functools.partial(from_indexes, self._room_dir(session.room), span, (*before.gone, *gone))
            mirrored_id = mirrored.broadcast.id if mirrored is not None else ""
            fresh += [reel for reel in await asyncio.to_thread(read) if reel.broadcast.id != mirrored_id]
        return await asyncio.to_thread(combined, before, fresh, gone)

    async def material(self, session: str, room: str) -> Material:
        """The material that was kept so far; empty if there is none or it cannot be read."""
        try:
            return await asyncio.to_thread(files.read_material, self.repository.folder(session))
        except FileNotFoundError:
            return Material(session, room)
        except ValueError as error:
            log.error("material_unreadable", session=session, error=str(error))
            return Material(session, room)

    async def shown(self, session: str, room: str) -> Material:
        """The material without stretches whose erasure is not finished yet."""
        material = await self.material(session, room)
        going = [Span(one.from_ms, one.to_ms) for one in self.erasing.stretches(room)]
        return await asyncio.to_thread(combined, material, (), going) if going else material

    async def _keep(self, entry: RecordingEntry, material: Material) -> Material:
        if not material.reels:
            return material
        folder = self.repository.folder(entry.session.id)
        kept = await asyncio.to_thread(files.keep, folder, self._room_dir(entry.session.room), material)
        await self.copy_entry(entry)
        return kept

    def _new(self, session: Session) -> Recording:
        assert session.started_ms is not None
        link = self._plane.rooms.get(session.room)
        broadcast = link.view.broadcast if link is not None else None
        return Recording(
            session=session.id,
            room=session.room,
            broadcast=broadcast.id if broadcast is not None else "",
            folder=f"recordings/{session.id}",
            start_ms=session.started_ms,
            published=session.published,
            created_ms=self.clock(),
        )

    def _measured(self, recording: Recording, material: Material, end_ms: int) -> Recording:
        span = material.span
        return replace(
            recording,
            start_ms=span.from_ms if span is not None else recording.start_ms,
            end_ms=span.to_ms if span is not None else end_ms,
            size_bytes=material.bytes,
            state=RecordingState.READY,
        )


class _Cut(NamedTuple):
    start_ms: int
    end_ms: int
    skips: tuple[Span, ...]


def _same_for_replay(a: Session, b: Session) -> bool:
    def view(s: Session) -> tuple[object, ...]:
        return (s.room, s.running, s.started_ms, s.ended_ms, s.recorded, s.published, s.closed, s.replay)

    return view(a) == view(b)


def _changes_the_past(old: tuple[tuple[int, int], ...], new: tuple[tuple[int, int], ...], now_ms: int) -> bool:
    """Whether the change affects segments that have been listed already."""
    recent = now_ms - GRACE_MS

    def settled(skips: tuple[tuple[int, int], ...]) -> list[tuple[int, int]]:
        return [(a, min(b, recent)) for a, b in skips if a < recent]

    return settled(old) != settled(new)


def _marks_moved(entry: RecordingEntry, known: Recording, cut: _Cut) -> bool:
    """Whether the marks have moved so that the edition has to be made again. A cut by hand stays as it is."""
    current = entry.current
    if current is None or known.state is RecordingState.FAILED:
        return True
    if known.reviewed:
        return False
    # The edition may end a little before the mark if a rendition lagged.
    lag_ms = cut.end_ms - (current.end_ms or 0)
    return current.start_ms != cut.start_ms or not 0 <= lag_ms <= PART_MS + LAG_MS


def _published(session: Session, recording: Recording) -> bool:
    """Whether everybody who may know of the session may watch its replay."""
    if not session.recorded or session.replay is ReplayPolicy.NEVER:
        return False
    return recording.published if recording.reviewed else session.published
