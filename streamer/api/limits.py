"""Rate limits per household (token buckets in bounded memory), and expensive work one at a time."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from streamer.buckets import Buckets
from streamer.errors import TooMany, Unavailable

_P = ParamSpec("_P")
_T = TypeVar("_T")


class RateLimit:
    """At most ``per_minute`` events per key, refilled evenly. Used on the loop only.

    Keeps ``max_keys`` buckets: past that the one that was idle longest is forgotten (and so is full again).
    """

    def __init__(
        self,
        per_minute: int,
        *,
        burst: int | None = None,
        message: str = "Too many attempts from this address.",
        max_keys: int = 10_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``burst``: the events that may come at once; None: as many as in a minute."""
        self._message = message
        self._buckets = Buckets(per_minute if burst is None else burst, per_minute / 60, max_keys=max_keys, clock=clock)
        self.refused = 0

    def take(self, key: str) -> None:
        """Count one event. Raises TooMany with Retry-After when the bucket is empty."""
        wait_s = math.ceil(self._buckets.take(key))
        if wait_s > 0:
            self.refused += 1
            raise TooMany(
                self._message,
                code="rate_limited",
                details={"retry_after": wait_s},
                headers={"Retry-After": str(wait_s)},
            )

    def give_back(self, key: str) -> None:
        """Uncount one event, because it was no failure."""
        self._buckets.of(key).give_back()


class Turnstile:
    """Runs expensive work (hashing a password: 50 ms of a core, 64 MiB) in a thread, one after the other. Used on the
    loop.

    A household has one place, so that one that guesses passwords delays the others by a turn and refuses nobody.
    """

    def __init__(self, most_waiting: int = 64) -> None:
        self._most_waiting = most_waiting
        self._turn = asyncio.Lock()
        self._households: set[str] = set()
        self.refused = 0

    @property
    def waiting(self) -> int:
        return len(self._households)

    async def run(self, household: str, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Raises TooMany ``busy`` if the household waits already, Unavailable ``busy`` if too many households wait."""
        if household in self._households:
            self.refused += 1
            message = "Somebody else at this address is logging in."
            raise TooMany(message, code="busy", headers={"Retry-After": "1"})
        if self.waiting >= self._most_waiting:
            self.refused += 1
            raise Unavailable("Too many people are logging in.", code="busy", headers={"Retry-After": "2"})
        self._households.add(household)
        try:
            async with self._turn:
                return await asyncio.to_thread(work, *args, **kwargs)
        finally:
            self._households.discard(household)
