"""The audit log: every change and its author. Rows are added and read, never changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import insert, select

from streamer.store.mapping import RowMapping
from streamer.store.paging import Page, page_of
from streamer.store.repository import Repository
from streamer.store.tables import audit


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """``id`` is 0 until it is stored; it grows."""

    at_ms: int
    who: str
    """A grant's id, ``admin`` or ``clock``."""
    label: str
    """The label that the grant had then."""
    action: str
    target_kind: str
    target_id: str
    room: str | None = None
    venue: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    id: int = 0


_MAPPING = RowMapping(AuditEntry, audit)


class AuditLog(Repository):
    """One transaction's view of the audit log."""

    async def add(self, entry: AuditEntry) -> int:
        """Returns the new entry's id."""
        values = _MAPPING.values(entry)
        del values["id"]
        added = await self._connection.execute(insert(audit).values(values))
        assert added.inserted_primary_key is not None
        return int(added.inserted_primary_key[0])

    async def page(
        self,
        limit: int,
        after: str | None,
        *,
        room: str | None = None,
        venue: str | None = None,
        action: str | None = None,
        who: str | None = None,
        target: tuple[str, str] | None = None,
        from_ms: int | None = None,
        until_ms: int | None = None,
    ) -> Page[AuditEntry]:
        """Newest first. ``target`` is (kind, id)."""
        query = select(audit).order_by(audit.c.id.desc()).limit(limit + 1)
        if after is not None:
            query = query.where(audit.c.id < int(after))
        if room is not None:
            query = query.where(audit.c.room_id == room)
        if venue is not None:
            query = query.where(audit.c.venue_id == venue)
        if action is not None:
            query = query.where(audit.c.action == action)
        if who is not None:
            query = query.where(audit.c.who == who)
        if target is not None:
            query = query.where(audit.c.target_kind == target[0], audit.c.target_id == target[1])
        if from_ms is not None:
            query = query.where(audit.c.at_ms >= from_ms)
        if until_ms is not None:
            query = query.where(audit.c.at_ms < until_ms)
        rows = (await self._connection.execute(query)).all()
        return page_of([(str(row.id), _MAPPING.item(row)) for row in rows], limit)


def changed_fields(before: Any, after: Any, names: Mapping[str, Any] | set[str]) -> dict[str, Any]:
    """For ``details``: ``{"field": [before, after]}`` for each of ``names`` that differs."""
    out = {}
    for name in sorted(names):
        old, new = getattr(before, name, None), getattr(after, name, None)
        if old != new:
            out[name] = [_plain(old), _plain(new)]
    return out


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, bool | int | float) else str(value)
