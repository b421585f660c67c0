"""The studio's commands: the technician's actions over Socket.IO."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta

from streamer.audience.command import Ident, MediaTime
from streamer.audience.crew import CrewSay, OwnLineUndo
from streamer.audience.scope import Scope
from streamer.broadcast.programme import SOURCE_PATTERN
from streamer.conference import taps
from streamer.conference.airing import last_ended
from streamer.conference.day import current, find
from streamer.conference.grants import Action
from streamer.conference.page_reports import InputReport, Kbps, PageReport
from streamer.conference.sessions import Session, SessionState
from streamer.conference.sources import MAX_GAIN_DB, MIN_GAIN_DB
from streamer.conference.visibility import Caller, alarm_told, told_where
from streamer.director.kinds import once_for_alarm, once_for_undo, once_of, permission_of
from streamer.director.news import Actor
from streamer.director.tapped import Tapped
from streamer.errors import Conflict, NotFound
from streamer.realtime import rights
from streamer.realtime.commands import CommandContext, RoomCommand, StudioCommand, ask
from streamer.realtime.facts import air_of

SourceName = Annotated[str, Meta(pattern=SOURCE_PATTERN)]
AlarmId = Annotated[str, Meta(min_length=1, max_length=500)]
Moment = Annotated[datetime, Meta(tz=True)]
DOUBLE_TAP_MS = 5_000


class SessionStart(RoomCommand, frozen=True):
    id: Ident | None = None
    at: MediaTime | Moment | None = None


class SessionEnd(RoomCommand, frozen=True):
    at: MediaTime | Moment | None = None


class SessionExtend(RoomCommand, frozen=True, kw_only=True):
    minutes: Annotated[int, Meta(ge=1, le=24 * 60)]


class AirSlate(RoomCommand, frozen=True, kw_only=True):
    on: bool


class AirTake(RoomCommand, frozen=True, kw_only=True):
    source: SourceName | None


class AirGain(RoomCommand, frozen=True, kw_only=True):
    db: Annotated[float, Meta(ge=MIN_GAIN_DB, le=MAX_GAIN_DB)]


class AlarmAcknowledge(RoomCommand, frozen=True, kw_only=True):
    id: AlarmId


class AlarmSnooze(RoomCommand, frozen=True, kw_only=True):
    id: AlarmId
    minutes: Annotated[int, Meta(ge=1, le=240)] = 10


class AlarmNormal(RoomCommand, frozen=True, kw_only=True):
    id: AlarmId
    on: bool = True
    """false: tell it again. The id is then one of the room's ``normals`` over REST."""


class SourceReport(RoomCommand, frozen=True, kw_only=True):
    """A page that sends a source reports every second, and at once when it is left."""

    source: SourceName = "main"
    inputs: Annotated[tuple[InputReport, ...], Meta(max_length=8)] = ()
    visibility: Literal["visible", "hidden"] = "visible"
    leaving: Literal["", "pagehide", "freeze"] = ""
    battery: Annotated[float, Meta(ge=0, le=1)] | None = None
    charging: bool | None = None
    sent_kbps: Kbps | None = None
    available_kbps: Kbps | None = None


class TapUndo(RoomCommand, frozen=True, kw_only=True):
    action: Ident


class StudioSay(RoomCommand, frozen=True, kw_only=True):
    text: str
    to: Literal["crew", "stage"] = "crew"


async def _start(context: CommandContext, command: SessionStart) -> dict[str, Any]:
    before = await _before(context)
    session = before or (_named(context, command.id) if command.id is not None else _to_start(context))
    return await _tap(context, session, taps.StartTap(session.id, media_ms(command.at)))


async def _end(context: CommandContext, command: SessionEnd) -> dict[str, Any]:
    before = await _before(context)
    day = context.director.day(context.room)
    session = before or current(day)
    if session is None:
        # The same action again, or a correction of it: the rules know whether that is still possible.
        session = last_ended(day, max((s.ended_ms or 0 for s in day.sessions), default=0))
    if session is None or not rights.tells(context.director, context.grant, session):
        raise _nothing_on_air()
    return await _tap(context, session, taps.End(session.id, media_ms(command.at)))


