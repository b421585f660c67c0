"""Which audience somebody is in, and which session what they say belongs to. Pure.

A room's audience is one feed for all of its public sessions; an unlisted or private session has its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from streamer.conference.participation import CLOSED_PREFIX
from streamer.conference.sessions import Session, SessionState

GRACE_MS = 120_000
"""A session that ended so long ago still takes questions from those who watch behind."""
PAST_MS = 2 * 3_600_000
"""How far back a client's media time may be."""


@dataclass(frozen=True, slots=True)
class Scope:
    """``session``: the closed session whose own audience it is."""

    room: str
    session: str | None = None

    @property
    def key(self) -> str:
        return self.room if self.session is None else f"{CLOSED_PREFIX}{self.session}"


def scope_of(session: Session) -> Scope:
    return Scope(session.room, session.id if session.closed else None)


def media_time(claim_ms: int | float | None, now_ms: int, usual_delay_ms: int) -> int:
    """The media time that an author was watching: what the client claims where that can be, else a guess."""
    # What is no number, or infinite, is not rounded.
    if claim_ms is not None and abs(claim_ms) < 2**53 and now_ms - PAST_MS <= round(claim_ms) <= now_ms:
        return round(claim_ms)
    return now_ms - usual_delay_ms


def focus(scope: Scope, sessions: Sequence[Session], now_ms: int) -> str | None:
    """The session whose questions are worked on: the one that is on, or that ended just now while none is."""
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
    """Where an item goes: the session at its media time if that is on or ended under two minutes ago, else the one
    that is on, else none (the room; a closed session's own audience always belongs to it)."""
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
