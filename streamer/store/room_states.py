"""Rooms' states that no session has (holds, the slate by hand, the source, settings of sources), the acknowledgements
of alarms, what rooms remember of them, and what was heard of their sources."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Row, delete, select

from streamer.conference.sessions import Hold
from streamer.conference.sources import SourceSetting, setting_of, source_on
from streamer.store import revision
from streamer.store.mapping import RowMapping
from streamer.store.repository import Repository
from streamer.store.tables import alarm_acknowledgements, alarm_memories, rehearsals, room_states
from streamer.store.writing import put_row


@dataclass(frozen=True, slots=True)
class StoredRoomState:
    """The defaults are the state of a room without a row."""

    room: str
    hold: Hold | None = None
    slate: bool = False
    """Somebody has put up the slate, whatever runs."""
    source: str | None = None
    sources: tuple[SourceSetting, ...] = ()
    media_up_since_ms: int | None = None
    media_stopped_ms: int | None = None
    """The time of the last media, so that a session whose room lost them during a restart ends at that time."""


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """``alarm`` is the alarm's stable id."""

    room: str
    alarm: str
    who: str
    label: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class StoredRehearsal:
    """``devices``: of the page that sends the source, as one text. ``seen``: line -> when, and who has seen it."""

    room: str
    source: str
    publication: str
    devices: str
    heard: Mapping[str, Any]
    seen: Mapping[str, Any]
    at_ms: int


_REHEARSALS = RowMapping(StoredRehearsal, rehearsals)
_ACKNOWLEDGEMENTS = RowMapping(Acknowledgement, alarm_acknowledgements)
_UNKNOWN = "The room does not exist."


class RoomStates(Repository):
    """One transaction's view of the rooms' states. Saving bumps the revision."""

    async def get(self, room: str) -> StoredRoomState:
        row = (await self._connection.execute(select(room_states).where(room_states.c.room_id == room))).first()
        return StoredRoomState(room) if row is None else _state(row)

    async def all(self) -> dict[str, StoredRoomState]:
        """Room -> its state; rooms without a row are left out."""
        return {row.room_id: _state(row) for row in await self._connection.execute(select(room_states))}

    async def save(self, state: StoredRoomState) -> None:
        """Raises Unprocessable ``unknown_reference``."""
        await revision.bump(self._connection)
        hold = state.hold
        values = {
            "hold_since_ms": None if hold is None else hold.since_ms,
            "hold_message": None if hold is None else hold.message,
            "hold_until_ms": None if hold is None else hold.until_ms,
            "slate": state.slate,
            "source": state.source,
            # For a program of before, which knows one gain.
            "gain_db": setting_of(state.sources, source_on(state.source)).gain_db,
            "sources": msgspec.json.encode(state.sources).decode(),
            "media_up_since_ms": state.media_up_since_ms,
            "media_stopped_ms": state.media_stopped_ms,
        }
        await put_row(self._connection, room_states, {"room_id": state.room}, values, unknown=_UNKNOWN)


class Acknowledgements(Repository):
    """One transaction's view of the acknowledgements of alarms."""

    async def all(self) -> dict[str, dict[str, Acknowledgement]]:
        """Room -> alarm -> its acknowledgement."""
        found: dict[str, dict[str, Acknowledgement]] = {}
        for row in await self._connection.execute(select(alarm_acknowledgements)):
            found.setdefault(row.room_id, {})[row.alarm] = _ACKNOWLEDGEMENTS.item(row)
        return found

    async def put(self, acknowledgement: Acknowledgement) -> None:
        """Raises Unprocessable ``unknown_reference``. Replaces an earlier person's."""
        values = _ACKNOWLEDGEMENTS.values(acknowledgement)
        key = {name: values.pop(name) for name in ("room_id", "alarm")}
        await put_row(self._connection, alarm_acknowledgements, key, values, unknown=_UNKNOWN)

    async def remove(self, room: str, alarms: Iterable[str]) -> None:
        """For alarms that have ended: the same alarm later is a new one, which nobody has seen yet."""
        await self._connection.execute(
            delete(alarm_acknowledgements).where(
                alarm_acknowledgements.c.room_id == room, alarm_acknowledgements.c.alarm.in_(list(alarms))
            )
        )


class AlarmMemories(Repository):
    """One transaction's view of the rooms' memories of their alarms. Their form is the director's."""

    async def all(self) -> dict[str, str]:
        """Room -> JSON."""
        return {row.room_id: row.memory for row in await self._connection.execute(select(alarm_memories))}

    async def put(self, room: str, memory: str) -> None:
        """Raises Unprocessable ``unknown_reference``."""
        await put_row(self._connection, alarm_memories, {"room_id": room}, {"memory": memory}, unknown=_UNKNOWN)


class StoredRehearsals(Repository):
    """One transaction's view of what was heard and seen in the rooms' sources."""

    async def all(self) -> list[StoredRehearsal]:
        return await self._all(_REHEARSALS, select(rehearsals))

    async def put(self, rehearsal: StoredRehearsal) -> None:
        """Raises Unprocessable ``unknown_reference``."""
        values = _REHEARSALS.values(rehearsal)
        key = {"room_id": values.pop("room_id")}
        await put_row(self._connection, rehearsals, key, values, unknown=_UNKNOWN)


def _state(row: Row[Any]) -> StoredRoomState:
    hold = None if row.hold_since_ms is None else Hold(row.hold_since_ms, row.hold_message, row.hold_until_ms)
    return StoredRoomState(
        row.room_id,
        hold,
        row.slate,
        row.source,
        msgspec.json.decode(row.sources, type=tuple[SourceSetting, ...]),
        row.media_up_since_ms,
        row.media_stopped_ms,
    )
