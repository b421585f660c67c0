"""Actions on sessions that are not in memory: next week's talk is cancelled, moved or answered for. The clock does not
matter, and nothing is shown or ordered because of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from streamer.conference import taps
from streamer.conference.day import RoomDay, find, sorted_day
from streamer.conference.taps import Refused
from streamer.director.day_repository import DayChange, DayRepository, between
from streamer.director.news import Actor
from streamer.errors import NotFound

PLANNING = (taps.Delay, taps.Cancel, taps.Reopen, taps.ConsentAnswer)


async def day_around(day_repository: DayRepository, day: RoomDay, sessions: Iterable[str | None]) -> RoomDay | None:
    """The room's day around the first of ``sessions`` that is not in ``day``; None if all are in it, or no longer exist
    in the room."""
    for session_id in sessions:
        if session_id is None or find(day, session_id) is not None:
            continue
        try:
            session = await day_repository.session(session_id)
        except NotFound:
            continue
        if session.room == day.room:
            return replace(sorted_day(day, await day_repository.around(session)), spare_id="")
    return None


async def without_room(
    day_repository: DayRepository, command: taps.Command, session_id: str | None, actor: Actor, kind: str, now_ms: int
) -> DayChange:
    """The change by a command on a session that has no room. It is never armed or begun. Raises NotFound, Refused
    ``no_room``."""
    session = await day_repository.session(session_id or "")
    if not isinstance(command, PLANNING):
        raise Refused("This session has no room: it is the venue's, and never on air.", code="no_room")
    before = RoomDay("", sessions=(session,))
    return replace(
        between(before, taps.apply(before, command, now_ms), actor=actor, kind=kind, at_ms=now_ms), room=None
    )


def planned(day: RoomDay, command: taps.Command, now_ms: int) -> RoomDay:
    """The day after ``command``. Raises Refused ``not_in_view`` for commands that belong to the day itself."""
    if not isinstance(command, PLANNING):
        raise Refused("This session is on another day.", code="not_in_view")
    return taps.apply(day, command, now_ms)
