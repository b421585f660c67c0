"""Recent actions (``/api/v1/actions``) of rooms, so that anybody of the crew can undo an action."""

from __future__ import annotations

from pydantic import Field

from streamer.api.context import Services
from streamer.api.models import LazyModel, Moment, Slug, to_moment
from streamer.api.rooms import room_named, target_of
from streamer.api.routing import Call, Route
from streamer.api.sessions import target_of as target_of_session
from streamer.conference.grants import Action, Grant
from streamer.conference.rooms import Room
from streamer.conference.sessions import Session
from streamer.conference.visibility import told_where
from streamer.director.kinds import permission_of
from streamer.director.tapped import Recent
from streamer.store.sessions import Sessions

MOST_ACTIONS = 100


class ActionQuery(LazyModel):
    room: Slug
    limit: int = Field(20, ge=1, le=MOST_ACTIONS)


class ActionView(LazyModel):
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


class ActionList(LazyModel):
    """The actions of the last seven days, newest first."""

    items: list[ActionView]


async def list_actions(call: Call) -> ActionList:
    query, services = call.query(ActionQuery), call.services
    room = room_named(services, query.room)
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
    return ActionView(
        id=action.id,
        room=action.room,
        session=action.session,
        title=None if session is None else session.title,
        kind=action.kind,
        at=to_moment(action.at_ms),
        by=action.label or action.who,
        undone=to_moment(action.undone_ms),
        undoable=recent.undoable
        and grant.allows(Action.ROOM_CREW, target)
        and grant.allows(permission_of(action.kind), target),
    )


ROUTES = (
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
