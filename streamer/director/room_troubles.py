"""Troubles that follow from what a room's process tells, or from its silence. Used on the loop; remembers processes."""

from __future__ import annotations

from collections.abc import Iterator

from streamer.broadcast.programme import MAIN, SPARE
from streamer.conference.airing import public_shows
from streamer.conference.alarm_causes import DECODER, LEVEL, LOOK, PICTURE, SILENT, SOURCE, UPLINK
from streamer.conference.alarms import Detail, Level, Trouble
from streamer.conference.day import UNSTARTED, RoomDay, current, last_end_ms, planned_end_ms
from streamer.conference.sources import setting_of
from streamer.control.media_plane import RoomLink
from streamer.control.messages import RoomStatus
from streamer.director.page_reports import PageReports
from streamer.sections import AlarmSettings

WARNINGS = frozenset({"picture_dark", "picture_washed_out", "keyframes_rare"})
FROM_ROOM = frozenset({*SOURCE, *UPLINK, *DECODER, *PICTURE, *SILENT, *LEVEL, *LOOK})
"""Codes of which nothing is known while the room's process is away."""
MEANT_BY_MUTE = frozenset({*SILENT, "sound_quiet"})
AWAY_MS = 2_000
"""A process that answers again within this time was only busy."""
DIED_MS = 30_000
"""That a process has died is told for this long after another has taken its place."""
DISOBEYS_MS = 5_000
"""Orders arrive within this time."""


class RoomTroubles:
    """``settings``: of alarms. ``reports``: of the pages that send."""

    def __init__(self, settings: AlarmSettings, reports: PageReports) -> None:
        self._settings = settings
        self._reports = reports
        self._pids: dict[str, tuple[int, int | None]] = {}
        """Room -> its process, and the time when it took the place of one that died."""
        self._away: dict[str, int] = {}
        self._disobeys: dict[str, int] = {}

    def process(self, room: str, link: RoomLink | None, now_ms: int) -> Iterator[Trouble]:
        """The room's process has died."""
        if link is None or link.ended:
            self._pids.pop(room, None)
            self._away.pop(room, None)
            return
        if not link.up or link.status is None:
            since_ms = self._away.setdefault(room, now_ms)
            if now_ms - since_ms >= AWAY_MS:
                yield Trouble("room_down", since_ms, owner="operator")
            return
        went_ms = self._away.pop(room, now_ms)
        pid, replaced_ms = self._pids.get(room, (link.status.pid, None))
        if pid != link.status.pid:
            pid, replaced_ms = link.status.pid, went_ms
        self._pids[room] = (pid, replaced_ms)
        if replaced_ms is not None and 0 <= now_ms - replaced_ms < DIED_MS:
            yield Trouble("room_down", replaced_ms, owner="operator")

    def media(self, day: RoomDay, link: RoomLink | None) -> Iterator[Trouble]:
        """The troubles that the process finds in sound, picture and way."""
        status = _status(link)
        for one in () if status is None else status.troubles:
            source = one.source or (status.on_programme if status is not None else "")
            if one.code in MEANT_BY_MUTE and setting_of(day.sources, source).mute:
                continue
            if one.code == "sound_dead" and self._reports.suppressed(day.room, source):
                # Between two words there is nothing at all: only the page can tell.
                continue
            details: dict[str, Detail] = {**one.details, **({"source": one.source} if one.source else {})}
            level: Level = "warning" if one.code in WARNINGS else "alarm"
            yield Trouble(one.code, one.since_ms, level=level, about=one.source, details=details)

    def programme(self, day: RoomDay, link: RoomLink | None, now_ms: int) -> Iterator[Trouble]:
        """Troubles of what goes out."""
        status = _status(link)
        if status is None:
            return
        yield from self._on_spare(day, status, now_ms)
        yield from self._without_session(day, status, now_ms)
        yield from self._forgotten_end(day, status, now_ms)

    def _on_spare(self, day: RoomDay, status: RoomStatus, now_ms: int) -> Iterator[Trouble]:
        """The room has lost its source and shows what is there for that case: the next loss is the slate."""
        running = current(day)
        if running is not None and status.on_programme == SPARE and day.source != SPARE:
            lost = day.source or MAIN
            found = status.sources.get(lost)
            since_ms = now_ms if found is None or not found.last_packet_ms else found.last_packet_ms
            yield Trouble("running_on_spare", since_ms, details={"source": lost}, session=running.id)

    def _without_session(self, day: RoomDay, status: RoomStatus, now_ms: int) -> Iterator[Trouble]:
        """The public sees the room, and no session is on air: against the orders, or because the room stays open where
        nothing is planned any more."""
        if current(day) is not None or status.shows.get("public") != "programme":
            self._disobeys.pop(day.room, None)
            return
        if public_shows(day, now_ms) != "programme":
            since_ms = self._disobeys.setdefault(day.room, now_ms)
            if now_ms - since_ms >= DISOBEYS_MS:
                yield Trouble("on_air_without_session", since_ms)
            return
        near_ms = now_ms + 60 * 60_000
        if any(one.state in UNSTARTED and one.start_ms <= near_ms and one.end_ms > now_ms for one in day.sessions):
            return
        since_ms = max(last_end_ms(day) or 0, day.media.up_since_ms or 0)
        if now_ms - since_ms >= day.timing.unplanned_ms:
            yield Trouble("on_air_without_session", since_ms, level="warning")

    def _forgotten_end(self, day: RoomDay, status: RoomStatus, now_ms: int) -> Iterator[Trouble]:
        """The session is past its end, and nobody speaks or moves."""
        running, measure = current(day), status.measures.get("")
        if running is None or measure is None or now_ms < planned_end_ms(running):
            return
        since_ms = max(measure.voice_ms or 0, measure.moved_ms or 0, planned_end_ms(running))
        if now_ms - since_ms >= self._settings.forgotten_end_minutes * 60_000:
            yield Trouble("forgotten_end", since_ms, session=running.id)


def unknown_codes(link: RoomLink | None, *, known: bool) -> frozenset[str]:
    """Codes of which a room's process tells, while it is away. ``known``: whether the room's media are known."""
    away = not known or (link is not None and not link.ended and (not link.up or link.status is None))
    return FROM_ROOM if away else frozenset()


def _status(link: RoomLink | None) -> RoomStatus | None:
    return None if link is None or not link.up else link.status
