"""Token buckets: limits of how often something may be done. On the loop; bounded memory."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

Seconds = Callable[[], float]


class Bucket:
    """``burst`` at once, refilled with ``per_s``."""

    __slots__ = ("_at", "_burst", "_clock", "_per_s", "_tokens")

    def __init__(self, burst: float, per_s: float, clock: Seconds = time.monotonic) -> None:
        self._burst, self._per_s, self._clock = burst, per_s, clock
        self._tokens, self._at = burst, clock()

    def take(self) -> float:
        """Take one token. Returns 0, or the seconds until there is one; then nothing was taken."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._per_s)
        self._at = now
        if self._tokens >= 1:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) / self._per_s

    def give_back(self) -> None:
        """Give one token back."""
        self._tokens = min(self._burst, self._tokens + 1)


class Buckets:
    """One bucket for each key. Above ``max_keys`` the one that was idle longest is dropped."""

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

    def take(self, key: str) -> float:
        return self.of(key).take()
