"""People's actions: a session's start and end, holds, the source on the programme, and undo."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from typing import Any

from streamer.api import forgetting
from streamer.api.auth import require
from streamer.api.context import actor_of
from streamer.api.rooms import room_named
from streamer.api.routing import Call, Route, invalid_field
from streamer.api.session_models import SessionCrewView
from streamer.api.sessions import any_session, context_of, find_session, target_of, told_of
from streamer.api.tap_models import (
    AdHocBody,
    AirBody,
    AnswerBody,
    AtBody,
    DelayBody,
    Done,
    ExtendBody,
    ForgetBody,
    HoldBody,
    ResumeBody,
    SessionCrewDone,
)
from streamer.conference import taps
from streamer.conference.day import MINUTE_MS
from streamer.conference.grants import Action, Target
from streamer.conference.rooms import Room
from streamer.conference.sessions import Session
from streamer.conference.visibility import View, told_where
from streamer.director.kinds import kind_of, once_for_undo, once_of, permission_of
from streamer.director.tapped import Tapped
from streamer.errors import NotFound
from streamer.store.events import Events
from streamer.store.venues import Venues

# --- sessions ---------------------------------------------------------------------------------------


def _done(call: Call, session: Session, action: str | None) -> SessionCrewDone:
    view = SessionCrewView.of(session, context_of(call.services, session, call.caller()))
    return SessionCrewDone(**view.model_dump(), action=action)


async def _tap(call: Call, command: Callable[[Session], taps.Command]) -> SessionCrewDone:
    services = call.services
    session = await find_session(call)
    grant = call.require(target_of(services, session))
    tap = command(session)
    tapped = await services.director.run(session.room, tap, actor_of(grant), once_of(call.asked, tap))
    after = next((changed for changed in tapped.sessions if changed.id == session.id), None)
    return _done(call, after or services.director.find(session.id) or session, tapped.action)


async def start(call: Call) -> SessionCrewDone:
    body = call.body(AtBody)
    return await _tap(call, lambda session: taps.StartTap(session.id, body.at_ms))


async def end(call: Call) -> SessionCrewDone:
    body = call.body(AtBody)
    return await _tap(call, lambda session: taps.End(session.id, body.at_ms))


async def extend(call: Call) -> SessionCrewDone:
    minutes = call.body(ExtendBody).minutes
    return await _tap(call, lambda session: taps.Extend(session.id, minutes))


async def delay(call: Call) -> SessionCrewDone:
    body = call.body(DelayBody)
    return await _tap(call, lambda session: taps.Delay(session.id, body.minutes, body.following))


async def cancel(call: Call) -> SessionCrewDone:
    return await _tap(call, lambda session: taps.Cancel(session.id))


async def reopen(call: Call) -> SessionCrewDone:
    return await _tap(call, lambda session: taps.Reopen(session.id))


async def answer(call: Call) -> SessionCrewDone:
    body = call.body(AnswerBody)
    return await _tap(call, lambda session: taps.ConsentAnswer(session.id, body.record, body.stream))


# --- rooms ------------------------------------------------------------------------------------------


def _told(call: Call, tapped: Sequence[tuple[str, Tapped]]) -> Done:
    services = call.services
    actions = [one.action for _, one in tapped if one.action is not None]
    return Done(
        action=actions[0] if actions else None,
        actions=actions,
        rooms=[room for room, _ in tapped],
        sessions=[
            SessionCrewView.of(session, context_of(services, session, call.caller()))
            for _, one in tapped
            for session in one.sessions
            if told_of(services, call.caller(), session).view is View.CREW
        ],
    )


async def _in_room(call: Call, command: taps.Command) -> Done:
    room = room_named(call.services, call.path("id"))
    grant = call.require(Target(room=room.id, venue=room.venue))
    once = once_of(call.asked, command, about=room.id)
    return _told(call, [(room.id, await call.services.director.run(room.id, command, actor_of(grant), once))])


async def ad_hoc(call: Call) -> Done:
    body = call.body(AdHocBody)
    return await _in_room(call, taps.AdHoc(secrets.token_urlsafe(9), body.title or ""))


async def air(call: Call) -> Done:
    body = call.body(AirBody)
    room = room_named(call.services, call.path("id"))
    grant = call.require(Target(room=room.id, venue=room.venue))
    commands: list[taps.Command] = []
    if body.slate is not None:
        commands.append(taps.ShowSlate(body.slate))
    if "source" in body.model_fields_set:
        commands.append(taps.TakeSource(body.source))
    if body.gain_db is not None:
        director = call.services.director
        commands.append(taps.Gain(body.gain_db, director.effects.source_on(director.day(room.id))))
    if not commands:
        raise invalid_field("slate", "name slate, source or gain_db")
    once = once_of(call.asked, *commands, about=room.id)
    done = []
    for number, one in enumerate(commands):
        # The first is the whole, where it is alone: as over Socket.IO.
        part = once if once is None or number == 0 else once.of(kind_of(one))
        done.append((room.id, await call.services.director.run(room.id, one, actor_of(grant), part)))
    return _told(call, done)


async def forget(call: Call) -> Done:
    """Removes the last minutes, or another stretch, from live, DVR and replay at once and for good. After a 503
    ``not_erased_yet`` nobody sees them any more, as far as that was possible, and the rest on disk is tried again."""
    body = call.body(ForgetBody)
    room = room_named(call.services, call.path("id"))
    grant = call.require(Target(room=room.id, venue=room.venue))
    latest_ms = await call.services.director.media_now_ms(room.id)
    to_ms = latest_ms if body.to_ms is None else min(body.to_ms, latest_ms)
    from_ms = to_ms - round((body.minutes or 0) * MINUTE_MS) if body.from_ms is None else body.from_ms
    if call.asked is not None:
        once = call.asked.once("forget", room.id, body.model_dump(mode="json", exclude_none=True))
        # *The last five minutes* of a repeat are those of the first time.
        from_ms, to_ms = await forgetting.first_stretch(call.services, once, from_ms, to_ms)
    await forgetting.forget(call.services, room.id, from_ms, to_ms, actor_of(grant))
    return Done(action=None, rooms=[room.id])


async def _rooms_of(call: Call, kind: str) -> tuple[Target, list[Room]]:
    """The rooms of a hold of a room, a venue or an event."""
    services, name = call.services, call.path("id")
    if kind == "room":
        room = room_named(call.services, name)
        return Target(room=room.id, venue=room.venue), [room]
    async with services.database.read() as connection:
        if kind == "venue":
            await Venues(connection).get(name)
            return Target(venue=name), services.director.rooms_of_venue(name)
        event = await Events(connection).get(name)
    return Target(venue=event.venue, event=event.id), services.director.rooms_of_event(event.id)


def _hold(kind: str) -> Callable[[Call], Any]:
    async def hold(call: Call) -> Done:
        body = call.body(HoldBody)
        return await _everywhere(call, kind, taps.HoldOn(body.message, body.until_ms))

    hold.__name__ = f"hold_{kind}"
    return hold


def _resume(kind: str) -> Callable[[Call], Any]:
    async def resume(call: Call) -> Done:
        return await _everywhere(call, kind, taps.Resume(call.body(ResumeBody).shift))

    resume.__name__ = f"resume_{kind}"
    return resume


async def _everywhere(call: Call, kind: str, command: taps.Command) -> Done:
    target, rooms = await _rooms_of(call, kind)
    grant = call.require(target)
    once = once_of(call.asked, command, about=f"{kind} {call.path('id')}")
    director, names = call.services.director, [room.id for room in rooms]
    return _told(call, await director.run_all(names, command, actor_of(grant), once))


# --- undo -------------------------------------------------------------------------------------------


async def undo(call: Call) -> Done:
    services = call.services
    action = await services.director.action(call.path("id"))
    room = room_named(call.services, action.room)
    session = await any_session(services, action.session) if action.session else None
    if action.session and not told_where(call.caller(), action.session, session, room.id, room.venue).anything:
        raise NotFound("There is no such action.")
    target = target_of(services, session) if session else Target(room=room.id, venue=room.venue)
    grant = call.require(target)
    # Undoing an action needs the same right as taking it.
    require(grant, permission_of(action.kind), target)
    once = once_for_undo(call.asked, action.id)
    return _told(call, [(room.id, await services.director.undo(action.id, actor_of(grant), once))])


def _session_tap(name: str, handler: Any, summary: str, action: Action, body: Any = None) -> Route:
    return Route(
        "POST", f"/sessions/{{id}}/{name}", handler, summary, "sessions", action=action, body=body,
        answers=(SessionCrewDone,),
    )  # fmt: skip


def _holds(kind: str) -> tuple[Route, Route]:
    return (
        Route(
            "POST",
            f"/{kind}s/{{id}}/hold",
            _hold(kind),
            f"Stop everything in the {kind}: slate, silence, a message",
            f"{kind}s",
            action=Action.ROOM_HOLD,
            body=HoldBody,
            answers=(Done,),
        ),
        Route(
            "POST",
            f"/{kind}s/{{id}}/resume",
            _resume(kind),
            "End the hold, and move the rest of the day if asked",
            f"{kind}s",
            action=Action.ROOM_HOLD,
            body=ResumeBody,
            answers=(Done,),
        ),
    )


ROUTES = (
    _session_tap("start", start, "Put a session on air, up to 30 minutes back", Action.SESSION_RUN, AtBody),
    _session_tap("end", end, "End a session, up to 30 minutes back", Action.SESSION_RUN, AtBody),
    _session_tap("extend", extend, "Let a session last longer", Action.SESSION_RUN, ExtendBody),
    _session_tap("delay", delay, "Move a session, and all later ones if asked", Action.SESSION_DELAY, DelayBody),
    _session_tap("cancel", cancel, "Cancel a session", Action.SESSION_CANCEL),
    _session_tap("reopen", reopen, "Continue a session that has just ended", Action.SESSION_RUN),
    _session_tap(
        "answer", answer, "Answer the questions of do_not_record and do_not_stream", Action.SESSION_ANSWER, AnswerBody
    ),
    *(route for kind in ("room", "venue", "event") for route in _holds(kind)),
    Route(
        "POST",
        "/rooms/{id}/ad_hoc",
        ad_hoc,
        "Begin a session without a plan",
        "rooms",
        action=Action.SESSION_RUN,
        body=AdHocBody,
        answers=(Done,),
    ),
    Route(
        "POST",
        "/rooms/{id}/air",
        air,
        "Set the slate by hand, the source, the gain",
        "rooms",
        action=Action.ROOM_AIR,
        body=AirBody,
        answers=(Done,),
    ),
    Route(
        "POST",
        "/rooms/{id}/forget",
        forget,
        "Remove the last minutes, or a stretch, from DVR and replay at once, for good",
        "rooms",
        action=Action.MEDIA_FORGET,
        body=ForgetBody,
        answers=(Done,),
    ),
    Route(
        "POST",
        "/actions/{id}/undo",
        undo,
        "Undo an action",
        "actions",
        action=Action.ROOM_CREW,
        answers=(Done,),
    ),
)
