"""Rehearsals: what was heard and seen of each room's source. Used on the loop; stored, so that a restart of the web
process asks nobody to speak and to look again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from streamer.broadcast.programme import MAIN, SPARE
from streamer.conference.alarms import MEDIA_BEFORE_MS
from streamer.conference.day import RoomDay, current, following
from streamer.conference.readiness import BY_HAND, Heard, Readiness, RehearsalFacts, good_level, readiness
from streamer.conference.rooms import Room
from streamer.control.media_plane import RoomLink
from streamer.control.messages import SourceStatus
from streamer.director.page_reports import PageReports
from streamer.errors import Conflict
from streamer.store.room_states import StoredRehearsal

SPOKEN_MS = 15_000
"""A loudness is of now if somebody spoke within this time."""


SAVE_MS = 10 * 60_000
"""Newer times alone are written this often."""
_TIMES = ("level_ms", "voice_ms", "moved_ms")


@dataclass(slots=True)
class _Rehearsal:
    """Of one publication with one device."""

    source: str
    publication: str
    devices: str
    """Empty while no page has told of any, as after a restart."""
    heard: Heard = field(default_factory=Heard)
    saved: object = None
    """The substance of what was stored last."""

    def is_of(self, source: SourceStatus, devices: str) -> bool:
        same = (source.name, source.publication) == (self.source, self.publication)
        return same and (devices == self.devices or not devices or not self.devices)


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
        devices = self._reports.devices(day.room, source.name)
        known = self._rehearsals.get(day.room)
        if known is None or not known.is_of(source, devices):
            known = self._rehearsals[day.room] = _Rehearsal(source.name, source.publication, devices)
        known.devices = devices or known.devices
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

    def restore(self, stored: Iterable[StoredRehearsal]) -> None:
        """Take over what another process has found."""
        for one in stored:
            heard, seen = one.heard, one.seen
            known = _Rehearsal(one.source, one.publication, one.devices)
            known.heard = Heard(
                heard.get("level_ms"),
                heard.get("loudness"),
                heard.get("voice_ms"),
                heard.get("moved_ms"),
                {name: (at_ms, who) for name, (at_ms, who) in seen.items() if name in BY_HAND},
            )
            known.saved = _substance(one)
            self._rehearsals.setdefault(one.room, known)

    def unsaved(self, room: str, now_ms: int) -> StoredRehearsal | None:
        """The room's findings, if they should be stored; :meth:`saved` says that they are."""
        known = self._rehearsals.get(room)
        if known is None:
            return None
        found = {name: getattr(known.heard, name) for name in (*_TIMES, "loudness")}
        seen = {name: list(of) for name, of in known.heard.seen.items()}
        made = StoredRehearsal(room, known.source, known.publication, known.devices, found, seen, now_ms)
        return made if _substance(made) != known.saved else None

    def saved(self, stored: StoredRehearsal) -> None:
        if (known := self._rehearsals.get(stored.room)) is not None:
            known.saved = _substance(stored)

    def at_a_glance(
        self, room: Room, day: RoomDay, link: RoomLink | None, now_ms: int
    ) -> tuple[str | None, tuple[str, ...]]:
        """A word, and the lines that keep the room from being ready. A running session proves the chain. None where no
        session is due and nothing comes in."""
        if current(day) is not None:
            return "running", ()
        session = following(day, now_ms)
        due = session is not None and session.start_ms - MEDIA_BEFORE_MS <= now_ms
        if not due and _source(day, link) is None:
            return None, ()
        found = self.readiness(room, day, link, now_ms)
        return found.state, found.wrong or found.missing

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


def _substance(found: StoredRehearsal) -> object:
    """All that is worth a write when it changes."""
    times = (found.heard.get(name) for name in _TIMES)
    rounded = tuple(None if at_ms is None else at_ms // SAVE_MS for at_ms in times)
    return found.source, found.publication, found.devices, rounded, found.seen


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
