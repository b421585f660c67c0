"""Duty lists, alarms as people were told of them, and the keys in their messages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from streamer.conference.duty import Ringing, Shift
from streamer.errors import NotFound
from streamer.store.mapping import RowMapping
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


class Shifts:
    """One transaction's view of the duty lists."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def get(self, shift_id: str) -> Shift:
        """Raises NotFound."""
        row = (await self._connection.execute(select(shifts).where(shifts.c.id == shift_id))).first()
        if row is None:
            raise NotFound("There is no such shift.", code="no_such_shift")
        return _SHIFTS.item(row)

    async def since(self, until_ms: int) -> list[Shift]:
        """Those that end later than ``until_ms``, by their begins."""
        query = select(shifts).where(shifts.c.until_ms > until_ms)
        query = query.order_by(shifts.c.since_ms, shifts.c.created_ms, shifts.c.id)
        return [_SHIFTS.item(row) for row in await self._connection.execute(query)]

    async def add(self, shift: Shift) -> None:
        """Raises Unprocessable ``unknown_reference``."""
        unknown = "The venue or the person does not exist."
        await add_rows(self._connection, shifts, (_SHIFTS.values(shift),), taken="It exists.", unknown=unknown)

    async def save(self, shift: Shift) -> None:
        await self._connection.execute(update(shifts).where(shifts.c.id == shift.id).values(_SHIFTS.values(shift)))

    async def remove(self, shift_id: str) -> None:
        await self._connection.execute(delete(shifts).where(shifts.c.id == shift_id))


class Rings:
    """One transaction's view of the alarms as people were told of them."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

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


class AlarmKeys:
    """One transaction's view of the keys in messages."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def find(self, secret_sha256: bytes) -> AlarmKey | None:
        """Also finds expired ones: the caller has the clock."""
        row = (
            await self._connection.execute(select(alarm_keys).where(alarm_keys.c.secret_sha256 == secret_sha256))
        ).first()
        return None if row is None else _KEYS.item(row)

    async def add(self, keys: Sequence[AlarmKey]) -> None:
        if keys:
            await self._connection.execute(insert(alarm_keys), [_KEYS.values(key) for key in keys])

    async def remove(self, key: AlarmKey) -> None:
        """The person's keys of this purpose for this alarm."""
        c = alarm_keys.c
        which = (c.grant_id == key.grant, c.alarm == key.alarm, c.purpose == key.purpose)
        await self._connection.execute(delete(alarm_keys).where(*which))

    async def sweep(self, now_ms: int) -> int:
        """Removes expired ones. Returns how many."""
        return (await self._connection.execute(delete(alarm_keys).where(alarm_keys.c.expires_ms <= now_ms))).rowcount
