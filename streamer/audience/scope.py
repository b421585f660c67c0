"""Finds the audience that somebody is in, and the session that their words belong to. Pure.

A room has one audience for all of its public sessions; an unlisted or private session has its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from streamer.conference.participation import CLOSED_PREFIX
from streamer.conference.sessions import Session, SessionState

GRACE_MS = 120_000
"""A session takes questions for this long after its end, because viewers watch later."""
PAST_MS = 2 * 3_600_000
"""A client's media time may be this far back."""


@dataclass(frozen=True, slots=True)
class Scope:
    """``session``: the closed session to which the audience belongs."""

    room: str
    session: str | None = None

    @property
    def key(self) -> str:
        return self.room if self.session is None else f"{CLOSED_PREFIX}{self.session}"


def scope_of(session: Session) -> Scope:
    return Scope(session.room, session.id if session.closed else None)


def media_time(claim_ms: int | float | None, now_ms: int, usual_delay_ms: int) -> int:
    """The media time that an author was watching: the client's claim if it is possible, else an estimate."""
    # Infinite values and values that are no numbers cannot be rounded.
    if claim_ms is not None and abs(claim_ms) < 2**53 and now_ms - PAST_MS <= round(claim_ms) <= now_ms:
        return round(claim_ms)
    return now_ms - usual_delay_ms


def focus(scope: Scope, sessions: Sequence[Session], now_ms: int) -> str | None:
    """The session whose questions are in work: the one on air, or without one the session that ended just now."""
    ours = _ours(scope, sessions)
    for session in ours:
        if session.running:
            return session.id
    ended = [s for s in ours if s.state is SessionState.ENDED and s.ended_ms is not None]
    last = max(ended, key=lambda s: (s.ended_ms or 0, s.id), default=None)
    if last is not None and last.ended_ms is not None and 0 <= now_ms - last.ended_ms < GRACE_MS:
        return last.id
    return scope.session


def session_at(scope: Scope, sessions: Sequence[Session], media_ms: int, now_ms: int) -> str | None:
    """The session of an item: the session at its media time if that is on or ended under two minutes ago, else the one
    that is on, else None (the room). A closed session's own audience always belongs to that session."""
    if scope.session is not None:
        return scope.session
    running = None
    found = None
    for session in _ours(scope, sessions):
        if session.running:
            running = session.id
        began, ended = session.started_ms, session.ended_ms
        fresh = session.running or (ended is not None and now_ms - ended < GRACE_MS)
        if began is not None and fresh and began <= media_ms and (session.running or media_ms < (ended or 0)):
            found = session.id
    return found or running


def _ours(scope: Scope, sessions: Sequence[Session]) -> list[Session]:
    if scope.session is not None:
        return [session for session in sessions if session.id == scope.session]
    return [session for session in sessions if not session.closed]
