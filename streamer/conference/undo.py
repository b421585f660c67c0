"""The effect of a command as a value that can be stored and undone. Pure."""

from __future__ import annotations

import math
from collections.abc import Container
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import Any

from streamer.conference.day import (
    UNSTARTED,
    RoomDay,
    find,
    sorted_day,
    without_sessions,
)
from streamer.conference.session_keys import with_generation
from streamer.conference.sessions import RUNNING, Hold, Session, SessionState
from streamer.conference.sources import SourceSetting
from streamer.conference.sources import restored as restored_sources
from streamer.conference.taps import Refused

_ROOM_FIELDS = ("hold", "slate", "source")
_SESSION_FIELDS = tuple(f.name for f in fields(Session) if f.name not in ("id", "generation"))
"""The generation is not restored: links that were taken away by mistake are handed out anew."""


@dataclass(frozen=True, slots=True)
class SessionImage:
    """One session that a command changed. ``before`` None: the command made it; ``after`` None: it removed it."""

    id: str
    before: Session | None
    after: Session | None


@dataclass(frozen=True, slots=True)
class RoomImage:
    """The values that a person sets in a room."""

    hold: Hold | None = None
    slate: bool = False
    source: str | None = None
    gain_db: float = 0.0
    """The room's one gain, in actions from before each source had its own."""
    sources: tuple[SourceSetting, ...] = ()


@dataclass(frozen=True, slots=True)
class Effect:
    """Images of the changed things before and after one command."""

    sessions: tuple[SessionImage, ...] = ()
    before: RoomImage = RoomImage()
    after: RoomImage = RoomImage()

    @property
    def empty(self) -> bool:
        return not self.sessions and self.before == self.after


def effect(before: RoomDay, after: RoomDay) -> Effect:
    """The difference between two values of one room's day."""
    old = {session.id: session for session in before.sessions}
    new = {session.id: session for session in after.sessions}
    images = tuple(
        SessionImage(id_, old.get(id_), new.get(id_)) for id_ in {**old, **new} if old.get(id_) != new.get(id_)
    )
    return Effect(images, _room_image(before), _room_image(after))


def restore(day: RoomDay, done: Effect, now_ms: int, *, alone: bool = False) -> RoomDay:
    """``day`` with the former values of everything that ``done`` changed; the rest stays as it is now.

    Raises Refused ``superseded`` if any of it has been changed again since, or if another session has been on air
    since. The clock's changes of a state (``armed``, ``overrun``) do not count. ``alone``: all later actions on its
    sessions have been undone; then their ``changed_ms`` does not count.
    """
    restored = day
    for image in done.sessions:
        restored = _restored(restored, image, now_ms, alone)
    changed = {
        name: getattr(done.before, name)
        for name in _ROOM_FIELDS
        if getattr(done.before, name) != getattr(done.after, name)
    }
    sources = restored_sources(day.sources, done.before.sources, done.after.sources)
    if sources is None or done.before.gain_db != done.after.gain_db:
        raise _superseded()
    if any(getattr(day, name) != getattr(done.after, name) for name in changed):
        raise _superseded()
    restored = replace(restored, sources=sources)
    if changed:
        if "hold" in changed:
            changed["patience_ms"] = now_ms
        restored = replace(restored, **changed)
    _one_life(restored, {image.id for image in done.sessions})
    return restored


def _restored(day: RoomDay, image: SessionImage, now_ms: int, alone: bool) -> RoomDay:
    present, before, after = find(day, image.id), image.before, image.after
    if (present is None) != (after is None):
        raise _superseded()
    if present is None or after is None:
        return day if before is None else sorted_day(day, (*day.sessions, before))
    if before is None:
        if _stage(present.state) != _stage(after.state) or present.ended_ms != after.ended_ms:
            raise _superseded()
        return without_sessions(day, (image.id,))
    names = [name for name in _SESSION_FIELDS if not _same(name, getattr(before, name), getattr(after, name))]
    compared = [name for name in names if name != "changed_ms" or not alone]
    if any(not _same(name, getattr(present, name), getattr(after, name)) for name in compared):
        raise _superseded()
    changes: dict[str, Any] = {name: getattr(before, name) for name in names}
    if "changed_ms" in changes:
        # An undo counts as a change: the ten minutes without media begin anew, and the clock does not at once start
        # again a session whose start was undone.
        changes["changed_ms"] = now_ms
    restored = with_generation(present, replace(present, **changes))
    return sorted_day(day, (restored if s.id == restored.id else s for s in day.sessions))


def _stage(state: SessionState) -> SessionState:
    if state in UNSTARTED:
        return SessionState.SCHEDULED
    return SessionState.ON_AIR if state in RUNNING else state


def _same(name: str, present: Any, after: Any) -> bool:
    return bool(_stage(present) is _stage(after) if name == "state" else present == after)


def _one_life(restored: RoomDay, touched: Container[str]) -> None:
    """Raises if a restored session would be on air beside another one, or cover minutes of one that was on since."""
    lives = sorted(
        (session.started_ms, math.inf if session.ended_ms is None else session.ended_ms, session.id)
        for session in restored.sessions
        if session.started_ms is not None
    )
    if any(started_ms > ended_ms and one in touched for started_ms, ended_ms, one in lives):
        raise _superseded()
    for (_, ended_ms, one), (started_ms, _, other) in pairwise(lives):
        if ended_ms > started_ms and (one in touched or other in touched):
            raise _superseded()


def _superseded() -> Refused:
    return Refused("It has been changed again since. Undo the later change first.", code="superseded")


def _room_image(day: RoomDay) -> RoomImage:
    return RoomImage(day.hold, day.slate, day.source, sources=day.sources)
