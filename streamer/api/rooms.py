"""``/api/v1/rooms``"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, TypeVar

from streamer.api.audit import record
from streamer.api.context import Services
from streamer.api.models import LazyModel, ListQuery, Slug
from streamer.api.room_models import (
    AlarmView,
    ElsewhereView,
    NormalView,
    RoomChange,
    RoomCreate,
    RoomCrewView,
    RoomList,
    RoomView,
)
from streamer.api.routing import Call, Route
from streamer.api.session_models import SessionCrewView, SessionView
from streamer.api.sessions import view_of as session_view
from streamer.api.venues import check_venue_exists
from streamer.conference.airing import PublicSession
from streamer.conference.alarms import Alarm
from streamer.conference.day import current
from streamer.conference.grants import Action, Target
from streamer.conference.rooms import Room
from streamer.conference.sessions import Session
from streamer.conference.visibility import Caller, alarm_told, orders_told, outputs_told
from streamer.errors import NotFound
from streamer.store.audit import changed_fields
from streamer.store.rooms import Rooms

AnyRoom = TypeVar("AnyRoom", bound=RoomView)


class RoomStateQuery(LazyModel):
    unless: Literal["off", "slate", "live"] | None = None
    """The answer waits until the state is another one, 20 s at most."""


class RoomQuery(ListQuery):
    venue: Slug | None = None


def target_of(room: Room) -> Target:
    return Target(room=room.id, venue=room.venue)


def view_of(room: Room, services: Services, caller: Caller, language: str = "en") -> RoomView | RoomCrewView:
    """The room with the fields that the caller may see. ``language``: of its alarms."""
    director = services.director
    link = services.plane.rooms.get(room.id)
    state = services.state_of(room.id)
    status = None if link is None else link.status
    public = director.public_status(room.id)

    def seen(session: Session | None, public: PublicSession | None) -> SessionView | SessionCrewView | None:
        """The session as the caller may see it. A caller without rights sees the public part."""
        view = None if session is None else session_view(services, caller, session)
        if view is not None or public is None:
            return view
        return session_view(services, caller, public.session)

    def with_elsewhere(view: AnyRoom) -> AnyRoom:
        beside = public.elsewhere
        told = None if beside is None else session_view(services, caller, beside.session)
        if beside is None or told is None:
            return view
        other = ElsewhereView(room=beside.session.room, room_name=beside.room_name, session=told)
        return view.model_copy(update={"elsewhere": other})

    if caller.grant is None or not caller.grant.allows(Action.ROOM_CREW, target_of(room)):
        return with_elsewhere(
            RoomView.of(room, state, status, public, seen(None, public.current), seen(None, public.next))
        )
    day = director.day(room.id)
    running, soon = current(day), director.following(room.id)
    taken = director.acknowledged(room.id)
    name_of = outputs_told(caller, day, room.venue)
    crew = RoomCrewView.for_crew(
        room,
        state,
        status,
        None if link is None else link.meters,
        public,
        day,
        orders_told(caller, director.config(room.id).orders, day, room.venue),
        {} if status is None else {name: what for inner, what in status.shows.items() if (name := name_of(inner))},
        [AlarmView.of(one, taken.get(one.id), language, day.zone) for one in alarms_of(services, caller, room)],
        [NormalView.of(one, day.zone) for one in director.alarm_actions.normals(room.id)],
        seen(running, public.current),
        seen(soon, public.next),
    )
    return with_elsewhere(crew)


def room_named(services: Services, room_id: str) -> Room:
    """Raises NotFound."""
    room = services.director.room(room_id)
    if room is None:
        raise NotFound("There is no such room.", code="no_such_room")
    return room


def alarms_of(services: Services, caller: Caller, room: Room) -> list[Alarm]:
    """The room's alarms that the caller may see."""
    director = services.director
    told = (alarm_told(caller, alarm, director.find, room.id, room.venue) for alarm in director.alarms(room.id))
    return [alarm for alarm in told if alarm is not None]


