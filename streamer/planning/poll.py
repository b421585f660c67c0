"""Schedules that are followed: every event with a ``source_url`` is read every few minutes."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Literal
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from streamer.conference.grants import Action, Grant, Target
from streamer.conference.notices import Notices
from streamer.conference.sessions import Event
from streamer.errors import StreamerError
from streamer.planning.apply import Applied
from streamer.planning.fetch import fetch
from streamer.planning.importer import ScheduleFile, carry_out, plan_in, read_and_plan, zone_of
from streamer.schedules.compare import DifferenceItem
from streamer.settings import ScheduleSettings
from streamer.store.database import Database
from streamer.store.events import Events
from streamer.store.reach import grant_as_it_is
from streamer.store.schedule_sources import ScheduleSource, ScheduleSources

LOOK_EVERY_S = 15.0
"""A newly entered address is read within this time."""
PAGE = 200

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Changes that nobody has agreed to, and the zone for showing their times."""

    items: tuple[DifferenceItem, ...]
    zone: ZoneInfo


class SchedulePoller:
    """Reads one event after the other. The application owns it.

    ``clock``: UTC milliseconds. ``applied`` is called when sessions have changed.
    """

    def __init__(
        self,
        database: Database,
        settings: ScheduleSettings,
        notices: Notices,
        *,
        clock: Callable[[], int],
        applied: Callable[[], Awaitable[None]],
    ) -> None:
        self._database = database
        self._settings = settings
        self._notices = notices
        self._clock = clock
        self._applied = applied
        self.waiting: dict[str, Waiting | None] = {}
        """Event -> the changes that nobody has agreed to, as of this process's last read; None: there are none."""
        self.polls = 0
        self.failures = 0

    async def run(self) -> None:
        """Runs until it is cancelled. An error is noted in the event's source; the next look tries again."""
        while True:
            try:
                await self.look()
            except (StreamerError, OSError) as error:
                log.warning("schedules_not_polled", error=repr(error))
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Read the schedules that are due. Raises StoreUnavailable."""
        async with self._database.read() as connection:
            sources = await ScheduleSources(connection).all()
            events = await all_events(connection)
        self._notices.schedules_are({event.id for event in events if event.source_url})
        now = self._clock()
        every_ms = self._settings.poll_s * 1000
        for event in events:
            if not event.source_url:
                continue
            source = source_of(event, sources.get(event.id))
            # Only the process that looked last knows the changes that wait for an agreement, so another process looks
            # at once.
            unknown = not source.applied_sha256 and not source.error and event.id not in self.waiting
            if unknown or source.polled_ms is None or now - source.polled_ms >= every_ms:
                self.polls += 1
                self.failures += not await self.poll(source)

    async def poll(self, source: ScheduleSource) -> bool:
        """Read an event's schedule now. Apply the changes that need no agreement, with the present rights of the
        address's owner. False if the schedule could not be fetched or read, or is no longer followed: its source has
        the reason."""
        try:
            done = await self._poll(source)
        except StreamerError as error:
            if isinstance(error, NotFollowed) and error.reason != "replaced":
                self._notices.schedule_stopped(source.event, self._clock())
            log.warning("schedule_not_read", schedule=source.event, code=error.code, error=error.message)
            await self._note(replace(source, polled_ms=self._clock(), error=error.message))
            return False
        self._notices.schedule_followed(source.event)
        if done is not None:
            counts = {"added": len(done.new), "changed": len(done.changed), "waiting": len(done.waiting)}
            log.info("schedule_read", schedule=source.event, **counts)
        return True

    async def _poll(self, source: ScheduleSource) -> Applied | None:
        """None if the schedule has not changed. Raises StreamerError, NotFollowed."""
        now = self._clock()
        async with self._database.read() as connection:
            await follower(connection, source, now)
        got = await fetch(source.url, self._settings, etag=source.etag, last_modified=source.last_modified)
        digest = hashlib.sha256(got.body).hexdigest() if got.body else source.applied_sha256
        fresh = replace(
            source,
            etag=got.etag or source.etag,
            last_modified=got.last_modified or source.last_modified,
            polled_ms=now,
            error="",
            applied_sha256=digest,
        )
        if not got.body or digest == source.applied_sha256:
            await self._note(fresh)
            self.waiting[source.event] = None
            return None
        file = ScheduleFile(got.body, source.url, source.event, None, None)
        async with self._database.read() as connection:
            holder = await follower(connection, source, self._clock())
        schedule, _ = await read_and_plan(self._database, file, holder, now)
        async with self._database.write() as connection:
            # Checked again in the transaction that writes: a grant may have ended while the file was fetched and read.
            holder = await follower(connection, source, self._clock())
            found = await plan_in(connection, schedule, file, holder, now)
            done = await carry_out(
                connection, found, (), now_ms=now, who=holder.id, label="schedule", source=source.url[:500]
            )
            if done.waiting:
                # It is fetched again at the next look, because a session that runs now may be over then.
                fresh = replace(fresh, etag="", last_modified="", applied_sha256="")
            await ScheduleSources(connection).put(fresh)
        await self._applied()
        self.waiting[source.event] = Waiting(tuple(done.waiting), zone_of(found))
        return done

    async def _note(self, source: ScheduleSource) -> None:
        """Store the result of the look, unless the event has another address by now."""
        async with self._database.write() as connection:
            if await _is_current(connection, source):
                await ScheduleSources(connection).put(source)


class NotFollowed(StreamerError):
    """No grant reaches to read the schedule. ``reason``: ``nobody``, ``ended``, ``out_of_reach``, ``replaced``."""

    code, status = "not_followed", 409

    def __init__(self, reason: Literal["nobody", "ended", "out_of_reach", "replaced"]) -> None:
        super().__init__(_NOT_FOLLOWED[reason])
        self.reason = reason


_NOT_FOLLOWED = {
    "nobody": "Nobody has said with whose rights it is read: somebody who may import has to.",
    "ended": "The grant of whoever set the address has ended: somebody who may import has to follow it anew.",
    "out_of_reach": "The grant of whoever set the address does not reach the event any more.",
    "replaced": "The event has another address by now.",
}


async def _is_current(connection: AsyncConnection, source: ScheduleSource) -> bool:
    """Whether the event still has this address, with the rights of the same person."""
    event = await Events(connection).find(source.event)
    if event is None or event.source_url != source.url:
        return False
    return source_of(event, await ScheduleSources(connection).find(event.id)).owner == source.owner


async def follower(connection: AsyncConnection, source: ScheduleSource, now_ms: int) -> Grant:
    """The grant with whose rights the schedule is read now. Raises NotFollowed."""
    if not await _is_current(connection, source):
        raise NotFollowed("replaced")
    if not source.owner:
        raise NotFollowed("nobody")
    grant = await grant_as_it_is(connection, source.owner, now_ms)
    if grant is None or not grant.in_force(now_ms):
        raise NotFollowed("ended")
    event = await Events(connection).get(source.event)
    if not grant.allows(Action.SCHEDULE_IMPORT, Target(venue=event.venue, event=event.id)):
        raise NotFollowed("out_of_reach")
    return grant


async def set_address(connection: AsyncConnection, event: Event, grant: Grant) -> None:
    """The event's address has changed: from now on it is read with the rights of ``grant``."""
    sources = ScheduleSources(connection)
    if event.source_url:
        await sources.put(ScheduleSource(event.id, event.source_url, owner=grant.id))
    else:
        await sources.remove(event.id)


def source_of(event: Event, known: ScheduleSource | None) -> ScheduleSource:
    """The record for the event's present address."""
    return known if known is not None and known.url == event.source_url else ScheduleSource(event.id, event.source_url)


async def all_events(connection: AsyncConnection) -> list[Event]:
    events: list[Event] = []
    cursor = None
    while True:
        page = await Events(connection).page(PAGE, cursor)
        events += page.items
        cursor = page.cursor
        if cursor is None:
            return events
