"""The sending end of one track: encoded frames in, RTP out.

Takes the place of aiortc's ``RTCRtpSender`` (``aiortc_hooks.use_sender``), for our publisher and for the WHEP relay.
Everything runs on the loop; :meth:`EncodedSender.push` never blocks. Differences: RTP times and sender reports are the
caller's media clock (aiortc stamps the moment of sending, which loses the offset between sound and picture), big
frames are paced, 2,048 packets can be sent again (aiortc: 128), and PLI and FIR reach a callback.
"""

from __future__ import annotations

import asyncio
import random
import struct
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Literal

from aiortc import RTCDtlsTransport, RTCRtpTransceiver
from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTCP_PSFB_FIR,
    RTCP_PSFB_PLI,
    RTCP_RTPFB_NACK,
    AnyRtcpPacket,
    HeaderExtensionsMap,
    RtcpByePacket,
    RtcpPsfbPacket,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtcpSdesPacket,
    RtcpSenderInfo,
    RtcpSourceInfo,
    RtcpSrPacket,
    RtpPacket,
    unpack_remb_fci,
    wrap_rtx,
)

from streamer.rtc import aiortc_hooks as hooks
from streamer.rtc.payloads import payload

HISTORY = 2048
"""Packets that can be sent again; a power of two. 3 s of 6 Mbit/s, or a key frame of 2 MB."""
QUEUE_MAX = 8192
"""Packets that wait for the pacer. With more the sender drops frames up to the next key frame."""
BURST = 40
"""Packets that are sent at once. More of them are spread over time, so that no queue of a switch or Wi-Fi overflows."""
PACE_S = 0.002
PACE_PACKETS = 20
"""20 packets in 2 ms: 96 Mbit/s, a 300 kB key frame in 25 ms."""
RESEND_MIN_NS = 15_000_000
REPORT_S = 1.0
UNIX_TO_NTP_S = 2_208_988_800


def ntp_time(utc_us: int) -> int:
    """UTC microseconds to a 64-bit NTP time."""
    seconds, micros = divmod(utc_us, 1_000_000)
    return (seconds + UNIX_TO_NTP_S) << 32 | (micros << 32) // 1_000_000


