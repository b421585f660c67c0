"""Approvals of replays' cuts by their speakers in the database."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import delete, select, update

from streamer.store.mapping import RowMapping
from streamer.store.repository import Repository
from streamer.store.tables import approvals
from streamer.store.writing import put_row


class ApprovalState(StrEnum):
    ASKED = "asked"
    APPROVED = "approved"
    CHANGE_WANTED = "change_wanted"


@dataclass(frozen=True, slots=True)
class Approval:
    """One session's. ``edition`` is the cut that was answered about; empty before an answer."""

    session: str
    grant: str
    """The id of the speaker's link."""
    label: str
    """Their name, as the organiser wrote it."""
    publish: bool
    """Whether the replay is published as soon as they approve."""
    asked_ms: int
    state: ApprovalState = ApprovalState.ASKED
    edition: str = ""
    note: str = ""
    answered_ms: int | None = None

    def state_for(self, edition: str | None) -> ApprovalState:
        """The state of this cut: an answer about another one is none."""
        return self.state if edition is not None and self.edition == edition else ApprovalState.ASKED


_MAPPING = RowMapping(Approval, approvals)


class Approvals(Repository):
    """One transaction's view of the approvals."""

    async def find(self, session: str) -> Approval | None:
        return (await self.find_many((session,))).get(session)

    async def find_many(self, session_ids: Iterable[str]) -> dict[str, Approval]:
        """Session -> its approval, for those that are asked for."""
        query = select(approvals).where(approvals.c.session_id.in_(list(session_ids)))
        return {row.session_id: _MAPPING.item(row) for row in await self._connection.execute(query)}

    async def put(self, approval: Approval) -> None:
        """Add it, or save it in place of the session's. Raises Unprocessable if there is no recording."""
        values = _MAPPING.values(approval)
        key = {"session_id": values.pop("session_id")}
        await put_row(self._connection, approvals, key, values, unknown="The session has no recording.")

    async def carry(self, session: str, before: str, after: str) -> None:
        """An answer about the edition ``before`` is one about the edition ``after``."""
        mine = (approvals.c.session_id == session) & (approvals.c.edition_id == before)
        await self._connection.execute(update(approvals).where(mine).values(edition_id=after))

    async def remove(self, session: str) -> None:
        await self._connection.execute(delete(approvals).where(approvals.c.session_id == session))
