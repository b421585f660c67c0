"""Estimates the viewers of an output from the requests for its playlists. Nobody is recognised and nothing about
anybody is kept. A player asks for its playlist once for each segment, or, if it waits for parts, once for the first of
each.

Behind an edge it counts the requests of the edge; ``web/viewers.py`` takes the players' own reports then.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

WINDOW_S = 12
SEGMENT_S = 2.0
MOST_OUTPUTS = 1000


class Viewers:
    """``clock``: seconds, monotonic. On the loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._asked: dict[tuple[str, str, str], deque[tuple[int, int]]] = {}
        """(room, output, kind of track) -> (second, requests)."""
        self.elsewhere: Callable[[str, str], int] = lambda room, output: 0
        """(room, output) -> viewers that other processes serve."""

    def asked(self, room: str, output: str, kind: str, part: int | None) -> None:
        """Count a request for a playlist; ``part``: the part that the request waited for."""
        if part:
            return
        key, second = (room, output, kind), int(self._clock())
        seconds = self._asked.get(key)
        if seconds is None:
            if len(self._asked) >= MOST_OUTPUTS:
                self._forget(second)
            seconds = self._asked[key] = deque(maxlen=WINDOW_S + 1)
        if seconds and seconds[-1][0] == second:
            seconds[-1] = (second, seconds[-1][1] + 1)
        else:
            seconds.append((second, 1))

    def of(self, room: str, output: str) -> int:
        """The present number of viewers of an output, about. A player asks for a picture and a sound: the higher count
        is taken."""
        now = int(self._clock())
        counts = [
            sum(requests for second, requests in seconds if now - WINDOW_S <= second < now)
            for (name, shown, _), seconds in self._asked.items()
            if (name, shown) == (room, output)
        ]
        return round(max(counts, default=0) * SEGMENT_S / WINDOW_S) + self.elsewhere(room, output)

    def _forget(self, now: int) -> None:
        self._asked = {
            key: seconds for key, seconds in self._asked.items() if seconds and now - seconds[-1][0] <= 2 * WINDOW_S
        }
