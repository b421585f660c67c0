"""What the director tells: changes of sessions, of what a room shows, of alarms. Values; told on the loop, in order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from streamer.conference.alarms import Alarm
from streamer.conference.sessions import Session


@dataclass(frozen=True, slots=True)
class SessionChanged:
    """``before`` None: it is new; ``after`` None: it is gone, or has been moved to another room."""

    room: str
    before: Session | None
    after: Session | None


@dataclass(frozen=True, slots=True)
class RoomChanged:
    """What the audience may be told of the room (``Director.face``), or its hold, slate or gain, is another."""

    room: str


@dataclass(frozen=True, slots=True)
class AlarmsChanged:
    """``alarms`` are those that ring now, acknowledged or not."""

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
    """Who did it, for the audit log: a grant's id and label, or the clock."""

    id: str
    label: str = ""


CLOCK = Actor("clock")
