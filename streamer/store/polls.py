"""Polls and their votes in the database."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy import or_, select

from streamer.conference.participation import Poll
from streamer.conference.visibility import Caller
from streamer.store.audience_tables import poll_votes
from streamer.store.audience_tables import polls as table
from streamer.store.bulk import batches, put_rows, remove_keys
from streamer.store.mapping import RowMapping, to_json
from streamer.store.paging import Page
from streamer.store.repository import Repository
from streamer.store.tables import sessions
from streamer.store.visibility import said_in, said_told

_MAPPING = RowMapping(Poll, table)


class Polls(Repository):
    """One transaction's view of the polls."""

    async def put_many(self, polls: Sequence[Poll]) -> None:
        await put_rows(self._connection, table, [_MAPPING.values(poll) for poll in polls])

    async def put_votes(self, votes: Sequence[tuple[str, str, tuple[int, ...]]]) -> None:
        """Store votes: (poll, participant, options)."""
        rows = [{"poll_id": poll, "participant_id": who, "options": to_json(options)} for poll, who, options in votes]
        await put_rows(self._connection, poll_votes, rows)

    async def remove_votes(self, votes: Sequence[tuple[str, str]]) -> None:
        await remove_keys(self._connection, poll_votes, votes)

    async def find(self, poll_id: str) -> Poll | None:
        return await self._first(_MAPPING, select(table).where(table.c.id == poll_id))

    async def newest(self, scope: str, limit: int) -> list[Poll]:
        """The newest polls of a scope, oldest first, and all open ones."""
        query = select(table).where(table.c.scope == scope, table.c.removed.is_(False))
        query = query.order_by(table.c.closed_ms.is_not(None), table.c.at_ms.desc(), table.c.id).limit(limit)
        found = [_MAPPING.item(row) for row in await self._connection.execute(query)]
        return sorted(found, key=lambda poll: (poll.at_ms, poll.id))

    async def votes_of(self, poll_ids: Sequence[str]) -> dict[str, dict[str, tuple[int, ...]]]:
        """Poll -> participant -> options."""
        found: dict[str, dict[str, tuple[int, ...]]] = {}
        for some in batches(poll_ids):
            for row in await self._connection.execute(select(poll_votes).where(poll_votes.c.poll_id.in_(some))):
                found.setdefault(row.poll_id, {})[row.participant_id] = tuple(json.loads(row.options))
        return found

    async def between(self, session: str, from_ms: int, to_ms: int, limit: int) -> list[Poll]:
        """Polls that were open at some time between two times."""
        query = select(table).where(
            table.c.session_id == session,
            table.c.removed.is_(False),
            table.c.prepared.is_(False),
            table.c.media_at_ms < to_ms,
            or_(table.c.closed_ms.is_(None), table.c.closed_ms >= from_ms),
        )
        return await self._all(_MAPPING, query.order_by(table.c.media_at_ms, table.c.id).limit(limit))

    async def page(
        self,
        limit: int,
        after: str | None,
        *,
        room: str | None = None,
        session: str | None = None,
        caller: Caller | None = None,
    ) -> Page[Poll]:
        """By time, without deleted and prepared ones. ``caller``: only those that they may know of; None: all."""
        query = select(table).where(table.c.removed.is_(False), table.c.prepared.is_(False))
        if room is not None:
            query = query.where(table.c.room_id == room)
        if session is not None:
            query = query.where(table.c.session_id == session)
        if caller is not None:
            query = query.outerjoin(sessions, sessions.c.id == said_in(table)).where(said_told(caller, table))
        return await self._page(_MAPPING, query, limit, after, table.c.at_ms, table.c.id)
