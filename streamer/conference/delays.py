"""Delays: moving sessions, breaks that absorb them, and the times shown during an overrun. Pure.

Only breaks absorb a delay that somebody orders: a gap in the plan may be a necessary change-over. The times *shown*
during an overrun are estimates, and there a gap absorbs, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from streamer.conference.day import (
    UNSTARTED,
    RoomDay,
    day_of,
    planned_end_ms,
    sorted_day,
    whole_minute_ms,
)
from streamer.conference.sessions import Kind, Session


@dataclass(frozen=True, slots=True)
class ShownTimes:
    """UTC milliseconds."""

    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Shifted:
    """``left_ms`` of the delay were left at the day's end: 0 if breaks absorbed all of it."""

    day: RoomDay
    left_ms: int
    moved: tuple[str, ...] = ()
    """Ids of the sessions whose start or end moved, in order."""


def moved(session: Session, by_ms: int) -> Session:
    """The whole session later (or earlier)."""
    return replace(
        session,
        start_ms=session.start_ms + by_ms,
        end_ms=session.end_ms + by_ms,
        delay_ms=session.delay_ms + by_ms,
    )


def absorbed(pause: Session, by_ms: int) -> tuple[Session, int]:
    """A break that begins later and ends at its old time, as far as its length allows, and the rest of the delay. A
    negative delay first gives back the length that delays took."""
    taken_ms = min(by_ms, pause.end_ms - pause.start_ms) if by_ms >= 0 else max(by_ms, -pause.shortened_ms)
    left_ms = by_ms - taken_ms
    changed = replace(
        pause,
        start_ms=pause.start_ms + by_ms,
        end_ms=pause.end_ms + left_ms,
        delay_ms=pause.delay_ms + by_ms,
        shortened_ms=pause.shortened_ms + taken_ms,
    )
    return changed, left_ms


def shifted(day: RoomDay, after: Session, by_ms: int) -> Shifted:
    """Move the sessions after ``after`` on the same day that have not begun by ``by_ms``; breaks absorb it."""
    at = next(index for index, session in enumerate(day.sessions) if session.id == after.id)
    return _shifted(day, at + 1, after.start_ms, by_ms)


def shifted_since(day: RoomDay, since_ms: int, by_ms: int) -> Shifted:
    """Move the sessions of that day that have not begun and were not over at ``since_ms`` by ``by_ms``; breaks absorb
    it."""
    at = (i for i, session in enumerate(day.sessions) if session.state in UNSTARTED and session.end_ms > since_ms)
    return _shifted(day, next(at, len(day.sessions)), since_ms, by_ms)


def _shifted(day: RoomDay, first: int, of_ms: int, by_ms: int) -> Shifted:
    today = day_of(of_ms, day.zone)
    left_ms, changed, ids = by_ms, list(day.sessions[:first]), []
    for session in day.sessions[first:]:
        if left_ms and session.state in UNSTARTED and day_of(session.start_ms, day.zone) == today:
            if session.kind is Kind.BREAK:
                session, left_ms = absorbed(session, left_ms)
            else:
                session = moved(session, left_ms)
            ids.append(session.id)
        changed.append(session)
    return Shifted(sorted_day(day, changed), left_ms, tuple(ids))


def shown_times(day: RoomDay, now_ms: int) -> Mapping[str, ShownTimes]:
    """The expected begin and end of each session. Sessions that have begun keep their planned start.

    An overrun moves the later sessions of the same day until a break or a gap has absorbed it. Whole minutes.
    """
    shown: dict[str, ShownTimes] = {}
    free_ms: int | None = None
    today = None
    for session in day.sessions:
        start_ms, end_ms = session.start_ms, planned_end_ms(session)
        if session.running:
            end_ms = max(end_ms, whole_minute_ms(now_ms))
            free_ms, today = end_ms, day_of(session.start_ms, day.zone)
        elif (
            session.state in UNSTARTED
            and free_ms is not None
            and start_ms < free_ms
            and day_of(start_ms, day.zone) == today
        ):
            late_ms = free_ms - start_ms
            start_ms = free_ms
            end_ms = max(end_ms, start_ms) if session.kind is Kind.BREAK else end_ms + late_ms
            free_ms = end_ms
        shown[session.id] = ShownTimes(start_ms, end_ms)
    return shown
