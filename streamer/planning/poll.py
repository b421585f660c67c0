"""Schedules that are polled: each event with a ``source_url`` is looked at every few minutes. How that went is told by
``/api/v1/schedule-sources``."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from typing import Literal

import structlog
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncConnection

from streamer.api.audit import record
from streamer.api.auth import stored_grant
from streamer.api.context import Services, now_ms
from streamer.api.imports import ImportItem, ScheduleFile, done_view, plan_in, read_and_plan
from streamer.api.models import Moment, Slug, to_moment
from streamer.api.routing import Call, Route
from streamer.conference.grants import Action, Grant, Target
from streamer.conference.sessions import Event
from streamer.errors import Conflict, StreamerError
from streamer.planning.apply import Applied
from streamer.planning.fetch import fetch
from streamer.planning.importer import carry_out
from streamer.store.events import Events
from streamer.store.schedule_sources import ScheduleSource, ScheduleSources

LOOK_EVERY_S = 15.0
"""How soon an address that somebody has just entered is looked at."""
PAGE = 200

log = structlog.get_logger(__name__)


class SchedulePoller:
    """Owned by the application; one event after the other."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.polls = 0
        self.failures = 0

    async def run(self) -> None:
        """Until cancelled. What fails is told in the event's source and tried again next time."""
        while True:
            try:
                await self._look()
            except (StreamerError, OSError) as error:
                log.warning("schedules_not_polled", error=repr(error))
            await asyncio.sleep(LOOK_EVERY_S)

    async def _look(self) -> None:
        async with self._services.database.read() as connection:
            sources = await ScheduleSources(connection).all()
            events = await _all_events(connection)
        self._services.notices.schedules_are({event.id for event in events if event.source_url})
        now = now_ms()
        every_ms = self._services.settings.schedules.poll_s * 1000
        for event in events:
            if not event.source_url:
                continue
            source = _source_of(event, sources.get(event.id))
            # What waits for a yes is known to the process that looked last: another one looks at once.
            unknown = not source.applied_sha256 and not source.error and event.id not in self._services.waiting_imports
            if unknown or source.polled_ms is None or now - source.polled_ms >= every_ms:
                self.polls += 1
                self.failures += not await poll(self._services, source)


async def poll(services: Services, source: ScheduleSource) -> bool:
    """Look at an event's schedule now, and apply what needs no yes with the rights that whoever set its address has at
    this time. False where it could not be had or read, or is not followed any more: its source tells why."""
    try:
        done = await _poll(services, source)
    except StreamerError as error:
        if isinstance(error, NotFollowed) and error.reason != "replaced":
            services.notices.schedule_stopped(source.event, now_ms())
        log.warning("schedule_not_read", schedule=source.event, code=error.code, error=error.message)
        async with services.database.write() as connection:
            if await _is_current(connection, source):
                await ScheduleSources(connection).put(replace(source, polled_ms=now_ms(), error=error.message))
        return False
    services.notices.schedule_followed(source.event)
    if done is not None:
        counts = {"added": len(done.new), "changed": len(done.changed), "waiting": len(done.waiting)}
        log.info("schedule_read", schedule=source.event, **counts)
    return True


async def _poll(services: Services, source: ScheduleSource) -> Applied | None:
    """None where it has not changed. Raises StreamerError where it cannot be had or read, and NotFollowed."""
    now = now_ms()
    async with services.database.read() as connection:
        await _follower(connection, source)
    got = await fetch(source.url, services.settings.schedules, etag=source.etag, last_modified=source.last_modified)
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
        async with services.database.write() as connection:
            if await _is_current(connection, source):
                await ScheduleSources(connection).put(fresh)
        services.waiting_imports[source.event] = []
        return None
    file = ScheduleFile(got.body, source.url, source.event, None, None)
    async with services.database.read() as connection:
        follower = await _follower(connection, source)
    schedule, _ = await read_and_plan(services, file, follower, now)
    async with services.database.write() as connection:
        # Once more, in the transaction that writes: a grant may have ended while the file was fetched and read.
        follower = await _follower(connection, source)
        found = await plan_in(connection, schedule, file, follower, now)
        done = await carry_out(
            connection, found, (), now_ms=now, who=follower.id, label="schedule", source=source.url[:500]
        )
        if done.waiting:
            # It is asked again at the next look, when what runs now may be over.
            fresh = replace(fresh, etag="", last_modified="", applied_sha256="")
        await ScheduleSources(connection).put(fresh)
    await services.director.refresh()
    services.waiting_imports[source.event] = done_view(found, done).waiting
    return done


class NotFollowed(StreamerError):
    """Nobody's rights reach to read the schedule. ``reason``: ``nobody``, ``ended``, ``out_of_reach``, ``replaced``."""

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
    """Whether the event still has this address, by the same person's rights."""
    event = await Events(connection).find(source.event)
    if event is None or event.source_url != source.url:
        return False
    return _source_of(event, await ScheduleSources(connection).find(event.id)).owner == source.owner


async def _follower(connection: AsyncConnection, source: ScheduleSource) -> Grant:
    """With whose rights the schedule is read now. Raises NotFollowed."""
    if not await _is_current(connection, source):
        raise NotFollowed("replaced")
    if not source.owner:
        raise NotFollowed("nobody")
    grant = await stored_grant(connection, source.owner)
    if grant is None or not grant.in_force(now_ms()):
        raise NotFollowed("ended")
    event = await Events(connection).get(source.event)
    if not grant.allows(Action.SCHEDULE_IMPORT, Target(venue=event.venue, event=event.id)):
        raise NotFollowed("out_of_reach")
    return grant


