"""Decides how much a caller may know of a session. Pure.

Everything that tells of a session asks :func:`told`: lists, rooms, replays, Socket.IO, orders, alarms. Lists filter in
the database, by the same rule as a clause of SQL (:mod:`streamer.store.visibility`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

import msgspec

from streamer.broadcast.media_events import PRIVATE_PREFIX
from streamer.broadcast.orders import RoomOrders
from streamer.conference.alarms import Alarm
from streamer.conference.day import RoomDay, current
from streamer.conference.grants import Action, Grant, Target
from streamer.conference.participation import Poll, Question, closed_session
from streamer.conference.sessions import Session, Visibility
from streamer.conference.spans import output_name


@dataclass(frozen=True, slots=True)
class Caller:
    """The author of a request. ``grant`` None: anybody. ``links``: ids of unlisted sessions whose shared link the
    caller has shown."""

    grant: Grant | None = None
    links: frozenset[str] = frozenset()
    holder: str = ""
    """The holder in the caller's keys of closed sessions: the grant's id, or the login's public name. Empty: the caller
    gets no keys."""


ANYBODY = Caller()


class View(StrEnum):
    """The known part of a session. ``nothing``: for this caller it does not exist. ``crew``: the view of the crew and
    of the session's own audience."""

    NOTHING = "nothing"
    PUBLIC = "public"
    CREW = "crew"


class Holder(StrEnum):
    """The holder whose key of a closed session the caller gets."""

    GRANT = "grant"
    LINK = "link"


@dataclass(frozen=True, slots=True)
class Told:
    """``key`` None: there is no key, as for a public session."""

    view: View
    key: Holder | None = None

    @property
    def anything(self) -> bool:
        return self.view is not View.NOTHING


NOTHING = Told(View.NOTHING)


def target_of(session: Session, venue: str | None) -> Target:
    """The session as a grant's target. ``venue``: its room's; without a room it has its own."""
    if not session.room:
        return Target(venue=session.venue, event=session.event, session=session.id)
    return Target(room=session.room, venue=venue, event=session.event, session=session.id)


def told(caller: Caller, session: Session, venue: str | None, *, as_closed: bool = False) -> Told:
    """The part of ``session`` that ``caller`` may know; ``venue`` is its room's.

    ``as_closed``: for messages from the time when the session was closed. They stay with the people who could read them
    then, whatever the session is now.
    """
    grant, target = caller.grant, target_of(session, venue)
    closed = session.closed or as_closed
    key = Holder.GRANT if session.closed else None
    if grant is not None and grant.allows(Action.SESSION_READ_CLOSED, target):
        return Told(View.CREW, key)
    if not closed:
        return Told(View.PUBLIC)
    if grant is not None and grant.allows(Action.SESSION_VIEW_CLOSED, target):
        return Told(View.CREW, key)
    if session.visibility is Visibility.UNLISTED and session.id in caller.links:
        return Told(View.CREW, Holder.LINK)
    return NOTHING


def told_where(caller: Caller, session_id: str, known: Session | None, room: str, venue: str | None) -> Told:
    """As :func:`told` for an item whose session may be deleted or not in memory (``known`` None): callers who may know
    of everything in the room may know of it."""
    if known is not None:
        return told(caller, known, venue)
    target = Target(room=room, venue=venue, session=session_id)
    knows = caller.grant is not None and caller.grant.allows(Action.SESSION_READ_CLOSED, target)
    return Told(View.CREW) if knows else NOTHING


# --- rooms, as their crew sees them -----------------------------------------------------------------


def alarm_told(
    caller: Caller, alarm: Alarm, find: Callable[[str], Session | None], room: str, venue: str | None
) -> Alarm | None:
    """A room's alarm without facts about sessions that the caller may not know of; None: the alarm is hidden. ``find``:
    the sessions in memory, by id."""

    def hidden(session_id: str) -> bool:
        return not told_where(caller, session_id, find(session_id), room, venue).anything

    if alarm.session is not None and hidden(alarm.session):
        return None
    after = alarm.details.get("next")
    if isinstance(after, str) and hidden(after):
        return replace(alarm, details={name: value for name, value in alarm.details.items() if name != "next"})
    return alarm


def outputs_told(caller: Caller, day: RoomDay, venue: str | None) -> Callable[[str], str | None]:
    """The name of an output for the crew: a closed session's is ``~{session id}``, for callers who may know of the
    session. None: the output is hidden."""
    own = {
        output_name(one): f"{PRIVATE_PREFIX}{one.id}"
        for one in day.sessions
        if one.closed and told(caller, one, venue).anything
    }
    return lambda name: own.get(name) if name.startswith(PRIVATE_PREFIX) else name


def orders_told(caller: Caller, orders: RoomOrders, day: RoomDay, venue: str | None) -> RoomOrders:
    """A room's orders for its crew. Withheld stretches and the time of the next hidden session are the room process's
    alone."""
    name_of = outputs_told(caller, day, venue)
    known = {one.id for one in day.sessions if told(caller, one, venue).anything}
    running = current(day)
    return msgspec.structs.replace(
        orders,
        outputs=tuple(
            msgspec.structs.replace(output, name=name)
            for output in orders.outputs
            if (name := name_of(output.name)) is not None
        ),
        stretch=orders.stretch if orders.stretch in known else "",
        keep_from_ms=orders.keep_from_ms if running is None or running.id in known else None,
        withheld=(),
        slate_from_ms=None,
    )


# --- replays and an audience's items ----------------------------------------------------------------


def recording_told(caller: Caller, session: Session, venue: str | None, *, published: bool, current: bool) -> bool:
    """Whether the caller may know of the session's recording. ``current``: it has an edition that plays."""
    grant, target = caller.grant, target_of(session, venue)
    if grant is not None and grant.allows(Action.RECORDING_READ, target):
        return True
    watches = grant is not None and grant.allows(Action.SESSION_VIEW_CLOSED, target)
    return current and (watches or (published and told(caller, session, venue).anything))


class Reading(StrEnum):
    """The visible part of an audience's items. ``moderator``: with names, and with items that the audience did not
    see."""

    NOTHING = "nothing"
    AUDIENCE = "audience"
    MODERATOR = "moderator"


def said_in(item: Question | Poll) -> str | None:
    """The session of the item; None: the room."""
    return closed_session(item.scope) or item.session


def said_told(
    caller: Caller, item: Question | Poll, session: Session | None, venue: str | None, action: Action
) -> Reading:
    """The visibility of a question or a poll. ``session``: the one of :func:`said_in`, None if it was deleted;
    ``venue``: of its room; ``action``: the right of moderators of such items."""
    grant = caller.grant
    if said_in(item) is None:
        target = Target(room=item.room, venue=venue)
    elif session is None or not told(caller, session, venue, as_closed=closed_session(item.scope) is not None).anything:
        return Reading.NOTHING
    else:
        target = target_of(session, venue)
    moderates = grant is not None and grant.allows(action, target)
    if not moderates and isinstance(item, Question) and not item.public:
        return Reading.NOTHING
    return Reading.MODERATOR if moderates else Reading.AUDIENCE
