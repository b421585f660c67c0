"""Observations of publishing and watching that become alarms of a room. No I/O; used on one loop."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Set
from dataclasses import dataclass, replace

KEEP_MS = 10 * 60_000
QUIET_MS = 3 * 60_000
"""A trouble is over this long after the last complaint about it."""
MAX_NOTICES = 200


@dataclass(frozen=True, slots=True)
class WrongRoom:
    """A valid key was used to publish in another room. Times are UTC milliseconds."""

    room: str
    """The room where it was used."""
    own_room: str | None
    """The key's own room; None for a key of a venue, or of several rooms."""
    grant: str
    label: str
    source: str
    at_ms: int
    """The time of the last attempt."""
    session: str | None = None
    """The session of the key."""
    count: int = 1


@dataclass(frozen=True, slots=True)
class Complaint:
    """Several viewers of a room have the same trouble. Times are UTC milliseconds."""

    room: str
    kind: str
    """``no_sound``, ``no_picture``, ``stutter``, ``sync``, ``other``; ``error``: told by players alone."""
    session: str | None
    people: int
    """The most people who reported it within 30 s."""
    since_ms: int
    at_ms: int
    """The time of the last report."""


class Notices:
    """At most ``limit`` of them, each forgotten ten minutes after its last time. Encoders try again every few seconds:
    the same key in the same room is one notice."""

    def __init__(self, limit: int = MAX_NOTICES) -> None:
        self._limit = limit
        self._wrong: OrderedDict[tuple[str, str], WrongRoom] = OrderedDict()
        self._complaints: OrderedDict[tuple[str, str], Complaint] = OrderedDict()
        self._stopped: OrderedDict[str, int] = OrderedDict()

    def wrong_room(self, notice: WrongRoom) -> None:
        key = (notice.grant, notice.room)
        known = self._wrong.pop(key, None)
        count = 1 if known is None else known.count + 1
        self._wrong[key] = replace(notice, count=count)
        while len(self._wrong) > self._limit:
            self._wrong.popitem(last=False)

    def settle(self, grant: str) -> None:
        """The key was used in its own room."""
        for key in [key for key in self._wrong if key[0] == grant]:
            del self._wrong[key]

    def wrong_rooms(self, now_ms: int) -> tuple[WrongRoom, ...]:
        """The wrong keys of the last ten minutes, oldest first."""
        for key, notice in list(self._wrong.items()):
            if now_ms - notice.at_ms >= KEEP_MS:
                del self._wrong[key]
        return tuple(self._wrong.values())

    def complaint(
        self, room: str, kind: str, people: int, at_ms: int, *, session: str | None = None, enough: bool
    ) -> None:
        """A viewer has reported a trouble that ``people`` had in the last 30 s. ``enough``: they make an alarm; fewer
        only keep an alarm alive."""
        key = (room, kind)
        known = self._complaints.get(key)
        if known is not None and at_ms - known.at_ms >= QUIET_MS:
            known = None
        if known is None and not enough:
            return
        self._complaints.pop(key, None)
        if known is None:
            known = Complaint(room, kind, session, people, at_ms, at_ms)
        self._complaints[key] = replace(known, session=session, people=max(known.people, people), at_ms=at_ms)
        while len(self._complaints) > self._limit:
            self._complaints.popitem(last=False)

    def complaints(self, room: str, now_ms: int) -> tuple[Complaint, ...]:
        """The present troubles of the room's viewers."""
        for key, one in list(self._complaints.items()):
            if now_ms - one.at_ms >= QUIET_MS:
                del self._complaints[key]
        return tuple(one for one in self._complaints.values() if one.room == room)

    def schedule_stopped(self, event: str, now_ms: int) -> None:
        """No grant has the right to read the event's schedule elsewhere."""
        self._stopped.setdefault(event, now_ms)
        while len(self._stopped) > self._limit:
            self._stopped.popitem(last=False)

    def schedule_followed(self, event: str) -> None:
        self._stopped.pop(event, None)

    def schedules_are(self, events: Set[str]) -> None:
        """Forget events without a schedule elsewhere. ``events``: all events that have one."""
        for event in self._stopped.keys() - events:
            del self._stopped[event]

    def stopped_schedules(self) -> Mapping[str, int]:
        """Event -> the time since which its schedule is not read any more, UTC ms."""
        return self._stopped
