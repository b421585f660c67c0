"""Rooms in the database."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from streamer.conference.rooms import Between, Room, Start
from streamer.errors import Conflict, NotFound
from streamer.store.paging import Page, decode_cursor, page_of
from streamer.store.tables import rooms


class Rooms:
    """One transaction's view of the rooms."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def get(self, room_id: str) -> Room:
        """Raises NotFound."""
        room = await self.find(room_id)
        if room is None:
            raise NotFound("There is no such room.")
        return room

    async def find(self, room_id: str) -> Room | None:
        row = (await self._connection.execute(select(rooms).where(rooms.c.id == room_id))).first()
        return None if row is None else _room(row)

    async def page(self, limit: int, cursor: str | None, *, venue: str | None = None) -> Page[Room]:
        query = select(rooms).order_by(rooms.c.id).limit(limit + 1)
        after = decode_cursor(cursor)
        if after is not None:
            query = query.where(rooms.c.id > after)
        if venue is not None:
            query = query.where(rooms.c.venue_id == venue)
        rows = (await self._connection.execute(query)).all()
        return page_of([(row.id, _room(row)) for row in rows], limit)

    async def add(self, room: Room) -> None:
        """Raises Conflict when the id is taken. The venue must exist."""
        try:
            await self._connection.execute(
                insert(rooms).values(
                    id=room.id, name=room.name, venue_id=room.venue, start=room.start, between=room.between
                )
            )
        except IntegrityError as error:
            raise Conflict("A room with this id exists.", code="exists") from error

    async def save(self, room: Room) -> None:
        await self._connection.execute(
            update(rooms)
            .where(rooms.c.id == room.id)
            .values(name=room.name, venue_id=room.venue, start=room.start, between=room.between)
        )

    async def remove(self, room_id: str) -> None:
        """Takes the room's grants with it."""
        await self._connection.execute(delete(rooms).where(rooms.c.id == room_id))


def _room(row: Row[Any]) -> Room:
    return Room(id=row.id, name=row.name, venue=row.venue_id, start=Start(row.start), between=Between(row.between))
