"""A receiver's knowledge of its sender: the sender's clock, and counts of packets. Pure: times are arguments."""

from __future__ import annotations

from collections import deque

RATE_WINDOW_S = 2.0
QUEUE_S = 0.5
"""If every packet of this time had to wait, a queue stands: a burst drains meanwhile."""
QUEUE_MEMORY = 60
"""The quickest packets of so many times :data:`QUEUE_S` tell the way without a queue."""
NTP_TO_UNIX_S = 2_208_988_800


class SenderClock:
    """RTP time to the sender's NTP clock in UTC microseconds, by its sender reports (RFC 3550, section 6.4.1)."""

    __slots__ = ("_clock_rate", "_offset_us")

    def __init__(self, clock_rate: int) -> None:
        self._clock_rate = clock_rate
        self._offset_us: float | None = None

    def report(self, ntp: int, rtp_time: int) -> None:
        """``ntp`` is the 64-bit NTP time of a report, ``rtp_time`` its RTP time without wrap."""
        if not ntp:
            return  # "may set the NTP timestamp to zero" by a sender without a notion of wallclock
        seconds, fraction = ntp >> 32, ntp & 0xFFFFFFFF
        now_us = (seconds - NTP_TO_UNIX_S) * 1_000_000 + fraction * 1_000_000 / 2**32
        offset = now_us - rtp_time * 1_000_000 / self._clock_rate
        if self._offset_us is None or abs(offset - self._offset_us) > 100_000:
            self._offset_us = offset
        else:
            # Senders stamp reports when they send them, a few ms off; a quarter of each error follows the drift.
            self._offset_us += (offset - self._offset_us) / 4

    def at(self, rtp_time: int) -> int | None:
        if self._offset_us is None:
            return None
        return round(self._offset_us + rtp_time * 1_000_000 / self._clock_rate)


class Reception:
    """Counts for receiver reports (RFC 3550, appendix A.3 and A.8) and for people."""

    def __init__(self, clock_rate: int) -> None:
        self.clock_rate = clock_rate
        self.packets = 0
        self._counted_from = 0
        self.base: int | None = None
        self.highest = 0
        self._jitter = 0.0
        self._transit: float | None = None
        self._quickest: deque[float] = deque(maxlen=QUEUE_MEMORY)
        """The least transit of each time, RTP units; the last one is not over."""
        self._quickest_until_ns = 0
        self._expected_before = 0
        self._received_before = 0
        self._recent: deque[tuple[float, int, int]] = deque()
        self._recent_bytes = 0
        self._recent_frames = 0

    def packet(self, extended: int, timestamp: int, now_ns: int) -> None:
        self.packets += 1
        if self.base is None or extended < self.base:
            self.base = extended
        self.highest = max(self.highest, extended)
        transit = now_ns * self.clock_rate / 1e9 - timestamp
        if self._transit is not None:
            # "packets in order of arrival, not necessarily in sequence" (RFC 3550, section 6.4.1)
            self._jitter += (abs(transit - self._transit) - self._jitter) / 16
        self._transit = transit
        if now_ns >= self._quickest_until_ns:
            self._quickest.append(transit)
            self._quickest_until_ns = now_ns + round(QUEUE_S * 1e9)
        self._quickest[-1] = min(self._quickest[-1], transit)

    def restart(self) -> None:
        """The sender began new numbers: loss is counted from here on."""
        self.base = None
        self.highest = 0
        self._counted_from = self.packets
        self._transit = None
        self._quickest.clear()
        self._quickest_until_ns = 0
        self._expected_before = self._received_before = 0

    def load(self, size: int, frames: int, now_s: float) -> None:
        """Count received bytes and frames, for the rates over the last two seconds."""
        self._recent.append((now_s, size, frames))
        self._recent_bytes += size
        self._recent_frames += frames
        self._forget(now_s)

    def _forget(self, now_s: float) -> None:
        while self._recent and self._recent[0][0] < now_s - RATE_WINDOW_S:
            _, size, frames = self._recent.popleft()
            self._recent_bytes -= size
            self._recent_frames -= frames

    def rates(self, now_s: float) -> tuple[int, float]:
        """Bits and frames per second."""
        self._forget(now_s)
        span = max(now_s - self._recent[0][0], 0.5) if self._recent else RATE_WINDOW_S
        return round(self._recent_bytes * 8 / span), self._recent_frames / span

    @property
    def jitter(self) -> int:
        return int(self._jitter)

    @property
    def jitter_ms(self) -> float:
        return self._jitter * 1000 / self.clock_rate

    @property
    def queued_ms(self) -> float:
        """By how much longer than on the free way every packet of a moment has travelled."""
        whole = list(self._quickest)[:-1]
        return (whole[-1] - min(whole)) * 1000 / self.clock_rate if whole else 0.0

    @property
    def expected(self) -> int:
        return 0 if self.base is None else self.highest - self.base + 1

    @property
    def lost(self) -> int:
        return max(self.expected - self._received, 0)

    @property
    def _received(self) -> int:
        return self.packets - self._counted_from

    def fraction_lost(self) -> int:
        """The share of packets that were lost since the last call, in 1/256."""
        expected = self.expected - self._expected_before
        received = self._received - self._received_before
        self._expected_before, self._received_before = self.expected, self._received
        if expected <= 0 or received >= expected:
            return 0
        return min(255, (expected - received) * 256 // expected)
