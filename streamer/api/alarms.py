"""``/api/v1/alarms``: what is wrong in the rooms, and what their crew does about it."""

from __future__ import annotations

from pydantic import Field

from streamer.api.context import Services, actor_of
from streamer.api.models import Body, LazyModel, Slug
from streamer.api.room_models import AlarmView
from streamer.api.rooms import alarms_of, room_named, target_of
from streamer.api.routing import Call, Route
from streamer.conference.alarm_memory import gravity
from streamer.conference.alarms import Alarm
from streamer.conference.grants import Action, Grant
from streamer.conference.rooms import Room
from streamer.director.kinds import once_for_alarm
from streamer.errors import NotFound
from streamer.store.answers import Once

LONGEST_SNOOZE_MINUTES = 240


class AlarmQuery(LazyModel):
    room: Slug | None = None
    """Left out: all rooms that the grant reaches."""


class RoomAlarmView(AlarmView):
    room: str


class AlarmList(LazyModel):
    """The gravest first."""

    items: list[RoomAlarmView]
    cursor: str | None = None
    """Always null: all alarms are in one list."""


class SnoozeMinutes(Body):
    minutes: int = Field(10, ge=1, le=LONGEST_SNOOZE_MINUTES)


def alarm_view(call: Call, room: Room, alarm: Alarm) -> RoomAlarmView:
    director = call.services.director
    taken, zone = director.acknowledged(room.id).get(alarm.id), director.day(room.id).zone
    return RoomAlarmView(**AlarmView.of(alarm, taken, call.language, zone).model_dump(), room=room.id)


async def list_alarms(call: Call) -> AlarmList:
    services, named = call.services, call.query(AlarmQuery).room
    if named is not None:
        rooms = [room_named(services, named)]
        call.require(target_of(rooms[0]))
    else:
        grant = call.holder
        rooms = [room for room in services.director.rooms.values() if grant.allows(Action.ROOM_CREW, target_of(room))]
    caller = call.caller()
    found = [(room, alarm) for room in rooms for alarm in alarms_of(services, caller, room)]
    found.sort(key=lambda one: gravity(one[1]))
    return AlarmList(items=[alarm_view(call, room, alarm) for room, alarm in found])


async def acknowledge(call: Call) -> RoomAlarmView:
    once, actions = once_for_alarm(call.asked, "acknowledge", call.path("id")), call.services.director.alarm_actions
    if (before := await _before(call, once)) is not None:
        return before
    room, alarm, grant = _named(call)
    await actions.acknowledge(room.id, alarm.id, actor_of(grant), once)
    return alarm_view(call, room, alarm)


async def snooze(call: Call) -> RoomAlarmView:
    minutes, actions = call.body(SnoozeMinutes).minutes, call.services.director.alarm_actions
    once = once_for_alarm(call.asked, "snooze", call.path("id"), minutes)
    if (before := await _before(call, once)) is not None:
        return before
    room, alarm, grant = _named(call)
    return alarm_view(call, room, await actions.snooze(room.id, alarm.id, minutes, actor_of(grant), once))


async def normal(call: Call) -> RoomAlarmView:
    once = once_for_alarm(call.asked, "normal", call.path("id"))
    if (before := await _before(call, once)) is not None:
        return before
    room, alarm, grant = _named(call)
    await call.services.director.alarm_actions.normal(room.id, alarm.id, actor_of(grant), once)
    return alarm_view(call, room, alarm)


async def not_normal(call: Call) -> None:
    once = once_for_alarm(call.asked, "not_normal", call.path("id"))
    actions = call.services.director.alarm_actions
    done = await actions.done(once)
    room = _room_of_normal(call.services, call.path("id")) if done is None else room_named(call.services, done[0])
    grant = call.require(target_of(room))
    if done is None:
        await actions.not_normal(room.id, call.path("id"), actor_of(grant), once)


async def _before(call: Call, once: Once | None) -> RoomAlarmView | None:
    """The answer to what has been done: the alarm as it was told then, since it may be over. Who has taken it on is
    told as it is now."""
    room_id, alarm = await call.services.director.alarm_actions.done(once) or ("", None)
    if alarm is None:
        return None
    room = room_named(call.services, room_id)
    call.require(target_of(room))
    return alarm_view(call, room, alarm)


def _named(call: Call) -> tuple[Room, Alarm, Grant]:
    """The alarm of the address, with its room and the caller's right to act on it. Raises NotFound, Forbidden."""
    services, caller, alarm_id = call.services, call.caller(), call.path("id")
    for room in services.director.rooms.values():
        for alarm in alarms_of(services, caller, room):
            if alarm.id == alarm_id:
                return room, alarm, call.require(target_of(room))
    raise _no_such_alarm()


def _room_of_normal(services: Services, alarm: str) -> Room:
    for room in services.director.rooms.values():
        if any(one.alarm == alarm for one in services.director.alarm_actions.normals(room.id)):
            return room
    raise _no_such_alarm()


def _no_such_alarm() -> NotFound:
    return NotFound("There is no such alarm.", code="no_such_alarm")


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
        "Acknowledge an alarm: the caller sees to it",
        "alarms",
        action=Action.ALARM_ACKNOWLEDGE,
        answers=(RoomAlarmView,),
    ),
    Route(
        "POST",
        "/alarms/{id}/snooze",
        snooze,
        "Silence an alarm for some minutes",
        "alarms",
        action=Action.ALARM_ACKNOWLEDGE,
        body=SnoozeMinutes,
        answers=(RoomAlarmView,),
    ),
    Route(
        "POST",
        "/alarms/{id}/normal",
        normal,
        "Say that an alarm is normal in the present session: it is not told any more",
        "alarms",
        action=Action.ALARM_ACKNOWLEDGE,
        answers=(RoomAlarmView,),
    ),
    Route(
        "DELETE",
        "/alarms/{id}/normal",
        not_normal,
        "Tell an alarm again that was normal; its id is that of the room's normals",
        "alarms",
        action=Action.ALARM_ACKNOWLEDGE,
        status=204,
    ),
)
