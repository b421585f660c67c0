"""How much one client, and one household, may ask. On the loop; bounded memory."""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from collections.abc import Callable

from streamer.errors import TooMany, Unavailable
from streamer.household import household

Seconds = Callable[[], float]


class Bucket:
    """``burst`` at once, refilled with ``per_s``."""

    __slots__ = ("_at", "_burst", "_clock", "_per_s", "_tokens")

    def __init__(self, burst: float, per_s: float, clock: Seconds = time.monotonic) -> None:
        self._burst, self._per_s, self._clock = burst, per_s, clock
        self._tokens, self._at = burst, clock()

    def wait_s(self) -> float:
        """Take one. Returns 0, or how long until there is one; then nothing was taken."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._per_s)
        self._at = now
        if self._tokens >= 1:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) / self._per_s


class Buckets:
    """One for each key; the one that was idle longest is forgotten past ``max_keys``."""

    def __init__(self, burst: float, per_s: float, *, max_keys: int = 10_000, clock: Seconds = time.monotonic) -> None:
        self._burst, self._per_s, self._clock = burst, per_s, clock
        self._max_keys = max_keys
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def of(self, key: str) -> Bucket:
        bucket = self._buckets.pop(key, None) or Bucket(self._burst, self._per_s, self._clock)
        self._buckets[key] = bucket
        if len(self._buckets) > self._max_keys:
            self._buckets.popitem(last=False)
        return bucket

    def wait_s(self, key: str) -> float:
        return self.of(key).wait_s()


class Seats:
    """How often each participant is in at a time."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken: Counter[str] = Counter()

    def take(self, member: str) -> None:
        """Raises TooMany ``rate_limited``; then nothing was taken."""
        if self._taken[member] >= self._most:
            raise TooMany("You are here too often already.", code="rate_limited", headers={"Retry-After": "10"})
        self._taken[member] += 1

    def leave(self, member: str) -> None:
        self._taken[member] -= 1
        if self._taken[member] <= 0:
            del self._taken[member]

    def __len__(self) -> int:
        return len(self._taken)


class Places:
    """Connections at a time, in all and per household."""

    def __init__(self, total: int, per_address: int) -> None:
        self._total, self._per_address = total, per_address
        self._taken: Counter[str] = Counter()
        self.open = 0

    def check(self, address: str) -> None:
        """Raises TooMany, Unavailable with Retry-After where there is none left."""
        if self._taken[household(address)] >= self._per_address:
            raise TooMany("Too many connections from this address.", code="too_many", headers={"Retry-After": "10"})
        if self.open >= self._total:
            raise Unavailable("The server is full.", code="full", headers={"Retry-After": "10"})

    def take(self, address: str) -> None:
        self.open += 1
        self._taken[household(address)] += 1

    def leave(self, address: str) -> None:
        self.open -= 1
        address = household(address)
        self._taken[address] -= 1
        if self._taken[address] <= 0:
            del self._taken[address]
