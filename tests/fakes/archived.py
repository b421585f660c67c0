"""An archivist over a real database, a studio's programme and a clock that is the programme's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sqlalchemy import delete

from streamer.archive.archivist import Archivist
from streamer.conference.rooms import Room
from streamer.conference.sessions import Mark, MarkKind, Session, SessionState
from streamer.settings import Settings
from streamer.store.database import Database
from streamer.store.erasing import Erasing
from streamer.store.marks import Marks
from streamer.store.recordings import Editions, Recording, Recordings, StoredEdition
from streamer.store.rooms import Rooms
from streamer.store.sessions import Sessions
from streamer.store.tables import marks
from tests.fakes.media_plane import FakePlane, FakeRoom, on_air
from tests.fakes.stores import sqlite_store
from tests.fakes.studio import Studio


@dataclass
class Archive:
    settings: Settings
    database: Database
    link: FakeRoom
    plane: FakePlane
    studio: Studio
    later_ms: int = 0
    """The time that the clock is past the programme's edge."""
    archivist: Archivist = field(init=False)
    known: dict[str, Session] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.archivist = self.new_archivist()

    def new_archivist(self) -> Archivist:
        def clock() -> int:
            return self.studio.now_ms + self.later_ms

        return Archivist(
            self.settings.data,
            self.database,
            self.plane,
            clock=clock,
            room_dir=self.settings.room_dir,
            erasing=Erasing(self.settings.data, self.database, clock=clock),
        )

    async def session(self, name: str = "talk", **fields: Any) -> Session:
        """Save a session as it is now (new, or with other fields) and let the archivist look."""
        before = self.known.get(name)
        session = before or Session(name, "salle", f"Title of {name}", self.studio.at(0), self.studio.at(3600))
        session = replace(session, **fields)
        async with self.database.write() as connection:
            await (Sessions(connection).add(session) if before is None else Sessions(connection).save_many((session,)))
        self.known[name] = session
        self.archivist.changed(before, session)
        await self.archivist.look(name)
        return session

    async def on_air(self, at_s: float, name: str = "talk", **fields: Any) -> Session:
        return await self.session(name, state=SessionState.ON_AIR, started_ms=self.studio.at(at_s), **fields)

    async def ended(self, at_s: float, name: str = "talk", **fields: Any) -> Session:
        return await self.session(name, state=SessionState.ENDED, ended_ms=self.studio.at(at_s), **fields)

    async def incident(self, from_s: float, to_s: float | None, *, name: str = "talk", hidden: bool = True) -> None:
        mark = Mark(
            "m1",
            name,
            MarkKind.INCIDENT,
            self.studio.at(from_s),
            None if to_s is None else self.studio.at(to_s),
            hidden=hidden,
        )
        async with self.database.write() as connection:
            await connection.execute(delete(marks).where(marks.c.id == "m1"))
            await Marks(connection).add(mark)
        await self.archivist.look(name)

    async def recording(self, name: str = "talk") -> Recording:
        async with self.database.read() as connection:
            return await Recordings(connection).get(name)

    async def editions(self, name: str = "talk") -> list[StoredEdition]:
        async with self.database.read() as connection:
            return await Editions(connection).of_session(name)

    async def ready(self) -> None:
        """A session that has ended, from second 2 to second 11."""
        self.studio.run(2)
        await self.on_air(2)
        self.studio.run(10)
        await self.ended(11)


@asynccontextmanager
async def archive(data: Path) -> AsyncIterator[Archive]:
    settings = Settings.model_validate({"data": data})
    database = sqlite_store(data)
    await database.start()
    try:
        async with database.write() as connection:
            await Rooms(connection).add(Room("salle", "Grande salle"))
        link = on_air()
        studio = Studio(settings.room_dir("salle"), link.feed)
        yield Archive(settings, database, link, FakePlane(link), studio)
    finally:
        await database.close()
