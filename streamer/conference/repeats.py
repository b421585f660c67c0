"""Copies of a session on other days: repeats and duplicates. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from streamer.conference.sessions import Session, SessionState


def planned_days(first: date, weeks: int, until: date, besides: Collection[date]) -> Iterator[date]:
    """The days after ``first``, ``weeks`` apart, until ``until``, which counts; without those of ``besides``."""
    day = first + timedelta(weeks=weeks)
    while day <= until:
        if day not in besides:
            yield day
        day += timedelta(weeks=weeks)


def first_day(session: Session, zone: ZoneInfo) -> date:
    """The day of its plan, by the zone's calendar. Delays do not count."""
    return _planned(session, zone).date()


def copy_of(session: Session, session_id: str, day: date, room: str, zone: ZoneInfo) -> Session:
    """The session's plan on another day, at the same time by the zone's clock and of the same length.

    It is a session of its own: nothing of what happened to the first comes along, nor its place in an imported
    schedule, whose next import would take the copy for the first or cancel it.
    """
    began = datetime.combine(day, _planned(session, zone).time(), zone)
    # By way of UTC: an hour that the clocks leave out becomes the one after it.
    start_ms = round(began.astimezone(UTC).timestamp() * 1000)
    return replace(
        session,
        id=session_id,
        room=room,
        also_in=session.also_in if room == session.room else (),
        start_ms=start_ms,
        end_ms=start_ms + session.end_ms - session.start_ms + session.shortened_ms,
        state=SessionState.SCHEDULED,
        delay_ms=0,
        shortened_ms=0,
        started_ms=None,
        ended_ms=None,
        extended_until_ms=None,
        changed_ms=None,
        ad_hoc=False,
        record_answer=None,
        stream_answer=None,
        generation=1,
        guid="",
        external_id="",
        sequence=0,
    )


def _planned(session: Session, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp((session.start_ms - session.delay_ms) / 1000, zone)
