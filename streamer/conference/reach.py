"""The reach of a session's or an event's grant into rooms, and its end. Pure. Times are UTC milliseconds.

A session's grant acts in the room that the session is in, from an hour before its start until half an hour after it
ended; it follows the session to another room or another time. An event's grant acts in the rooms that the event has
sessions in, on the day of those sessions: from an hour before the first in that room until half an hour after the
last has ended, pauses included.

Neither reaches into a room while somebody else's closed session runs there or is due: privacy outranks people.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, tzinfo

from streamer.conference.grants import Grant, ReachingGrant
from streamer.conference.sessions import RUNNING, Session, SessionState

EARLY_MS = 60 * 60_000
LATE_MS = 30 * 60_000
FORGOTTEN_MS = 6 * 3600_000
"""A session that nobody started is expected for this long after its planned end."""

_BEFORE = frozenset({SessionState.SCHEDULED, SessionState.ARMED})


@dataclass(frozen=True, slots=True)
class Window:
    """``until_ms`` None: as long as the session runs."""

    from_ms: int
    until_ms: int | None

    def holds(self, now_ms: int) -> bool:
        return self.from_ms <= now_ms and (self.until_ms is None or now_ms < self.until_ms)

    def joined(self, other: Window) -> Window:
        """The window around both, with the time between them."""
        until_ms = None if self.until_ms is None or other.until_ms is None else max(self.until_ms, other.until_ms)
        return Window(min(self.from_ms, other.from_ms), until_ms)


def window_of(session: Session) -> Window | None:
    """The time in which a grant of this session acts in the session's room; None for a cancelled one."""
    if session.state is SessionState.CANCELLED:
        return None
    begins_ms = session.start_ms if session.started_ms is None else min(session.start_ms, session.started_ms)
    if session.state in RUNNING:
        return Window(begins_ms - EARLY_MS, None)
    if session.state is SessionState.ENDED:
        ended_ms = session.end_ms if session.ended_ms is None else session.ended_ms
        return Window(begins_ms - EARLY_MS, ended_ms + LATE_MS)
    return Window(begins_ms - EARLY_MS, session.end_ms + FORGOTTEN_MS)


def lapses_ms(session: Session) -> int | None:
    """The time when a grant of this session ends by itself; None while the session runs."""
    window = window_of(session)
    return session.end_ms + LATE_MS if window is None else window.until_ms


def keeps_others_out(session: Session, now_ms: int) -> bool:
    """Whether the session is closed and has the room now, or should have it by the clock."""
    if not session.closed:
        return False
    due = session.state in _BEFORE and session.start_ms <= now_ms < session.end_ms
    return session.running or due


def reaching(
    grant: Grant,
    own: Iterable[Session],
    others: Iterable[Session],
    now_ms: int,
    zones: Mapping[str, tzinfo],
    session_rooms: Iterable[str] | None = None,
) -> ReachingGrant:
    """``grant`` with the rooms that it reaches now.

    ``own``: the grant's session, or its event's sessions around now; ``others``: the other sessions in their rooms;
    ``zones``: time zone by room, UTC for a missing one; ``session_rooms``: the rooms of all of the event's sessions, if
    ``own`` are not all.
    """
    own = tuple(own)
    # A publisher who is on air there is still responsible for it.
    shut = {session.room for session in others if not _is_own(grant, session) and keeps_others_out(session, now_ms)}
    shut -= {session.room for session in own if session.running}
    windows: dict[tuple[str, date | None], Window] = {}
    for session in own:
        window = window_of(session)
        if window is None or not session.room:
            continue
        # A day's sessions of one room make one window; a single session has its own.
        day = None if grant.session is not None else _day(session.start_ms, zones.get(session.room, UTC))
        known = windows.get((session.room, day))
        windows[session.room, day] = window if known is None else known.joined(window)
    rooms = {room for (room, _), window in windows.items() if window.holds(now_ms)}
    return ReachingGrant(
        **{field.name: getattr(grant, field.name) for field in fields(Grant)},
        rooms=frozenset(rooms - shut),
        session_rooms=frozenset(
            (session.room for session in own if session.room) if session_rooms is None else session_rooms
        ),
        lapses_ms=lapses_ms(own[0]) if grant.session is not None and own else None,
    )


def _is_own(grant: Grant, session: Session) -> bool:
    return session.id == grant.session if grant.session is not None else session.event == grant.event


def _day(at_ms: int, zone: tzinfo) -> date:
    return datetime.fromtimestamp(at_ms / 1000, zone).date()
