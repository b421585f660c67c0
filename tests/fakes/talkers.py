"""An audience service with people in it: sessions and clock are set by the test, and all events are kept."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from streamer.audience import service
from streamer.audience.command import ClientMessage
from streamer.audience.news import AudienceEvent, Viewpoint
from streamer.audience.people import Crew, Participant, Who
from streamer.audience.scope import Scope
from streamer.audience.service import Audience
from streamer.conference.grants import Role
from streamer.conference.rooms import Room
from streamer.conference.sessions import Session, SessionState, Visibility
from streamer.errors import NotFound, StreamerError
from streamer.settings import AudienceSettings
from streamer.store.database import Database
from streamer.store.erasing import Erasing
from streamer.store.rooms import Rooms
from streamer.store.sessions import Sessions
from tests.fakes.stores import sqlite_store

START_MS = 1_800_000_000_000
HOUR_MS = 3_600_000
HALL = Scope("hall")
MODERATOR = Crew("g1", "Mo")
ANN = Participant("p-ann", "Ann", "hall", since_ms=START_MS - HOUR_MS)
BEN = Participant("p-ben", "Ben", "remote", since_ms=START_MS - HOUR_MS)
SPEAKER = Participant("p-spe", "Dr Who", "", Role.SPEAKER, since_ms=START_MS - HOUR_MS)


def talk(session_id: str, started_ms: int | None, ended_ms: int | None = None, **fields: Any) -> Session:
    """A public session of the hall; running if it has started and not ended."""
    state = SessionState.SCHEDULED if started_ms is None else SessionState.ON_AIR
    state = state if ended_ms is None else SessionState.ENDED
    start_ms = START_MS if started_ms is None else started_ms
    planned = Session(session_id, "hall", session_id.title(), start_ms, start_ms + HOUR_MS, state=state)
    return replace(planned, started_ms=started_ms, ended_ms=ended_ms, **fields)


def closed(session_id: str, started_ms: int | None) -> Session:
    return talk(session_id, started_ms, visibility=Visibility.PRIVATE)


@dataclass
class Days:
    """The port to the director, by hand."""

    by_room: dict[str, list[Session]] = field(default_factory=lambda: {"hall": []})
    listeners: list[Callable[[str], None]] = field(default_factory=list)

    def sessions(self, room: str) -> Sequence[Session]:
        if room not in self.by_room:
            raise NotFound("There is no such room.", code="no_such_room")
        return self.by_room[room]

    def find(self, session_id: str) -> Session | None:
        return next((s for day in self.by_room.values() for s in day if s.id == session_id), None)

    def listen(self, listener: Callable[[str], None]) -> Callable[[], None]:
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener)

    def become(self, *sessions: Session) -> None:
        """The director has these sessions from now on."""
        self.by_room["hall"] = list(sessions)
        for listener in self.listeners:
            listener("hall")


class Clock:
    def __init__(self) -> None:
        self.now_ms = START_MS

    def __call__(self) -> int:
        return self.now_ms

    def pass_s(self, seconds: float) -> None:
        self.now_ms += round(seconds * 1000)


@dataclass
class Hall:
    """The service, and its events."""

    audience: Audience
    database: Database
    clock: Clock
    days: Days
    events: list[AudienceEvent] = field(default_factory=list)
    chapters: list[str] = field(default_factory=list)

    async def do(self, who: Participant | Crew, command: Any, scope: Scope = HALL) -> dict[str, Any]:
        """The acknowledgement, a second after the last."""
        self.clock.pass_s(1)
        return {"action": None, **await self.audience.run(scope, who, command)}

    def told(self, viewpoint: Viewpoint, kind: str = "", only: str | None = None) -> list[Any]:
        """The data of the events so far."""
        return [
            event.data
            for event in self.events
            if event.viewpoint is viewpoint and (not kind or event.type == kind) and event.only == only
        ]

    async def public(self) -> Any:
        return await self.audience.snapshot(HALL, Viewpoint.PUBLIC)

    async def moderators(self) -> Any:
        return await self.audience.snapshot(HALL, Viewpoint.MODERATION)

    async def own(self, participant: Participant) -> Any:
        return await self.audience.snapshot(HALL, Viewpoint.OWN, participant.id)


@asynccontextmanager
async def hall(
    folder: Path, *, clock: Clock | None = None, days: Days | None = None, **settings: Any
) -> AsyncIterator[Hall]:
    """On SQLite in ``folder``; a second call on the same folder is a restart."""
    database = sqlite_store(folder)
    await database.start()
    async with database.write() as connection:
        if await Rooms(connection).find("hall") is None:
            await Rooms(connection).add(Room("hall", "Hall"))
    clock, days = clock or Clock(), days or Days()
    chapters: list[str] = []
    audience = Audience(
        database,
        clock=clock,
        sessions=days,
        settings=AudienceSettings(**settings),
        erasing=Erasing(folder, database, clock=clock),
        marks_changed=chapters.append,
    )
    # While the clock stands, only the test says when the next tick is.
    with patch.object(service, "TICK_S", 3_600 if type(clock) is Clock else service.TICK_S):
        await audience.start()
        made = Hall(audience, database, clock, days, chapters=chapters)
        audience.listen(made.events.append)
        try:
            yield made
        finally:
            await audience.close()
            await database.close()


async def refused(made: Hall, who: Who, command: ClientMessage) -> str:
    """The code of the refusal."""
    try:
        await made.do(who, command)
    except StreamerError as error:
        return error.code
    raise AssertionError("it was not refused")


async def store_sessions(made: Hall, *sessions: Session) -> None:
    """In the database and with the director."""
    async with made.database.write() as connection:
        known = await Sessions(connection).find_many([session.id for session in sessions])
        await Sessions(connection).add_many([session for session in sessions if session.id not in known])
    made.days.become(*sessions)
