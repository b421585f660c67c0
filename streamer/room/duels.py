"""Detects two publishers with the same grant that take a source from each other again and again. Pure.

A page that reloads takes its source over from itself, once or twice. From the third takeover between two living
connections within half a minute the new one is refused: one of the two stays, and a person decides which.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

WINDOW_NS = 30_000_000_000
TAKEOVERS = 2
"""This many takeovers are allowed within the window."""
RING_NS = 60_000_000_000
"""A duel is over this long after the last attempt."""


@dataclass(slots=True)
class _Dispute:
    attempts: deque[int] = field(default_factory=lambda: deque(maxlen=TAKEOVERS + 1))
    """The times when a living connection was taken over, or an attempt was refused, ns."""
    since_ms: int | None = None
    """UTC; None: there is no duel yet."""


class Duels:
    """Times are monotonic nanoseconds; ``now_ms`` is UTC, for people."""

    def __init__(self) -> None:
        self._disputes: dict[str, _Dispute] = {}

    def contested(self, source: str, now_ns: int) -> bool:
        """Whether another takeover would be too many."""
        dispute = self._disputes.get(source)
        return dispute is not None and sum(now_ns - at < WINDOW_NS for at in dispute.attempts) >= TAKEOVERS

    def attempt(self, source: str, now_ns: int, now_ms: int) -> None:
        """A living connection was taken over, or an attempt was refused."""
        duel = self.contested(source, now_ns)
        dispute = self._disputes.setdefault(source, _Dispute())
        dispute.attempts.append(now_ns)
        if duel and dispute.since_ms is None:
            dispute.since_ms = now_ms

    def settle(self, source: str) -> None:
        """The publisher of the source has left by itself."""
        self._disputes.pop(source, None)

    def ringing(self, now_ns: int) -> dict[str, int]:
        """Sources in a duel -> the time since when, UTC ms."""
        for source, dispute in list(self._disputes.items()):
            if now_ns - dispute.attempts[-1] >= RING_NS:
                del self._disputes[source]
        return {source: d.since_ms for source, d in self._disputes.items() if d.since_ms is not None}
