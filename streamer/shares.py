"""A bounded number of places for many households: none of them can take all. Pure.

A household may hold as many places as are free. One alone gets half of them, two a third each, ``n`` get ``1 / (n +
1)`` each, and a new household always finds a place (dynamic thresholds: Choudhury and Hahne, IEEE/ACM Transactions on
Networking 6(2), 1998).
"""

from __future__ import annotations

from collections import Counter


class Shares:
    """Places, counted by household (or grant). The taker of a place gives it back."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.taken = 0
        self.refused_total = 0
        self._by_key: Counter[str] = Counter()

    @property
    def free(self) -> int:
        return self.total - self.taken

    def of(self, key: str) -> int:
        """The number of places that the household holds."""
        return self._by_key[key]

    def may(self, key: str, size: int = 1) -> bool:
        """Whether the household may take ``size`` more places."""
        return self._by_key[key] + size <= self.free

    def take(self, key: str, size: int = 1) -> bool:
        """False, and counted as refused, if the household has its share already."""
        if not self.may(key, size):
            self.refused_total += 1
            return False
        self.taken += size
        self._by_key[key] += size
        return True

    def put(self, key: str) -> None:
        """Take back a place that was given back for this household, whatever its share is."""
        self.taken += 1
        self._by_key[key] += 1

    def give_back(self, key: str, size: int = 1) -> None:
        self.taken -= size
        self._by_key[key] -= size
        if self._by_key[key] <= 0:
            del self._by_key[key]
