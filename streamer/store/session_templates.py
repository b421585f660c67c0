"""Organisers' defaults for new sessions in the database."""

from __future__ import annotations

from sqlalchemy import delete, select, update

from streamer.conference.sessions import SessionTemplate
from streamer.store.mapping import RowMapping
from streamer.store.repository import Repository, there
from streamer.store.tables import session_templates
from streamer.store.writing import add_rows, change_rows

_MAPPING = RowMapping(SessionTemplate, session_templates)
_UNKNOWN = "The venue does not exist."


class SessionTemplates(Repository):
    """One transaction's view of the templates."""

    async def all(self) -> list[SessionTemplate]:
        """By id. There is one at most for each kind and venue."""
        return await self._all(_MAPPING, select(session_templates).order_by(session_templates.c.id))

    async def get(self, template_id: str) -> SessionTemplate:
        """Raises NotFound."""
        query = select(session_templates).where(session_templates.c.id == template_id)
        found = await self._first(_MAPPING, query)
        return there(found, "There is no such template.")

    async def add(self, template: SessionTemplate) -> None:
        """Raises Conflict ``exists``, Unprocessable ``unknown_reference``."""
        row = _MAPPING.values(template)
        await add_rows(self._connection, session_templates, (row,), taken="The kind has a template.", unknown=_UNKNOWN)

    async def save(self, template: SessionTemplate) -> None:
        statement = update(session_templates).where(session_templates.c.id == template.id)
        await change_rows(self._connection, statement.values(_MAPPING.values(template)), unknown=_UNKNOWN)

    async def remove(self, template_id: str) -> None:
        await self._connection.execute(delete(session_templates).where(session_templates.c.id == template_id))
