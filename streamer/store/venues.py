"""Venues in the database. Each change bumps the revision."""

from __future__ import annotations

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from streamer.conference.rooms import Venue
from streamer.errors import NotFound
from streamer.store import revision
from streamer.store.mapping import RowMapping
from streamer.store.paging import Page, page_of
from streamer.store.tables import venues
from streamer.store.writing import add_rows, remove_rows

_MAPPING = RowMapping(Venue, venues)


class Venues:
    """One transaction's view of the venues."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def get(self, venue_id: str) -> Venue:
        """Raises NotFound."""
        venue = await self.find(venue_id)
        if venue is None:
            raise NotFound("There is no such venue.")
        return venue

    async def find(self, venue_id: str) -> Venue | None:
        row = (await self._connection.execute(select(venues).where(venues.c.id == venue_id))).first()
        return None if row is None else _MAPPING.item(row)

    async def all(self) -> list[Venue]:
        """By id."""
        return [_MAPPING.item(row) for row in await self._connection.execute(select(venues).order_by(venues.c.id))]

    async def page(self, limit: int, after: str | None) -> Page[Venue]:
        query = select(venues).order_by(venues.c.id).limit(limit + 1)
        if after is not None:
            query = query.where(venues.c.id > after)
        rows = (await self._connection.execute(query)).all()
        return page_of([(row.id, _MAPPING.item(row)) for row in rows], limit)

    async def add(self, venue: Venue) -> None:
        """Raises Conflict ``exists``."""
        await revision.bump(self._connection)
        await add_rows(
            self._connection,
            venues,
            (_MAPPING.values(venue),),
            taken="A venue with this id exists.",
            unknown="",
        )

    async def save(self, venue: Venue) -> None:
        """Raises NotFound."""
        await revision.bump(self._connection)
        changed = await self._connection.execute(
            update(venues).where(venues.c.id == venue.id).values(_MAPPING.values(venue))
        )
        if not changed.rowcount:
            raise NotFound("There is no such venue.")

    async def remove(self, venue_id: str) -> None:
        """Removes the venue's grants with it. Raises Conflict ``in_use`` while it has rooms or events."""
        await revision.bump(self._connection)
        await remove_rows(
            self._connection,
            delete(venues).where(venues.c.id == venue_id),
            in_use="The venue still has rooms or events.",
        )
