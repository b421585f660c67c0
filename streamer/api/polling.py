"""Schedules that are polled: each event with a ``source_url`` is looked at every few minutes. How that went is told by
``/api/v1/schedule-sources``."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import structlog
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncConnection

from streamer.api import imports
from streamer.api.context import Services, now_ms
from streamer.api.imports import ImportItem
from streamer.api.models import Moment, Slug, to_moment
from streamer.api.routing import Call, Route
from streamer.conference.grants import Action, Target
from streamer.conference.sessions import Event
from streamer.errors import Conflict, StreamerError
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
    """Look at an event's schedule now. False where it could not be had or read: its source tells why."""
    try:
        done = await imports.poll(services, source.event, source)
    except StreamerError as error:
        log.warning("schedule_not_read", schedule=source.event, code=error.code, error=error.message)
        async with services.database.write() as connection:
            await ScheduleSources(connection).put(replace(source, polled_ms=now_ms(), error=error.message))
        return False
    if done is not None:
        counts = {"added": len(done.new), "changed": len(done.changed), "waiting": len(done.waiting)}
        log.info("schedule_read", schedule=source.event, **counts)
    return True


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


class SourceView(BaseModel):
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
    waiting: list[ImportItem]
    """What it would change and nobody has agreed to: import it by hand to do so."""


class SourceList(BaseModel):
    items: list[SourceView]


def _view(services: Services, event: Event, source: ScheduleSource) -> SourceView:
    return SourceView(
        event=event.id,
        event_name=event.name,
        url=source.url,
        every_s=services.settings.schedules.poll_s,
        polled=to_moment(source.polled_ms),
        error=source.error,
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
            _view(services, event, _source_of(event, sources.get(event.id)))
            for event in events
            if event.source_url and grant.allows(Action.SCHEDULE_IMPORT, Target(venue=event.venue, event=event.id))
        ]
    )


async def poll_now(call: Call) -> SourceView:
    services = call.services
    async with services.database.read() as connection:
        event = await Events(connection).get(call.path("id"))
        known = await ScheduleSources(connection).find(event.id)
    call.require(Target(venue=event.venue, event=event.id))
    if not event.source_url:
        raise Conflict("The event names no schedule elsewhere.", code="no_schedule")
    await poll(services, _source_of(event, known))
    async with services.database.read() as connection:
        known = await ScheduleSources(connection).find(event.id)
    return _view(services, event, _source_of(event, known))


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
        answers=(SourceView,),
    ),
)
