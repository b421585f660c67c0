"""One room at the director's hands: its day, what was last ordered, what was last told. On the loop."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from streamer.conference.airing import PublicStatus
from streamer.conference.alarms import Alarm
from streamer.conference.day import RoomDay
from streamer.conference.rooms import Room, Venue
from streamer.control.messages import RoomConfig
from streamer.director.day_repository import Acknowledgement


@dataclass(slots=True)
class RoomState:
    """``lock`` is held while the day changes: taps of several people come one after the other."""

    room: Room
    venue: Venue | None
    day: RoomDay
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    sent: RoomConfig | None = None
    """The config that the room process took last; None: it has to be sent again."""
    face: PublicStatus | None = None
    alarms: tuple[Alarm, ...] = ()
    acknowledged: dict[str, Acknowledgement] = field(default_factory=dict)
    unsaved: bool = False
    """What the clock did is not in the database yet; it is tried again."""
