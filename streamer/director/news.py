"""The director's news: changes of sessions, of a room's public status, of alarms. Values; sent on the loop, in
order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from streamer.conference.alarms import Alarm
from streamer.conference.sessions import Session


@dataclass(frozen=True, slots=True)
class SessionChanged:
    """``before`` None: it is new; ``after`` None: it was deleted, or moved to another room."""

    room: str
    before: Session | None
    after: Session | None


@dataclass(frozen=True, slots=True)
class RoomChanged:
    """The room's public status (``Director.public_status``), or its hold, slate or gain, has changed."""

    room: str


@dataclass(frozen=True, slots=True)
class AlarmsChanged:
    """``alarms`` are all present ones, acknowledged or not."""

    room: str
    alarms: tuple[Alarm, ...]


@dataclass(frozen=True, slots=True)
class IncidentChanged:
    """An incident of the session began or ended (a hold)."""

    room: str
    session: str


@dataclass(frozen=True, slots=True)
class StretchForgotten:
    """Media between two media times were removed for good."""

    room: str
    from_ms: int
    to_ms: int


News = SessionChanged | RoomChanged | AlarmsChanged | IncidentChanged | StretchForgotten
Listener = Callable[[News], None]
"""Must be quick and not raise."""


@dataclass(frozen=True, slots=True)
class Actor:
    """The author of an action for the audit log: a grant's id and label, or the clock."""

    id: str
    label: str = ""


CLOCK = Actor("clock")
