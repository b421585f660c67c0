"""Stretches of media time that must not be listed, or not be kept, any more. They follow from a room's day. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from hashlib import sha256

from streamer.broadcast.media_events import PRIVATE_PREFIX
from streamer.broadcast.orders import Withheld
from streamer.conference.day import RoomDay, is_hidden
from streamer.conference.sessions import Session

MOST_WITHHELD = 100
"""The newest of each kind: two for each session, a hundred left out of replays."""


def output_name(session: Session) -> str:
    """The name of a closed session's output between web plane and room. It is neither secret nor an address: keys open
    the output, and the web plane checks them."""
    return _output_name(session.id)


@lru_cache(maxsize=1024)
def _output_name(session_id: str) -> str:
    return f"{PRIVATE_PREFIX}{sha256(f'output of {session_id}'.encode()).hexdigest()[:20]}"


def withheld(day: RoomDay) -> tuple[Withheld, ...]:
    """The minutes of all sessions in memory that are closed, not streamed or not recorded, as far as they have begun,
    and the stretches left out of their replays: nobody may find them in a live window.

    They follow from the present day, not from its changes. So a room process that was away during a late action learns
    them when it is back, and a restarted one learns them again.
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
    # Each kind has a limit of its own: a recording that was cut a hundred times displaces no closed session.
    return (*_newest(found), *_newest(Withheld(one.from_ms, one.to_ms, exact=one.by_hand) for one in day.left_out))


def _newest(found: Iterable[Withheld]) -> list[Withheld]:
    return sorted(found, key=lambda one: (one.from_ms, one.erase, one.output, one.to_ms or 0))[-MOST_WITHHELD:]