async def _extend(context: CommandContext, command: SessionExtend) -> dict[str, Any]:
    session = await _before(context) or current(context.director.day(context.room))
    if session is None or not rights.tells(context.director, context.grant, session):
        raise _nothing_on_air()
    return await _tap(context, session, taps.Extend(session.id, command.minutes))


async def _slate(context: CommandContext, command: AirSlate) -> dict[str, Any]:
    return await _air(context, taps.ShowSlate(command.on))


async def _take(context: CommandContext, command: AirTake) -> dict[str, Any]:
    return await _air(context, taps.TakeSource(command.source))


async def _gain(context: CommandContext, command: AirGain) -> dict[str, Any]:
    on = context.director.effects.source_on(context.director.day(context.room))
    return await _air(context, taps.Gain(command.db, on))


async def _acknowledge(context: CommandContext, command: AlarmAcknowledge) -> dict[str, Any]:
    once, actions = once_for_alarm(context.asked, "acknowledge", command.id), context.director.alarm_actions
    if await actions.done(once) is None:
        await actions.acknowledge(context.room, command.id, _told_alarm(context, command.id), once)
    return _alarm(context, command.id)


async def _snooze(context: CommandContext, command: AlarmSnooze) -> dict[str, Any]:
    once = once_for_alarm(context.asked, "snooze", command.id, command.minutes)
    actions = context.director.alarm_actions
    if await actions.done(once) is None:
        await actions.snooze(context.room, command.id, command.minutes, _told_alarm(context, command.id), once)
    return _alarm(context, command.id)


async def _normal(context: CommandContext, command: AlarmNormal) -> dict[str, Any]:
    name, actions = "normal" if command.on else "not_normal", context.director.alarm_actions
    once = once_for_alarm(context.asked, name, command.id)
    if await actions.done(once) is None and command.on:
        await actions.normal(context.room, command.id, _told_alarm(context, command.id), once)
    elif await actions.done(once) is None:
        actor = context.require(rights.room_target(context.director, context.room))
        await actions.not_normal(context.room, command.id, actor, once)
    return _alarm(context, command.id)


def _alarm(context: CommandContext, alarm: str) -> dict[str, Any]:
    context.require(rights.room_target(context.director, context.room))
    return {"alarm": alarm}


async def _report(context: CommandContext, command: SourceReport) -> dict[str, Any]:
    context.require(rights.room_target(context.director, context.room))
    report = PageReport(
        command.inputs,
        command.visibility,
        command.leaving,
        command.battery,
        command.charging,
        command.sent_kbps,
        command.available_kbps,
    )
    day = context.director.day(context.room)
    context.director.room_alarms.page_reports.take(day, command.source, report, context.now_ms)
    return {}


def _told_alarm(context: CommandContext, alarm_id: str) -> Actor:
    """The right to act on an alarm that the sender may know of. Raises NotFound, Forbidden."""
    actor = context.require(rights.room_target(context.director, context.room))
    venue, present = rights.venue_id(context.director, context.room), context.director.alarms(context.room)
    alarm = next((one for one in present if one.id == alarm_id), None)
    if alarm is None or alarm_told(Caller(context.grant), alarm, context.director.find, context.room, venue) is None:
        raise NotFound("There is no such alarm.", code="no_such_alarm")
    return actor


async def _undo(context: CommandContext, command: TapUndo) -> dict[str, Any]:
    try:
        action = await context.director.action(command.action)
    except NotFound:
        # This is no action of the room: messages to the crew have their own log.
        answer = await ask(context, OwnLineUndo(command.action), Scope(context.room))
        return {**answer, "undone": command.action, "sessions": []}
    if action.room != context.room:
        raise NotFound("There is no such action in this room.", code="no_such_action")
    session = find(context.director.day(context.room), action.session) if action.session else None
    venue = rights.venue_id(context.director, context.room)
    if action.session and not told_where(Caller(context.grant), action.session, session, context.room, venue).anything:
        raise NotFound("There is no such action in this room.", code="no_such_action")
    target = (
        rights.room_target(context.director, context.room)
        if session is None
        else rights.session_target(context.director, session)
    )
    context.require(target)
    # Undoing an action needs the same right as taking it.
    actor = context.require(target, permission_of(action.kind))
    tapped = await context.director.undo(action.id, actor, once_for_undo(context.asked, action.id))
    return {
        "action": tapped.action,
        "undone": action.id,
        "sessions": [
            context.views.crew(changed, context.client.caller)
            for changed in tapped.sessions
            if rights.tells(context.director, context.grant, changed)
        ],
    }


