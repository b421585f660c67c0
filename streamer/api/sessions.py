"""``/api/v1/sessions``: reading and planning. :mod:`streamer.api.taps` has the starts, ends and holds."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import hdrs

from streamer.api.auth import require
from streamer.api.context import Services, actor_of, now_ms
from streamer.api.models import LazyModel, LinkQuery, to_ms
from streamer.api.pictures import no_picture
from streamer.api.routing import Call, Route, Text, invalid_field, read_file
from streamer.api.session_models import (
    SessionChange,
    SessionContext,
    SessionCreate,
    SessionCrewView,
    SessionList,
    SessionQuery,
    SessionView,
    check_span,
)
from streamer.api.tap_models import SessionCrewDone
from streamer.api.venues import check_venue_exists
from streamer.conference import visibility
from streamer.conference.grants import Action, Grant, Target, may_plan_in
from streamer.conference.rooms import DEFAULT_ZONE, Room
from streamer.conference.sessions import Event, Session, defaults_with
from streamer.conference.visibility import ANYBODY, Caller, Holder, Told, View
from streamer.control.decoders import NotDecoded
from streamer.errors import Forbidden, NotFound
from streamer.planning.portraits import MOST_BYTES
from streamer.store.events import Events
from streamer.store.paging import Page, page_of_shown
from streamer.store.session_templates import SessionTemplates
from streamer.store.sessions import Sessions


class PortraitView(LazyModel):
    address: str
    """For a session's ``portraits``."""


def target_of(services: Services, session: Session) -> Target:
    return visibility.target_of(session, venue_of(services, session.room))


def venue_of(services: Services, room: str) -> str | None:
    venue = services.director.venue_of(room)
    return None if venue is None else venue.id


def told_of(services: Services, caller: Caller, session: Session) -> Told:
    """The parts of the session that the caller may see."""
    return visibility.told(caller, session, venue_of(services, session.room))


def context_of(services: Services, session: Session, caller: Caller = ANYBODY) -> SessionContext:
    """The context with the caller's key, and with the link if they may pass it on."""
    venue = services.director.place_of(session)
    given, keys = visibility.told(caller, session, venue.id if venue else None).key, services.keys
    crew = caller.grant is not None and caller.grant.allows(Action.SESSION_READ_CLOSED, target_of(services, session))
    link = keys.link_key(session) if crew or given is Holder.LINK else ""
    return SessionContext(
        zone=ZoneInfo(venue.timezone if venue else DEFAULT_ZONE),
        public_url=services.public_url,
        shown=services.director.shown(session),
        replay=services.archivist.has_replay(session.id),
        key=keys.link_key(session) if given is Holder.LINK else keys.key(session, caller.holder) if given else "",
        link=link,
        portraits=portraits_of(services, session, link),
        venue=venue.id if venue else None,
    )


def portraits_of(services: Services, session: Session, link: str = "") -> dict[str, str]:
    """Speaker's name -> the path of their picture, for those whose picture is here. ``link``: a key to the session."""
    query = f"?key={link}" if link and session.closed else ""
    named = {speaker: services.portraits.name_of(address) for speaker, address in session.portraits}
    return {
        speaker: f"/api/v1/sessions/{session.id}/portraits/{name}{query}"
        for speaker, name in named.items()
        if name is not None and speaker in session.speakers
    }


def view_of(services: Services, caller: Caller, session: Session) -> SessionView | SessionCrewView | None:
    """The session with the fields that the caller may see; None: they may not know of it."""
    told = told_of(services, caller, session)
    if not told.anything:
        return None
    context = context_of(services, session, caller)
    return SessionCrewView.of(session, context) if told.view is View.CREW else SessionView.of(session, context)


async def find_session(call: Call) -> Session:
    """The session of the path. Raises NotFound, also for one that the caller may not know of."""
    session = await any_session(call.services, call.path("id"))
    if session is None or not told_of(call.services, call.caller(session), session).anything:
        raise _no_such_session()
    return session


