"""``/api/v1/sessions``: reading and planning. Taps stand in :mod:`streamer.api.taps`."""

from __future__ import annotations

import secrets
from dataclasses import replace
from zoneinfo import ZoneInfo

from streamer.api.auth import require
from streamer.api.context import Services, actor_of
from streamer.api.models import to_ms
from streamer.api.routing import Call, Route, invalid_field
from streamer.api.session_models import (
    SessionChange,
    SessionContext,
    SessionCreate,
    SessionCrewDone,
    SessionCrewView,
    SessionList,
    SessionQuery,
    SessionView,
    check_span,
)
from streamer.conference import visibility
from streamer.conference.grants import Action, Grant, Target, may_plan_in
from streamer.conference.rooms import Room
from streamer.conference.sessions import Event, Session
from streamer.conference.visibility import ANYBODY, Caller, Holder
from streamer.errors import Forbidden, NotFound
from streamer.store.events import Events
from streamer.store.sessions import Sessions

DEFAULT_ZONE = "Europe/Paris"


def target_of(services: Services, session: Session) -> Target:
    venue = services.director.venue_of(session.room)
    return Target(room=session.room, venue=venue.id if venue else None, event=session.event, session=session.id)


def may_see(services: Services, grant: Grant | None, session: Session) -> bool:
    """Whether a list may name the session to the grant's holder."""
    if not session.closed:
        return True
    if grant is None:
        return False
    target = target_of(services, session)
    return grant.allows(Action.SESSION_READ_CLOSED, target) or grant.allows(Action.SESSION_VIEW_CLOSED, target)


def context_of(services: Services, session: Session, caller: Caller = ANYBODY) -> SessionContext:
    """With the key that the caller is given, and the link, where they may hand it on."""
    venue = services.director.venue_of(session.room)
    given, keys = visibility.told(caller, session, venue.id if venue else None).key, services.keys
    crew = caller.grant is not None and caller.grant.allows(Action.SESSION_READ_CLOSED, target_of(services, session))
    return SessionContext(
        zone=ZoneInfo(venue.timezone if venue else DEFAULT_ZONE),
        public_url=services.public_url,
        shown=services.director.shown(session),
        replay=services.archivist.has_replay(session.id),
        key=keys.link_key(session) if given is Holder.LINK else keys.key(session, caller.holder) if given else "",
        link=keys.link_key(session) if crew or given is Holder.LINK else "",
    )


def view_of(
    services: Services, session: Session, grant: Grant | None, caller: Caller = ANYBODY
) -> SessionView | SessionCrewView:
    """As much of a session as the grant's holder may see."""
    context = context_of(services, session, caller)
    target = target_of(services, session)
    knows = grant is not None and (
        grant.allows(Action.SESSION_READ_CLOSED, target)
        or (session.closed and grant.allows(Action.SESSION_VIEW_CLOSED, target))
    )
    if knows or session.id in caller.links:
        return SessionCrewView.of(session, context)
    return SessionView.of(session, context)


async def find_session(call: Call) -> Session:
    """The session of the path. Raises NotFound, for a closed one also where the holder may not know of it."""
    session_id = call.path("id")
    session = call.services.director.find(session_id)
    if session is None:
        async with call.services.database.read() as connection:
            session = await Sessions(connection).find(session_id)
    if session is None:
        raise _no_such_session()
    return session


async def list_sessions(call: Call) -> SessionList:
    query = call.query(SessionQuery)
    services, grant = call.services, call.grant
    async with services.database.read() as connection:
        page = await Sessions(connection).page(
            query.limit,
            query.cursor,
            room=query.room,
            event=query.event,
            venue=query.venue,
            from_ms=to_ms(query.from_),
            until_ms=to_ms(query.until),
            states=None if query.state is None else (query.state,),
            language=query.language,
            public_only=grant is None,
        )
    seen = [services.director.find(session.id) or session for session in page.items]
    caller = call.caller()
    items = [view_of(services, session, grant, caller) for session in seen if may_see(services, grant, session)]
    return SessionList(items=items, cursor=page.cursor)