async def _say(context: CommandContext, command: StudioSay) -> dict[str, Any]:
    return await ask(context, CrewSay(command.text, command.to), Scope(context.room))


# --- inside -----------------------------------------------------------------------------------------


async def _tap(context: CommandContext, session: Session, tap: taps.Command) -> dict[str, Any]:
    actor = context.require(rights.session_target(context.director, session))
    tapped = await context.director.run(context.room, tap, actor, once_of(context.asked, tap))
    return {
        "action": tapped.action,
        "session": context.views.crew(_after(context, session, tapped), context.client.caller),
    }


async def _air(context: CommandContext, tap: taps.Command) -> dict[str, Any]:
    actor = context.require(rights.room_target(context.director, context.room))
    once = once_of(context.asked, tap, about=context.room)
    tapped = await context.director.run(context.room, tap, actor, once)
    return {"action": tapped.action, "air": air_of(context.director, context.room)}


def _after(context: CommandContext, session: Session, tapped: Tapped) -> Session:
    changed = next((one for one in tapped.sessions if one.id == session.id), None)
    return changed or find(context.director.day(context.room), session.id) or session


async def _before(context: CommandContext) -> Session | None:
    """The session that the command was about when it came first: another may be on air, or next, by now."""
    about = (await context.director.first_answer(context.asked)).get("session")
    return None if about is None else _named(context, about)


def _named(context: CommandContext, session_id: str) -> Session:
    session = find(context.director.day(context.room), session_id)
    if session is None or not rights.tells(context.director, context.grant, session):
        raise rights.no_such_session()
    return session


def _to_start(context: CommandContext) -> Session:
    """The armed session, or the running one, or the next. A second start within seconds means the same session, even if
    the one after is armed by then."""
    following, running = (
        one if one is not None and rights.tells(context.director, context.grant, one) else None
        for one in (context.director.following(context.room), current(context.director.day(context.room)))
    )
    if running is not None and context.now_ms - (running.changed_ms or 0) < DOUBLE_TAP_MS:
        return running
    if following is not None and following.state is SessionState.ARMED:
        return following
    session = running or following
    if session is None:
        raise Conflict("There is no session to start.", code="nothing_to_start")
    return session


def _nothing_on_air() -> Conflict:
    return Conflict("No session is on air.", code="nothing_on_air")


def media_ms(at: int | datetime | None) -> int | None:
    """A media time as UTC milliseconds."""
    return at if at is None or isinstance(at, int) else round(at.timestamp() * 1000)


STUDIO_COMMANDS = (
    StudioCommand("session.start", SessionStart, _start, action=Action.SESSION_RUN),
    StudioCommand("session.end", SessionEnd, _end, action=Action.SESSION_RUN),
    StudioCommand("session.extend", SessionExtend, _extend, action=Action.SESSION_RUN),
    StudioCommand("air.slate", AirSlate, _slate, action=Action.ROOM_AIR),
    StudioCommand("air.take", AirTake, _take, action=Action.ROOM_AIR),
    StudioCommand("air.gain", AirGain, _gain, action=Action.ROOM_AIR),
    StudioCommand("alarm.acknowledge", AlarmAcknowledge, _acknowledge, action=Action.ALARM_ACKNOWLEDGE),
    StudioCommand("alarm.snooze", AlarmSnooze, _snooze, action=Action.ALARM_ACKNOWLEDGE),
    StudioCommand("alarm.normal", AlarmNormal, _normal, action=Action.ALARM_ACKNOWLEDGE),
    StudioCommand("source.report", SourceReport, _report, action=Action.PUBLISH),
    # The undone action needs its own right, too.
    StudioCommand("undo", TapUndo, _undo, action=Action.ROOM_CREW),
    StudioCommand("crew.say", StudioSay, _say, action=Action.ROOM_CREW),
)
