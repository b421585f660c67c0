"""Makes complete frames in order from packets that may be late, doubled or lost.

Pure: no sockets, no clock of its own (``now_ns`` is passed in), no loop. aiortc's jitter buffer holds 512 packets,
blocks at a hole until they overflow and requests a lost packet once; a camera's key frame alone can be larger. This one
holds a hole open for a bounded time, requests the packets repeatedly, and then goes on without them.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

from streamer.rtc.payloads import PayloadPiece

MS = 1_000_000
CAPACITY = 8192
"""Packets held at most, some 9 MB: a key frame of 1.2 MB has about 1,000."""
MAX_HOLES = 1024
"""Missing packets that are waited for at once."""
HOLES_PER_PACKET = 4
"""Each received packet allows this many more to be waited for. A link that loses more can carry no talk, and a sender
that jumps with every number costs only its packets."""
MAX_FRAME_BYTES = 4 * 1024 * 1024
"""A key frame of a 4K camera has 1 to 2 MB."""
MAX_FRAME_PACKETS = 8192
MAX_SOUND_BYTES = 8192
"""A packet of Opus has at most 7.7 kB: 120 ms at 510 kbit/s."""
MAX_DROPOUT = 3000
MAX_MISORDER = 2000
"""A sequence number further away than this belongs to another stream (RFC 3550, appendix A.1); two in a row start
it."""
MAX_NACK = 512
NACK_TRIES = 10
SEQUENCE_OFFSET = 1 << 16
"""Added to a stream's first sequence number, for packets that it overtook: numbers stay positive."""


class SequenceUnwrapper:
    """Extends 16-bit sequence numbers to numbers without wrap."""

    __slots__ = ("highest",)

    def __init__(self) -> None:
        self.highest: int | None = None

    def unwrap(self, value: int) -> int:
        """Does not change :attr:`highest`; see :meth:`seen`."""
        if self.highest is None:
            return value + SEQUENCE_OFFSET
        return self.highest + ((value - self.highest + 32768) & 0xFFFF) - 32768

    def seen(self, extended: int) -> None:
        if self.highest is None or extended > self.highest:
            self.highest = extended


class TimestampUnwrapper:
    """Extends 32-bit RTP timestamps to times without wrap; small steps back (B-frames) stay steps back."""

    __slots__ = ("last",)

    def __init__(self) -> None:
        self.last: int | None = None

    def unwrap(self, value: int) -> int:
        if self.last is None:
            self.last = value
        else:
            self.last += ((value - self.last + 0x80000000) & 0xFFFFFFFF) - 0x80000000
        return self.last

    def near(self, value: int) -> int:
        """Unwrap a number without changing the state: for the RTP time of a sender report."""
        if self.last is None:
            return value
        return self.last + ((value - self.last + 0x80000000) & 0xFFFFFFFF) - 0x80000000


class RtpFragment(NamedTuple):
    timestamp: int
    """As on the wire."""
    marker: bool
    piece: PayloadPiece | None
    """None: the payload could not be read."""
    arrival_ns: int


class RtpFrame(NamedTuple):
    data: bytes
    timestamp: int
    key: bool
    damaged: bool
    arrival_ns: int


@dataclass(slots=True)
class _Missing:
    noticed_ns: int
    asked_ns: int = 0
    tries: int = 0


@dataclass(slots=True)
class LossCounters:
    late: int = 0
    """Packets that came after they had been given up, twice, or with a number far from all others."""
    given_up: int = 0
    """Packets that did not come in time."""
    frames_dropped: int = 0
    """Frames with missing or broken packets."""
    restarts: int = 0
    """Jumps of the sequence number that began a new stream."""
    recovered: int = 0
    """Packets that came after they had been requested again."""
    frames_too_large: int = 0
    """Dropped frames that were too large in bytes or packets."""


