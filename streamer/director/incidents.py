"""Incidents of sessions: stretches that the audience did not see because somebody covered the room. Pure.

A hold and the technician's slate are incidents. Replays skip them until somebody decides otherwise, so that a replay
never shows pictures that were hidden from the viewers.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from streamer.conference.day import RoomDay, current, find
from streamer.conference.sessions import Mark, MarkKind, Session


@dataclass(frozen=True, slots=True)
class Incidents:
    opened: tuple[Mark, ...] = ()
    closed: tuple[tuple[str, int], ...] = ()
    """(session, media time)."""

    @property
    def sessions(self) -> tuple[str, ...]:
        return (*(mark.session for mark in self.opened), *(session for session, _ in self.closed))


def incidents(before: RoomDay, after: RoomDay, now_ms: int) -> Incidents:
    """The incidents that began and ended between two values of a room's day."""
    was, runs = _covered(before), _covered(after)
    if (was is None and runs is None) or (was is not None and runs is not None and was.id == runs.id):
        return Incidents()
    opened: tuple[Mark, ...] = ()
    closed: tuple[tuple[str, int], ...] = ()
    if was is not None:
        ended = find(after, was.id)
        ended_ms = ended.ended_ms if ended is not None else None
        closed = ((was.id, now_ms if ended_ms is None else min(now_ms, ended_ms)),)
    if runs is not None:
        since_ms = now_ms if after.hold is None else min(now_ms, after.hold.since_ms)
        at_ms = max(since_ms, runs.started_ms or since_ms)
        label = after.hold.message if after.hold is not None else ""
        opened = (Mark(secrets.token_urlsafe(9), runs.id, MarkKind.INCIDENT, at_ms, label=label),)
    return Incidents(opened, closed)


def _covered(day: RoomDay) -> Session | None:
    """The session that is on air and hidden."""
    return current(day) if day.hold is not None or day.slate else None
