"""Counts of players' own reports: how many play, stand still or fail. Pure. No player is recognised."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

WINDOW_MS = 30_000
"""A player tells once in this time that it plays, and once at most that it stood still or failed."""
MOST_ROOMS = 1000
_STEP_MS = 1000


@dataclass(frozen=True, slots=True)
class PlaybackCounts:
    """Of the last 30 s."""

    players: int = 0
    stalled: int = 0
    failed: int = 0


@dataclass(slots=True)
class PlaybackStats:
    """Counters that only grow. The sums divided by ``reports_total`` are means."""

    reports_total: int = 0
    stalls_total: int = 0
    errors_total: int = 0
    buffer_ms_total: int = 0
    bitrate_kbps_total: int = 0
    throughput_kbps_total: int = 0


@dataclass(slots=True)
class _Second:
    number: int
    players: int = 0
    stalled: int = 0
    failed: int = 0


@dataclass(slots=True)
class PlaybackReports:
    """The last 30 s of each room, in seconds. Times are UTC ms."""

    stats: PlaybackStats = field(default_factory=PlaybackStats)
    _rooms: dict[str, deque[_Second]] = field(default_factory=dict)

    def take(self, room: str, now_ms: int, *, plays: bool, stalled: bool, failed: bool) -> PlaybackCounts:
        """Count a report. ``plays``: it is the one that comes every 30 s."""
        number = now_ms // _STEP_MS
        seconds = self._rooms.pop(room, None) or deque()
        self._rooms[room] = seconds
        if len(self._rooms) > MOST_ROOMS:
            del self._rooms[next(iter(self._rooms))]
        if not seconds or seconds[-1].number < number:
            seconds.append(_Second(number))
        last = seconds[-1]
        last.players += plays
        last.stalled += stalled
        last.failed += failed
        self.stats.reports_total += 1
        self.stats.stalls_total += stalled
        self.stats.errors_total += failed
        return self.of(room, now_ms)

    def of(self, room: str, now_ms: int) -> PlaybackCounts:
        seconds = self._rooms.get(room)
        if seconds is None:
            return PlaybackCounts()
        while seconds and seconds[0].number <= (now_ms - WINDOW_MS) // _STEP_MS:
            seconds.popleft()
        return PlaybackCounts(
            players=sum(one.players for one in seconds),
            stalled=sum(one.stalled for one in seconds),
            failed=sum(one.failed for one in seconds),
        )