class FrameAssembler:
    """Assembles one SSRC's packets into frames. Not thread-safe; owned by one receiver.

    ``video``: frames depend on each other, so after a loss all are ``damaged`` until a key frame, and :attr:`wants_key`
    tells to request one. ``wait_ms`` is the time that a hole is held open.
    """

    def __init__(self, *, video: bool, wait_ms: float, counters: LossCounters | None = None) -> None:
        self._video = video
        self._wait_ns = int(wait_ms * MS)
        self._sequence = SequenceUnwrapper()
        self._buffer: dict[int, RtpFragment] = {}
        self._missing: dict[int, _Missing] = {}
        """In ascending order, because holes are noticed behind the highest number. Each number from ``_next`` to the
        highest is either here or in the buffer."""
        self._unasked: deque[int] = deque()
        """Holes that were not requested yet."""
        self._asked: deque[tuple[int, int]] = deque()
        """(time, number) of requests, the earliest first."""
        self._allowance = MAX_HOLES
        self._next: int | None = None
        self._suspect: int | None = None
        self._pieces: list[bytes] = []
        self._frame_bytes = 0
        self._frame_time: int | None = None
        self._frame_key = False
        self._frame_bad = False
        self._frame_large = False
        self._most_bytes = MAX_FRAME_BYTES if video else MAX_SOUND_BYTES
        self._frame_arrival_ns = 0
        self._clean = False
        self.broken = video
        self.wants_key = False
        """A key frame must be requested. Not before the first frame, which is most likely one."""
        self.counters = counters or LossCounters()
        self.nack_round_trip_ns: int | None = None
        """The time from the last single request to its packet."""

    def extended(self, sequence_number: int) -> int:
        """A sequence number without wrap."""
        return self._sequence.unwrap(sequence_number)

    @property
    def waiting(self) -> bool:
        """Whether a hole is open: then :meth:`expire` and :meth:`nacks` must be called every few milliseconds."""
        return bool(self._missing)

    def add(self, sequence_number: int, fragment: RtpFragment) -> list[RtpFrame]:
        """Take one packet in; the frames that are complete now, in order."""
        extended = self._sequence.unwrap(sequence_number)
        highest = self._sequence.highest
        if highest is not None and not -MAX_MISORDER <= extended - highest <= MAX_DROPOUT:
            if sequence_number != self._suspect:
                self._suspect = (sequence_number + 1) & 0xFFFF
                self.counters.late += 1
                return []
            self._restart()
            extended = self._sequence.unwrap(sequence_number)
        self._suspect = None
        if self._next is None:
            self._next = extended
        if extended < self._next or extended in self._buffer:
            self.counters.late += 1
            return []
        found = self._missing.pop(extended, None)
        if found is not None and found.tries:
            self.counters.recovered += 1
            if found.tries == 1:
                self.nack_round_trip_ns = fragment.arrival_ns - found.asked_ns
        frames: list[RtpFrame] = []
        if self._sequence.highest is not None:
            frames = self._notice(max(self._sequence.highest + 1, self._next), extended, fragment.arrival_ns)
        self._sequence.seen(extended)
        self._buffer[extended] = fragment
        frames += self._drain()
        while len(self._buffer) > CAPACITY:
            frames += self._skip()
        return frames

    def _notice(self, first: int, end: int, now_ns: int) -> list[RtpFrame]:
        """The numbers from ``first`` to before ``end`` are missing. Returns the frames that become free if these, or
        earlier missing packets, are given up."""
        self._allowance = min(self._allowance + HOLES_PER_PACKET, MAX_HOLES)
        count = end - first
        if count <= 0:
            return []
        frames: list[RtpFrame] = []
        if count > self._allowance:
            while self._missing:
                frames += self._skip()
            self.counters.given_up += count
            self._next = end
            self._interrupted()
            return frames
        self._allowance -= count
        while self._missing and len(self._missing) + count > MAX_HOLES:
            frames += self._skip()
        for lost in range(first, end):
            self._missing[lost] = _Missing(now_ns)
        if self._video:
            self._unasked.extend(range(first, end))
        return frames

    def break_off(self) -> None:
        """A delivered frame was not used: the frames after it are damaged until a key frame."""
        self.broken = self.wants_key = self._video

    def expire(self, now_ns: int) -> list[RtpFrame]:
        """Give up the holes that have been open for too long. Returns the frames that become free."""
        frames: list[RtpFrame] = []
        while self._missing:
            first = next(iter(self._missing.values()))
            if now_ns - first.noticed_ns < self._wait_ns:
                break
            frames += self._skip()
        return frames

    def nacks(self, now_ns: int, interval_ns: int) -> list[int]:
        """Extended sequence numbers to request now, ascending: at once when noticed, then every ``interval_ns``."""
        due: list[int] = []
        while self._unasked and len(due) < MAX_NACK:
            number = self._unasked.popleft()
            if number in self._missing:
                due.append(number)
        while self._asked and len(due) < MAX_NACK and now_ns - self._asked[0][0] >= interval_ns:
            _, number = self._asked.popleft()
            if number in self._missing:
                due.append(number)
        for number in due:
            entry = self._missing[number]
            entry.tries += 1
            entry.asked_ns = now_ns
            if entry.tries < NACK_TRIES:
                self._asked.append((now_ns, number))
        return sorted(due)

    def _restart(self) -> None:
        self.counters.restarts += 1
        self.counters.given_up += len(self._missing)
        self._sequence = SequenceUnwrapper()
        self._buffer.clear()
        self._missing.clear()
        self._unasked.clear()
        self._asked.clear()
        self._next = None
        self._drop_frame()
        self._clean = False

    def _skip(self) -> list[RtpFrame]:
        """Continue behind the first hole."""
        assert self._next is not None
        while self._missing.pop(self._next, None) is not None:
            self._next += 1
            self.counters.given_up += 1
        if not self._missing:
            self._unasked.clear()
            self._asked.clear()
        self._interrupted()
        return self._drain()

    def _interrupted(self) -> None:
        """The next frame does not follow the last one."""
        if self._frame_time is not None:
            self._frame_bad = True
        self._clean = False
        self.broken = self.wants_key = self._video

    def _drain(self) -> list[RtpFrame]:
        frames: list[RtpFrame] = []
        assert self._next is not None
        while (fragment := self._buffer.pop(self._next, None)) is not None:
            self._next += 1
            if self._frame_time is not None and fragment.timestamp != self._frame_time:
                # The next frame began and no marker was seen: the bit was not set, or its packet is lost.
                bad = self._frame_bad or not self._clean
                self._finish(frames, bad)
                self._clean = self._clean or (fragment.piece is not None and fragment.piece.begins)
            self._consume(fragment, frames)
        return frames

    def _consume(self, fragment: RtpFragment, frames: list[RtpFrame]) -> None:
        piece = fragment.piece
        if self._frame_time is None:
            if piece is not None and not piece.data and not fragment.marker:
                return  # padding between frames
            self._frame_time = fragment.timestamp
            self._frame_key = False
            self._frame_bad = not (self._clean or (piece is not None and piece.begins))
        self._clean = True
        if piece is None:
            self._frame_bad = True
        elif not self._frame_large:
            self._pieces.append(piece.data)
            self._frame_bytes += len(piece.data)
            self._frame_key = self._frame_key or piece.key
            if self._frame_bytes > self._most_bytes or len(self._pieces) > MAX_FRAME_PACKETS:
                self._frame_bad = self._frame_large = True
                self._pieces.clear()
                self.counters.frames_too_large += 1
        self._frame_arrival_ns = fragment.arrival_ns
        if fragment.marker or not self._video:
            self._finish(frames, self._frame_bad)

    def _finish(self, frames: list[RtpFrame], bad: bool) -> None:
        assert self._frame_time is not None
        data = b"" if bad else b"".join(self._pieces)
        if bad:
            self.counters.frames_dropped += 1
            self.broken = self.wants_key = self._video
        elif data:
            if self._frame_key:
                self.broken = False
            self.wants_key = self.broken
            frames.append(RtpFrame(data, self._frame_time, self._frame_key, self.broken, self._frame_arrival_ns))
        self._drop_frame()

    def _drop_frame(self) -> None:
        self._pieces.clear()
        self._frame_bytes = 0
        self._frame_time = None
        self._frame_key = self._frame_bad = self._frame_large = False
