"""Alarms of a room that are not about its day: keys in the wrong room, files, the disk. Used on the loop; remembers
their begins."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from streamer.conference.alarms import Alarm, AlarmInputs, Detail, Level, Trouble, alarms_of
from streamer.conference.day import RoomDay
from streamer.conference.notices import Notices
from streamer.control.media_plane import RoomLink
from streamer.director.page_reports import PageReports
from streamer.director.room_troubles import RoomTroubles
from streamer.observe.disk import ROOM_BYTES_S
from streamer.sections import AlarmSettings
from streamer.supervision import TASKS, Tasks

DISK_EVERY_S = 10.0
OPERATORS = frozenset(
    {
        "disk_behind",
        "disk_full",
        "disk_error",
        "not_erased",
        "recording_fails",
        "task_failing",
        "clock_moved",
        "room_out_of_memory",
    }
)
"""Codes for the operator."""
_WITHOUT_DISK = frozenset({"disk_full", "disk_error", "not_erased"})
"""Recordings cannot be kept: this says so already."""
LEVELS: dict[str, Level] = {
    "disk_behind": "warning",
    "encoder_overload": "warning",
    "task_failing": "warning",
    "clock_moved": "warning",
    "room_out_of_memory": "warning",
    "viewers_stutter": "warning",
    "viewers_error": "warning",
    "viewers_sync": "warning",
    "viewers_other": "warning",
}
"""Codes that are no alarm: they never sound, and never leave the page."""


class RoomAlarms:
    """``notices``: wrong keys, and viewers' complaints. ``left_bytes``: free space for the data folder, None if
    unknown. ``tasks``: of this web process."""

    def __init__(
        self,
        notices: Notices,
        left_bytes: Callable[[], int | None],
        tasks: Tasks = TASKS,
        settings: AlarmSettings | None = None,
    ) -> None:
        self.settings = settings or AlarmSettings()
        self.page_reports = PageReports(self.settings)
        self.room_troubles = RoomTroubles(self.settings, self.page_reports)
        self._tasks = tasks
        self.lapsed: Callable[[str], Mapping[str, str | None]] = lambda room: {}
        """Labels of ended grants whose publication in a room goes on -> their sessions."""
        self.unerased: Callable[[str], bool] = lambda room: False
        """Whether something of a room should be erased and cannot be."""
        self.unkept: Callable[[str], bool] = lambda room: False
        """Whether a recording of a room cannot be kept."""
        self._notices = notices
        self._left_bytes = left_bytes
        self._left: int | None = None
        self._looked_at = -DISK_EVERY_S
        self._since: dict[tuple[str, str, str], int] = {}

    def found(self, day: RoomDay, link: RoomLink | None, rooms_writing: int, now_ms: int) -> tuple[Alarm, ...]:
        """Everything that is wrong in a room. ``rooms_writing``: the number of rooms that share the disk."""
        keys = self._wrong_keys(day.room, now_ms)
        found = [
            *self._troubles(day.room, link, now_ms),
            *self.room_troubles.process(day.room, link, now_ms),
            *self.room_troubles.programme(day, link, now_ms),
            *self._stopped_schedules(day),
        ]
        viewers = self._complaints(day.room, now_ms)
        left_s = self.disk_left_s(link, rooms_writing)
        ringing = {(trouble.code, trouble.about) for trouble in (*keys, *found)}
        low_ms = None
        low_s = round(self.settings.disk_hours * 3600)
        if left_s is not None and left_s < low_s:
            low_ms = self._since_ms(day.room, "disk_low", "", now_ms)
            ringing.add(("disk_low", ""))
        for key in [key for key in self._since if key[0] == day.room and key[1:] not in ringing]:
            del self._since[key]
        media = (*self.room_troubles.media(day, link), *self.page_reports.troubles(day, link, now_ms))
        inputs = AlarmInputs(tuple(keys), tuple(found), left_s, low_s, low_ms, media, viewers)
        return alarms_of(day, now_ms, inputs)

    def wrong_key(self, room: str, now_ms: int) -> bool:
        """Whether the room's encoder has a key of another room, or one that has ended."""
        wrong = any(room in (one.room, one.own_room) for one in self._notices.wrong_rooms(now_ms))
        return wrong or bool(self.lapsed(room))

    def _troubles(self, room: str, link: RoomLink | None, now_ms: int) -> list[Trouble]:
        status = None if link is None or not link.up else link.status
        codes = [] if status is None else list(status.alarms)
        if self.unerased(room) and "not_erased" not in codes:
            codes.append("not_erased")
        if not _WITHOUT_DISK & set(codes) and self.unkept(room):
            codes.append("recording_fails")
        found = [
            Trouble(
                code,
                self._since_ms(room, code, "", now_ms),
                level=LEVELS.get(code, "alarm"),
                owner="operator" if code in OPERATORS else "technician",
            )
            for code in codes
        ]
        for task in self._tasks.troubled():
            since_ms = self._since_ms(room, "task_failing", task, now_ms)
            details: dict[str, Detail] = {"task": task}
            found.append(
                Trouble("task_failing", since_ms, level="warning", owner="operator", about=task, details=details)
            )
        for source, since_ms in status.duels.items() if status is not None else ():
            found.append(Trouble("publication_duel", since_ms, about=source, details={"source": source}))
        for label, session in self.lapsed(room).items() if status is not None else ():
            since_ms, details = self._since_ms(room, "grant_expired", label, now_ms), {"label": label}
            found.append(
                Trouble("grant_expired", since_ms, level="warning", about=label, details=details, session=session)
            )
        return found

    def _complaints(self, room: str, now_ms: int) -> tuple[Trouble, ...]:
        return tuple(
            Trouble(
                code := f"viewers_{one.kind}",
                one.since_ms,
                level=LEVELS.get(code, "alarm"),
                details={"people": one.people},
                session=one.session,
            )
            for one in self._notices.complaints(room, now_ms)
        )

    def _stopped_schedules(self, day: RoomDay) -> Iterator[Trouble]:
        """For rooms with sessions of the event in memory."""
        stopped = self._notices.stopped_schedules()
        for event in sorted({session.event for session in day.sessions if session.event} & stopped.keys()):
            yield Trouble(
                "schedule_stopped",
                stopped[event],
                level="warning",
                owner="organiser",
                about=event,
                details={"event": event},
            )

    def _wrong_keys(self, room: str, now_ms: int) -> list[Trouble]:
        """In the room where the key was used, and in the key's own room."""
        found = []
        for notice in self._notices.wrong_rooms(now_ms):
            if room not in (notice.room, notice.own_room):
                continue
            details: dict[str, Detail] = {
                "used_in": notice.room,
                "belongs_to": notice.own_room,
                "label": notice.label,
                "source": notice.source,
            }
            about = f"{notice.grant}:{notice.room}"
            since_ms = self._since_ms(room, "wrong_room_key", about, notice.at_ms)
            found.append(Trouble("wrong_room_key", since_ms, about=about, details=details, session=notice.session))
        return found

    def disk_left_s(self, link: RoomLink | None, rooms_writing: int) -> int | None:
        """Seconds of programme that still fit, with so many rooms that write."""
        if time.monotonic() - self._looked_at >= DISK_EVERY_S:
            self._looked_at = time.monotonic()
            self._left = self._left_bytes()
        if self._left is None or link is None:
            return None
        return self._left // (ROOM_BYTES_S * max(1, rooms_writing))

    def _since_ms(self, room: str, code: str, about: str, now_ms: int) -> int:
        return self._since.setdefault((room, code, about), now_ms)


def free_bytes(folder: Path) -> Callable[[], int | None]:
    """Returns a function that measures the free space of ``folder``; it takes microseconds."""

    def look() -> int | None:
        try:
            return shutil.disk_usage(folder).free
        except OSError:
            return None

    return look
