"""Stretches of media time that follow from a room's day: what must not be listed, or not be kept, any more. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from hashlib import sha256

from streamer.broadcast.media_events import PRIVATE_PREFIX
from streamer.broadcast.orders import Withheld
from streamer.conference.day import RoomDay, is_hidden
from streamer.conference.sessions import Session

MOST_WITHHELD = 100
"""Of the newest of each kind: two for each session, a hundred of what was left out of replays."""


def output_name(session: Session) -> str:
    """The output of a closed session, as web plane and room call it among themselves. It is no secret and no address:
    what opens it are keys, which the web plane checks."""
    return _output_name(session.id)


@lru_cache(maxsize=1024)
def _output_name(session_id: str) -> str:
    return f"{PRIVATE_PREFIX}{sha256(f'output of {session_id}'.encode()).hexdigest()[:20]}"


def withheld(day: RoomDay) -> tuple[Withheld, ...]:
    """The minutes of all sessions in view that are closed, not streamed or not recorded, as far as they have begun, and
    what was left out of their replays: nobody is to find it in a live window.

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
    # Each kind has its own room: a recording that was cut a hundred times puts no closed session out of mind.
    return (*_newest(found), *_newest(Withheld(one.from_ms, one.to_ms, exact=one.by_hand) for one in day.left_out))


def _newest(found: Iterable[Withheld]) -> list[Withheld]:
    return sorted(found, key=lambda one: (one.from_ms, one.erase, one.output, one.to_ms or 0))[-MOST_WITHHELD:]