async def list_rooms(call: Call) -> RoomList:
    query = call.query(RoomQuery)
    after = await call.after(query)
    async with call.services.database.read() as connection:
        page = await Rooms(connection).page(query.limit, after, venue=query.venue)
    known = [room for room in page.items if call.services.director.room(room.id) is not None]
    return RoomList(
        items=[view_of(room, call.services, call.caller(), call.language) for room in known],
        cursor=await call.cursor(query, page.cursor),
    )


async def create_room(call: Call) -> RoomView | RoomCrewView:
    room = Room(**call.body(RoomCreate).model_dump())
    holder = call.require(Target(venue=room.venue))
    async with call.services.database.write() as connection:
        await check_venue_exists(connection, room.venue)
        await Rooms(connection).add(room)
        await record(connection, holder, Action.ROOM_CREATE, target_of(room), "room", room.id)
    await call.services.director.refresh()
    call.headers["Location"] = f"/api/v1/rooms/{room.id}"
    return view_of(room, call.services, call.caller(), call.language)


async def get_room(call: Call) -> RoomView | RoomCrewView:
    unless = call.query(RoomStateQuery).unless
    async with call.services.database.read() as connection:
        room = await Rooms(connection).get(call.path("id"))
    if call.services.director.room(room.id) is None:
        # Another process made the room a moment ago.
        await call.services.director.refresh()
    if unless is not None:
        # The wait holds nothing of the database. The names are those at the time of the request.
        await call.services.waiters.wait_other(room.id, unless, call.services.proxies.client_household(call.request))
    return view_of(room, call.services, call.caller(), call.language)


async def change_room(call: Call) -> RoomView | RoomCrewView:
    body = call.body(RoomChange)
    async with call.services.database.write() as connection:
        rooms = Rooms(connection)
        room = await rooms.get(call.path("id"))
        call.require(target_of(room))
        before, room = room, replace(room, **body.model_dump(exclude_unset=True))
        # A room may only be moved to a venue that the grant reaches too.
        holder = call.require(target_of(room))
        await check_venue_exists(connection, room.venue)
        await rooms.save(room)
        details = changed_fields(before, room, body.model_fields_set)
        await record(connection, holder, Action.ROOM_CHANGE, target_of(room), "room", room.id, details)
    await call.services.director.refresh()
    return view_of(room, call.services, call.caller(), call.language)


async def delete_room(call: Call) -> None:
    """Closes the room. Its recordings stay on disk until retention deletes them."""
    async with call.services.database.write() as connection:
        rooms = Rooms(connection)
        room = await rooms.get(call.path("id"))
        holder = call.require(target_of(room))
        await rooms.remove(room.id)
        await record(connection, holder, Action.ROOM_DELETE, target_of(room), "room", room.id, {"name": room.name})
    await call.services.director.refresh()
    if room.id in call.services.plane.rooms:
        await call.services.plane.stop(room.id)


ROUTES = (
    Route("GET", "/rooms", list_rooms, "List the rooms", "rooms", query=RoomQuery, answers=(RoomList,)),
    Route(
        "POST",
        "/rooms",
        create_room,
        "Add a room",
        "rooms",
        action=Action.ROOM_CREATE,
        body=RoomCreate,
        answers=(RoomView, RoomCrewView),
        status=201,
    ),
    Route(
        "GET",
        "/rooms/{id}",
        get_room,
        "One room: state, sources, session; more for its crew. With unless, waits for another state",
        "rooms",
        query=RoomStateQuery,
        answers=(RoomView, RoomCrewView),
    ),
    Route(
        "PATCH",
        "/rooms/{id}",
        change_room,
        "Change a room",
        "rooms",
        action=Action.ROOM_CHANGE,
        body=RoomChange,
        answers=(RoomView, RoomCrewView),
    ),
    Route(
        "DELETE",
        "/rooms/{id}",
        delete_room,
        "Close and remove a room, with its grants",
        "rooms",
        action=Action.ROOM_DELETE,
        status=204,
    ),
)
