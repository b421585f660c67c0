"""A limit of units per time. Pure: the time is an argument."""

from __future__ import annotations


class Allowance:
    """``per_s`` units a second, and at most ``burst`` at once."""

    __slots__ = ("_at_ns", "_burst", "_left", "_per_s")

    def __init__(self, per_s: float, burst: float) -> None:
        self._per_s = per_s
        self._burst = burst
        self._left = burst
        self._at_ns = 0

    def take(self, units: float, now_ns: int) -> bool:
        """Whether ``units`` may pass now; they count only if they may. ``now_ns`` never goes back."""
        self._left = min(self._burst, self._left + (now_ns - self._at_ns) * self._per_s / 1e9)
        self._at_ns = now_ns
        if units > self._left:
            return False
        self._left -= units
        return True