async def set_address(connection: AsyncConnection, event: Event, grant: Grant) -> None:
    """The event's address has changed: it is read with the rights of ``grant`` from now on."""
    sources = ScheduleSources(connection)
    if event.source_url:
        await sources.put(ScheduleSource(event.id, event.source_url, owner=grant.id))
    else:
        await sources.remove(event.id)


def _source_of(event: Event, known: ScheduleSource | None) -> ScheduleSource:
    """What is known of the address that the event names now."""
    return known if known is not None and known.url == event.source_url else ScheduleSource(event.id, event.source_url)


async def _all_events(connection: AsyncConnection) -> list[Event]:
    events: list[Event] = []
    cursor = None
    while True:
        page = await Events(connection).page(PAGE, cursor)
        events += page.items
        cursor = page.cursor
        if cursor is None:
            return events


# --- over REST --------------------------------------------------------------------------------------


class SourceQuery(BaseModel):
    event: Slug | None = None
    """Left out: all events that the grant reaches."""


class ScheduleSourceView(BaseModel):
    """An event's schedule elsewhere, and how the last look at it went."""

    event: str
    event_name: str
    url: str
    every_s: float
    """How often it is looked at."""
    polled: Moment | None
    """When it was looked at last; null: not yet."""
    error: str
    """What went wrong then, in words; empty: nothing. What was read before holds on."""
    followed_by: str
    """The label of the grant with whose rights it is read; empty: nobody's, or one that is gone."""
    stopped: Literal["nobody", "ended", "out_of_reach"] | None
    """Why it is not read any more: nobody has set or confirmed its address, their grant has ended, or does not reach
    the event. Null: it is read."""
    waiting: list[ImportItem]
    """What it would change and nobody has agreed to: import it by hand to do so."""


class SourceList(BaseModel):
    items: list[ScheduleSourceView]


async def _view(
    services: Services, connection: AsyncConnection, event: Event, known: ScheduleSource | None
) -> ScheduleSourceView:
    source = _source_of(event, known)
    stopped: Literal["nobody", "ended", "out_of_reach"] | None = None
    try:
        await _follower(connection, source)
    except NotFollowed as error:
        stopped = None if error.reason == "replaced" else error.reason
    grant = await stored_grant(connection, source.owner) if source.owner else None
    return ScheduleSourceView(
        event=event.id,
        event_name=event.name,
        url=source.url,
        every_s=services.settings.schedules.poll_s,
        polled=to_moment(source.polled_ms),
        error=source.error,
        followed_by="" if grant is None else grant.label,
        stopped=stopped,
        waiting=services.waiting_imports.get(event.id, []),
    )


async def list_sources(call: Call) -> SourceList:
    services, named, grant = call.services, call.query(SourceQuery).event, call.grant
    assert grant is not None
    async with services.database.read() as connection:
        sources = await ScheduleSources(connection).all()
        if named is None:
            events = await _all_events(connection)
        else:
            events = [await Events(connection).get(named)]
            call.require(Target(venue=events[0].venue, event=events[0].id))
        return SourceList(
            items=[
                await _view(services, connection, event, sources.get(event.id))
                for event in events
                if event.source_url and grant.allows(Action.SCHEDULE_IMPORT, Target(venue=event.venue, event=event.id))
            ]
        )


async def poll_now(call: Call) -> ScheduleSourceView:
    services = call.services
    async with services.database.read() as connection:
        event = await Events(connection).get(call.path("id"))
        known = await ScheduleSources(connection).find(event.id)
    call.require(Target(venue=event.venue, event=event.id))
    if not event.source_url:
        raise _no_schedule()
    await poll(services, _source_of(event, known))
    async with services.database.read() as connection:
        return await _view(services, connection, event, await ScheduleSources(connection).find(event.id))


async def confirm(call: Call) -> ScheduleSourceView:
    """Whoever confirms answers for what the address says from now on."""
    services = call.services
    async with services.database.write() as connection:
        event = await Events(connection).get(call.path("id"))
        target = Target(venue=event.venue, event=event.id)
        grant = call.require(target)
        if not event.source_url:
            raise _no_schedule()
        await set_address(connection, event, grant)
        details = {"source": event.source_url[:500]}
        await record(connection, grant, "schedule.follow", target, "event", event.id, details)
    services.notices.schedule_followed(event.id)
    async with services.database.read() as connection:
        return await _view(services, connection, event, await ScheduleSources(connection).find(event.id))


def _no_schedule() -> Conflict:
    return Conflict("The event names no schedule elsewhere.", code="no_schedule")


ROUTES = (
    Route(
        "GET",
        "/schedule-sources",
        list_sources,
        "Schedules that are followed: when they were read last, what went wrong, what waits for a yes",
        "imports",
        action=Action.SCHEDULE_IMPORT,
        query=SourceQuery,
        answers=(SourceList,),
    ),
    Route(
        "POST",
        "/schedule-sources/{id}/poll",
        poll_now,
        "Read an event's schedule now",
        "imports",
        action=Action.SCHEDULE_IMPORT,
        answers=(ScheduleSourceView,),
    ),
    Route(
        "POST",
        "/schedule-sources/{id}/confirm",
        confirm,
        "Follow an event's schedule with one's own rights from now on",
        "imports",
        action=Action.SCHEDULE_IMPORT,
        answers=(ScheduleSourceView,),
    ),
)
