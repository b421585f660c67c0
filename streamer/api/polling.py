"""Schedules that are polled: each event with a ``source_url`` is looked at every few minutes."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from streamer.api import imports
from streamer.api.context import Services, now_ms
from streamer.conference.sessions import Event
from streamer.errors import StreamerError
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
            except Exception as error:
                log.warning("schedules_not_polled", error=repr(error))
            await asyncio.sleep(LOOK_EVERY_S)

    async def _look(self) -> None:
        async with self._services.database.read() as connection:
            sources = await ScheduleSources(connection).all()
            events = await _all_events(connection)
        now = now_ms()
        every_ms = self._services.settings.schedules.poll_s * 1000
        for event in events:
            source = sources.get(event.id)
            if source is None or source.url != event.source_url:
                source = ScheduleSource(event.id, event.source_url)
            if event.source_url and (source.polled_ms is None or now - source.polled_ms >= every_ms):
                await self._poll(event, source)

    async def _poll(self, event: Event, source: ScheduleSource) -> None:
        self.polls += 1
        try:
            done = await imports.poll(self._services, event.id, source)
        except StreamerError as error:
            self.failures += 1
            log.warning("schedule_not_read", schedule=event.id, code=error.code, error=error.message)
            async with self._services.database.write() as connection:
                await ScheduleSources(connection).put(replace(source, polled_ms=now_ms(), error=error.message))
            return
        if done is not None:
            counts = {"added": len(done.new), "changed": len(done.changed), "waiting": len(done.waiting)}
            log.info("schedule_read", schedule=event.id, **counts)


async def _all_events(connection: AsyncConnection) -> list[Event]:
    events: list[Event] = []
    cursor = None
    while True:
        page = await Events(connection).page(PAGE, cursor)
        events += page.items
        cursor = page.cursor
        if cursor is None:
            return events
