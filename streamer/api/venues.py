"""``/api/v1/venues``"""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncConnection

from streamer.api.audit import record
from streamer.api.models import ListQuery, VenueChange, VenueCreate, VenueList, VenueView
from streamer.api.routing import Call, Route, invalid_field
from streamer.conference.grants import EVERYTHING, Action, Target
from streamer.conference.rooms import Venue, slug_of
from streamer.store.audit import changed_fields
from streamer.store.venues import Venues


async def check_venue_exists(connection: AsyncConnection, venue: str | None) -> None:
    """Of the field ``venue`` of a body. Raises Unprocessable."""
    if venue is not None and await Venues(connection).find(venue) is None:
        raise invalid_field("venue", "there is no such venue")


async def list_venues(call: Call) -> VenueList:
    query = call.query(ListQuery)
    after = await call.after(query)
    async with call.services.database.read() as connection:
        page = await Venues(connection).page(query.limit, after)
    return VenueList(items=[VenueView.of(venue) for venue in page.items], cursor=await call.cursor(query, page.cursor))


async def create_venue(call: Call) -> VenueView:
    holder = call.require(EVERYTHING)
    body = call.body(VenueCreate)
    venue_id = body.id or slug_of(body.name)
    if not venue_id:
        raise invalid_field("id", "no id can be made from this name")
    venue = Venue(**{**body.model_dump(), "id": venue_id})
    async with call.services.database.write() as connection:
        await Venues(connection).add(venue)
        await record(connection, holder, Action.VENUE_CREATE, Target(venue=venue.id), "venue", venue.id)
    call.headers["Location"] = f"/api/v1/venues/{venue.id}"
    return VenueView.of(venue)


async def get_venue(call: Call) -> VenueView:
    async with call.services.database.read() as connection:
        return VenueView.of(await Venues(connection).get(call.path("id")))


async def change_venue(call: Call) -> VenueView:
    body = call.body(VenueChange)
    async with call.services.database.write() as connection:
        venues = Venues(connection)
        venue = await venues.get(call.path("id"))
        holder = call.require(Target(venue=venue.id))
        before, venue = venue, replace(venue, **body.model_dump(exclude_unset=True))
        await venues.save(venue)
        details = changed_fields(before, venue, body.model_fields_set)
        await record(connection, holder, Action.VENUE_CHANGE, Target(venue=venue.id), "venue", venue.id, details)
    await call.services.director.refresh()
    return VenueView.of(venue)


async def delete_venue(call: Call) -> None:
    async with call.services.database.write() as connection:
        venues = Venues(connection)
        venue = await venues.get(call.path("id"))
        holder = call.require(Target(venue=venue.id))
        await venues.remove(venue.id)
        details = {"name": venue.name}
        await record(connection, holder, Action.VENUE_DELETE, Target(venue=venue.id), "venue", venue.id, details)


ROUTES = (
    Route("GET", "/venues", list_venues, "List the venues", "venues", query=ListQuery, answers=(VenueList,)),
    Route(
        "POST",
        "/venues",
        create_venue,
        "Add a venue",
        "venues",
        action=Action.VENUE_CREATE,
        body=VenueCreate,
        answers=(VenueView,),
        status=201,
    ),
    Route("GET", "/venues/{id}", get_venue, "One venue", "venues", answers=(VenueView,)),
    Route(
        "PATCH",
        "/venues/{id}",
        change_venue,
        "Change a venue",
        "venues",
        action=Action.VENUE_CHANGE,
        body=VenueChange,
        answers=(VenueView,),
    ),
    Route(
        "DELETE",
        "/venues/{id}",
        delete_venue,
        "Remove a venue that has no rooms",
        "venues",
        action=Action.VENUE_DELETE,
        status=204,
    ),
)
