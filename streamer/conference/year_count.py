"""The year's count of public events per venue, as venues' labels and grants ask for. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from streamer.conference.rooms import Room, Venue
from streamer.conference.sessions import Kind, Session, SessionState, Visibility

WANTED = 200
"""The public events a year that a venue needs for the label."""
SHORTEST_MS = 60_000
"""A session that was over within a minute was started by mistake."""
COUNTED = tuple(kind for kind in Kind if kind is not Kind.BREAK)
_OPEN_KINDS = frozenset({Kind.CONFERENCE, Kind.WORKSHOP, Kind.SEMINAR, Kind.TRAINING, Kind.SOCIAL})
"""Kinds that people may attend although the stream is for people with the link."""


@dataclass(frozen=True, slots=True)
class YearRow:
    """One venue's year. ``venue`` is empty for rooms without a venue."""

    venue: str
    name: str
    year: int
    count: int
    kinds: Mapping[Kind, int]
    """Kind -> counted sessions, for each of ``COUNTED``."""
    events: int
    """Named events with at least one of these sessions."""
    duration_ms: int


def took_place(session: Session) -> bool:
    """Whether it was held, from a start to an end."""
    return (
        session.state is SessionState.ENDED
        and session.started_ms is not None
        and session.ended_ms is not None
        and session.ended_ms - session.started_ms >= SHORTEST_MS
    )


def counts(session: Session) -> bool:
    """Whether it took place and was open to the public: public sessions, and unlisted ones of a kind that people
    attend. Private ones and breaks never count."""
    if session.kind is Kind.BREAK or not took_place(session):
        return False
    if session.visibility is Visibility.UNLISTED:
        return session.kind in _OPEN_KINDS
    return session.visibility is Visibility.PUBLIC


def count_year(
    sessions: Iterable[Session], rooms: Iterable[Room], venues: Iterable[Venue], year: int, *, timezone: str = "UTC"
) -> list[YearRow]:
    """A row for each venue, by name, with or without events; and one for rooms without a venue if they have any.

    A session belongs to the year in which it began on the venue's clock. ``timezone`` is that of rooms without a venue.
    """
    known = {venue.id: venue for venue in venues}
    venue_of = {room.id: room.venue if room.venue in known else None for room in rooms}
    zones: dict[str | None, tzinfo] = {venue.id: _zone(venue.timezone) for venue in known.values()}
    zones[None] = _zone(timezone)
    held: dict[str | None, list[Session]] = {venue_id: [] for venue_id in known}
    for session in sessions:
        venue_id = venue_of.get(session.room)
        started_ms = session.started_ms
        if started_ms is None or not counts(session):
            continue
        if datetime.fromtimestamp(started_ms / 1000, zones[venue_id]).year == year:
            held.setdefault(venue_id, []).append(session)
    order = sorted(
        held, key=lambda venue_id: (venue_id is None, known[venue_id].name if venue_id else "", venue_id or "")
    )
    return [_row(venue_id, known, held[venue_id], year) for venue_id in order]


def _row(venue_id: str | None, known: Mapping[str, Venue], sessions: list[Session], year: int) -> YearRow:
    return YearRow(
        venue=venue_id or "",
        name=known[venue_id].name if venue_id is not None else "",
        year=year,
        count=len(sessions),
        kinds={kind: sum(session.kind is kind for session in sessions) for kind in COUNTED},
        events=len({session.event for session in sessions if session.event is not None}),
        duration_ms=sum((session.ended_ms or 0) - (session.started_ms or 0) for session in sessions),
    )


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return UTC
