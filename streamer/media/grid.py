"""Decides when a segment ends. Pure.

A segment ends at the first IDR of the top rendition at or after 1.7 s. A key frame is requested at 1.9 s and every 0.3
s from then; an encoded top gives its IDR exactly at the nominal duration. The first segment of a broadcast is half as
long, because many players show nothing before they have a whole one.
"""

from __future__ import annotations

from dataclasses import dataclass

from streamer.broadcast.programme import TICKS_PER_S
from streamer.formats.types import Cut

ASK_AGAIN_TICKS = 3 * TICKS_PER_S // 10
SHORTEST_TICKS = TICKS_PER_S // 10
"""No segment is cut shorter than this: each rendition must have a part of it, and an AAC frame lasts 21 ms."""
DEMAND_LIMIT_TICKS = TICKS_PER_S // 2
"""From the action to the cut. Without a key frame by then the top is encoded."""


@dataclass(slots=True)
class SegmentGrid:
    """Numbers the segments of the programme. ``nominal`` and ``longest`` are ticks."""

    nominal: int
    longest: int
    """No frame may stand at or after this age of a segment (EXT-X-TARGETDURATION, rounded)."""
    number: int = 0
    start: int = 0
    _asked: int | None = None
    _demanded: int | None = None

    @property
    def aim(self) -> int:
        """The intended length of the running segment."""
        return self.nominal // 2 if self.number == 1 else self.nominal

    @property
    def earliest(self) -> int:
        return self.aim * 17 // 20

    @property
    def ask_at(self) -> int:
        return self.aim * 19 // 20

    def may_cut(self, start: int, *, idr: bool) -> bool:
        """Whether a passed-through frame at ``start`` ends the segment."""
        return idr and start - self.start >= (SHORTEST_TICKS if self._is_demanded_by(start) else self.earliest)

    def due(self, start: int, *, frame_ticks: int) -> bool:
        """Whether an encoded frame at ``start`` must be an IDR, because it is the nearest to the nominal duration."""
        due_at = SHORTEST_TICKS if self._is_demanded_by(start) else self.aim - frame_ticks // 2
        return start - self.start >= due_at

    def _is_demanded_by(self, start: int) -> bool:
        return self._demanded is not None and start >= self._demanded

    def overdue(self, now: int) -> bool:
        """No key frame came in time: the take must go on with an encoded top."""
        late = self._demanded is not None and now - self._demanded > DEMAND_LIMIT_TICKS
        return late or now - self.start >= self.longest

    @property
    def demanded(self) -> bool:
        """Whether an output waits for the next cut."""
        return self._demanded is not None

    def demand(self, at: int) -> None:
        """An output goes on air: the segment ends at the next key frame at ``at`` or later, however short it is."""
        self._demanded, self._asked = at, None

    def wants_keyframe(self, now: int) -> bool:
        """True at 1.9 s of a segment's age, or when an output waits, and every 0.3 s from then, once each."""
        early = self._demanded is None and now - self.start < self.ask_at
        if early or (self._asked is not None and now - self._asked < ASK_AGAIN_TICKS):
            return False
        self._asked = now
        return True

    def cut(self, start: int, *, discontinuity: bool = False) -> Cut:
        """Begin the next segment at ``start``."""
        self.number += 1
        self.start = start
        self._asked = self._demanded = None
        return Cut(self.number, start, discontinuity)
