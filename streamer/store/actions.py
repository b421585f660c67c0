"""People's (and the clock's) actions on rooms and sessions, with the former values for undo."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, update

from streamer.store.mapping import RowMapping
from streamer.store.repository import Repository, there
from streamer.store.tables import actions
from streamer.store.writing import add_rows


@dataclass(frozen=True, slots=True)
class StoredAction:
    """``before`` and ``after`` are JSON objects of the director, which alone reads them."""

    id: str
    room: str
    session: str | None
    at_ms: int
    who: str
    """A grant's id, ``admin`` or ``clock``."""
    label: str
    """The label of the grant."""
    kind: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    undone_ms: int | None = None


_MAPPING = RowMapping(StoredAction, actions)


class Actions(Repository):
    """One transaction's view of the actions."""

    async def get(self, action_id: str) -> StoredAction:
        """Raises NotFound."""
        found = await self._first(_MAPPING, select(actions).where(actions.c.id == action_id))
        return there(found, "There is no such action.")

    async def latest(
        self, room: str, *, session: str | None = None, since_ms: int = 0, limit: int = 20
    ) -> list[StoredAction]:
        """A room's newest actions first, undone ones included; only a session's if one is given."""
        query = select(actions).where(actions.c.room_id == room, actions.c.at_ms >= since_ms)
        if session is not None:
            query = query.where(actions.c.session_id == session)
        # Two actions of the same millisecond have no true order, but must have the same one at each call.
        query = query.order_by(actions.c.at_ms.desc(), actions.c.id.desc()).limit(limit)
        return await self._all(_MAPPING, query)

    async def add(self, action: StoredAction) -> None:
        """Raises Conflict ``exists``, Unprocessable ``unknown_reference``."""
        await add_rows(
            self._connection,
            actions,
            (_MAPPING.values(action),),
            taken="An action with this id exists.",
            unknown="The action's room does not exist.",
        )

    async def mark_undone(self, action_id: str, at_ms: int) -> bool:
        """Returns whether this call marked it: False if it was undone before, or does not exist."""
        changed = await self._connection.execute(
            update(actions).where(actions.c.id == action_id, actions.c.undone_ms.is_(None)).values(undone_ms=at_ms)
        )
        return changed.rowcount > 0
