"""A room's day for scenarios: clock times of one Monday as ``"9:00"``, sessions by one letter."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from streamer.broadcast.orders import RoomOrders
from streamer.conference import taps
from streamer.conference.airing import PublicStatus, orders, public_status
from streamer.conference.alarms import Alarm, AlarmInputs, alarms_of
from streamer.conference.clockwork import advance
from streamer.conference.day import MediaState, RoomDay, current, find, sorted_day
from streamer.conference.sessions import Kind, Session, SessionState, Visibility

MIDNIGHT = 1_792_368_000_000  # Monday, 19 October 2026, UTC
MINUTE = 60_000


def at(clock: str) -> int:
    """``"9:00"``, ``"9:00:30"`` or ``"33:00"`` (nine on Tuesday) as UTC milliseconds."""
    hours, minutes, *seconds = (int(part) for part in clock.split(":"))
    return MIDNIGHT + (hours * 3600 + minutes * 60 + sum(seconds)) * 1000


def talk(name: str, start: str, end: str, **values: Any) -> Session:
    return Session(id=name, room="hall", title=f"Talk {name}", start_ms=at(start), end_ms=at(end), **values)


def pause(name: str, start: str, end: str) -> Session:
    return talk(name, start, end, kind=Kind.BREAK)


def closed(name: str, start: str, end: str, **values: Any) -> Session:
    values.setdefault("visibility", Visibility.PRIVATE)
    return talk(name, start, end, **values)


@dataclass
class Hall:
    """A room that is looked at once a second of its own clock."""

    day: RoomDay
    now_ms: int
    serial: int = 0

    def until(self, clock: str) -> Hall:
        """Let time pass. Looks are half a minute apart: the rules do not care."""
        end_ms = at(clock)
        while self.now_ms < end_ms:
            self.now_ms = min(end_ms, self.now_ms + 30_000)
            self.look()
        return self

    def jump(self, clock: str) -> Hall:
        """The clock steps."""
        self.now_ms = at(clock)
        return self.look()

    def look(self) -> Hall:
        if not self.day.spare_id:
            self.serial += 1
            self.day = replace(self.day, spare_id=f"auto{self.serial}")
        self.day = advance(self.day, self.now_ms)
        return self

    def tap(self, command: taps.Command) -> Hall:
        self.day = taps.apply(advance(self.day, self.now_ms), command, self.now_ms)
        return self.look()

    def camera(self, up: bool = True) -> Hall:
        media = MediaState(up, self.now_ms if up else None, None if up else self.now_ms, True)
        self.day = replace(self.day, media=media)
        return self.look()

    def restart(self) -> Hall:
        """Another web process with what is stored."""
        day = self.day
        stored = RoomDay(day.room, day.name, day.start, day.between, day.sessions, MediaState(), day.hold, day.slate)
        self.day = replace(stored, source=day.source, sources=day.sources, zone=day.zone)
        return self.look()

    def __getitem__(self, name: str) -> Session:
        session = find(self.day, name)
        assert session is not None, f"no session {name}"
        return session

    def state(self, name: str) -> SessionState:
        return self[name].state

    @property
    def running(self) -> str | None:
        session = current(self.day)
        return None if session is None else session.id

    @property
    def orders(self) -> RoomOrders:
        return orders(self.day, self.now_ms)

    @property
    def public_status(self) -> PublicStatus:
        return public_status(self.day, self.now_ms)

    def alarms(self, inputs: AlarmInputs | None = None) -> dict[str, Alarm]:
        return {alarm.code: alarm for alarm in alarms_of(self.day, self.now_ms, inputs or AlarmInputs())}


def hall(*sessions: Session, clock: str = "8:00", camera: bool = True, **values: Any) -> Hall:
    """A room called Hall with its camera up since before, its clock at ``clock``."""
    values.setdefault("media", MediaState(known=True))
    one = Hall(sorted_day(RoomDay("hall", "Hall", **values), sessions), at(clock))
    one.look()
    return one.camera() if camera else one
