"""Limits of connections for each participant and each household. On the loop; bounded memory."""

from __future__ import annotations

from collections import Counter

from streamer.errors import TooMany, Unavailable
from streamer.household import household


class Seats:
    """Counts the connections of each participant."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken: Counter[str] = Counter()

    def take(self, member: str) -> None:
        """Raises TooMany ``rate_limited``; then no place was taken."""
        if self._taken[member] >= self._most:
            raise TooMany("You have too many connections already.", code="rate_limited", headers={"Retry-After": "10"})
        self._taken[member] += 1

    def leave(self, member: str) -> None:
        self._taken[member] -= 1
        if self._taken[member] <= 0:
            del self._taken[member]

    def __len__(self) -> int:
        return len(self._taken)


class ConnectionPlaces:
    """Connections at a time, in all and per household."""

    def __init__(self, total: int, per_address: int) -> None:
        self._total, self._per_address = total, per_address
        self._taken: Counter[str] = Counter()
        self.open = 0

    def check(self, address: str) -> None:
        """Raises TooMany, or Unavailable with Retry-After if no place is free."""
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
