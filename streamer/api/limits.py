"""Rate limits per client address: token buckets in bounded memory."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable

from streamer.errors import TooMany


class RateLimit:
    """At most ``per_minute`` events per key, refilled evenly. Used on the loop only.

    Keeps ``max_keys`` buckets: past that the one that was idle longest is forgotten (and so is full again).
    """

    def __init__(self, per_minute: int, *, max_keys: int = 10_000, clock: Callable[[], float] = time.monotonic) -> None:
        self._size = float(per_minute)
        self._per_s = per_minute / 60
        self._max_keys = max_keys
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self.refused = 0

    def take(self, key: str) -> None:
        """Count one event. Raises TooMany with Retry-After when the bucket is empty."""
        now = self._clock()
        tokens, at = self._buckets.pop(key, (self._size, now))
        tokens = min(self._size, tokens + (now - at) * self._per_s)
        if tokens < 1:
            self._buckets[key] = (tokens, now)
            self.refused += 1
            wait_s = max(1, math.ceil((1 - tokens) / self._per_s))
            raise TooMany(
                "Too many attempts from this address.", code="rate_limited", headers={"Retry-After": str(wait_s)}
            )
        self._buckets[key] = (tokens - 1, now)
        if len(self._buckets) > self._max_keys:
            self._buckets.popitem(last=False)
