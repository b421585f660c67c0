"""Clocks of a room: from a sender's RTP time to ticks on the broadcast's timeline.

Pure: time comes in as arguments (monotonic nanoseconds), nothing is read from the system.

The room's own clock is monotonic and laid on UTC once, when the broadcast opens, so that
EXT-X-PROGRAM-DATE-TIME never jumps back, whatever happens to the machine's clock.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import islice

from streamer.broadcast.programme import TICKS_PER_MS, TICKS_PER_S
from streamer.formats.types import AccessUnit

SLEW_PER_SEGMENT_TICKS = 1 * TICKS_PER_MS
"""A running take follows the sender's drift by at most this per segment."""
CATCH_UP_PERCENT = 8
"""A drift that would end the take is followed as fast as this. FFmpeg catches up at 1.05 times its speed."""
SOUND_SLEW_TICKS_PER_S = 5 * TICKS_PER_MS
"""The speed at which sound is moved to the picture once sender reports tell its place."""
SOUND_STEP_TICKS = 150 * TICKS_PER_MS
"""Sound that is further from the picture than this is moved in one step: slewing would take half a minute."""
STEP_PACKETS = 10
"""This many packets in a row must agree, because a single report may be wrong."""
STRANGE_PACKETS = 50
"""The same if the reports differ by more than REANCHOR_TICKS."""
REANCHOR_TICKS = 3 * TICKS_PER_S // 2
"""A mapped time this far behind arrival means that the sender's clock jumped."""
SOUND_FAR_TICKS = 8 * TICKS_PER_S
"""Sound that is further from its arrival than this has no place: its clock jumped, or its reports are wrong."""
AHEAD_TICKS = TICKS_PER_S // 2
"""The same before arrival: a picture cannot come before it was taken, and the first of a take was not much late."""
AHEAD_SLACK_TICKS = 4 * AHEAD_TICKS // 5
"""A picture that is further ahead of its arrival than this is drawn back."""
BEHIND_SLACK_TICKS = 11 * TICKS_PER_S // 10
"""The same behind. A queue on the path that holds back so much may empty at once, and what was given must not put the
pictures before AHEAD_TICKS then."""
BEHIND_WINDOW = 60
"""Frames over which the least delay must be this long."""
DRIFT_WINDOW = 256
"""Frames over which the least delay counts as the path's: queues only add to it."""


def ns_to_ticks(ns: int) -> int:
    return ns * 9 // 100_000


@dataclass(slots=True)
class RoomClock:
    """Ticks since the broadcast's epoch from monotonic nanoseconds."""

    epoch_ms: int
    anchor_ns: int
    anchor_ticks: int = 0

    def ticks(self, monotonic_ns: int) -> int:
        return self.anchor_ticks + ns_to_ticks(monotonic_ns - self.anchor_ns)

    def reached_ns(self, ticks: int) -> int:
        """The first nanosecond at which :meth:`ticks` reaches this value."""
        return self.anchor_ns - (self.anchor_ticks - ticks) * 100_000 // 9

    @classmethod
    def opened(cls, *, now_ms: int, now_ns: int) -> RoomClock:
        return cls(epoch_ms=now_ms, anchor_ns=now_ns)

    @classmethod
    def resumed(cls, *, epoch_ms: int, end_ticks: int, now_ms: int, now_ns: int) -> RoomClock:
        """The clock of a broadcast that goes on after a crash: never before ``end_ticks``."""
        return cls(epoch_ms, now_ns, max((now_ms - epoch_ms) * TICKS_PER_MS, end_ticks))


def rtp_ticks(unit: AccessUnit) -> int:
    """RTP time in ticks, from an origin of the track's own."""
    return unit.rtp_time * TICKS_PER_S // unit.clock_rate


