"""Venues in the database. Each change bumps the revision."""

from __future__ import annotations

from sqlalchemy import delete, select, update

from streamer.conference.rooms import Venue
from streamer.errors import NotFound
from streamer.store import revision
from streamer.store.mapping import RowMapping
from streamer.store.paging import Page
from streamer.store.repository import Repository, there
from streamer.store.tables import venues
from streamer.store.writing import add_rows, remove_rows

_MAPPING = RowMapping(Venue, venues)


class Venues(Repository):
    """One transaction's view of the venues."""

    async def get(self, venue_id: str) -> Venue:
        """Raises NotFound."""
        return there(await self.find(venue_id), "There is no such venue.")

    async def find(self, venue_id: str) -> Venue | None:
        return await self._first(_MAPPING, select(venues).where(venues.c.id == venue_id))

    async def all(self) -> list[Venue]:
        """By id."""
        return await self._all(_MAPPING, select(venues).order_by(venues.c.id))

    async def page(self, limit: int, after: str | None) -> Page[Venue]:
        return await self._page(_MAPPING, select(venues), limit, after, venues.c.id)

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
