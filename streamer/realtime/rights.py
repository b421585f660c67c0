"""The rights to come into a namespace, and those of its clients. The roles' table is ``conference/grants.py``."""

from __future__ import annotations

from collections.abc import Mapping

from streamer.audience.scope import Scope
from streamer.conference.grants import IN_THE_ROOM, Action, Grant, Role, Target
from streamer.conference.sessions import Session
from streamer.conference.visibility import Caller, target_of, told
from streamer.director.director import Director
from streamer.errors import Forbidden, NotFound, Unauthorized
from streamer.realtime.hub import AUDIENCE, MODERATION, STUDIO

ENTRY: Mapping[str, Action | None] = {
    AUDIENCE: None,
    MODERATION: Action.CHAT_MODERATE,
    STUDIO: Action.ROOM_AIR,
}
"""Namespace -> the right that its clients need in the room. None: open to everybody."""
OUTSIDE = frozenset({Role.PUBLISHER, Role.APPROVER})
"""Roles whose tokens open no namespace, not even the public one."""


def require(grant: Grant | None, action: Action, target: Target | None = None) -> Grant:
    """Check the role, and the scope if there is a target. Raises Unauthorized or Forbidden."""
    if grant is None:
        raise Unauthorized("This needs a login or a token.")
    if not grant.may(action):
        raise Forbidden("The grant's role does not allow this.", details={"role": grant.role, "action": action})
    if target is not None and not grant.covers(target, action):
        if target.room in grant.rooms_named and grant.room is None and action in IN_THE_ROOM:
            raise Forbidden(
                "The grant does not reach the room at this time.", code="not_now", details={"action": action}
            )
        raise Forbidden("The grant's scope does not reach this.", code="out_of_scope", details={"action": action})
    return grant


def room_target(director: Director, room_id: str) -> Target:
    return Target(room=room_id, venue=venue_id(director, room_id))


def session_target(director: Director, session: Session) -> Target:
    return target_of(session, venue_id(director, session.room))


def scope_target(director: Director, scope: Scope) -> Target:
    """The target of an audience. Raises NotFound ``no_such_session``."""
    session = None if scope.session is None else director.find(scope.session)
    if scope.session is None:
        return room_target(director, scope.room)
    if session is None:
        raise no_such_session()
    return session_target(director, session)


def require_view(director: Director, grant: Grant | None, session: Session, *, by_link: bool) -> None:
    """The right to the audience of a session; ``by_link``: the client has an unlisted session's shared link. Raises
    NotFound ``no_such_session`` if the client may not know of it."""
    caller = Caller(grant, frozenset({session.id}) if by_link else frozenset())
    if not told(caller, session, venue_id(director, session.room)).anything:
        raise no_such_session()


def venue_id(director: Director, room_id: str) -> str | None:
    venue = director.venue_of(room_id)
    return None if venue is None else venue.id


def tells(director: Director, grant: Grant | None, session: Session) -> bool:
    """Whether the grant's holder may know of the session."""
    return told(Caller(grant), session, venue_id(director, session.room)).anything


def no_entry(grant: Grant) -> Forbidden:
    return Forbidden("The grant's role opens no connection.", details={"role": grant.role})


def no_such_session() -> NotFound:
    return NotFound("There is no such session.", code="no_such_session")


def no_such_room() -> NotFound:
    return NotFound("There is no such room.", code="no_such_room")
