"""``/api/v1/schedule-sources``: schedules elsewhere that are followed, and the result of the last look at each."""

from __future__ import annotations

from typing import Literal

from sqlalchemy.ext.asyncio import AsyncConnection

from streamer.api.audit import record
from streamer.api.context import Services, now_ms
from streamer.api.imports import ImportItem
from streamer.api.models import LazyModel, Moment, Slug, to_moment
from streamer.api.routing import Call, Route
from streamer.conference.grants import Action, Target
from streamer.conference.sessions import Event
from streamer.errors import Conflict
from streamer.planning.poll import NotFollowed, all_events, follower, set_address, source_of
from streamer.store.events import Events
from streamer.store.reach import grant_as_it_is
from streamer.store.schedule_sources import ScheduleSource, ScheduleSources


class SourceQuery(LazyModel):
    event: Slug | None = None
    """Left out: all events that the grant reaches."""


class ScheduleSourceView(LazyModel):
    """An event's schedule elsewhere, and the result of the last look at it."""

    event: str
    event_name: str
    url: str
    every_s: float
    """The time between two looks."""
    polled: Moment | None
    """The time of the last look; null: there was none yet."""
    error: str
    """The error of the last look, in words; empty: there was none. The data of the look before stays."""
    followed_by: str
    """The label of the grant with whose rights the schedule is read; empty: no grant, or one that is gone."""
    stopped: Literal["nobody", "ended", "out_of_reach"] | None
    """The reason why it is not read any more: nobody has set or confirmed its address, their grant has ended, or the
    grant does not reach the event. Null: it is read."""
    waiting: list[ImportItem]
    """Changes that nobody has agreed to. Import the schedule by hand to apply them."""


class SourceList(LazyModel):
    items: list[ScheduleSourceView]


def _waiting(services: Services, event: str) -> list[ImportItem]:
    waiting = services.schedules.waiting.get(event)
    return [] if waiting is None else [ImportItem.of(item, waiting.zone) for item in waiting.items]


async def _view(
    services: Services, connection: AsyncConnection, event: Event, known: ScheduleSource | None
) -> ScheduleSourceView:
    source = source_of(event, known)
    stopped: Literal["nobody", "ended", "out_of_reach"] | None = None
    try:
        await follower(connection, source, now_ms())
    except NotFollowed as error:
        stopped = None if error.reason == "replaced" else error.reason
    grant = await grant_as_it_is(connection, source.owner, now_ms()) if source.owner else None
    return ScheduleSourceView(
        event=event.id,
        event_name=event.name,
        url=source.url,
        every_s=services.settings.schedules.poll_s,
        polled=to_moment(source.polled_ms),
        error=source.error,
        followed_by="" if grant is None else grant.label,
        stopped=stopped,
        waiting=_waiting(services, event.id),
    )


async def list_sources(call: Call) -> SourceList:
    services, named, grant = call.services, call.query(SourceQuery).event, call.holder
    async with services.database.read() as connection:
        sources = await ScheduleSources(connection).all()
        if named is None:
            events = await all_events(connection)
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
    await services.schedules.poll(source_of(event, known))
    async with services.database.read() as connection:
        return await _view(services, connection, event, await ScheduleSources(connection).find(event.id))


async def confirm(call: Call) -> ScheduleSourceView:
    """Make the caller answerable for the schedule at this address from now on."""
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
    return Conflict("The event has no schedule address.", code="no_schedule")


ROUTES = (
    Route(
        "GET",
        "/schedule-sources",
        list_sources,
        "Schedules that are followed: their last reading, its error, the changes that wait for a confirmation",
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