@dataclass(slots=True)
class SourceClock:
    """Maps both tracks of one source to the timeline, for the length of one take.

    The picture leads: its first frame stands at its arrival, or later if the take cannot begin by then. Sound follows
    the sender's clock once both tracks have sender reports. Until then it follows its own arrival, moved like the
    picture; the error is then corrected at SOUND_SLEW_TICKS_PER_S.
    """

    room: RoomClock
    not_before: int = 0
    """The take's first frame does not stand before this tick."""
    _video_offset: int | None = None
    _sound_offset: int | None = None
    _shift: int | None = None
    """The distance from the arrival of the first unit to its place."""
    _sound_fresh: bool = True
    _far: int = 0
    """Packets of sound in a row that are far from the place in the reports."""
    _last_sound: int = 0
    _sender_offset: int | None = None
    _first_delay: int | None = None
    _delays: deque[int] = field(default_factory=lambda: deque(maxlen=DRIFT_WINDOW))
    _last_slew_ticks: int = 0
    _last_start: int | None = None

    def video_start(self, unit: AccessUnit) -> int:
        """The picture's tick. Monotonic as far as the sender's RTP time is."""
        arrival = self.room.ticks(unit.arrival_ns)
        rtp = rtp_ticks(unit)
        if self._video_offset is None:
            start = max(arrival, self.not_before)
            if self._sender_offset is not None and unit.sender_us is not None:
                start = max(self.not_before, self._sender_ticks(unit.sender_us) + self._sender_offset)
            self._video_offset = start - rtp
            self._shift = start - arrival
            self._last_slew_ticks = start
        start = self._caught_up(arrival, rtp + self._video_offset)
        self._follow_drift(arrival, start)
        if unit.sender_us is not None:
            self._sender_offset = start - self._sender_ticks(unit.sender_us)
        return start

    def sound_start(self, unit: AccessUnit) -> int:
        """The sound's tick: from the sender's clock if it is known for both tracks, else from arrival."""
        arrival = self.room.ticks(unit.arrival_ns)
        rtp = rtp_ticks(unit)
        if self._sound_offset is None:
            if self._shift is None:
                self._shift = max(arrival, self.not_before) - arrival
            self._sound_offset = arrival + self._shift - rtp
            self._last_sound = arrival
        if unit.sender_us is not None:
            if self._sender_offset is not None:
                self._approach(self._sender_ticks(unit.sender_us) + self._sender_offset - rtp, arrival)
            elif self._video_offset is None:
                # Sound alone has no picture to follow yet; the picture will find this mapping here.
                self._sender_offset = rtp + self._sound_offset - self._sender_ticks(unit.sender_us)
        self._sound_fresh = False
        self._last_sound = arrival
        return rtp + self._sound_offset

    def sound_is_far(self, start: int, unit: AccessUnit) -> bool:
        """Whether sound cannot be placed at ``start``; the next packet is placed anew, by its arrival."""
        if abs(start - self.room.ticks(unit.arrival_ns)) <= SOUND_FAR_TICKS:
            return False
        self._sound_offset = None
        self._sound_fresh = True
        # The reports of one track or the other are no longer used.
        self._sender_offset = None
        self._far = 0
        return True

    def jumped(self, start: int, unit: AccessUnit) -> bool:
        """Whether the sender's clock left ours, so that the take must be anchored anew."""
        return not -REANCHOR_TICKS <= start - self.room.ticks(unit.arrival_ns) <= AHEAD_TICKS

    def _approach(self, wanted: int, now: int) -> None:
        assert self._sound_offset is not None
        error = wanted - self._sound_offset
        self._far = self._far + 1 if abs(error) > SOUND_STEP_TICKS else 0
        if abs(error) > REANCHOR_TICKS and self._far < STRANGE_PACKETS:
            return  # a report from before the sender's clock jumped
        if self._sound_fresh or self._far >= STEP_PACKETS:
            self._sound_offset = wanted
            self._far = 0
            return
        most = max(1, (now - self._last_sound) * SOUND_SLEW_TICKS_PER_S // TICKS_PER_S)
        self._sound_offset += max(-most, min(most, error))

    def _caught_up(self, arrival: int, start: int) -> int:
        """``start`` nearer to ``arrival``, where a sender whose clock runs fast or slow has gone too far from it."""
        passed = start - self._last_start if self._last_start is not None else 0
        most = max(0, passed) * CATCH_UP_PERCENT // 100
        step = 0
        if start - arrival > AHEAD_SLACK_TICKS:
            step = -min(most, start - arrival - AHEAD_SLACK_TICKS)
        elif arrival - start > BEHIND_SLACK_TICKS and len(self._delays) >= BEHIND_WINDOW:
            least = min(islice(reversed(self._delays), BEHIND_WINDOW))
            step = min(most, max(0, least - BEHIND_SLACK_TICKS))
        # A clock that jumped ends the take.
        if step and -REANCHOR_TICKS <= start - arrival <= AHEAD_TICKS + most:
            self._move(step)
            start += step
        self._last_start = start
        return start

    def _move(self, step: int) -> None:
        """Both tracks at once: they stand together."""
        assert self._video_offset is not None
        self._video_offset += step
        if self._sound_offset is not None:
            self._sound_offset += step
        if self._sender_offset is not None:
            self._sender_offset += step
        self._delays = deque((delay - step for delay in self._delays), maxlen=DRIFT_WINDOW)

    def _follow_drift(self, arrival: int, start: int) -> None:
        self._delays.append(arrival - start)
        if len(self._delays) < DRIFT_WINDOW:
            return
        least = min(self._delays)
        if self._first_delay is None:
            self._first_delay = least
            return
        if start - self._last_slew_ticks < 2 * TICKS_PER_S:
            return
        self._last_slew_ticks = start
        drift = least - self._first_delay
        slew = max(-SLEW_PER_SEGMENT_TICKS, min(SLEW_PER_SEGMENT_TICKS, drift))
        if slew:
            self._move(slew)

    @staticmethod
    def _sender_ticks(sender_us: int) -> int:
        return sender_us * 9 // 100
