"""Organisers' defaults for new sessions in the database."""

from __future__ import annotations

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from streamer.conference.sessions import SessionTemplate
from streamer.errors import NotFound
from streamer.store.mapping import RowMapping
from streamer.store.tables import session_templates
from streamer.store.writing import add_rows, change_rows

_MAPPING = RowMapping(SessionTemplate, session_templates)
_UNKNOWN = "The venue does not exist."


class SessionTemplates:
    """One transaction's view of the templates."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def all(self) -> list[SessionTemplate]:
        """By id. There is one at most for each kind and venue."""
        rows = await self._connection.execute(select(session_templates).order_by(session_templates.c.id))
        return [_MAPPING.item(row) for row in rows]

    async def get(self, template_id: str) -> SessionTemplate:
        """Raises NotFound."""
        query = select(session_templates).where(session_templates.c.id == template_id)
        row = (await self._connection.execute(query)).first()
        if row is None:
            raise NotFound("There is no such template.")
        return _MAPPING.item(row)

    async def add(self, template: SessionTemplate) -> None:
        """Raises Conflict ``exists``, Unprocessable ``unknown_reference``."""
        row = _MAPPING.values(template)
        await add_rows(self._connection, session_templates, (row,), taken="The kind has a template.", unknown=_UNKNOWN)

    async def save(self, template: SessionTemplate) -> None:
        statement = update(session_templates).where(session_templates.c.id == template.id)
        await change_rows(self._connection, statement.values(_MAPPING.values(template)), unknown=_UNKNOWN)

    async def remove(self, template_id: str) -> None:
        await self._connection.execute(delete(session_templates).where(session_templates.c.id == template_id))
