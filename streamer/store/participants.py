"""Participants in the database, and all that is stored of one: for themselves, or to be forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from streamer.conference.participation import PUBLIC_QUESTIONS, Person
from streamer.store.bulk import put_rows
from streamer.store.mapping import RowMapping
from streamer.store.people import LIST
from streamer.store.tables import (
    address_holds,
    chat_messages,
    moderation_actions,
    participants,
    poll_votes,
    question_votes,
    questions,
    reports,
    sanctions,
    watch_minutes,
)

NOTE = "participant.note"
"""The kind of a moderator's note in the action log."""
FOREVER_MS = 1 << 62
_MAPPING = RowMapping(Person, participants)


class Participants:
    """One transaction's view of the participants."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def find(self, participant: str) -> Person | None:
        row = (await self._connection.execute(select(participants).where(participants.c.id == participant))).first()
        return None if row is None else _MAPPING.item(row)

    async def put_many(self, people: Sequence[Person]) -> None:
        await put_rows(self._connection, participants, [_MAPPING.values(person) for person in people])

    async def everything(self, participant: str) -> dict[str, list[dict[str, Any]]]:
        """All rows of theirs, by table, as :data:`~streamer.store.people.LIST` says. What moderators noted about them,
        reasons included, is the moderators'."""
        found: dict[str, list[dict[str, Any]]] = {}
        for kept in LIST:
            if kept.whose:
                query = select(*(kept.table.c[name] for name in kept.exported))
                rows = await self._connection.execute(query.where(kept.table.c[kept.whose] == participant))
                found[kept.table.name] = [dict(row._mapping) for row in rows]
        for row in found["questions"]:
            # What moderators made of one is not told before it is shown.
            if row["original"] is not None and row["state"] not in PUBLIC_QUESTIONS:
                row["text"] = row["original"]
        return found

    async def erase(self, participant: str, until_ms: int = FOREVER_MS) -> dict[str, int]:
        """Remove texts, names and votes for good; a question that was answered stays without its asker.

        A ban or a mute stays, without a name or a reason: it is no gift to be had by asking to be forgotten. What
        moderators did stays, without whom it was about; their notes go. What was written after ``until_ms`` stays;
        votes have no time, so they go.
        """
        run = self._connection.execute
        mine, asked = chat_messages.c.participant_id == participant, questions.c.participant_id == participant
        mine, asked = mine & (chat_messages.c.at_ms <= until_ms), asked & (questions.c.at_ms <= until_ms)
        answered = or_(questions.c.answered_ms.is_not(None), questions.c.staged_ms.is_not(None))
        # What others reported of theirs holds the reporter's words about them.
        about = or_(
            reports.c.item_id.in_(select(chat_messages.c.id).where(mine)),
            reports.c.item_id.in_(select(questions.c.id).where(asked)),
        )
        by_them = reports.c.participant_id == participant
        await run(delete(reports).where(or_(by_them, about), reports.c.at_ms <= until_ms))
        gone = {
            "votes": (await run(delete(question_votes).where(question_votes.c.participant_id == participant))).rowcount
            + (await run(delete(poll_votes).where(poll_votes.c.participant_id == participant))).rowcount,
            "messages": (await run(delete(chat_messages).where(mine))).rowcount,
            "questions": (await run(delete(questions).where(asked, ~answered))).rowcount,
        }
        nobodys = {"participant_id": None, "name": "", "place": "", "role": "", "original": None, "reason": ""}
        gone["questions"] += (await run(update(questions).where(asked).values(nobodys))).rowcount
        await run(delete(participants).where(participants.c.id == participant, participants.c.seen_ms <= until_ms))
        await run(update(address_holds).where(address_holds.c.participant_id == participant).values(participant_id=""))
        await run(update(sanctions).where(sanctions.c.participant_id == participant).values(name="", reason=""))
        # What undo would need holds their words, also where it was done to several people's at once.
        named = moderation_actions.c.participant_id == participant
        theirs = or_(named, moderation_actions.c.changes.contains(f'"{participant}"', autoescape=True))
        old = moderation_actions.c.at_ms <= until_ms
        await run(delete(moderation_actions).where(named, old, moderation_actions.c.kind == NOTE))
        await run(update(moderation_actions).where(theirs, old).values(changes="[]", target="", reason=""))
        await run(update(moderation_actions).where(named, old).values(participant_id=None))
        return gone

    async def everybody(self) -> set[str]:
        """Ids of all of whom anything is stored."""
        found: set[str] = set()
        for column in (kept.table.c[kept.whose] for kept in LIST if kept.whose):
            rows = await self._connection.execute(select(column).distinct().where(column.is_not(None)))
            found |= set(rows.scalars())
        return found

    async def count_of(self, participant: str) -> tuple[int, int]:
        """How many messages and questions they have written."""
        messages = select(func.count()).select_from(chat_messages).where(chat_messages.c.participant_id == participant)
        asked = select(func.count()).select_from(questions).where(questions.c.participant_id == participant)
        return (
            int((await self._connection.execute(messages)).scalar_one()),
            int((await self._connection.execute(asked)).scalar_one()),
        )


class WatchMinutes:
    """One transaction's view of how many watched."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def put_many(self, rows: Sequence[tuple[str, int, int]]) -> None:
        """(session, the minute's start in UTC milliseconds, viewers)."""
        values = [{"session_id": s, "minute_ms": minute, "viewers": viewers} for s, minute, viewers in rows]
        await put_rows(self._connection, watch_minutes, values)

    async def of_session(self, session: str) -> list[tuple[int, int]]:
        """(minute, viewers) by time."""
        query = select(watch_minutes.c.minute_ms, watch_minutes.c.viewers).where(watch_minutes.c.session_id == session)
        rows = await self._connection.execute(query.order_by(watch_minutes.c.minute_ms))
        return [(row.minute_ms, row.viewers) for row in rows]
