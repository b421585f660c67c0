"""Rehearsals: what was heard and seen of each room's source. Used on the loop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from streamer.conference.day import RoomDay, current, following
from streamer.conference.readiness import BY_HAND, Heard, Readiness, RehearsalFacts, good_level, readiness
from streamer.conference.rooms import MAIN, SPARE, Room
from streamer.control.media_plane import RoomLink
from streamer.control.messages import SourceStatus
from streamer.director.page_reports import PageReports
from streamer.errors import Conflict

SPOKEN_MS = 15_000
"""A loudness is of now if somebody spoke within this time."""


@dataclass(slots=True)
class _Rehearsal:
    """Of one publication with one device."""

    of: tuple[str, str, str]
    heard: Heard = field(default_factory=Heard)


class Rehearsals:
    """``disk_left_s``: by link. ``wrong_key``: whether a room's key is wrong or has ended."""

    def __init__(
        self,
        reports: PageReports,
        disk_left_s: Callable[[RoomLink | None], int | None],
        wrong_key: Callable[[str, int], bool],
    ) -> None:
        self._reports = reports
        self._disk_left_s = disk_left_s
        self._wrong_key = wrong_key
        self._rehearsals: dict[str, _Rehearsal] = {}
        self._captioned: dict[str, int] = {}

    def captioned(self, room: str, now_ms: int) -> None:
        """Somebody types captions."""
        self._captioned[room] = now_ms

    def look(self, day: RoomDay, link: RoomLink | None, now_ms: int) -> None:
        """Take in what comes in now."""
        source = _source(day, link)
        if source is None or link is None or link.status is None:
            return
        of = (source.name, source.publication, self._reports.devices(day.room, source.name))
        known = self._rehearsals.get(day.room)
        if known is None or known.of != of:
            known = self._rehearsals[day.room] = _Rehearsal(of)
        measure = link.status.measures.get(source.name)
        if measure is None and link.status.on_programme == source.name:
            measure = link.status.measures.get("")
        if measure is None:
            return
        since_ms, heard = source.since_ms, known.heard
        voice_ms = _since(measure.voice_ms, since_ms) or heard.voice_ms
        spoken = voice_ms is not None and now_ms - voice_ms < SPOKEN_MS
        loudness = measure.loudness if spoken else heard.loudness
        known.heard = replace(
            heard,
            voice_ms=voice_ms,
            moved_ms=_since(measure.moved_ms, since_ms) or heard.moved_ms,
            loudness=loudness,
            level_ms=voice_ms if spoken and good_level(loudness) else heard.level_ms,
        )

    def seen(self, day: RoomDay, link: RoomLink | None, name: str, who: str, now_ms: int) -> None:
        """A person has looked at the picture. Raises Conflict ``nothing_coming_in``."""
        assert name in BY_HAND
        self.look(day, link, now_ms)
        known = self._rehearsals.get(day.room)
        if known is None or _source(day, link) is None:
            raise Conflict("Nothing is coming in.", code="nothing_coming_in")
        known.heard = replace(known.heard, seen={**known.heard.seen, name: (now_ms, who)})

    def readiness(self, room: Room, day: RoomDay, link: RoomLink | None, now_ms: int) -> Readiness:
        self.look(day, link, now_ms)
        source = _source(day, link)
        known = self._rehearsals.get(room.id)
        sent, available = self._reports.upload(room.id, MAIN if source is None else source.name, now_ms)
        facts = RehearsalFacts(
            up=source is not None,
            heard=Heard() if known is None else known.heard,
            wrong_key=self._wrong_key(room.id, now_ms),
            disk_left_s=self._disk_left_s(link),
            captions=room.caption_languages,
            captioned_ms=self._captioned.get(room.id),
            sent_kbps=sent,
            available_kbps=available,
        )
        return readiness(current(day) or following(day, now_ms), facts, now_ms)


def _source(day: RoomDay, link: RoomLink | None) -> SourceStatus | None:
    """The source that comes in and would go on air."""
    if link is None or not link.up or link.status is None:
        return None
    for name in (day.source,) if day.source is not None else (MAIN, SPARE):
        found = link.status.sources.get(name)
        if found is not None and found.up:
            return found
    return None


def _since(at_ms: int | None, since_ms: int) -> int | None:
    return at_ms if at_ms is not None and at_ms >= since_ms else None
