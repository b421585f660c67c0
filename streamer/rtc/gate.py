"""The first check of datagrams from a peer's socket, before they cost anything. Pure: bytes and times in, answers out.

The peer is authentic (its packets are checked after this), but may be hostile.
"""

from __future__ import annotations

from collections import Counter
from typing import Literal

from streamer.rtc.allowance import Allowance

MAX_DATAGRAM = 2048
"""Bytes. An Ethernet frame has 1500, and SRTP is unpacked in a buffer of that size."""
MAX_SSRCS = 32
"""Of one connection. SRTP, the routing table and the bitrate estimate keep memory for each, for ever."""
PACKETS_PER_S = 10_000
PACKETS_BURST = 10_000
"""A socket buffer may be full when our loop comes back."""
BURST_S = 2.0
MAX_NACK_ENTRIES = 128
"""Of one RTCP packet. Each entry names up to 17 packets, and a sender keeps 2,000 in all."""
_RTPFB = 205

Reason = Literal["too_large", "too_fast", "ssrcs", "malformed"]


class Gate:
    """The gate of one transport. ``max_kbps``: 0 is without limit."""

    def __init__(self, max_kbps: int = 0) -> None:
        self.refused: Counter[Reason] = Counter()
        self.too_fast_ns = 0
        """The time when a packet was last refused because there were too many."""
        self._packets = Allowance(PACKETS_PER_S, PACKETS_BURST)
        bytes_per_s = max_kbps * 125
        self._bytes = Allowance(bytes_per_s, bytes_per_s * BURST_S) if max_kbps else None
        self._ssrcs: set[int] = set()

    def admits(self, datagram: bytes, ssrc: int, now_ns: int) -> bool:
        """Whether a packet of RTP or RTCP may be decrypted. ``ssrc`` is its own, or its sender's."""
        if len(datagram) > MAX_DATAGRAM:
            self.refused["too_large"] += 1
        elif ssrc not in self._ssrcs and len(self._ssrcs) >= MAX_SSRCS:
            self.refused["ssrcs"] += 1
        elif not self._packets.take(1, now_ns) or (
            self._bytes is not None and not self._bytes.take(len(datagram), now_ns)
        ):
            self.refused["too_fast"] += 1
            self.too_fast_ns = now_ns
        else:
            return True
        return False

    def authentic(self, ssrc: int) -> None:
        """A packet that passed the gate was proved to be the peer's own."""
        self._ssrcs.add(ssrc)

    @property
    def refused_total(self) -> int:
        return self.refused.total()


def asks_for_too_much(compound: bytes) -> bool:
    """Whether a compound RTCP packet has a NACK with too many entries: aiortc expands each of them."""
    at = 0
    while at + 4 <= len(compound):
        words = compound[at + 2] << 8 | compound[at + 3]
        # Two words name the sender and the source (RFC 4585, section 6.1).
        if compound[at + 1] == _RTPFB and words - 2 > MAX_NACK_ENTRIES:
            return True
        at += 4 + 4 * words
    return False