class EncodedSender:
    """Sends one track over ``transport``.

    ``on_keyframe_wanted`` is called on the loop for each PLI or FIR (and for a NACK that is too old); the owner of the
    encoder limits the rate. ``on_bitrate`` gets REMB in bits per second. ``on_ready`` is called once, when the
    connection is made and the codec known (:attr:`codec`, lower case).
    """

    def __init__(
        self,
        kind: Literal["audio", "video"],
        transport: RTCDtlsTransport,
        *,
        on_keyframe_wanted: Callable[[], None] | None = None,
        on_bitrate: Callable[[int], None] | None = None,
        on_ready: Callable[[], None] | None = None,
    ) -> None:
        self.codec = ""
        self.ready = False
        self.round_trip_s: float | None = None
        self.fraction_lost = 0.0
        """From the other side's last report, 0..1."""
        self.last_report_at: float | None = None
        """The loop time of the last receiver report, which shows that the other side is alive."""
        self.packets_sent = 0
        self.bytes_sent = 0
        self.frames_dropped = 0
        self.resent = 0
        self._kind: Literal["audio", "video"] = kind
        self._transport = transport
        self._on_keyframe_wanted = on_keyframe_wanted
        self._on_bitrate = on_bitrate
        self._on_ready = on_ready
        self._loop = asyncio.get_running_loop()
        self._payload_type = 0
        self._rtx_payload_type: int | None = None
        self._clock_rate = 90_000 if kind == "video" else 48_000
        self._extensions = HeaderExtensionsMap()
        self._mid = ""
        self._cname = ""
        # In the lower half, so that SRTP's first wrap does not come while the first packets may be lost.
        self._sequence = random.getrandbits(15)
        self._rtx_sequence = random.getrandbits(15)
        self._origin = random.getrandbits(32)
        self._picture_id = random.getrandbits(15)
        self._history: list[RtpPacket | None] = [None] * HISTORY
        self._resent_at: dict[int, int] = {}
        self._queue: deque[RtpPacket] = deque()
        self._pacer: asyncio.TimerHandle | None = None
        self._until_key = kind == "video"
        """The other side cannot use frames before a key frame."""
        self._anchor: tuple[int, int] | None = None
        self._report_timer: asyncio.TimerHandle | None = None
        self._reports_sent: deque[tuple[int, float]] = deque(maxlen=8)
        self._started = False
        self._stopped = False
        # Attributes that RTCPeerConnection reads of a sender.
        self._ssrc = random.getrandbits(32) or 1
        self._rtx_ssrc = random.getrandbits(32) or 2
        self._stream_id = ""
        self._track_id = f"streamer-{kind}"
        self._enabled = True

    @classmethod
    def on(cls, transceiver: RTCRtpTransceiver, **callbacks: Any) -> EncodedSender:
        """Make a sender and put it into the transceiver."""
        kind: Any = transceiver.kind
        sender = cls(kind, transceiver.receiver.transport, **callbacks)
        hooks.use_sender(transceiver, sender)
        return sender

    # --- as aiortc's sender ---

    @property
    def kind(self) -> str:
        return self._kind

    @property
    def track(self) -> None:
        return None

    @property
    def transport(self) -> RTCDtlsTransport:
        return self._transport

    def setTransport(self, transport: RTCDtlsTransport) -> None:  # noqa: N802 - aiortc's name
        self._transport = transport

    def replaceTrack(self, track: Any) -> None:  # noqa: N802 - aiortc's name
        """There is no track: frames are pushed."""

    async def getStats(self) -> dict[str, Any]:  # noqa: N802 - aiortc's name
        return {}

    async def send(self, parameters: Any) -> None:
        """aiortc calls this when the connection is made."""
        if self._started or self._stopped or not parameters.codecs:
            return
        self._started = True
        codec = parameters.codecs[0]
        self.codec = codec.name.lower()
        self._payload_type = codec.payloadType
        self._clock_rate = codec.clockRate
        self._mid = parameters.muxId
        self._cname = parameters.rtcp.cname or ""
        self._rtx_payload_type = next(
            (
                c.payloadType
                for c in parameters.codecs
                if c.name.lower() == "rtx" and c.parameters.get("apt") == codec.payloadType
            ),
            None,
        )
        self._extensions.configure(parameters)
        hooks.register_sender(self._transport, self, parameters)
        # The first report comes early, because the other side has no common clock before it.
        self._report_timer = self._loop.call_later(0.1, self._report)
        self.ready = True
        if self._on_ready is not None:
            self._on_ready()

    async def stop(self) -> None:
        """Irreversible. Says goodbye (BYE) if the connection is still there."""
        if self._stopped:
            return
        self._stopped = True
        self.ready = False
        for timer in (self._pacer, self._report_timer):
            if timer is not None:
                timer.cancel()
        self._pacer = self._report_timer = None
        self._queue.clear()
        if self._started:
            hooks.send(self._transport, bytes(RtcpByePacket(sources=[self._ssrc])))
            hooks.unregister_sender(self._transport, self)

    async def _handle_rtcp_packet(self, packet: AnyRtcpPacket) -> None:
        self.on_rtcp(packet, time.monotonic_ns())

    # --- frames ---

    def push(self, data: bytes, media_us: int, *, key: bool = True) -> bool:
        """Send one frame. H.264: Annex B; VP8, Opus: the frame. A picture begins with a ``key`` frame.

        ``media_us`` is when it was captured, in UTC microseconds of the caller's clock; it makes both the RTP time
        and the mapping of the sender reports, so that tracks pushed with one clock stay in step. False: not sent.
        """
        if not self.ready:
            return False
        if self._until_key and not key:
            self.frames_dropped += 1
            return False
        if len(self._queue) > QUEUE_MAX:
            self._queue.clear()
            self._until_key = self._kind == "video"
            self.frames_dropped += 1
            self._wanted()
            return False
        self._until_key = False
        rtp_time = media_us * self._clock_rate // 1_000_000
        self._anchor = (media_us, rtp_time)
        timestamp = (self._origin + rtp_time) & 0xFFFFFFFF
        parts = payload(self.codec, data, self._picture_id)
        self._picture_id = (self._picture_id + 1) & 0x7FFF
        last = len(parts) - 1
        for index, part in enumerate(parts):
            packet = RtpPacket(
                payload_type=self._payload_type,
                marker=int(index == last),
                sequence_number=self._sequence,
                timestamp=timestamp,
                ssrc=self._ssrc,
                payload=part,
            )
            packet.extensions.mid = self._mid or None
            self._sequence = (self._sequence + 1) & 0xFFFF
            self._queue.append(packet)
        if self._pacer is None:
            self._pump(BURST)
        return True

    def _pump(self, count: int) -> None:
        self._pacer = None
        queue = self._queue
        while queue and count:
            packet = queue.popleft()
            self._history[packet.sequence_number % HISTORY] = packet
            self._emit(packet)
            self.packets_sent += 1
            self.bytes_sent += len(packet.payload)
            count -= 1
        if queue:
            self._pacer = self._loop.call_later(PACE_S, self._pump, PACE_PACKETS)

    def _emit(self, packet: RtpPacket) -> None:
        packet.extensions.abs_send_time = (ntp_time(time.time_ns() // 1000) >> 14) & 0xFFFFFF
        hooks.send(self._transport, packet.serialize(self._extensions))

    def _resend(self, sequence: int, now_ns: int) -> None:
        packet = self._history[sequence % HISTORY]
        if packet is None or packet.sequence_number != sequence:
            self._wanted()
            return
        if now_ns - self._resent_at.get(sequence, 0) < RESEND_MIN_NS:
            return
        if len(self._resent_at) > HISTORY:
            self._resent_at.clear()
        self._resent_at[sequence] = now_ns
        self.resent += 1
        if self._rtx_payload_type is not None:
            packet = wrap_rtx(
                packet,
                payload_type=self._rtx_payload_type,
                sequence_number=self._rtx_sequence,
                ssrc=self._rtx_ssrc,
            )
            self._rtx_sequence = (self._rtx_sequence + 1) & 0xFFFF
        self._emit(packet)

    def _wanted(self) -> None:
        if self._kind == "video" and self._on_keyframe_wanted is not None:
            self._on_keyframe_wanted()

    # --- reports ---

    def on_rtp(self, packet: RtpPacket, now_ns: int) -> None:
        """Senders receive no RTP."""

    def on_rtcp(self, packet: AnyRtcpPacket, now_ns: int) -> None:
        if isinstance(packet, RtcpRrPacket | RtcpSrPacket):
            for report in packet.reports:
                if report.ssrc != self._ssrc:
                    continue
                self.last_report_at = self._loop.time()
                self.fraction_lost = report.fraction_lost / 256
                sent_at = next((at for mark, at in self._reports_sent if mark == report.lsr), None)
                if sent_at is not None:
                    self.round_trip_s = max(0.0, self._loop.time() - sent_at - report.dlsr / 65_536)
        elif isinstance(packet, RtcpRtpfbPacket) and packet.fmt == RTCP_RTPFB_NACK:
            for sequence in packet.lost:
                self._resend(sequence & 0xFFFF, now_ns)
        elif isinstance(packet, RtcpPsfbPacket):
            if packet.fmt in (RTCP_PSFB_PLI, RTCP_PSFB_FIR):
                self._wanted()
            elif packet.fmt == RTCP_PSFB_APP and self._on_bitrate is not None:
                try:
                    bitrate, ssrcs = unpack_remb_fci(packet.fci)
                except (ValueError, struct.error):
                    return
                if self._ssrc in ssrcs:
                    self._on_bitrate(bitrate)

    def _report(self) -> None:
        self._report_timer = self._loop.call_later(REPORT_S * (0.5 + random.random()), self._report)  # noqa: S311
        if self._anchor is None:
            return
        # The NTP time is the moment of sending, and the RTP time "corresponds to the same time" (RFC 3550, 6.4.1).
        media_us, rtp_time = self._anchor
        now_us = time.time_ns() // 1000
        now_rtp = rtp_time + (now_us - media_us) * self._clock_rate // 1_000_000
        ntp = ntp_time(now_us)
        self._reports_sent.append(((ntp >> 16) & 0xFFFFFFFF, self._loop.time()))
        report = RtcpSrPacket(
            ssrc=self._ssrc,
            sender_info=RtcpSenderInfo(
                ntp_timestamp=ntp,
                rtp_timestamp=(self._origin + now_rtp) & 0xFFFFFFFF,
                packet_count=self.packets_sent & 0xFFFFFFFF,
                octet_count=self.bytes_sent & 0xFFFFFFFF,
            ),
        )
        names = RtcpSdesPacket(chunks=[RtcpSourceInfo(ssrc=self._ssrc, items=[(1, self._cname.encode()[:255])])])
        hooks.send(self._transport, bytes(report) + bytes(names))
