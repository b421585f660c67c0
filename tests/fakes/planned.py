"""Sessions and events put into the database without anybody's rights."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from streamer.conference.sessions import Event, Session
from streamer.store.database import Database
from streamer.store.events import Events
from streamer.store.sessions import Sessions

MINUTE_MS = 60_000


async def add_event(database: Database, event_id: str, *, venue: str | None = None) -> Event:
    event = Event(id=event_id, name=event_id.title(), venue=venue)
    async with database.write() as connection:
        await Events(connection).add(event)
    return event


async def add_session(
    database: Database, session_id: str, room: str, *, begins_in: float = 0, minutes: float = 45, **fields: Any
) -> Session:
    """A session that begins ``begins_in`` minutes from now."""
    start_ms = time.time_ns() // 1_000_000 + round(begins_in * MINUTE_MS)
    session = Session(
        id=session_id,
        room=room,
        title=session_id.title(),
        start_ms=start_ms,
        end_ms=start_ms + round(minutes * MINUTE_MS),
        **fields,
    )
    async with database.write() as connection:
        await Sessions(connection).add(session)
    return session


async def change_session(database: Database, session: Session, **fields: Any) -> Session:
    session = replace(session, **fields)
    async with database.write() as connection:
        await Sessions(connection).save_many((session,))
    return session
