"""Chat messages in the database."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from streamer.conference.participation import Message, MessageState
from streamer.store.audience_tables import chat_messages as table
from streamer.store.bulk import batches, put_rows
from streamer.store.mapping import RowMapping
from streamer.store.repository import Repository

_MAPPING = RowMapping(Message, table)
_WAITING = [MessageState.HELD.value, MessageState.DELAYED.value]


class ChatMessages(Repository):
    """One transaction's view of the messages."""

    async def put_many(self, messages: Sequence[Message]) -> None:
        await put_rows(self._connection, table, [_MAPPING.values(message) for message in messages])

    async def find_many(self, ids: Sequence[str]) -> list[Message]:
        found: list[Message] = []
        for some in batches(ids):
            rows = await self._connection.execute(select(table).where(table.c.id.in_(some)))
            found += [_MAPPING.item(row) for row in rows]
        return found

    async def newest(self, scope: str, limit: int) -> list[Message]:
        """The newest ``limit``, oldest first, and all that wait for a moderator or for their time (newest 500)."""
        of_scope = select(table).where(table.c.scope == scope).order_by(table.c.at_ms.desc(), table.c.id.desc())
        rows = [*await self._connection.execute(of_scope.limit(limit))]
        rows += await self._connection.execute(of_scope.where(table.c.state.in_(_WAITING)).limit(500))
        by_id = {row.id: row for row in rows}
        return [_MAPPING.item(row) for row in sorted(by_id.values(), key=lambda row: (row.at_ms, row.id))]

    async def of_participant(self, scope: str, participant: str, since_ms: int, limit: int = 100) -> list[Message]:
        """Newest first."""
        query = select(table).where(
            table.c.participant_id == participant, table.c.scope == scope, table.c.at_ms >= since_ms
        )
        return await self._all(_MAPPING, query.order_by(table.c.at_ms.desc(), table.c.id).limit(limit))

    async def between(self, session: str, from_ms: int, to_ms: int, limit: int) -> list[Message]:
        """The messages that everybody saw, by media time; the first time included, the last not."""
        query = select(table).where(
            table.c.session_id == session,
            table.c.media_at_ms >= from_ms,
            table.c.media_at_ms < to_ms,
            table.c.state == MessageState.VISIBLE.value,
        )
        return await self._all(_MAPPING, query.order_by(table.c.media_at_ms, table.c.id).limit(limit))
