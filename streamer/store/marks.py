"""Chapters and incidents in the database. A session's start and end marks are in the session's row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import select, update

from streamer.conference.sessions import Mark, MarkKind
from streamer.errors import NotFound
from streamer.store import revision
from streamer.store.mapping import RowMapping
from streamer.store.repository import Repository, there
from streamer.store.tables import marks
from streamer.store.writing import add_rows

_MAPPING = RowMapping(Mark, marks)


class Marks(Repository):
    """One transaction's view of the marks."""

    async def get(self, mark_id: str) -> Mark:
        """Raises NotFound."""
        found = await self._first(_MAPPING, select(marks).where(marks.c.id == mark_id))
        return there(found, "There is no such mark.")

    async def of_session(self, session: str) -> list[Mark]:
        """By media time."""
        return (await self.of_sessions((session,))).get(session, [])

    async def of_sessions(self, session_ids: Iterable[str]) -> dict[str, list[Mark]]:
        """Session -> its marks by media time; sessions without marks are left out."""
        found: dict[str, list[Mark]] = {}
        query = select(marks).where(marks.c.session_id.in_(list(session_ids))).order_by(marks.c.at_ms, marks.c.id)
        for row in await self._connection.execute(query):
            found.setdefault(row.session_id, []).append(_MAPPING.item(row))
        return found

    async def open_incidents(self, session_ids: Iterable[str]) -> list[Mark]:
        """Incidents that last."""
        query = select(marks).where(
            marks.c.session_id.in_(list(session_ids)),
            marks.c.kind == MarkKind.INCIDENT.value,
            marks.c.until_ms.is_(None),
        )
        return await self._all(_MAPPING, query.order_by(marks.c.at_ms))

    async def add(self, mark: Mark) -> None:
        """Raises Conflict ``exists``, Unprocessable ``unknown_reference``."""
        await self.add_many((mark,))

    async def add_many(self, new: Sequence[Mark]) -> None:
        """Adds all or none. Raises as :meth:`add` does."""
        if not new:
            return
        await revision.bump(self._connection)
        await add_rows(
            self._connection,
            marks,
            [_MAPPING.values(mark) for mark in new],
            taken="A mark with this id exists.",
            unknown="The mark's session does not exist.",
        )

    async def save(self, mark: Mark) -> None:
        """Raises NotFound."""
        await revision.bump(self._connection)
        changed = await self._connection.execute(
            update(marks).where(marks.c.id == mark.id).values(_MAPPING.values(mark))
        )
        if not changed.rowcount:
            raise NotFound("There is no such mark.")
