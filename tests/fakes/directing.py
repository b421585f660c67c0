"""A director over a real database with a fake media plane and a clock that is set."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from streamer.conference.notices import Notices
from streamer.conference.rooms import Room, Venue
from streamer.conference.sessions import Session
from streamer.control.messages import RoomConfig
from streamer.director.day_repository import DayRepository
from streamer.director.director import Director
from streamer.director.news import Actor, News
from streamer.director.room_alarms import RoomAlarms
from streamer.sections import AlarmSettings
from streamer.store.database import Database
from streamer.store.rooms import Rooms
from streamer.store.venues import Venues
from tests.fakes.media_plane import FakePlane, FakeRoom

NINE = 1_800_000_000_000 // 60_000 * 60_000
"""The day's zero: a whole minute."""
MINUTE = 60_000
TECHNICIAN = Actor("g1", "Anna")


@dataclass
class Stage:
    """The test sets ``now``; ``look`` does the work of the director's own task, which runs twice a second."""

    database: Database
    folder: Path
    plane: FakePlane = field(default_factory=FakePlane)
    now: int = NINE
    news: list[News] = field(default_factory=list)
    notices: Notices = field(default_factory=Notices)
    free: int | None = None
    alarm_settings: AlarmSettings = field(default_factory=AlarmSettings)
    director: Director = field(init=False)

    def __post_init__(self) -> None:
        self.director = self._director()

    def _director(self) -> Director:
        room_alarms = RoomAlarms(self.notices, lambda: self.free, settings=self.alarm_settings)
        director = Director(
            DayRepository(self.database), self.plane, clock=lambda: self.now, room_alarms=room_alarms, logos=self.folder
        )
        director.listen(self.news.append)
        return director

    def title_told(self) -> str | None:
        """Of the session that the public is told runs in room a."""
        current = self.director.public_status("a").current
        return None if current is None else current.session.title

    async def open(self, *rooms: Room) -> None:
        async with self.database.write() as connection:
            await Venues(connection).add(Venue("paris", "Paris", "Europe/Paris", "fr"))
            for room in rooms or (Room("a", "Salle A", "paris"),):
                await Rooms(connection).add(room)
        await self.director.refresh()

    async def restart(self) -> None:
        """Another process takes over, with the data of the database and the rooms."""
        self.director = self._director()
        await self.director.refresh()

    async def at(self, minutes: float) -> None:
        """This many minutes after nine, with a look each half minute until then: time without a look counts as a
        leap."""
        until = NINE + round(minutes * MINUTE)
        while self.now < until - MINUTE // 2:
            self.now += MINUTE // 2
            await self.look()
        self.now = until
        await self.look()

    async def look(self) -> None:
        for room_state in self.director.room_states:
            await self.director.look(room_state)

    async def camera(self, room: str = "a", *, up: bool = True) -> FakeRoom:
        link = await self.plane.ensure(RoomConfig(room, room))
        assert link.status is not None
        if up and not link.status.media_up:
            link.status.media_since_ms, link.status.media_stopped_ms = self.now, None
        elif not up and link.status.media_up:
            link.status.media_since_ms, link.status.media_stopped_ms = None, self.now
        link.status.media_up = up
        await self.look()
        return link

    async def plan(self, start: float, minutes: float = 45, room: str = "a", **fields: Any) -> str:
        """A session that begins this many minutes after nine. Returns its id."""
        fields.setdefault("title", "A talk")
        session = Session(
            id=secrets.token_urlsafe(9),
            room=room,
            start_ms=NINE + round(start * MINUTE),
            end_ms=NINE + round((start + minutes) * MINUTE),
            **fields,
        )
        await self.director.add([session], TECHNICIAN)
        return session.id

    def session(self, session_id: str) -> Session:
        found = self.director.find(session_id)
        assert found is not None
        return found

    def ordered(self, room: str = "a") -> RoomConfig:
        """The last config for the room's process."""
        return next(config for config in reversed(self.plane.configured) if config.id == room)
