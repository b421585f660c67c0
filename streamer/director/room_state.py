"""One room in the director's memory: its day, its last orders, its last news. Used on the loop."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from streamer.conference.airing import PublicStatus
from streamer.conference.alarm_memory import AlarmMemory
from streamer.conference.alarms import Alarm
from streamer.conference.day import RoomDay
from streamer.conference.rooms import Room, Venue
from streamer.control.messages import RoomConfig
from streamer.director.day_repository import Acknowledgement


@dataclass(slots=True)
class RoomState:
    """``lock`` is held while the day changes, so that actions of several people follow one another."""

    room: Room
    venue: Venue | None
    day: RoomDay
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    sent: RoomConfig | None = None
    """The config that the room process took last; None: it must be sent again."""
    public_status: PublicStatus | None = None
    alarms: tuple[Alarm, ...] = ()
    memory: AlarmMemory = field(default_factory=AlarmMemory)
    acknowledged: dict[str, Acknowledgement] = field(default_factory=dict)
    """Episode of the memory -> who has taken it on."""
    unsaved: bool = False
    """Effects of the clock are not in the database yet; the write is repeated."""
