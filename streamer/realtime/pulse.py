"""The pulse of each room for the wall: once a second it says how old is what is known of the room.

Without it a page could not tell a quiet room from one of which nothing comes any more, nor from a server that hangs.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from streamer.control.media_plane import Change, MediaPlane, RoomLink
from streamer.director.director import Director
from streamer.realtime.hub import STUDIO, Client, Hub
from streamer.realtime.messages import EVERY_ROOM, Pulse

PULSE_S = 1.0


class Pulses:
    """``viewers_of(room)``: people who watch the public output, about. On the loop."""

    def __init__(
        self,
        hub: Hub[Client],
        director: Director,
        plane: MediaPlane,
        viewers_of: Callable[[str], int],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._hub = hub
        self._director = director
        self._plane = plane
        self._viewers_of = viewers_of
        self._clock = clock
        self._heard: dict[str, float] = {}
        """Room -> when its process last said something."""

    def listen(self) -> Callable[[], None]:
        """Begin to hear the rooms. Returns the function that ends it."""
        return self._plane.listen(self._on_media)

    async def run(self) -> None:
        """Runs until it is cancelled."""
        while True:
            await asyncio.sleep(PULSE_S)
            self.beat()

    def beat(self) -> None:
        """Tell each room's pulse to those who follow all rooms."""
        channel = self._hub.existing(STUDIO, EVERY_ROOM)
        if channel is None or not channel.is_read:
            return
        now = self._clock()
        for room in self._director.rooms:
            link = self._plane.rooms.get(room)
            # A room that is off has nothing that could be old.
            age_ms = round((now - self._heard.setdefault(room, now)) * 1000) if link is not None else None
            viewers = self._viewers_of(room) if link is not None else 0
            pulse = Pulse(room, age_ms, viewers, *self._director.readiness_at_a_glance(room))
            self._hub.post(STUDIO, EVERY_ROOM, "pulse", pulse, room=room, replaces=f"pulse:{room}")

    def _on_media(self, link: RoomLink, what: Change) -> None:
        if what in ("status", "meters", "up"):
            self._heard[link.room] = self._clock()
        elif what == "removed":
            self._heard.pop(link.room, None)
