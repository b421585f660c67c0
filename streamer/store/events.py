"""Events in the database. Each change bumps the revision."""

from __future__ import annotations

from sqlalchemy import delete, select, update

from streamer.conference.sessions import Event
from streamer.errors import NotFound
from streamer.store import revision
from streamer.store.mapping import RowMapping
from streamer.store.paging import Page
from streamer.store.repository import Repository, there
from streamer.store.tables import events
from streamer.store.writing import add_rows, change_rows, remove_rows

_MAPPING = RowMapping(Event, events)
_UNKNOWN = "The event's venue does not exist."


class Events(Repository):
    """One transaction's view of the events."""

    async def get(self, event_id: str) -> Event:
        """Raises NotFound."""
        return there(await self.find(event_id), "There is no such event.")

    async def find(self, event_id: str) -> Event | None:
        return await self._first(_MAPPING, select(events).where(events.c.id == event_id))

    async def page(self, limit: int, after: str | None, *, venue: str | None = None) -> Page[Event]:
        query = select(events)
        if venue is not None:
            query = query.where(events.c.venue_id == venue)
        return await self._page(_MAPPING, query, limit, after, events.c.id)

    async def all(self) -> list[Event]:
        """By id."""
        return await self._all(_MAPPING, select(events).order_by(events.c.id))

    async def add(self, event: Event) -> None:
        """Raises Conflict ``exists``, Unprocessable ``unknown_reference`` if the venue does not exist."""
        await revision.bump(self._connection)
        await add_rows(
            self._connection,
            events,
            (_MAPPING.values(event),),
            taken="An event with this id exists.",
            unknown=_UNKNOWN,
        )

    async def save(self, event: Event) -> None:
        """Raises NotFound, Unprocessable ``unknown_reference``."""
        await revision.bump(self._connection)
        statement = update(events).where(events.c.id == event.id).values(_MAPPING.values(event))
        if not await change_rows(self._connection, statement, unknown=_UNKNOWN):
            raise NotFound("There is no such event.")

    async def remove(self, event_id: str) -> None:
        """Removes its grants and its schedule's source with it. Raises Conflict ``in_use`` while it has sessions."""
        await revision.bump(self._connection)
        await remove_rows(
            self._connection, delete(events).where(events.c.id == event_id), in_use="The event still has sessions."
        )