async def create_session(call: Call) -> SessionCrewView:
    body = call.body(SessionCreate)
    services = call.services
    room = services.director.room(body.room)
    if room is None:
        raise invalid_field("room", "there is no such room")
    grant = call.require(Target(room=room.id, venue=room.venue, event=body.event))
    _check_room(grant, room, await _event_named(call, body.event))
    session = body.session(secrets.token_urlsafe(9))
    done = await services.director.add([session], actor_of(grant))
    call.headers["Location"] = f"/api/v1/sessions/{session.id}"
    return SessionCrewView.of(done[0], context_of(services, done[0], call.caller()))


async def get_session(call: Call) -> SessionView | SessionCrewView:
    session = await find_session(call)
    caller = call.caller(session)
    if session.id not in caller.links and not may_see(call.services, call.grant, session):
        raise _no_such_session()
    return view_of(call.services, session, call.grant, caller)


async def change_session(call: Call) -> SessionCrewDone:
    body = call.body(SessionChange)
    services = call.services
    session = await find_session(call)
    grant = call.require(target_of(services, session))
    fields = body.fields()
    room = services.director.room(fields.get("room", session.room))
    if room is None and "room" in fields:
        raise invalid_field("room", "there is no such room")
    # A session may only be moved to where the grant reaches too.
    moved = replace(session, room=fields.get("room", session.room), event=fields.get("event", session.event))
    require(grant, Action.SESSION_CHANGE, target_of(services, moved))
    event = await _event_named(call, moved.event)
    if room is not None and room.id != session.room:
        _check_room(grant, room, event)
    try:
        check_span(fields.get("start_ms", session.start_ms), fields.get("end_ms", session.end_ms))
    except ValueError as error:
        raise invalid_field("end", str(error)) from error
    done = await services.director.change(session.id, fields, actor_of(grant))
    services.keys.changed(done.session)
    view = SessionCrewView.of(done.session, context_of(services, done.session, call.caller()))
    return SessionCrewDone(**view.model_dump(), action=done.action)


async def delete_session(call: Call) -> None:
    """Only one that never began: what has been on air is cancelled or stays."""
    session = await find_session(call)
    grant = call.require(target_of(call.services, session))
    await call.services.director.remove(session.id, actor_of(grant))


async def _event_named(call: Call, name: str | None) -> Event | None:
    if name is None:
        return None
    async with call.services.database.read() as connection:
        event = await Events(connection).find(name)
    if event is None:
        raise invalid_field("event", "there is no such event")
    return event


def _check_room(grant: Grant, room: Room, event: Event | None) -> None:
    """Who plans in a room may act there: an event's organiser plans in its venue's rooms. Raises Forbidden."""
    if not may_plan_in(grant, Target(room=room.id, venue=room.venue), None if event is None else event.venue):
        raise Forbidden("The grant's scope does not reach this room.", code="out_of_scope", details={"room": room.id})


def _no_such_session() -> NotFound:
    return NotFound("There is no such session.", code="no_such_session")


ROUTES = (
    Route(
        "GET",
        "/sessions",
        list_sessions,
        "List sessions in the order of their starts; closed ones only for whose grants cover them",
        "sessions",
        query=SessionQuery,
        answers=(SessionList,),
    ),
    Route(
        "POST",
        "/sessions",
        create_session,
        "Plan a session",
        "sessions",
        action=Action.SESSION_CREATE,
        body=SessionCreate,
        answers=(SessionCrewView,),
        status=201,
    ),
    Route(
        "GET",
        "/sessions/{id}",
        get_session,
        "One session; a closed one tells its key to whose grant covers it",
        "sessions",
        answers=(SessionView, SessionCrewView),
    ),
    Route(
        "PATCH",
        "/sessions/{id}",
        change_session,
        "Change a session",
        "sessions",
        action=Action.SESSION_CHANGE,
        body=SessionChange,
        answers=(SessionCrewDone,),
    ),
    Route(
        "DELETE",
        "/sessions/{id}",
        delete_session,
        "Remove a session that never began",
        "sessions",
        action=Action.SESSION_DELETE,
        status=204,
    ),
)
