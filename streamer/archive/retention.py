"""Deletes old things: recordings by room and age, except pinned and growing ones, personal data by the list in
:mod:`streamer.store.people`, and uploaded pictures that no venue and no event has any more.

One function makes both the dry run and the real deletion, so both show the same.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import structlog

from streamer.archive import files
from streamer.archive.archivist import Archivist
from streamer.archive.repository import Who
from streamer.conference.day import DAY_MS
from streamer.conference.rooms import Room, Venue
from streamer.conference.sessions import Event
from streamer.errors import StreamerError
from streamer.store import people
from streamer.store.database import Database
from streamer.store.events import Events
from streamer.store.recordings import Recording, Recordings, RecordingState
from streamer.store.rooms import Rooms
from streamer.store.sessions import Sessions
from streamer.store.venues import Venues

log = structlog.get_logger(__name__)

EVERY_S = 600.0
RETENTION = Who("retention", "retention")
UNUSED_MS = DAY_MS
"""A picture that nothing has is deleted after this time: the form that it was uploaded in may still be open."""
MOST_PICTURES = 500
"""Pictures that are deleted in one look."""
PICTURES = {"logos": re.compile(r"[0-9a-f]{24}\.png"), "covers": re.compile(r"[0-9a-f]{24}\.jpg")}
"""Folder of the data folder -> names of the files that were uploaded into it."""


@dataclass(frozen=True, slots=True)
class Doomed:
    """A recording that is older than its room's retention."""

    recording: Recording
    title: str
    days: int
    """The room's retention, or the default, days."""


@dataclass(frozen=True, slots=True)
class RetentionPlan:
    items: tuple[Doomed, ...]
    freed_bytes: int
    """The space that the disk gets back: bytes that no other recording shares."""


class Retention:
    """``default_days`` None: rooms without a retention of their own keep everything."""

    def __init__(
        self,
        archivist: Archivist,
        database: Database,
        *,
        default_days: int | None = None,
        periods: people.Periods = people.USUAL,
        data: Path | None = None,
    ) -> None:
        """``data``: the data folder, with the uploaded pictures."""
        self._data = data
        self._periods = periods
        self._archivist = archivist
        self._database = database
        self._default_days = default_days

    async def plan(self, *, room: str | None = None, days: int | None = None) -> RetentionPlan:
        """The recordings to delete now. ``days``: a retention to try out for all rooms."""
        now_ms = self._archivist.clock()
        doomed: list[Doomed] = []
        async with self._database.read() as connection:
            for one in await _all_rooms(Rooms(connection)):
                kept_days = days if days is not None else _days(one, self._default_days)
                if kept_days is None or (room is not None and one.id != room):
                    continue
                old = await Recordings(connection).unpinned_before(one.id, now_ms - kept_days * DAY_MS)
                titles = await Sessions(connection).find_many([recording.session for recording in old])
                doomed += [Doomed(r, titles[r.session].title if r.session in titles else "", kept_days) for r in old]
        folders = [self._archivist.repository.folder(one.recording.session) for one in doomed]
        return RetentionPlan(tuple(doomed), await asyncio.to_thread(files.freed_bytes, folders))

    async def apply(self, plan: RetentionPlan) -> list[str]:
        """Delete the recordings of the plan, unless one was pinned or resumed meanwhile. Returns the sessions."""
        gone = []
        for doomed in plan.items:
            session = doomed.recording.session
            async with self._archivist.alone(session):
                entry = await self._archivist.repository.entry(session, around=False)
                recording = entry.recording if entry is not None else None
                if entry is None or recording is None or recording.pinned:
                    continue
                if recording.state not in (RecordingState.READY, RecordingState.FAILED):
                    continue
                await self._archivist.erase(entry, recording, who=RETENTION, action="recording.delete")
                gone.append(session)
        if gone:
            log.info("retention", recordings=len(gone), bytes=plan.freed_bytes)
        return gone

    async def sweep(self) -> dict[str, int]:
        """Delete personal data that is too old. Returns table -> number of rows. Raises StoreUnavailable."""
        async with self._database.write() as connection:
            gone = await people.sweep(connection, self._periods, self._archivist.clock())
        if gone:
            log.info("too_old", **gone)
        return gone

    async def clean_pictures(self) -> int:
        """Delete uploaded logos and covers that nothing has. Returns how many. Raises StoreUnavailable, OSError."""
        if self._data is None:
            return 0
        old_ms = self._archivist.clock() - UNUSED_MS
        # In a transaction that writes, so that nobody takes one of them meanwhile.
        async with self._database.write() as connection:
            looks: list[Venue | Event] = [*await Venues(connection).all(), *await Events(connection).all()]
            used = {address for one in looks for address in (*one.logos, one.logo, one.cover)}
            gone = await asyncio.to_thread(_delete_pictures, self._data, used, old_ms / 1000)
        if gone:
            log.info("pictures_unused", deleted=gone)
        return gone

    async def run(self) -> None:
        """Runs until it is cancelled: looks every ten minutes and deletes old things."""
        while True:
            try:
                await self.apply(await self.plan())
                await self.sweep()
                await self.clean_pictures()
            except (StreamerError, OSError) as error:
                log.error("retention_failed", error=str(error))
            await asyncio.sleep(EVERY_S)


def _delete_pictures(data: Path, used: Collection[str], before_s: float) -> int:
    unused = (
        file
        for folder, names in PICTURES.items()
        if (data / folder).is_dir()
        for file in (data / folder).iterdir()
        if names.fullmatch(file.name) and f"/{folder}/{file.name}" not in used and file.stat().st_mtime < before_s
    )
    chosen = list(islice(unused, MOST_PICTURES))
    for file in chosen:
        file.unlink(missing_ok=True)
    return len(chosen)


def _days(room: Room, default: int | None) -> int | None:
    return room.retention_days if room.retention_days is not None else default


async def _all_rooms(rooms: Rooms) -> Sequence[Room]:
    found: list[Room] = []
    cursor: str | None = None
    while True:
        page = await rooms.page(200, cursor)
        found += page.items
        cursor = page.cursor
        if cursor is None:
            return found