async def any_session(services: Services, session_id: str) -> Session | None:
    """The session, without a check of rights."""
    session = services.director.find(session_id)
    if session is not None:
        return session
    async with services.database.read() as connection:
        return await Sessions(connection).find(session_id)


async def list_sessions(call: Call) -> SessionList:
    query, services, caller = call.query(SessionQuery), call.services, call.caller()

    async def fetch(limit: int, after: str | None) -> Page[Session]:
        async with services.database.read() as connection:
            return await Sessions(connection).page(
                limit,
                after,
                room=query.room,
                event=query.event,
                venue=query.venue,
                from_ms=to_ms(query.from_),
                now_ms=now_ms(),
                until_ms=to_ms(query.until),
                states=None if query.state is None else (query.state,),
                language=query.language,
                caller=caller,
            )

    async def show(found: Sequence[Session]) -> list[SessionView | SessionCrewView | None]:
        # The director's copy may be newer than the row.
        return [view_of(services, caller, services.director.find(session.id) or session) for session in found]

    items, place = await page_of_shown(query.limit, await call.after(query), fetch, show)
    return SessionList(items=items, cursor=await call.cursor(query, place))


async def create_session(call: Call) -> SessionCrewView:
    body = call.body(SessionCreate)
    services = call.services
    async with services.database.read() as connection:
        templates = await SessionTemplates(connection).all()
    if body.room is None:
        event = await event_named(call, body.event)
        venue = body.venue or (None if event is None else event.venue)
        session = body.session(secrets.token_urlsafe(9), defaults_with(templates, venue))
        session = replace(session, venue=venue)
        grant = call.require(Target(venue=session.venue, event=body.event))
        await check_venue(call, grant, session.venue, event)
    else:
        room = _room_named(services, body.room, "room")
        grant = call.require(Target(room=room.id, venue=room.venue, event=body.event))
        event = await event_named(call, body.event)
        check_room(grant, room, event)
        session = body.session(secrets.token_urlsafe(9), defaults_with(templates, room.venue))
    for beside in session.also_in:
        check_room(grant, _room_named(services, beside, "also_in"), event)
    done = await services.director.add([session], actor_of(grant))
    call.headers["Location"] = f"/api/v1/sessions/{session.id}"
    return SessionCrewView.of(done[0], context_of(services, done[0], call.caller()))


async def get_session(call: Call) -> SessionView | SessionCrewView:
    session = await find_session(call)
    view = view_of(call.services, call.caller(session), session)
    assert view is not None
    return view


async def get_portrait(call: Call) -> Text:
    """For those who may know of the session only."""
    session, services = await find_session(call), call.services
    asked = call.path("name")
    known = {path.partition("?")[0] for path in portraits_of(services, session).values()}
    picture = await services.portraits.read(asked) if call.request.path in known else None
    if picture is None:
        raise NotFound("There is no such picture.")
    call.headers[hdrs.CACHE_CONTROL] = "private, no-store" if session.closed else "public, max-age=3600"
    return Text(picture, "image/jpeg")


async def upload_portrait(call: Call) -> PortraitView:
    """The body is the picture itself: PNG, JPEG or WebP."""
    call.require(call.holder.scope)
    try:
        return PortraitView(address=await call.services.portraits.take(await read_file(call.request, MOST_BYTES)))
    except NotDecoded as error:
        raise no_picture() from error


async def change_session(call: Call) -> SessionCrewDone:
    body = call.body(SessionChange)
    services = call.services
    session = await find_session(call)
    grant = call.require(target_of(services, session))
    fields = _with_places(services, session, body.fields())
    # A session may only be moved to a place that the grant reaches too.
    moved = replace(session, **{name: fields[name] for name in _PLACES if name in fields})
    require(grant, Action.SESSION_CHANGE, target_of(services, moved))
    event = await event_named(call, moved.event)
    if not moved.room and (session.room or moved.venue != session.venue):
        await check_venue(call, grant, moved.venue, event)
    for name in moved.rooms:
        room = services.director.room(name)
        if room is not None and name not in session.rooms:
            check_room(grant, room, event)
    try:
        check_span(fields.get("start_ms", session.start_ms), fields.get("end_ms", session.end_ms))
    except ValueError as error:
        raise invalid_field("end", str(error)) from error
    changed = await services.director.change(session.id, fields, actor_of(grant))
    services.keys.changed(changed)
    view = SessionCrewView.of(changed, context_of(services, changed, call.caller()))
    return SessionCrewDone(**view.model_dump(), action=None)


