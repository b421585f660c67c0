"""Decides whether an H.264 source can be the top rendition as it is. Pure.

A source fits as long as it has no B-frames, has a size and profile that players accept, keeps a regular 20 frames a
second or more, and gives key frames when asked (it answered a PLI within a second) or by itself (IDRs at most 2.5 s
apart). The code of a reason against it goes to the technician.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from streamer.broadcast.programme import TICKS_PER_S
from streamer.formats.h264 import Sps

PLAYABLE_PROFILES = frozenset({66, 77, 100})
"""Baseline, Main, High: every player's hardware decodes them."""
MAX_LEVEL_IDC = 52
MIN_FRAME_RATE = 20
REGULAR_WINDOW_TICKS = 5 * TICKS_PER_S
"""Long enough that a stall of a second in the network does not look like a slow camera."""
SLOW_INTERVAL_TICKS = TICKS_PER_S // 15
SLOW_INTERVALS = 4
"""This many longer intervals in a row are no stall: it is a screen share, or a camera in the dark."""
IDR_INTERVAL_TICKS = 5 * TICKS_PER_S // 2
PLI_ANSWER_TICKS = TICKS_PER_S
REHABILITATION_TICKS = 30 * TICKS_PER_S
"""A source that did not fit is tried again after this time without a fault."""


@dataclass(slots=True)
class Fitness:
    """The verdict on one publication's picture. Times are ticks of the room's timeline."""

    max_height: int
    allowed: bool = True
    note: str | None = None
    """The reason why it is encoded: ``encoded_setting``, ``encoded_profile``, ``encoded_size``, ``encoded_b_frames``,
    ``encoded_irregular``, ``encoded_keyframe_interval``."""
    _faulty_since: int | None = None
    _last_idr: int | None = None
    _pli_at: int | None = None
    _slow_run: int = 0
    _times: deque[int] = field(default_factory=deque)

    def __post_init__(self) -> None:
        if not self.allowed:
            self.note = "encoded_setting"

    @property
    def fits(self) -> bool:
        return self.note is None

    @property
    def wants_proof(self) -> bool:
        """It is encoded because requested key frames did not come. Requests go on, because they may come again."""
        return self.note == "encoded_keyframe_interval"

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
        """A frame came. Then it is checked whether the frames are regular and IDRs come often enough."""
        interval = start - self._times[-1] if self._times else 0
        self._slow_run = self._slow_run + 1 if interval > SLOW_INTERVAL_TICKS else 0
        self._times.append(start)
        while start - self._times[0] > REGULAR_WINDOW_TICKS:
            self._times.popleft()
        if idr:
            self._last_idr = start
            self._pli_at = None
        if self._faulty_since is None:
            if self._slow(start):
                self._fault("encoded_irregular", start)
        elif self._slow(start) or (self.wants_proof and not self._idrs_come(start)):
            self._faulty_since = start
        elif start - self._faulty_since > REHABILITATION_TICKS and self.note != "encoded_b_frames":
            self.note = None
            self._faulty_since = None

    def asked(self, now: int) -> None:
        """A key frame was asked for."""
        if self._pli_at is None:
            self._pli_at = now

    def late(self, now: int) -> bool:
        """No IDR came although one was due: the take must go on with an encoded top."""
        if self._pli_at is None or now - self._pli_at < PLI_ANSWER_TICKS:
            return False
        if self._idrs_come(now):
            return False
        self._fault("encoded_keyframe_interval", now)
        return True

    def restart(self) -> None:
        """After a gap in the stream the rhythm of before does not count any more."""
        self._times.clear()
        self._slow_run = 0
        self._last_idr = None
        self._pli_at = None

    def _slow(self, start: int) -> bool:
        span = start - self._times[0]
        long_enough = span > REGULAR_WINDOW_TICKS * 9 // 10
        return self._slow_run >= SLOW_INTERVALS or (
            long_enough and len(self._times) * TICKS_PER_S < MIN_FRAME_RATE * span
        )

    def _idrs_come(self, start: int) -> bool:
        return self._last_idr is not None and start - self._last_idr <= IDR_INTERVAL_TICKS

    def _fault(self, note: str, at: int) -> None:
        if self.note is None:
            self.note = note
        if self._faulty_since is None:
            self._faulty_since = at
