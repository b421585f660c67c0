"""When a segment ends (design, section 3.5). Pure.

A segment ends at the first IDR of the top rendition at or after 1.7 s; a key frame is asked for at 1.9 s
and every 0.3 s from then; a top that is encoded gives its IDR exactly at the nominal duration.
"""

from __future__ import annotations

from dataclasses import dataclass

from streamer.conference.programme import TICKS_PER_S
from streamer.media.types import Cut

ASK_AGAIN_TICKS = 3 * TICKS_PER_S // 10


@dataclass(slots=True)
class SegmentGrid:
    """Numbers the segments of the programme. ``nominal`` and ``longest`` are ticks."""

    nominal: int
    longest: int
    """No frame may stand at or beyond this age of a segment (EXT-X-TARGETDURATION, rounded)."""
    number: int = 0
    start: int = 0
    _asked: int | None = None

    @property
    def earliest(self) -> int:
        return self.nominal * 17 // 20

    @property
    def ask_at(self) -> int:
        return self.nominal * 19 // 20

    def may_cut(self, start: int, *, idr: bool) -> bool:
        """Whether a passed-through frame at ``start`` ends the segment."""
        return idr and start - self.start >= self.earliest

    def due(self, start: int, *, frame_ticks: int) -> bool:
        """Whether an encoded frame at ``start`` has to be an IDR: the nearest to the nominal duration."""
        return start - self.start >= self.nominal - frame_ticks // 2

    def overdue(self, start: int) -> bool:
        return start - self.start >= self.longest

    def wants_keyframe(self, now: int) -> bool:
        """True at 1.9 s of a segment's age and every 0.3 s from then, once each."""
        if now - self.start < self.ask_at or (self._asked is not None and now - self._asked < ASK_AGAIN_TICKS):
            return False
        self._asked = now
        return True

    def cut(self, start: int, *, discontinuity: bool = False) -> Cut:
        """Begin the next segment at ``start``."""
        self.number += 1
        self.start = start
        self._asked = None
        return Cut(self.number, start, discontinuity)
