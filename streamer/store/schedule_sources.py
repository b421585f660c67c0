"""The addresses of events' schedules, and imports that were shown and not applied yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, select

from streamer.store.mapping import RowMapping
from streamer.store.repository import Repository
from streamer.store.tables import import_previews, schedule_sources
from streamer.store.writing import add_rows, put_row


@dataclass(frozen=True, slots=True)
class ScheduleSource:
    """The state of an event's schedule at ``url``; ``etag`` and ``last_modified`` belong to that address."""

    event: str
    url: str
    owner: str = ""
    """The id of the grant with whose rights it is read: of the person who set or confirmed the address. Empty: none."""
    etag: str = ""
    last_modified: str = ""
    polled_ms: int | None = None
    error: str = ""
    """The error of the last look, in words; empty: none."""
    applied_sha256: str = ""
    """Hexadecimal digest of the file that was applied last."""


@dataclass(frozen=True, slots=True)
class ImportPreview:
    """``event`` may be a new one that the import would make. ``payload`` is a JSON object of the importer."""

    id: str
    event: str
    created_ms: int
    expires_ms: int
    payload: Mapping[str, Any]


_SOURCES = RowMapping(ScheduleSource, schedule_sources)
_PREVIEWS = RowMapping(ImportPreview, import_previews)


class ScheduleSources(Repository):
    """One transaction's view of the schedules' sources."""

    async def find(self, event: str) -> ScheduleSource | None:
        query = select(schedule_sources).where(schedule_sources.c.event_id == event)
        return await self._first(_SOURCES, query)

    async def all(self) -> dict[str, ScheduleSource]:
        """By event."""
        rows = await self._connection.execute(select(schedule_sources).order_by(schedule_sources.c.event_id))
        return {row.event_id: _SOURCES.item(row) for row in rows}

    async def put(self, source: ScheduleSource) -> None:
        """Add or replace. Raises Unprocessable ``unknown_reference`` if the event does not exist."""
        values = _SOURCES.values(source)
        key = {"event_id": values.pop("event_id")}
        await put_row(self._connection, schedule_sources, key, values, unknown="The event does not exist.")

    async def remove(self, event: str) -> None:
        await self._connection.execute(delete(schedule_sources).where(schedule_sources.c.event_id == event))


class ImportPreviews(Repository):
    """One transaction's view of the imports that wait for a confirmation."""

    async def find(self, preview_id: str) -> ImportPreview | None:
        """Also finds expired ones: the caller has the clock."""
        query = select(import_previews).where(import_previews.c.id == preview_id)
        return await self._first(_PREVIEWS, query)

    async def add(self, preview: ImportPreview) -> None:
        """Raises Conflict ``exists``."""
        await add_rows(
            self._connection,
            import_previews,
            (_PREVIEWS.values(preview),),
            taken="An import with this id exists.",
            unknown="",
        )

    async def remove(self, preview_id: str) -> None:
        await self._connection.execute(delete(import_previews).where(import_previews.c.id == preview_id))

    async def sweep(self, now_ms: int) -> int:
        """Removes expired ones. Returns how many."""
        gone = await self._connection.execute(delete(import_previews).where(import_previews.c.expires_ms <= now_ms))
        return gone.rowcount
