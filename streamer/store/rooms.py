"""Rooms in the database. Each change bumps the revision."""

from __future__ import annotations

from sqlalchemy import delete, select, update

from streamer.conference.rooms import Room
from streamer.errors import Conflict, NotFound
from streamer.store import revision
from streamer.store.mapping import RowMapping
from streamer.store.paging import Page
from streamer.store.repository import Repository, there
from streamer.store.tables import rooms, sessions
from streamer.store.visibility import also_in
from streamer.store.writing import add_rows, change_rows, remove_rows

_MAPPING = RowMapping(Room, rooms)
_UNKNOWN = "The room's venue does not exist."


class Rooms(Repository):
    """One transaction's view of the rooms."""

    async def get(self, room_id: str) -> Room:
        """Raises NotFound."""
        return there(await self.find(room_id), "There is no such room.")

    async def find(self, room_id: str) -> Room | None:
        return await self._first(_MAPPING, select(rooms).where(rooms.c.id == room_id))

    async def all(self) -> list[Room]:
        """By id."""
        return await self._all(_MAPPING, select(rooms).order_by(rooms.c.id))

    async def page(self, limit: int, after: str | None, *, venue: str | None = None) -> Page[Room]:
        query = select(rooms)
        if venue is not None:
            query = query.where(rooms.c.venue_id == venue)
        return await self._page(_MAPPING, query, limit, after, rooms.c.id)

    async def add(self, room: Room) -> None:
        """Raises Conflict ``exists``, Unprocessable ``unknown_reference`` if the venue does not exist."""
        await revision.bump(self._connection)
        await add_rows(
            self._connection,
            rooms,
            (_MAPPING.values(room),),
            taken="A room with this id exists.",
            unknown=_UNKNOWN,
        )

    async def save(self, room: Room) -> None:
        """Raises NotFound, Unprocessable ``unknown_reference``."""
        await revision.bump(self._connection)
        statement = update(rooms).where(rooms.c.id == room.id).values(_MAPPING.values(room))
        if not await change_rows(self._connection, statement, unknown=_UNKNOWN):
            raise NotFound("There is no such room.")

    async def remove(self, room_id: str) -> None:
        """Removes the room's grants and state with it. Raises Conflict ``in_use`` while it has sessions or
        recordings."""
        await revision.bump(self._connection)
        in_use = "The room still has sessions or recordings."
        beside = select(sessions.c.id).where(also_in(room_id)).limit(1)
        if (await self._connection.execute(beside)).first() is not None:
            raise Conflict(in_use, code="in_use")
        await remove_rows(self._connection, delete(rooms).where(rooms.c.id == room_id), in_use=in_use)
