"""Stretches of media time that follow from a room's day: what must not be listed, or not be kept, any more. Pure."""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256

from streamer.conference.day import RoomDay, is_hidden
from streamer.conference.media_events import PRIVATE_PREFIX
from streamer.conference.orders import Withheld
from streamer.conference.sessions import Session

MOST_WITHHELD = 100
"""Of the newest: two for each session."""


def output_name(session: Session) -> str:
    """The output of a closed session, as web plane and room call it among themselves. It is no secret and no address:
    what opens it are keys, which the web plane checks."""
    return _output_name(session.id)


@lru_cache(maxsize=1024)
def _output_name(session_id: str) -> str:
    return f"{PRIVATE_PREFIX}{sha256(f'output of {session_id}'.encode()).hexdigest()[:20]}"


def withheld(day: RoomDay) -> tuple[Withheld, ...]:
    """The minutes of all sessions in view that are closed, not streamed or not recorded, as far as they have begun.

    They follow from the day as it is, not from what changed it: what a room process could not be told when a late tap
    was made, it is told when it is back, and one that was restarted does it once more.
    """
    found: list[Withheld] = []
    for session in day.sessions:
        start_ms, end_ms = session.started_ms, session.ended_ms
        if start_ms is None or (end_ms is not None and end_ms <= start_ms):
            continue
        if is_hidden(session):
            own = output_name(session) if session.closed and session.streamed else ""
            found.append(Withheld(start_ms, end_ms, own))
        if not session.recorded:
            found.append(Withheld(start_ms, end_ms, erase=True))
    return tuple(sorted(found, key=lambda one: (one.from_ms, one.erase, one.output))[-MOST_WITHHELD:])
