"""Questions and their votes in the database."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import or_, select

from streamer.conference.grants import Action
from streamer.conference.participation import Question
from streamer.conference.visibility import Caller
from streamer.store.audience_tables import question_votes
from streamer.store.audience_tables import questions as table
from streamer.store.bulk import batches, put_rows, remove_keys
from streamer.store.mapping import RowMapping
from streamer.store.paging import Page
from streamer.store.repository import Repository
from streamer.store.tables import sessions
from streamer.store.visibility import question_is_public, said_for_crew, said_in, said_told

_MAPPING = RowMapping(Question, table)


class Questions(Repository):
    """One transaction's view of the questions."""

    async def put_many(self, questions: Sequence[Question]) -> None:
        await put_rows(self._connection, table, [_MAPPING.values(question) for question in questions])

    async def put_votes(self, votes: Sequence[tuple[str, str]]) -> None:
        """Store votes: (question, participant)."""
        rows = [{"question_id": question, "participant_id": participant} for question, participant in votes]
        await put_rows(self._connection, question_votes, rows)

    async def remove_votes(self, votes: Sequence[tuple[str, str]]) -> None:
        await remove_keys(self._connection, question_votes, votes)

    async def find(self, question_id: str) -> Question | None:
        return await self._first(_MAPPING, select(table).where(table.c.id == question_id))

    async def newest(self, scope: str, since_ms: int, limit: int) -> list[Question]:
        """The newest questions of a scope, oldest first."""
        query = select(table).where(table.c.scope == scope, table.c.at_ms >= since_ms)
        rows = await self._connection.execute(query.order_by(table.c.at_ms.desc(), table.c.id.desc()).limit(limit))
        return [_MAPPING.item(row) for row in rows][::-1]

    async def votes_of(self, question_ids: Sequence[str]) -> dict[str, set[str]]:
        """Question -> the participants who voted."""
        found: dict[str, set[str]] = {}
        for some in batches(question_ids):
            for row in await self._connection.execute(
                select(question_votes).where(question_votes.c.question_id.in_(some))
            ):
                found.setdefault(row.question_id, set()).add(row.participant_id)
        return found

    async def of_session(self, session: str) -> list[Question]:
        rows = await self._connection.execute(
            select(table).where(table.c.session_id == session).order_by(table.c.at_ms, table.c.id)
        )
        return [_MAPPING.item(row) for row in rows]

    async def parts_in_room(self, room: str) -> list[Question]:
        """Questions of no session that were merged into others."""
        query = select(table).where(
            table.c.room_id == room, table.c.session_id.is_(None), table.c.merged_into_id.is_not(None)
        )
        return await self._all(_MAPPING, query)

    async def page(
        self,
        limit: int,
        after: str | None,
        *,
        room: str | None = None,
        session: str | None = None,
        caller: Caller | None = None,
    ) -> Page[Question]:
        """By time. ``caller``: only those that they may know of; None: all."""
        query = select(table)
        if room is not None:
            query = query.where(table.c.room_id == room)
        if session is not None:
            query = query.where(table.c.session_id == session)
        if caller is not None:
            shown = or_(question_is_public(), said_for_crew(caller, table, Action.QUESTION_MODERATE))
            query = query.outerjoin(sessions, sessions.c.id == said_in(table)).where(said_told(caller, table), shown)
        return await self._page(_MAPPING, query, limit, after, table.c.at_ms, table.c.id)
