"""The rooms' days in memory: read from the database, and written to it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from streamer.conference.day import Beside
from streamer.conference.rooms import Venue
from streamer.director.day_repository import DayChange, DayRepository, Loaded
from streamer.director.effects import Effects
from streamer.director.room_state import RoomState
from streamer.errors import NotFound

REVISION_EVERY = 2
"""Ticks between two checks whether another process changed the database."""
LOAD_TRIES = 5
RELOAD_EVERY = 1200
"""Ticks after which everything is read again, because tomorrow's sessions come into the days in memory."""


class DayCache:
    """``states``: by room id. Used on the loop."""

    def __init__(self, day_repository: DayRepository, effects: Effects) -> None:
        self._day_repository = day_repository
        self._effects = effects
        self.states: dict[str, RoomState] = {}
        self.venues: Mapping[str, Venue] = {}
        self._loading = asyncio.Lock()
        self._revision = 0
        self._stale = False
        """Another process has changed the database, and the change has not been read yet."""

    async def is_due(self, ticks: int) -> bool:
        """Whether the database must be read: tomorrow's sessions are due, or another process has changed it."""
        if self._stale or ticks % RELOAD_EVERY == 0:
            return True
        return ticks % REVISION_EVERY == 0 and await self._day_repository.revision() != self._revision

    async def write(self, change: DayChange, venue: str | None = None) -> None:
        known = self._revision
        seen, self._revision = await self._day_repository.write(change, venue)
        # Between our writes another process's change has not been read yet.
        self._stale = self._stale or seen != known

    async def load(self, now_ms: int) -> None:
        """Read the database; if it was changed meanwhile it is read again."""
        # One after the other: a read from before a room was made must not remove it again.
        async with self._loading:
            for _ in range(LOAD_TRIES):
                if await self._loaded(await self._day_repository.load(now_ms)):
                    return
            # Somebody acts without pause, or the database is an older one: the next look reads it again.
            self._revision = min(self._revision, await self._day_repository.revision())
            self._stale = True

    async def _loaded(self, loaded: Loaded) -> bool:
        """False if an action has been written since ``loaded`` was read."""
        for room_id in set(self.states) - set(loaded.rooms):
            gone = self.states.pop(room_id)
            self._effects.tell_sessions(room_id, gone.day.sessions, ())
        for room_id, found in loaded.rooms.items():
            # At once, whatever others write: who made the room asks for it.
            if room_id not in self.states:
                state = self.states[room_id] = RoomState(found.room, found.venue, replace(found.day, sessions=()))
                state.acknowledged, state.memory = dict(found.acknowledged), found.memory
        for room_id, found in loaded.rooms.items():
            state = self.states[room_id]
            async with state.lock:
                if self._revision > loaded.revision:
                    return False
                state.room, state.venue = found.room, found.venue
                if state.unsaved:
                    continue
                before, fresh = state.day.sessions, found.day
                state.day = replace(
                    state.day,
                    name=fresh.name,
                    start=fresh.start,
                    between=fresh.between,
                    zone=fresh.zone,
                    left_out=fresh.left_out,
                    sessions=fresh.sessions,
                )
                self._effects.tell_sessions(room_id, before, fresh.sessions)
        self._effects.events = loaded.events
        self.venues = loaded.venues
        self._revision = max(self._revision, loaded.revision)
        self._stale = False
        return True

    def beside(self, room_id: str) -> tuple[Beside, ...]:
        """The sessions that other rooms carry and that take place in this one, too, as they are now."""
        found = [
            Beside(session, other.room.name)
            for other in self.states.values()
            for session in other.day.sessions
            if session.also_in and room_id in session.also_in
        ]
        return tuple(sorted(found, key=lambda one: (one.session.start_ms, one.session.id)))

    def state(self, room_id: str) -> RoomState:
        state = self.states.get(room_id)
        if state is None:
            raise NotFound("There is no such room.", code="no_such_room")
        return state
