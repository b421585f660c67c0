"""Alarms (``/api/v1/alarms``) and recent actions (``/api/v1/actions``) of rooms, so that anybody of the crew can
acknowledge an alarm or undo an action."""

from __future__ import annotations

from pydantic import BaseModel, Field

from streamer.api.context import Services, actor_of
from streamer.api.models import Moment, Slug, to_moment
from streamer.api.room_models import AlarmView
from streamer.api.rooms import alarms_of, target_of
from streamer.api.routing import Call, Route
from streamer.api.sessions import target_of as target_of_session
from streamer.conference.alarms import Alarm
from streamer.conference.grants import Action, Grant
from streamer.conference.rooms import Room
from streamer.conference.sessions import Session
from streamer.conference.visibility import told_where
from streamer.director.director import Recent
from streamer.director.kinds import permission_of
from streamer.errors import NotFound
from streamer.store.sessions import Sessions

MOST_ACTIONS = 100


class AlarmQuery(BaseModel):
    room: Slug | None = None
    """Left out: all rooms that the grant reaches."""


class RoomAlarmView(AlarmView):
    room: str


class AlarmList(BaseModel):
    """Room by room, the gravest alarm first."""

    items: list[RoomAlarmView]


class ActionQuery(BaseModel):
    room: Slug
    limit: int = Field(20, ge=1, le=MOST_ACTIONS)


class ActionView(BaseModel):
    """An action that somebody took."""

    id: str
    room: str
    session: str | None
    title: str | None
    """The session's title, if there is one."""
    kind: str
    """``session.start``, ``session.end``, ``room.hold``, ``air.slate``, …"""
    at: Moment
    by: str
    """The label of the grant, or its role if it has no label."""
    undone: Moment | None
    undoable: bool
    """Whether the caller can undo it now: nothing that it changed has been changed again since."""


class ActionList(BaseModel):
    """The actions of the last seven days, newest first."""

    items: list[ActionView]


def _room(services: Services, room_id: str) -> Room:
    room = services.director.room(room_id)
    if room is None:
        raise NotFound("There is no such room.", code="no_such_room")
    return room


# --- alarms -----------------------------------------------------------------------------------------


def _alarm(services: Services, room: Room, alarm: Alarm) -> RoomAlarmView:
    taken = services.director.acknowledged(room.id).get(alarm.id)
    return RoomAlarmView(**AlarmView.of(alarm, taken).model_dump(), room=room.id)


async def list_alarms(call: Call) -> AlarmList:
    services, named = call.services, call.query(AlarmQuery).room
    if named is not None:
        rooms = [_room(services, named)]
        call.require(target_of(rooms[0]))
    else:
        grant = call.grant
        assert grant is not None
        rooms = [room for room in services.director.rooms.values() if grant.allows(Action.ROOM_CREW, target_of(room))]
    caller = call.caller()
    found = ((room, alarm) for room in rooms for alarm in alarms_of(services, caller, room))
    return AlarmList(items=[_alarm(services, room, alarm) for room, alarm in found])


async def acknowledge(call: Call) -> RoomAlarmView:
    services, alarm_id = call.services, call.path("id")
    for room in services.director.rooms.values():
        for alarm in alarms_of(services, call.caller(), room):
            if alarm.id == alarm_id:
                grant = call.require(target_of(room))
                await services.director.acknowledge(room.id, alarm.id, actor_of(grant))
                return _alarm(services, room, alarm)
    raise NotFound("There is no such alarm.", code="no_such_alarm")


# --- actions ----------------------------------------------------------------------------------------


async def list_actions(call: Call) -> ActionList:
    query, services = call.query(ActionQuery), call.services
    room = _room(services, query.room)
    grant = call.require(target_of(room))
    items = []
    # Actions that the caller may not see are left out; as many others as were asked for are listed.
    latest = await services.director.recent(room.id, MOST_ACTIONS)
    async with services.database.read() as connection:
        sessions = await Sessions(connection).find_many({one.action.session for one in latest if one.action.session})
    for recent in latest:
        about = recent.action.session
        session = None if about is None else services.director.find(about) or sessions.get(about)
        if about is None or told_where(call.caller(), about, session, room.id, room.venue).anything:
            items.append(_action(services, grant, room, recent, session))
    return ActionList(items=items[: query.limit])


def _action(services: Services, grant: Grant, room: Room, recent: Recent, session: Session | None) -> ActionView:
    action = recent.action
    target = target_of(room) if session is None else target_of_session(services, session)
    at = to_moment(action.at_ms)
    assert at is not None
    return ActionView(
        id=action.id,
        room=action.room,
        session=action.session,
        title=None if session is None else session.title,
        kind=action.kind,
        at=at,
        by=action.label or action.who,
        undone=to_moment(action.undone_ms),
        undoable=recent.undoable
        and grant.allows(Action.ROOM_CREW, target)
        and grant.allows(permission_of(action.kind), target),
    )


ROUTES = (
    Route(
        "GET",
        "/alarms",
        list_alarms,
        "The alarms of one room, or of all rooms that the grant reaches",
        "alarms",
        action=Action.ROOM_CREW,
        query=AlarmQuery,
        answers=(AlarmList,),
    ),
    Route(
        "POST",
        "/alarms/{id}/acknowledge",
        acknowledge,
        "Acknowledge an alarm",
        "alarms",
        action=Action.ALARM_ACKNOWLEDGE,
        answers=(RoomAlarmView,),
    ),
    Route(
        "GET",
        "/actions",
        list_actions,
        "The latest actions in a room, and whether they can be undone",
        "actions",
        action=Action.ROOM_CREW,
        query=ActionQuery,
        answers=(ActionList,),
    ),
)
