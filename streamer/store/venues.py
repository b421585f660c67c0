"""Venues in the database."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from streamer.conference.rooms import Venue
from streamer.errors import Conflict, NotFound
from streamer.store.paging import Page, decode_cursor, page_of
from streamer.store.tables import venues


class Venues:
    """One transaction's view of the venues."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def get(self, venue_id: str) -> Venue:
        """Raises NotFound."""
        row = (await self._connection.execute(select(venues).where(venues.c.id == venue_id))).first()
        if row is None:
            raise NotFound("There is no such venue.")
        return _venue(row)

    async def page(self, limit: int, cursor: str | None) -> Page[Venue]:
        query = select(venues).order_by(venues.c.id).limit(limit + 1)
        after = decode_cursor(cursor)
        if after is not None:
            query = query.where(venues.c.id > after)
        rows = (await self._connection.execute(query)).all()
        return page_of([(row.id, _venue(row)) for row in rows], limit)

    async def add(self, venue: Venue) -> None:
        """Raises Conflict when the id is taken."""
        try:
            await self._connection.execute(
                insert(venues).values(id=venue.id, name=venue.name, timezone=venue.timezone, language=venue.language)
            )
        except IntegrityError as error:
            raise Conflict("A venue with this id exists.", code="exists") from error

    async def save(self, venue: Venue) -> None:
        await self._connection.execute(
            update(venues)
            .where(venues.c.id == venue.id)
            .values(name=venue.name, timezone=venue.timezone, language=venue.language)
        )

    async def remove(self, venue_id: str) -> None:
        """Raises Conflict ``in_use`` while the venue has rooms."""
        try:
            await self._connection.execute(delete(venues).where(venues.c.id == venue_id))
        except IntegrityError as error:
            raise Conflict("The venue still has rooms.", code="in_use") from error


def _venue(row: Row[Any]) -> Venue:
    return Venue(id=row.id, name=row.name, timezone=row.timezone, language=row.language)
