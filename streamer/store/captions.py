"""Captions in the database."""

from __future__ import annotations

from sqlalchemy import delete, or_, select, update

from streamer.conference.captions import Cue
from streamer.errors import NotFound
from streamer.store.mapping import RowMapping
from streamer.store.repository import Repository, there
from streamer.store.tables import captions
from streamer.store.writing import add_rows

_MAPPING = RowMapping(Cue, captions)


class Captions(Repository):
    """One transaction's view of the captions."""

    async def get(self, line_id: str) -> Cue:
        """Raises NotFound."""
        found = await self._first(_MAPPING, select(captions).where(captions.c.id == line_id))
        return there(found, "There is no such caption.", code="no_such_caption")

    async def said(self, room: str, lang: str | None, from_ms: int, to_ms: int) -> list[Cue]:
        """The captions from ``from_ms`` to before ``to_ms`` by their time; ``lang`` None: in every language."""
        query = select(captions).where(
            captions.c.room_id == room, captions.c.at_ms >= from_ms, captions.c.at_ms < to_ms
        )
        if lang is not None:
            query = query.where(captions.c.lang == lang)
        query = query.order_by(captions.c.at_ms, captions.c.created_ms, captions.c.id)
        return await self._all(_MAPPING, query)

    async def of_session(self, room: str, session: str, from_ms: int, to_ms: int, limit: int) -> list[Cue]:
        """The captions of a session, and of the time without a session, by their time, in every language."""
        query = select(captions).where(
            captions.c.room_id == room,
            captions.c.at_ms >= from_ms,
            captions.c.at_ms < to_ms,
            or_(captions.c.session_id.is_(None), captions.c.session_id == session),
        )
        query = query.order_by(captions.c.at_ms, captions.c.created_ms, captions.c.id).limit(limit)
        return await self._all(_MAPPING, query)

    async def shown(self, room: str, from_ms: int) -> list[Cue]:
        """The captions that live outputs show after ``from_ms``, in that order."""
        query = (
            select(captions)
            .where(captions.c.room_id == room, captions.c.live_until_ms >= from_ms)
            .order_by(captions.c.live_from_ms, captions.c.created_ms, captions.c.id)
        )
        return await self._all(_MAPPING, query)

    async def add(self, line: Cue) -> None:
        """Raises Conflict ``exists``, Unprocessable ``unknown_reference``."""
        unknown = "The captions' room does not exist."
        await add_rows(self._connection, captions, (_MAPPING.values(line),), taken="It is there.", unknown=unknown)

    async def save(self, line: Cue) -> None:
        """Raises NotFound."""
        changed = await self._connection.execute(
            update(captions).where(captions.c.id == line.id).values(_MAPPING.values(line))
        )
        if not changed.rowcount:
            raise NotFound("There is no such caption.", code="no_such_caption")

    async def remove(self, line_id: str) -> None:
        await self._connection.execute(delete(captions).where(captions.c.id == line_id))

    async def forget(self, room: str, from_ms: int, to_ms: int) -> int:
        """Delete the captions between two media times for good. Returns how many."""
        found = await self._connection.execute(
            delete(captions).where(captions.c.room_id == room, captions.c.at_ms >= from_ms, captions.c.at_ms < to_ms)
        )
        return found.rowcount