_PLACES = ("room", "also_in", "venue", "event")


def _with_places(services: Services, session: Session, fields: dict[str, Any]) -> dict[str, Any]:
    """``fields`` of a change with what follows for the other places. Raises BadRequest for a room that is not there."""
    room = fields["room"] = fields["room"] or "" if "room" in fields else session.room
    beside = tuple(fields.get("also_in", session.also_in))
    if "room" in fields and room and room != session.room:
        _room_named(services, room, "room")
    for name in fields.get("also_in", ()):
        _room_named(services, name, "also_in")
    if not room:
        if fields.get("also_in"):
            raise invalid_field("also_in", "a session without a room has no others")
        at = services.director.place_of(session)
        return {"venue": at.id if at is not None else None, **fields, "also_in": ()}
    if room in session.also_in and "also_in" not in fields and session.room:
        # Another of its rooms carries it now.
        beside = (session.room, *beside)
    return {**fields, "venue": None, "also_in": tuple(dict.fromkeys(one for one in beside if one != room))}


async def delete_session(call: Call) -> None:
    """Deletes a session that never began. One that was on air can only be cancelled, or it stays."""
    session = await find_session(call)
    grant = call.require(target_of(call.services, session))
    await call.services.director.remove(session.id, actor_of(grant))


async def event_named(call: Call, name: str | None) -> Event | None:
    if name is None:
        return None
    async with call.services.database.read() as connection:
        event = await Events(connection).find(name)
    if event is None:
        raise invalid_field("event", "there is no such event")
    return event


def _room_named(services: Services, name: str, field: str) -> Room:
    room = services.director.room(name)
    if room is None:
        raise invalid_field(field, "there is no such room")
    return room


async def check_venue(call: Call, grant: Grant, venue: str | None, event: Event | None) -> None:
    """Raises BadRequest for a venue that is not there, Forbidden for one that an event's organiser does not reach."""
    if venue is None:
        return
    async with call.services.database.read() as connection:
        await check_venue_exists(connection, venue)
    if grant.event is not None and (event is None or venue != event.venue):
        raise Forbidden("The grant's scope does not reach this venue.", code="out_of_scope", details={"venue": venue})


def check_room(grant: Grant, room: Room, event: Event | None) -> None:
    """The holder must reach the room; an event's organiser also reaches the rooms of its venue. Raises Forbidden."""
    if not may_plan_in(grant, Target(room=room.id, venue=room.venue), None if event is None else event.venue):
        raise Forbidden("The grant's scope does not reach this room.", code="out_of_scope", details={"room": room.id})


def _no_such_session() -> NotFound:
    return NotFound("There is no such session.", code="no_such_session")


ROUTES = (
    Route(
        "GET",
        "/sessions",
        list_sessions,
        "List sessions in the order of their starts; closed ones only for holders of a grant that covers them",
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
        "One session; a closed one needs a grant that covers it, or the key of an unlisted one's link",
        "sessions",
        query=LinkQuery,
        answers=(SessionView, SessionCrewView),
    ),
    Route(
        "GET",
        "/sessions/{id}/portraits/{name}",
        get_portrait,
        "The picture of a speaker",
        "sessions",
        query=LinkQuery,
        texts=("image/jpeg",),
    ),
    Route(
        "POST",
        "/portraits",
        upload_portrait,
        "Upload a speaker's picture (PNG, JPEG or WebP as the body) for sessions",
        "sessions",
        action=Action.SESSION_CHANGE,
        answers=(PortraitView,),
        status=201,
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
