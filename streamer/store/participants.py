"""Participants in the database, and all data of one: for themselves, or for deletion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, func, or_, select, update

from streamer.conference.participation import PUBLIC_QUESTIONS, Person
from streamer.store.audience_tables import (
    address_holds,
    chat_messages,
    command_answers,
    moderation_actions,
    participants,
    poll_votes,
    question_votes,
    questions,
    reports,
    sanctions,
    watch_minutes,
)
from streamer.store.bulk import put_rows
from streamer.store.mapping import RowMapping
from streamer.store.people import LIST
from streamer.store.repository import Repository

NOTE = "participant.note"
"""The kind of a moderator's note in the action log."""
FOREVER_MS = 1 << 62
_MAPPING = RowMapping(Person, participants)


class Participants(Repository):
    """One transaction's view of the participants."""

    async def find(self, participant: str) -> Person | None:
        return await self._first(_MAPPING, select(participants).where(participants.c.id == participant))

    async def put_many(self, people: Sequence[Person]) -> None:
        await put_rows(self._connection, participants, [_MAPPING.values(person) for person in people])

    async def everything(self, participant: str) -> dict[str, list[dict[str, Any]]]:
        """All rows of a participant, by table, as :data:`~streamer.store.people.LIST` says. Moderators' notes about
        them, reasons included, belong to the moderators."""
        found: dict[str, list[dict[str, Any]]] = {}
        for kept in LIST:
            if kept.whose:
                query = select(*(kept.table.c[name] for name in kept.exported))
                rows = await self._connection.execute(query.where(kept.table.c[kept.whose] == participant))
                found[kept.table.name] = [dict(row._mapping) for row in rows]
        for row in found["questions"]:
            # A moderator's version of a question stays hidden until it is shown.
            if row["original"] is not None and row["state"] not in PUBLIC_QUESTIONS:
                row["text"] = row["original"]
        return found

    async def erase(self, participant: str, until_ms: int = FOREVER_MS) -> dict[str, int]:
        """Delete texts, names and votes for good; an answered question stays without its asker.

        A ban or a mute stays, without a name or a reason: a request for deletion must not end a ban. Moderators'
        actions stay, without the person that they were about; their notes are deleted. Texts from after ``until_ms``
        stay; votes have no time, so they are deleted.
        """
        run = self._connection.execute
        mine, asked = chat_messages.c.participant_id == participant, questions.c.participant_id == participant
        mine, asked = mine & (chat_messages.c.at_ms <= until_ms), asked & (questions.c.at_ms <= until_ms)
        answered = or_(questions.c.answered_ms.is_not(None), questions.c.staged_ms.is_not(None))
        # Reports about their texts hold the reporters' words about them.
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
        named_in = command_answers.c.answer.contains(f'"{participant}"', autoescape=True)
        await run(
            delete(command_answers).where(
                or_(command_answers.c.caller == participant, named_in), command_answers.c.at_ms <= until_ms
            )
        )
        await run(update(address_holds).where(address_holds.c.participant_id == participant).values(participant_id=""))
        await run(update(sanctions).where(sanctions.c.participant_id == participant).values(name="", reason=""))
        # The images for undo hold their words, also in actions on several people's texts.
        named = moderation_actions.c.participant_id == participant
        theirs = or_(named, moderation_actions.c.changes.contains(f'"{participant}"', autoescape=True))
        old = moderation_actions.c.at_ms <= until_ms
        await run(delete(moderation_actions).where(named, old, moderation_actions.c.kind == NOTE))
        await run(update(moderation_actions).where(theirs, old).values(changes="[]", target="", reason=""))
        await run(update(moderation_actions).where(named, old).values(participant_id=None))
        return gone

    async def everybody(self) -> set[str]:
        """Ids of all participants with stored data."""
        found: set[str] = set()
        for column in (kept.table.c[kept.whose] for kept in LIST if kept.whose):
            rows = await self._connection.execute(select(column).distinct().where(column.is_not(None)))
            found |= set(rows.scalars())
        return found

    async def count_of(self, participant: str) -> tuple[int, int]:
        """The number of their messages and questions."""
        messages = select(func.count()).select_from(chat_messages).where(chat_messages.c.participant_id == participant)
        asked = select(func.count()).select_from(questions).where(questions.c.participant_id == participant)
        return (
            int((await self._connection.execute(messages)).scalar_one()),
            int((await self._connection.execute(asked)).scalar_one()),
        )


class WatchMinutes(Repository):
    """One transaction's view of the numbers of viewers."""

    async def put_many(self, rows: Sequence[tuple[str, int, int]]) -> None:
        """Store rows of (session, the minute's start in UTC milliseconds, viewers)."""
        values = [{"session_id": s, "minute_ms": minute, "viewers": viewers} for s, minute, viewers in rows]
        await put_rows(self._connection, watch_minutes, values)

    async def of_session(self, session: str) -> list[tuple[int, int]]:
        """(minute, viewers) by time."""
        query = select(watch_minutes.c.minute_ms, watch_minutes.c.viewers).where(watch_minutes.c.session_id == session)
        rows = await self._connection.execute(query.order_by(watch_minutes.c.minute_ms))
        return [(row.minute_ms, row.viewers) for row in rows]
