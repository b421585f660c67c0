"""Whether an H.264 source may be the top rendition as it is (design, section 3.4). Pure.

A source fits as long as it has no B-frames, is of a size and kind that players accept, keeps a regular
20 frames a second or more, and gives key frames when asked (it answered a PLI within a second) or by
itself (IDRs at most 2.5 s apart). Codes of what does not fit go to the technician as they are.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from streamer.conference.programme import TICKS_PER_S
from streamer.media.h264 import Sps

PLAYABLE_PROFILES = frozenset({66, 77, 100})
"""Baseline, Main, High: what every player's hardware decodes."""
MAX_LEVEL_IDC = 52
MIN_FRAME_RATE = 20
REGULAR_WINDOW_TICKS = 2 * TICKS_PER_S
IDR_INTERVAL_TICKS = 5 * TICKS_PER_S // 2
PLI_ANSWER_TICKS = TICKS_PER_S
REHABILITATION_TICKS = 30 * TICKS_PER_S
"""A source that was found wanting is tried again after this long without a fault."""


@dataclass(slots=True)
class Fitness:
    """The verdict on one publication's picture. Times are ticks of the room's timeline."""

    max_height: int
    allowed: bool = True
    note: str | None = None
    """Why it is encoded: ``encoded_setting``, ``encoded_profile``, ``encoded_size``, ``encoded_b_frames``,
    ``encoded_irregular``, ``encoded_keyframe_interval``."""
    _faulty_since: int | None = None
    _last_idr: int | None = None
    _pli_at: int | None = None
    _times: deque[int] = field(default_factory=deque)

    def __post_init__(self) -> None:
        if not self.allowed:
            self.note = "encoded_setting"

    @property
    def fits(self) -> bool:
        return self.note is None

    def parameters(self, sps: Sps) -> None:
        """New parameter sets came."""
        if not self.allowed:
            return
        permanent: str | None = None
        eight_bit = sps.chroma_format == 1 and sps.bit_depth == 8 and sps.progressive
        if sps.profile not in PLAYABLE_PROFILES or sps.level > MAX_LEVEL_IDC or not eight_bit:
            permanent = "encoded_profile"
        elif min(sps.width, sps.height) > self.max_height:
            permanent = "encoded_size"
        elif sps.max_reorder_frames:
            permanent = "encoded_b_frames"
        if permanent or self.note in ("encoded_profile", "encoded_size"):
            self.note = permanent

    def b_frame(self) -> None:
        self._fault("encoded_b_frames", self._last_idr or 0)

    def frame(self, start: int, *, idr: bool) -> None:
        """A frame came; judged after it whether the run of frames is regular and IDRs come often enough."""
        self._times.append(start)
        while self._times and start - self._times[0] > REGULAR_WINDOW_TICKS:
            self._times.popleft()
        if idr:
            self._last_idr = start
            self._pli_at = None
        if self._faulty_since is None:
            span = start - self._times[0]
            if span > REGULAR_WINDOW_TICKS * 9 // 10 and len(self._times) * TICKS_PER_S < MIN_FRAME_RATE * span:
                self._fault("encoded_irregular", start)
        elif self._good(start, idr=idr):
            if start - self._faulty_since > REHABILITATION_TICKS:
                self.note = None
                self._faulty_since = None
        else:
            self._faulty_since = start

    def asked(self, now: int) -> None:
        """A key frame was asked for."""
        if self._pli_at is None:
            self._pli_at = now

    def late(self, now: int) -> bool:
        """No IDR although one was due: the take has to go on with an encoded top."""
        if self._pli_at is None or now - self._pli_at < PLI_ANSWER_TICKS:
            return False
        if self._last_idr is not None and now - self._last_idr <= IDR_INTERVAL_TICKS:
            return False
        self._fault("encoded_keyframe_interval", now)
        return True

    def restart(self) -> None:
        """A gap in the stream: what was seen of its rhythm no longer counts."""
        self._times.clear()
        self._last_idr = None
        self._pli_at = None

    def _good(self, start: int, *, idr: bool) -> bool:
        """While encoded nobody asks for key frames, so they have to come by themselves."""
        if self.note == "encoded_b_frames":
            return False
        span = start - self._times[0]
        slow = span > REGULAR_WINDOW_TICKS * 9 // 10 and len(self._times) * TICKS_PER_S < MIN_FRAME_RATE * span
        return not slow and self._last_idr is not None and start - self._last_idr <= IDR_INTERVAL_TICKS

    def _fault(self, note: str, at: int) -> None:
        if self.note is None:
            self.note = note
        if self._faulty_since is None:
            self._faulty_since = at
