"""Whether the connection to a publisher goes on, and what may be sent to it. Pure: times are arguments.

RFC 7675 ends a connection 30 s after the last answer to a check, so that nobody is flooded who did not ask for it.
Deviation for publishers: FFmpeg answers no checks after its handshake, but goes on to send. What comes from it proves
that it is there, and we send it next to nothing. So what is heard from the validated pair keeps the connection; without
answers it gets nothing but checks, and reports and requests at a low rate. Viewers, to whom we send, keep to the RFC.
"""

from __future__ import annotations

from streamer.rtc.allowance import Allowance

CONSENT_NS = 30_000_000_000
"""RFC 7675, section 5.1: "Consent expires after 30 seconds." """
RTCP_PER_S = 4
"""Packets of RTCP to a peer that does not answer: some 100 bytes each, less than a hundredth of what it sends."""
RTCP_BURST = 8


class Consent:
    """Of one validated pair, from ``now_ns`` on, when the pair was validated."""

    def __init__(self, now_ns: int) -> None:
        self._answered_ns = now_ns
        self._heard_ns = now_ns
        self._sparse = Allowance(RTCP_PER_S, RTCP_BURST)

    def answered(self, now_ns: int) -> None:
        """The peer answered a check of ours."""
        self._answered_ns = now_ns

    def heard(self, now_ns: int) -> None:
        """A check, or media that were authentic and new, came from the validated pair."""
        self._heard_ns = now_ns

    def over(self, now_ns: int) -> bool:
        return now_ns - max(self._answered_ns, self._heard_ns) >= CONSENT_NS

    def admits(self, now_ns: int) -> bool:
        """Whether one packet of RTCP may be sent now."""
        return now_ns - self._answered_ns < CONSENT_NS or self._sparse.take(1, now_ns)
