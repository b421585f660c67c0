"""Audiences' rules and notices in the database."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from streamer.conference.participation import Mode, Notice
from streamer.store.audience_tables import notices, room_modes
from streamer.store.bulk import put_rows
from streamer.store.mapping import RowMapping
from streamer.store.repository import Repository

_MODES = RowMapping(Mode, room_modes)
_NOTICES = RowMapping(Notice, notices)


class Modes(Repository):
    """One transaction's view of the modes and notices."""

    async def find(self, scope: str) -> Mode | None:
        return await self._first(_MODES, select(room_modes).where(room_modes.c.scope == scope))

    async def put_many(self, modes: Sequence[Mode]) -> None:
        await put_rows(self._connection, room_modes, [_MODES.values(mode) for mode in modes])

    async def put_notices(self, new: Sequence[Notice]) -> None:
        await put_rows(self._connection, notices, [_NOTICES.values(notice) for notice in new])

    async def notice(self, scope: str) -> Notice | None:
        """The newest notice."""
        query = select(notices).where(notices.c.scope == scope).order_by(notices.c.at_ms.desc(), notices.c.id).limit(1)
        return await self._first(_NOTICES, query)
