"""What a caller is told of a session. Pure.

Everything that tells of a session asks :func:`told`: lists, rooms, replays, Socket.IO, orders, alarms. Lists filter in
the database, by the same rule as a clause of SQL (:mod:`streamer.store.visibility`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from streamer.conference.grants import Action, Grant, Target
from streamer.conference.sessions import Session, Visibility


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. ``grant`` None: anybody. ``links``: ids of unlisted sessions whose shared link the caller has shown."""

    grant: Grant | None = None
    links: frozenset[str] = frozenset()
    holder: str = ""
    """For whom keys of closed sessions are made: the grant's id, or the login's public name. Empty: nobody is given
    any."""


ANYBODY = Caller()


class View(StrEnum):
    """How much of a session is told. ``nothing``: for this caller it does not exist. ``crew``: what the crew and the
    session's own audience see."""

    NOTHING = "nothing"
    PUBLIC = "public"
    CREW = "crew"


class Holder(StrEnum):
    """Whose key of a closed session the caller is given."""

    GRANT = "grant"
    LINK = "link"


@dataclass(frozen=True, slots=True)
class Told:
    """``key`` None: no key is told, as a public session has none."""

    view: View
    key: Holder | None = None

    @property
    def anything(self) -> bool:
        return self.view is not View.NOTHING


NOTHING = Told(View.NOTHING)


def target_of(session: Session, venue: str | None) -> Target:
    """The session as a grant's target. ``venue``: its room's."""
    return Target(room=session.room, venue=venue, event=session.event, session=session.id)


def told(caller: Caller, session: Session, venue: str | None, *, as_closed: bool = False) -> Told:
    """What ``caller`` is told of ``session``; ``venue`` is its room's.

    ``as_closed``: about what was said while the session was closed. That stays with those who were told of it then,
    whatever the session is now.
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
