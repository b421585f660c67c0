"""``/api/v1/events``"""

from __future__ import annotations

from dataclasses import replace

from streamer.api.audit import record
from streamer.api.auth import require
from streamer.api.event_models import (
    EventChange,
    EventCreate,
    EventCrewView,
    EventList,
    EventQuery,
    EventView,
    event_fields,
)
from streamer.api.routing import Call, Route, invalid_field
from streamer.api.venues import check_venue_exists
from streamer.conference.grants import Action, Target
from streamer.conference.rooms import slug_of
from streamer.conference.sessions import Event
from streamer.errors import Forbidden
from streamer.planning.poll import set_address
from streamer.store.audit import changed_fields
from streamer.store.events import Events


def target_of(event: Event) -> Target:
    return Target(venue=event.venue, event=event.id)


def _view(call: Call, event: Event) -> EventView | EventCrewView:
    if call.grant is not None and call.grant.allows(Action.EVENT_CHANGE, target_of(event)):
        return EventCrewView.of(event)
    return EventView.of(event)


async def list_events(call: Call) -> EventList:
    query = call.query(EventQuery)
    after = await call.after(query)
    async with call.services.database.read() as connection:
        page = await Events(connection).page(query.limit, after, venue=query.venue)
    return EventList(items=[EventView.of(event) for event in page.items], cursor=await call.cursor(query, page.cursor))


async def create_event(call: Call) -> EventView | EventCrewView:
    body = call.body(EventCreate)
    event_id = body.id or slug_of(body.name)
    if not event_id:
        raise invalid_field("id", "no id can be made from this name")
    grant = call.require(Target(venue=body.venue))
    event = Event(**{**event_fields(body), "id": event_id})
    async with call.services.database.write() as connection:
        await check_venue_exists(connection, event.venue)
        await Events(connection).add(event)
        if event.source_url:
            await set_address(connection, event, grant)
        await record(connection, grant, Action.EVENT_CREATE, target_of(event), "event", event.id)
    await call.services.director.refresh()
    call.headers["Location"] = f"/api/v1/events/{event.id}"
    return _view(call, event)


async def get_event(call: Call) -> EventView | EventCrewView:
    async with call.services.database.read() as connection:
        return _view(call, await Events(connection).get(call.path("id")))


async def change_event(call: Call) -> EventView | EventCrewView:
    sent = event_fields(call.body(EventChange))
    async with call.services.database.write() as connection:
        events = Events(connection)
        event = await events.get(call.path("id"))
        grant = call.require(target_of(event))
        before, event = event, replace(event, **sent)
        # An event may only be moved to a venue that the grant reaches too.
        require(grant, Action.EVENT_CHANGE, target_of(event))
        if event.venue != before.venue and not grant.covers(Target(venue=event.venue)):
            # An event's organiser plans in the rooms of its venue, so they may not choose the venue.
            raise Forbidden("The grant's scope does not reach this venue.", code="out_of_scope")
        if event.start_ms is not None and event.end_ms is not None and event.end_ms <= event.start_ms:
            raise invalid_field("end", "must come after start")
        await check_venue_exists(connection, event.venue)
        await events.save(event)
        if event.source_url != before.source_url:
            await set_address(connection, event, grant)
        details = changed_fields(before, event, set(sent))
        await record(connection, grant, Action.EVENT_CHANGE, target_of(event), "event", event.id, details)
    await call.services.director.refresh()
    return _view(call, event)


async def delete_event(call: Call) -> None:
    """Raises Conflict while the event has sessions."""
    async with call.services.database.write() as connection:
        events = Events(connection)
        event = await events.get(call.path("id"))
        grant = call.require(target_of(event))
        await events.remove(event.id)
        details = {"name": event.name}
        await record(connection, grant, Action.EVENT_DELETE, target_of(event), "event", event.id, details)


ROUTES = (
    Route("GET", "/events", list_events, "List the events", "events", query=EventQuery, answers=(EventList,)),
    Route(
        "POST",
        "/events",
        create_event,
        "Add an event",
        "events",
        action=Action.EVENT_CREATE,
        body=EventCreate,
        answers=(EventView, EventCrewView),
        status=201,
    ),
    Route("GET", "/events/{id}", get_event, "One event", "events", answers=(EventView, EventCrewView)),
    Route(
        "PATCH",
        "/events/{id}",
        change_event,
        "Change an event",
        "events",
        action=Action.EVENT_CHANGE,
        body=EventChange,
        answers=(EventView, EventCrewView),
    ),
    Route(
        "DELETE",
        "/events/{id}",
        delete_event,
        "Remove an event that has no sessions",
        "events",
        action=Action.EVENT_DELETE,
        status=204,
    ),
)
