"""Requests that wait until a room's public state changes. A page that waits for a start makes one request in twenty
seconds and learns of it at once. Used on the loop.

One look at the rooms that are waited for, some times a second, answers all who wait: no timer for each.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

from streamer.supervision import start_kept

HOLD_S = 20.0
"""Shorter than the timeouts of usual proxies."""
LOOK_S = 0.1


class StateWaiters:
    """``state_of`` tells a room's public state now. ``limit`` requests may wait in all, and ``per_household`` of each
    household; further ones are answered at once."""

    def __init__(
        self, state_of: Callable[[str], str], *, limit: int, per_household: int = 1000, hold_s: float = HOLD_S
    ) -> None:
        self._state_of = state_of
        self._limit = limit
        self._per_household = per_household
        self._households: Counter[str] = Counter()
        self._hold_s = hold_s
        self._changed: dict[tuple[str, str], asyncio.Event] = {}
        self._looker: asyncio.Task[None] | None = None
        self._closed = False
        self.waiting = 0
        self.turned_away = 0
        """Requests that were answered at once because too many waited."""

    async def wait_other(self, room: str, state: str, household: str) -> None:
        """Return when the room's state is not ``state`` any more, after ``hold_s`` at the latest."""
        if self._closed or self._state_of(room) != state:
            return
        if self.waiting >= self._limit or self._households[household] >= self._per_household:
            self.turned_away += 1
            return
        event = self._changed.setdefault((room, state), asyncio.Event())
        if self._looker is None or self._looker.done():
            self._looker = start_kept("room state waiters", self._look)
        self.waiting += 1
        self._households[household] += 1
        try:
            async with asyncio.timeout(self._hold_s):
                await event.wait()
        except TimeoutError:
            pass
        finally:
            self.waiting -= 1
            self._households[household] -= 1
            if not self._households[household]:
                del self._households[household]

    async def close(self) -> None:
        """Answer all requests, because the web process is about to end."""
        self._closed = True
        for event in self._changed.values():
            event.set()
        self._changed.clear()
        if self._looker is not None:
            self._looker.cancel()
            await asyncio.gather(self._looker, return_exceptions=True)

    async def _look(self) -> None:
        while self.waiting or self._changed:
            for room, state in list(self._changed):
                if self._state_of(room) != state:
                    self._changed.pop((room, state)).set()
            if not self.waiting:
                self._changed.clear()
            await asyncio.sleep(LOOK_S)
