"""The studio's commands: the technician's taps over Socket.IO."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from streamer.conference import taps
from streamer.conference.airing import last_ended
from streamer.conference.day import current, find
from streamer.conference.grants import Action
from streamer.conference.sessions import Session, SessionState
from streamer.conference.visibility import Caller, alarm_told, told_where
from streamer.director.director import Tapped
from streamer.director.kinds import permission_of
from streamer.errors import Conflict, NotFound
from streamer.realtime import messages, rights
from streamer.realtime.audience_commands import take_back
from streamer.realtime.commands import Command, CommandContext
from streamer.realtime.messages import media_ms

DOUBLE_TAP_MS = 5_000


async def _start(order: CommandContext) -> dict[str, Any]:
    payload: messages.SessionStart = order.payload
    session = _named(order, payload.id) if payload.id is not None else _to_start(order)
    return await _tap(order, session, taps.StartTap(session.id, media_ms(payload.at)))


async def _end(order: CommandContext) -> dict[str, Any]:
    payload: messages.SessionEnd = order.payload
    day = order.director.day(order.room)
    session = current(day)
    if session is None:
        # The same tap again, or a correction of it: the rules know whether that is still possible.
        session = last_ended(day, max((s.ended_ms or 0 for s in day.sessions), default=0))
    if session is None or not rights.tells(order.director, order.grant, session):
        raise _nothing_on_air()
    return await _tap(order, session, taps.End(session.id, media_ms(payload.at)))


async def _extend(order: CommandContext) -> dict[str, Any]:
    payload: messages.SessionExtend = order.payload
    session = current(order.director.day(order.room))
    if session is None or not rights.tells(order.director, order.grant, session):
        raise _nothing_on_air()
    return await _tap(order, session, taps.Extend(session.id, payload.minutes))


async def _slate(order: CommandContext) -> dict[str, Any]:
    payload: messages.AirSlate = order.payload
    return await _air(order, taps.Slate(payload.on))


async def _take(order: CommandContext) -> dict[str, Any]:
    payload: messages.AirTake = order.payload
    return await _air(order, taps.Take(payload.source))


async def _gain(order: CommandContext) -> dict[str, Any]:
    payload: messages.AirGain = order.payload
    return await _air(order, taps.Gain(payload.db))


async def _acknowledge(order: CommandContext) -> dict[str, Any]:
    payload: messages.AlarmAcknowledge = order.payload
    actor = order.require(rights.room_target(order.director, order.room))
    venue, ringing = rights.venue_id(order.director, order.room), order.director.alarms(order.room)
    alarm = next((one for one in ringing if one.id == payload.id), None)
    if alarm is None or alarm_told(Caller(order.grant), alarm, order.director.find, order.room, venue) is None:
        raise NotFound("There is no such alarm.", code="no_such_alarm")
    await order.director.acknowledge(order.room, payload.id, actor)
    return {"alarm": payload.id}


async def _undo(order: CommandContext) -> dict[str, Any]:
    payload: messages.Undo = order.payload
    try:
        action = await order.director.action(payload.action)
    except NotFound:
        # No tap: what was said to the crew has its own log.
        return await take_back(order, payload.action)
    if action.room != order.room:
        raise NotFound("There is no such action in this room.", code="no_such_action")
    session = find(order.director.day(order.room), action.session) if action.session else None
    venue = rights.venue_id(order.director, order.room)
    if action.session and not told_where(Caller(order.grant), action.session, session, order.room, venue).anything:
        raise NotFound("There is no such action in this room.", code="no_such_action")
    target = (
        rights.room_target(order.director, order.room)
        if session is None
        else rights.session_target(order.director, session)
    )
    order.require(target)
    # Whoever takes a tap back may make it.
    actor = order.require(target, permission_of(action.kind))
    tapped = await order.director.undo(action.id, actor)
    return {
        "action": tapped.action,
        "undone": action.id,
        "sessions": [
            order.views.crew(changed, order.client.caller)
            for changed in tapped.sessions
            if rights.tells(order.director, order.grant, changed)
        ],
    }


# --- inside -----------------------------------------------------------------------------------------


async def _tap(order: CommandContext, session: Session, command: taps.Command) -> dict[str, Any]:
    actor = order.require(rights.session_target(order.director, session))
    tapped = await order.director.run(order.room, command, actor)
    return {"action": tapped.action, "session": order.views.crew(_after(order, session, tapped), order.client.caller)}


async def _air(order: CommandContext, command: taps.Command) -> dict[str, Any]:
    actor = order.require(rights.room_target(order.director, order.room))
    tapped = await order.director.run(order.room, command, actor)
    day = order.director.day(order.room)
    return {"action": tapped.action, "air": messages.Air(order.room, day.slate, day.source, day.gain_db)}


def _after(order: CommandContext, session: Session, tapped: Tapped) -> Session:
    changed = next((one for one in tapped.sessions if one.id == session.id), None)
    return changed or find(order.director.day(order.room), session.id) or session


def _named(order: CommandContext, session_id: str) -> Session:
    session = find(order.director.day(order.room), session_id)
    if session is None or not rights.tells(order.director, order.grant, session):
        raise rights.no_such_session()
    return session


def _to_start(order: CommandContext) -> Session:
    """The armed session, or what runs already, or the next. A second tap within seconds is the same one again, even
    where the session after is armed by then."""
    following, running = (
        one if one is not None and rights.tells(order.director, order.grant, one) else None
        for one in (order.director.following(order.room), current(order.director.day(order.room)))
    )
    if running is not None and order.now_ms - (running.changed_ms or 0) < DOUBLE_TAP_MS:
        return running
    if following is not None and following.state is SessionState.ARMED:
        return following
    session = running or following
    if session is None:
        raise Conflict("There is no session to start.", code="nothing_to_start")
    return session


def _nothing_on_air() -> Conflict:
    return Conflict("No session is on air.", code="nothing_on_air")


COMMANDS: Sequence[Command] = (
    Command("session.start", messages.SessionStart, _start, Action.SESSION_RUN),
    Command("session.end", messages.SessionEnd, _end, Action.SESSION_RUN),
    Command("session.extend", messages.SessionExtend, _extend, Action.SESSION_RUN),
    Command("air.slate", messages.AirSlate, _slate, Action.ROOM_AIR),
    Command("air.take", messages.AirTake, _take, Action.ROOM_AIR),
    Command("air.gain", messages.AirGain, _gain, Action.ROOM_AIR),
    Command("alarm.acknowledge", messages.AlarmAcknowledge, _acknowledge, Action.ALARM_ACKNOWLEDGE),
    # And what the action itself needs.
    Command("undo", messages.Undo, _undo, Action.ROOM_CREW),
)
