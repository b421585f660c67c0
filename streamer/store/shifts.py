"""Duty lists, alarms as people were told of them, and the keys in their messages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, insert, select, update

from streamer.conference.duty import Ringing, Shift
from streamer.store.mapping import RowMapping
from streamer.store.repository import Repository, there
from streamer.store.tables import alarm_keys, rings, shifts
from streamer.store.writing import add_rows, put_row

TAKE, LOOK = "take", "look"
"""The purposes of a key: to take the alarm; to see its page and pictures."""


@dataclass(frozen=True, slots=True)
class AlarmKey:
    """The digest of a key, and what it is good for. ``grant`` None: the admin's. ``at_ms``: the time of the trouble."""

    secret_sha256: bytes
    grant: str | None
    purpose: str
    alarm: str
    room: str
    at_ms: int
    expires_ms: int


_SHIFTS = RowMapping(Shift, shifts)
_RINGS = RowMapping(Ringing, rings)
_KEYS = RowMapping(AlarmKey, alarm_keys)


class Shifts(Repository):
    """One transaction's view of the duty lists."""

    async def get(self, shift_id: str) -> Shift:
        """Raises NotFound."""
        found = await self._first(_SHIFTS, select(shifts).where(shifts.c.id == shift_id))
        return there(found, "There is no such shift.", code="no_such_shift")

    async def since(self, until_ms: int) -> list[Shift]:
        """Those that end later than ``until_ms``, by their begins."""
        query = select(shifts).where(shifts.c.until_ms > until_ms)
        query = query.order_by(shifts.c.since_ms, shifts.c.created_ms, shifts.c.id)
        return await self._all(_SHIFTS, query)

    async def add(self, shift: Shift) -> None:
        """Raises Unprocessable ``unknown_reference``."""
        unknown = "The venue or the person does not exist."
        await add_rows(self._connection, shifts, (_SHIFTS.values(shift),), taken="It exists.", unknown=unknown)

    async def save(self, shift: Shift) -> None:
        await self._connection.execute(update(shifts).where(shifts.c.id == shift.id).values(_SHIFTS.values(shift)))

    async def remove(self, shift_id: str) -> None:
        await self._connection.execute(delete(shifts).where(shifts.c.id == shift_id))


class Rings(Repository):
    """One transaction's view of the alarms as people were told of them."""

    async def all(self) -> dict[str, Ringing]:
        """By alarm."""
        return {row.alarm: _RINGS.item(row) for row in await self._connection.execute(select(rings))}

    async def put(self, changed: Iterable[Ringing]) -> None:
        """Raises Unprocessable ``unknown_reference`` if a room was deleted."""
        for ring in changed:
            values = _RINGS.values(ring)
            key = {"alarm": values.pop("alarm")}
            await put_row(self._connection, rings, key, values, unknown="The room does not exist.")

    async def remove(self, alarms: Sequence[str]) -> None:
        await self._connection.execute(delete(rings).where(rings.c.alarm.in_(alarms)))


class AlarmKeys(Repository):
    """One transaction's view of the keys in messages."""

    async def find(self, secret_sha256: bytes) -> AlarmKey | None:
        """Also finds expired ones: the caller has the clock."""
        query = select(alarm_keys).where(alarm_keys.c.secret_sha256 == secret_sha256)
        return await self._first(_KEYS, query)

    async def add(self, keys: Sequence[AlarmKey]) -> None:
        if keys:
            await self._connection.execute(insert(alarm_keys), [_KEYS.values(key) for key in keys])
