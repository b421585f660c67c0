"""Stretches of media time that follow from a change of the day: what must not be kept, what replays skip. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from streamer.conference.day import RoomDay
from streamer.conference.sessions import Hold, Session

Reason = Literal["unrecorded", "closed", "unstreamed"]


@dataclass(frozen=True, slots=True)
class Span:
    """Media times, ``from_ms`` < ``to_ms``."""

    from_ms: int
    to_ms: int
    reason: Reason


@dataclass(frozen=True, slots=True)
class Incident:
    """A stretch of ``session`` that its replay skips; ``until_ms`` None while it lasts."""

    session: str
    at_ms: int
    until_ms: int | None
    label: str


def newly_hidden(before: RoomDay, after: RoomDay, now_ms: int) -> tuple[Span, ...]:
    """What a change made hidden although it was shown or kept until now: a late tap, an answer, a flag.

    ``unrecorded``: has to be forgotten, on disk and in every window. ``closed``, ``unstreamed``: has to leave the
    public window; the session itself keeps it.
    """
    found: list[Span] = []
    reasons: tuple[Reason, ...] = ("unrecorded", "closed", "unstreamed")
    for reason in reasons:
        old = [_life(s, now_ms) for s in before.sessions if s.started_ms is not None and _has(s, reason)]
        new = [_life(s, now_ms) for s in after.sessions if s.started_ms is not None and _has(s, reason)]
        for life in new:
            found += [Span(a, b, reason) for a, b in _without(life, old)]
    return tuple(sorted(found, key=lambda span: (span.from_ms, span.to_ms, span.reason)))


def hold_incidents(day: RoomDay, hold: Hold, until_ms: int | None) -> tuple[Incident, ...]:
    """The marks that a hold leaves in the sessions that were on air in it; ``until_ms`` None while it lasts."""
    found = []
    for session in day.sessions:
        if session.started_ms is None:
            continue
        from_ms = max(hold.since_ms, session.started_ms)
        ends = [ms for ms in (until_ms, session.ended_ms) if ms is not None]
        to_ms = min(ends, default=None)
        if to_ms is None or to_ms > from_ms:
            found.append(Incident(session.id, from_ms, to_ms, hold.message))
    return tuple(found)


def _has(session: Session, reason: Reason) -> bool:
    if reason == "unrecorded":
        return not session.recorded
    return session.closed if reason == "closed" else not session.streamed


def _life(session: Session, now_ms: int) -> tuple[int, int]:
    start_ms = session.started_ms or 0
    return start_ms, max(start_ms, now_ms if session.ended_ms is None else session.ended_ms)


def _without(life: tuple[int, int], others: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """What of ``life`` none of ``others`` covers."""
    left = [life] if life[0] < life[1] else []
    for start_ms, end_ms in others:
        left = [piece for a, b in left for piece in ((a, min(b, start_ms)), (max(a, end_ms), b)) if piece[0] < piece[1]]
    return left
