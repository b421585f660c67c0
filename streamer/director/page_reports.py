"""The last reports of studio pages about the sources that they send. In memory, used on the loop."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

from streamer.conference.alarms import Trouble
from streamer.conference.day import RoomDay, current
from streamer.conference.page_reports import FORGOTTEN_MS, STALE_MS, PageReport, PageState, heard, troubles
from streamer.control.media_plane import RoomLink
from streamer.sections import AlarmSettings

MOST_SOURCES = 16
"""The most sources of a room that pages may report of."""


class PageReports:
    """``settings``: of alarms."""

    def __init__(self, settings: AlarmSettings) -> None:
        self._settings = settings
        self._states: dict[str, dict[str, PageState]] = {}
        """Room -> source -> its page."""

    def take(self, day: RoomDay, source: str, report: PageReport, now_ms: int) -> None:
        of_room = self._states.setdefault(day.room, {})
        before = of_room.get(source, PageState())
        if source not in of_room and len(of_room) >= MOST_SOURCES:
            del of_room[min(of_room, key=lambda name: of_room[name].at_ms)]
        of_room[source] = heard(before, report, now_ms, running=current(day) is not None)

    def leave(self, day: RoomDay, source: str, leaving: Literal["pagehide", "freeze"], now_ms: int) -> None:
        """The page says that it is being closed or put to sleep."""
        state = self._states.get(day.room, {}).get(source)
        report = PageReport() if state is None else state.report
        self.take(day, source, replace(report, leaving=leaving), now_ms)

    def troubles(self, day: RoomDay, link: RoomLink | None, now_ms: int) -> Iterator[Trouble]:
        status = None if link is None or not link.up else link.status
        of_room = self._states.get(day.room, {})
        for source in [name for name, state in of_room.items() if now_ms - state.at_ms >= FORGOTTEN_MS]:
            del of_room[source]
        for source, state in of_room.items():
            found = None if status is None else status.sources.get(source)
            up = status is None or (found is not None and found.up)
            lapel_ms = round(self._settings.lapel_muted_s * 1000)
            yield from troubles(state, source, now_ms, up=up, lapel_muted_ms=lapel_ms)

    def suppressed(self, room: str, source: str) -> bool:
        """Whether the browser suppresses noise: silence is then no proof of a dead microphone."""
        state = self._states.get(room, {}).get(source)
        found = None if state is None else state.report.input("microphone")
        return found is not None and found.suppression is True

    def suppressing(self, room: str) -> tuple[str, ...]:
        """The room's sources whose browser suppresses noise."""
        return tuple(sorted(name for name in self._states.get(room, {}) if self.suppressed(room, name)))

    def devices(self, room: str, source: str) -> str:
        """The devices that the page uses, as one text to compare."""
        state = self._states.get(room, {}).get(source)
        inputs = () if state is None else state.report.inputs
        return "\n".join(f"{one.name}={one.device}" for one in inputs if one.name in ("camera", "microphone"))

    def upload(self, room: str, source: str, now_ms: int) -> tuple[float | None, float | None]:
        """The rate that the page sends at, and the one that it could send at; kbit/s."""
        state = self._states.get(room, {}).get(source)
        if state is None or now_ms - state.at_ms >= STALE_MS:
            return None, None
        return state.upload
