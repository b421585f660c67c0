"""The facts that a caller may know, as clauses of SQL: the counterparts of :mod:`streamer.conference.visibility`, for
lists.

Queries leave out the rows that are hidden from a caller, so that pages, their lengths and their cursors contain visible
rows only. A test compares clauses and functions.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, FromClause, and_, case, exists, false, func, not_, or_, select, true

from streamer.conference.grants import IN_THE_ROOM, Action, Grant, ReachingGrant
from streamer.conference.participation import CLOSED_PREFIX, PUBLIC_QUESTIONS
from streamer.conference.sessions import Visibility
from streamer.conference.visibility import Caller
from streamer.store.audience_tables import questions
from streamer.store.tables import editions, recordings, rooms, sessions

Clause = ColumnElement[bool]


def session_told(caller: Caller, *, as_closed: Clause | None = None) -> Clause:
    """Rows of ``sessions`` that :func:`streamer.conference.visibility.told` lets the caller know of."""
    grant, links = caller.grant, caller.links
    public = sessions.c.visibility == Visibility.PUBLIC.value
    if as_closed is not None:
        public = and_(public, not_(as_closed))
    unlisted = sessions.c.visibility == Visibility.UNLISTED.value
    return or_(
        public,
        session_allows(grant, Action.SESSION_READ_CLOSED),
        session_allows(grant, Action.SESSION_VIEW_CLOSED),
        and_(unlisted, sessions.c.id.in_(sorted(links))) if links else false(),
    )


def session_allows(grant: Grant | None, action: Action) -> Clause:
    """Rows of ``sessions`` for which the grant allows the action."""
    if grant is None or not grant.may(action):
        return false()
    if grant.room is not None:
        return sessions.c.room_id == grant.room
    if grant.venue is not None:
        return or_(_in_venue(sessions.c.room_id, grant.venue), sessions.c.venue_id == grant.venue)
    if grant.session is not None:
        return sessions.c.id == grant.session
    if grant.event is not None:
        return and_(sessions.c.event_id.is_not(None), sessions.c.event_id == grant.event)
    return true()


def also_in(room: str) -> Clause:
    """Rows of ``sessions`` that another room carries, and that take place in ``room`` too."""
    # A room's id has no characters that JSON or LIKE would read otherwise.
    return sessions.c.also_in.contains(f'"{room}"')


def room_allows(grant: Grant | None, action: Action, room: ColumnElement[Any]) -> Clause:
    """Whether the grant allows the action in the room itself, with its present reach."""
    if grant is None or not grant.may(action):
        return false()
    if grant.room is not None:
        return room == grant.room
    if grant.venue is not None:
        return _in_venue(room, grant.venue)
    if grant.session is not None or grant.event is not None:
        reached = grant.rooms if isinstance(grant, ReachingGrant) and action in IN_THE_ROOM else frozenset()
        return room.in_(sorted(reached)) if reached else false()
    return true()


def _in_venue(room: ColumnElement[Any], venue: str) -> Clause:
    return room.in_(select(rooms.c.id).where(rooms.c.venue_id == venue))


# --- recordings -------------------------------------------------------------------------------------


def recording_told(caller: Caller) -> Clause:
    """Of ``recordings`` joined with their ``sessions``: as :func:`streamer.conference.visibility.recording_told`."""
    current = exists().where(editions.c.session_id == recordings.c.session_id, editions.c.replaced_ms.is_(None))
    watched = or_(
        and_(recordings.c.published, session_told(caller)), session_allows(caller.grant, Action.SESSION_VIEW_CLOSED)
    )
    return or_(session_allows(caller.grant, Action.RECORDING_READ), and_(current, watched))


# --- an audience's items ----------------------------------------------------------------------------


def said_in(item: FromClause) -> ColumnElement[Any]:
    """The id of the session that a question or a poll belongs to; null: the room."""
    return case((_closed(item), func.substr(item.c.scope, len(CLOSED_PREFIX) + 1)), else_=item.c.session_id)


def said_told(caller: Caller, item: FromClause) -> Clause:
    """Rows of questions or polls, left outer joined with ``sessions`` by :func:`said_in`, that the caller may know
    of."""
    in_session = and_(sessions.c.id.is_not(None), session_told(caller, as_closed=_closed(item)))
    return or_(said_in(item).is_(None), in_session)


def said_for_crew(caller: Caller, item: FromClause, action: Action) -> Clause:
    """Rows of ``item`` that the caller may read as a moderator."""
    in_room = and_(said_in(item).is_(None), room_allows(caller.grant, action, item.c.room_id))
    return or_(in_room, and_(sessions.c.id.is_not(None), session_allows(caller.grant, action)))


def question_is_public() -> Clause:
    """As :attr:`streamer.conference.participation.Question.public`."""
    return and_(
        questions.c.state.in_(sorted(state.value for state in PUBLIC_QUESTIONS)),
        questions.c.merged_into_id.is_(None),
        not_(questions.c.withdrawn),
    )


def _closed(item: FromClause) -> Clause:
    return item.c.scope.startswith(CLOSED_PREFIX)
