"""Moderators' actions, and the sanctions and holds that follow from them, in the database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from sqlalchemy import Table, or_, select

from streamer.conference.participation import AddressHold, CrewMessage, ModerationAction, Report, Sanction
from streamer.store.audience_tables import address_holds, crew_lines, moderation_actions, reports, sanctions
from streamer.store.bulk import put_rows
from streamer.store.mapping import RowMapping
from streamer.store.repository import Repository

_SANCTIONS = RowMapping(Sanction, sanctions)
_HOLDS = RowMapping(AddressHold, address_holds)
_ACTIONS = RowMapping(ModerationAction, moderation_actions)
_REPORTS = RowMapping(Report, reports)
_CREW_MESSAGES = RowMapping(CrewMessage, crew_lines)

T = TypeVar("T")


class Moderation(Repository):
    """One transaction's view of the tables of moderation."""

    # --- written ------------------------------------------------------------------------------------

    async def put_sanctions(self, items: Sequence[Sanction]) -> None:
        await self._put(sanctions, _SANCTIONS, items)

    async def put_holds(self, items: Sequence[AddressHold]) -> None:
        await self._put(address_holds, _HOLDS, items)

    async def put_actions(self, items: Sequence[ModerationAction]) -> None:
        await self._put(moderation_actions, _ACTIONS, items)

    async def put_reports(self, items: Sequence[Report]) -> None:
        await self._put(reports, _REPORTS, items)

    async def put_crew_messages(self, items: Sequence[CrewMessage]) -> None:
        await self._put(crew_lines, _CREW_MESSAGES, items)

    # --- read ---------------------------------------------------------------------------------------

    async def sanctions(self, scope: str, now_ms: int) -> list[Sanction]:
        """The sanctions in force."""
        in_force = or_(sanctions.c.banned.is_(True), sanctions.c.muted_until_ms > now_ms)
        return await self._all(_SANCTIONS, select(sanctions).where(sanctions.c.scope == scope, in_force))

    async def holds(self, scope: str, now_ms: int) -> list[AddressHold]:
        """The holds of addresses in force."""
        query = select(address_holds).where(address_holds.c.scope == scope, address_holds.c.until_ms > now_ms)
        return await self._all(_HOLDS, query)

    async def action(self, action_id: str) -> ModerationAction | None:
        return await self._first(_ACTIONS, select(moderation_actions).where(moderation_actions.c.id == action_id))

    async def actions(self, scope: str, limit: int, *, before_ms: int | None = None) -> list[ModerationAction]:
        """Newest first."""
        query = select(moderation_actions).where(moderation_actions.c.scope == scope)
        if before_ms is not None:
            query = query.where(moderation_actions.c.at_ms < before_ms)
        order = query.order_by(moderation_actions.c.at_ms.desc(), moderation_actions.c.id.desc())
        return await self._all(_ACTIONS, order.limit(limit))

    async def about(self, participant: str, limit: int = 100) -> list[ModerationAction]:
        """Actions about a participant, in any room, newest first."""
        query = select(moderation_actions).where(moderation_actions.c.participant_id == participant)
        return await self._all(_ACTIONS, query.order_by(moderation_actions.c.at_ms.desc()).limit(limit))

    async def open_reports(self, scope: str, limit: int) -> list[Report]:
        query = select(reports).where(reports.c.scope == scope, reports.c.resolved_ms.is_(None))
        return await self._all(_REPORTS, query.order_by(reports.c.at_ms.desc()).limit(limit))

    async def crew_messages(self, scope: str, limit: int) -> list[CrewMessage]:
        """The newest messages of the crew's chat, oldest first."""
        query = select(crew_lines).where(crew_lines.c.scope == scope)
        return (await self._all(_CREW_MESSAGES, query.order_by(crew_lines.c.at_ms.desc()).limit(limit)))[::-1]

    async def _put(self, table: Table, mapping: RowMapping[T], items: Sequence[T]) -> None:
        await put_rows(self._connection, table, [mapping.values(item) for item in items])
