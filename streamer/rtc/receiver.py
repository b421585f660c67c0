"""The receiving end of one track: it gives encoded frames and decodes nothing.

It replaces aiortc's ``RTCRtpReceiver`` (``aiortc_hooks.use_receiver``). Everything runs on the loop and nothing blocks.
It requests lost packets (NACK, RFC 4585) and key frames (PLI), reports reception (RR), and maps RTP time to the
sender's clock by its sender reports.
"""

from __future__ import annotations

import asyncio
import random
import struct
import time
from collections.abc import Callable
from typing import Any, Literal

from aiortc import RTCDtlsTransport
from aiortc.rate import RemoteBitrateEstimator
from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTCP_PSFB_PLI,
    AnyRtcpPacket,
    RtcpByePacket,
    RtcpPsfbPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpSrPacket,
    RtpPacket,
    clamp_packets_lost,
    pack_remb_fci,
)

from streamer.formats import h264, vp8
from streamer.formats.h264 import NAL_SPS
from streamer.formats.types import AccessUnit
from streamer.rtc import aiortc_hooks as hooks
from streamer.rtc.allowance import Allowance
from streamer.rtc.jitter import MS, SEQUENCE_OFFSET, FrameAssembler, RtpFragment, RtpFrame, TimestampUnwrapper
from streamer.rtc.payloads import PayloadPiece, depayload
from streamer.rtc.reception import Reception, SenderClock

VIDEO_WAIT_MS = 250.0
"""A hole in the picture is held open for this long: a few round trips of any usable link."""
AUDIO_WAIT_MS = 40.0
"""Sound is not sent again; this wait is for packets that overtook each other."""
TICK_S = 0.01
REPORT_S = 1.0
KEYFRAME_MIN_S = 0.2
"""Key frames are requested at most this often: each one costs the picture bitrate."""
KEYFRAME_AGAIN_S = 0.5
SILENT_SSRC_S = 1.0
MAX_REPORT_DISTANCE_S = 600
MAX_RTX_SSRCS = 8
FRAMES_PER_S = {"video": 150.0, "audio": 450.0}
"""The accepted frames of a track: a camera sends up to 60 pictures, Opus up to 400 packets of 2.5 ms."""
FRAMES_BURST_S = 2.0
"""The frames of this time may come at once, behind a hole or after a stall of our loop."""
EMPTY = PayloadPiece(b"", False, False)

Drop = Callable[[RtpPacket], bool]


class EncodedReceiver:
    """Receives one track over ``transport`` and calls ``on_unit`` with each access unit, on the loop.

    ``on_disconnect`` is called when the sender says goodbye or the connection ends. ``rtx_of`` maps SSRCs of
    retransmissions to those that they repair; others are learned. ``drop`` is for tests: packets for which it returns
    True are treated as lost.
    """

    def __init__(
        self,
        kind: Literal["audio", "video"],
        transport: RTCDtlsTransport,
        *,
        on_unit: Callable[[AccessUnit], None],
        on_disconnect: Callable[[], None] | None = None,
        rtx_of: dict[int, int] | None = None,
        drop: Drop | None = None,
    ) -> None:
        self.kind = kind
        self.codec = ""
        self.channels = 0
        self.width = 0
        self.height = 0
        self.last_packet_ns = 0
        self.round_trip_s: float | None = None
        """Set by the owner's measurement; it paces the NACKs."""
        self.reception: Reception | None = None
        self.drop = drop
        self.assembler: FrameAssembler | None = None
        self.gone = False
        """The sender said goodbye, or the connection ended."""
        self.local_ssrc = 0
        """It signs our RTCP; :func:`.aiortc_hooks.use_receiver` sets it."""
        self.keyframes_wanted = 0
        """PLIs sent."""
        self.nacks_sent = 0
        self.refused = 0
        """Packets of unknown codecs, of streams that are not followed, and repairs without a stream."""
        self.frames_refused = 0
        """Whole frames above :data:`FRAMES_PER_S`."""
        self._transport = transport
        self._on_unit = on_unit
        self._on_disconnect = on_disconnect
        self._rtx_of = dict(rtx_of or {})
        self._codecs: dict[int, Any] = {}
        self._ssrc: int | None = None
        self._timestamps = TimestampUnwrapper()
        self._packet_timestamps = TimestampUnwrapper()
        self._clock: SenderClock | None = None
        self._early_report: tuple[int, int, int] | None = None
        self._last_report: tuple[int, float] | None = None
        self._estimator: RemoteBitrateEstimator | None = RemoteBitrateEstimator() if kind == "video" else None
        self._frames = Allowance(FRAMES_PER_S[kind], FRAMES_PER_S[kind] * FRAMES_BURST_S)
        self._loop = asyncio.get_running_loop()
        self._tick: asyncio.TimerHandle | None = None
        self._report_timer: asyncio.TimerHandle | None = None
        self._keyframe_timer: asyncio.TimerHandle | None = None
        self._keyframe_at = -1e9
        self._started = False
        self._stopped = False
        # Attributes that RTCPeerConnection reads of a receiver.
        self._track: Any = None
        self._enabled = True

    # --- as aiortc's receiver ---

    @property
    def track(self) -> Any:
        return self._track

    @property
    def transport(self) -> RTCDtlsTransport:
        return self._transport

    def setTransport(self, transport: RTCDtlsTransport) -> None:  # noqa: N802 - aiortc's name
        self._transport = transport

    async def receive(self, parameters: Any) -> None:
        """aiortc calls this when the connection is made."""
        if self._started or self._stopped:
            return
        self._started = True
        self._codecs = {codec.payloadType: codec for codec in parameters.codecs}
        hooks.register_receiver(self._transport, self, parameters)
        self._report_timer = self._loop.call_later(REPORT_S * (0.5 + random.random()), self._report)  # noqa: S311

    async def stop(self) -> None:
        """Irreversible; after it nothing reaches ``on_unit``."""
        self._stopped = True
        if self._started:
            hooks.unregister_receiver(self._transport, self)
        for timer in (self._tick, self._report_timer, self._keyframe_timer):
            if timer is not None:
                timer.cancel()
        self._tick = self._report_timer = self._keyframe_timer = None

    def _handle_disconnect(self) -> None:
        self.gone = True
        if not self._stopped and self._on_disconnect is not None:
            self._on_disconnect()

    async def _handle_rtp_packet(self, packet: RtpPacket, arrival_time_ms: int) -> None:
        self.on_rtp(packet, time.monotonic_ns())

    async def _handle_rtcp_packet(self, packet: AnyRtcpPacket) -> None:
        self.on_rtcp(packet, time.monotonic_ns())

    async def getStats(self) -> dict[str, Any]:  # noqa: N802 - aiortc's name
        return {}

    # --- packets ---

    def on_rtcp(self, packet: AnyRtcpPacket, now_ns: int) -> None:
        if isinstance(packet, RtcpSrPacket):
            info = packet.sender_info
            self._last_report = ((info.ntp_timestamp >> 16) & 0xFFFFFFFF, now_ns / 1e9)
            if self._clock is None or packet.ssrc != self._ssrc:
                self._early_report = (packet.ssrc, info.ntp_timestamp, info.rtp_timestamp)
            else:
                self._sender_report(info.ntp_timestamp, info.rtp_timestamp)
        elif isinstance(packet, RtcpByePacket) and self._ssrc in packet.sources:
            self._handle_disconnect()

    def _sender_report(self, ntp: int, rtp: int) -> None:
        assert self._clock is not None
        rtp_time = self._timestamps.near(rtp)
        last = self._timestamps.last
        rate = self.reception.clock_rate if self.reception else 90_000
        if last is not None and abs(rtp_time - last) > MAX_REPORT_DISTANCE_S * rate:
            return
        self._clock.report(ntp, rtp_time)

    def on_rtp(self, packet: RtpPacket, now_ns: int) -> None:
        if self._stopped or (self.drop is not None and self.drop(packet)):
            return
        codec = self._codecs.get(packet.payload_type)
        if codec is None:
            self.refused += 1
            return
        self._estimate(packet, now_ns)
        size = len(packet.payload)
        payload, sequence, ssrc = packet.payload, packet.sequence_number, packet.ssrc
        name = codec.name.lower()
        repaired = name == "rtx"
        if repaired:
            # RFC 4588, section 4: the payload begins with the original sequence number.
            codec = self._codecs.get(codec.parameters.get("apt"))
            if codec is None or size < 2 or not self._repairs(ssrc):
                self.refused += 1
                return
            assert self._ssrc is not None
            name, ssrc = codec.name.lower(), self._ssrc
            sequence, payload = payload[0] << 8 | payload[1], payload[2:]
        if not self._latch(ssrc, codec, now_ns):
            self.refused += 1
            return
        assert self.assembler is not None
        assert self.reception is not None
        self.last_packet_ns = now_ns
        self.gone = False
        if name != self.codec:
            self.codec, self.channels = name, codec.channels or 0
        try:
            piece = depayload(name, payload) if payload else EMPTY
        except ValueError:
            piece = None
        restarts = self.assembler.counters.restarts
        frames = self.assembler.add(sequence, RtpFragment(packet.timestamp, bool(packet.marker), piece, now_ns))
        if self.assembler.counters.restarts != restarts:
            self.reception.restart()
        if not repaired:
            self.reception.packet(
                self.assembler.extended(sequence), self._packet_timestamps.unwrap(packet.timestamp), now_ns
            )
        self.reception.load(size, len(frames), now_ns / 1e9)
        self._deliver(frames)
        if self.kind == "video":
            if self.assembler.waiting:
                self._ask_again(now_ns)
            if self.assembler.wants_key:
                self._want_keyframe()
        if self.assembler.waiting and self._tick is None:
            self._tick = self._loop.call_later(TICK_S, self._on_tick)

    def _repairs(self, rtx_ssrc: int) -> bool:
        """Whether a retransmission stream belongs to the followed stream; the first few are learned."""
        if self._ssrc is None:
            return False
        repaired = self._rtx_of.get(rtx_ssrc)
        if repaired is None and len(self._rtx_of) < MAX_RTX_SSRCS:
            repaired = self._rtx_of[rtx_ssrc] = self._ssrc
        return repaired == self._ssrc

    def _latch(self, ssrc: int, codec: Any, now_ns: int) -> bool:
        """Follow one SSRC. Simulcast layers and unknown streams are ignored; a successor is followed after a
        silence."""
        if ssrc == self._ssrc:
            return True
        if self._ssrc is not None and now_ns - self.last_packet_ns < SILENT_SSRC_S * 1e9:
            return False
        self._ssrc = ssrc
        video = self.kind == "video"
        self.assembler = FrameAssembler(
            video=video,
            wait_ms=VIDEO_WAIT_MS if video else AUDIO_WAIT_MS,
            counters=self.assembler.counters if self.assembler else None,
        )
        if self.reception is None or self.reception.clock_rate != codec.clockRate:
            self.reception = Reception(codec.clockRate)
        self.reception.restart()
        self._timestamps = TimestampUnwrapper()
        self._packet_timestamps = TimestampUnwrapper()
        self._clock = SenderClock(codec.clockRate)
        return True

    def _deliver(self, frames: list[RtpFrame]) -> None:
        for frame in frames:
            rtp_time = self._timestamps.unwrap(frame.timestamp)
            assert self._clock is not None
            assert self.reception is not None
            assert self.assembler is not None
            if self._early_report is not None:
                ssrc, ntp, rtp = self._early_report
                self._early_report = None
                if ssrc == self._ssrc:
                    self._sender_report(ntp, rtp)
            if not self._frames.take(1, frame.arrival_ns):
                self.frames_refused += 1
                self.assembler.break_off()
                continue
            if frame.key and self.kind == "video":
                self._look_at_size(frame.data)
            self._on_unit(
                AccessUnit(
                    kind=self.kind,
                    codec=self.codec,
                    data=frame.data,
                    rtp_time=rtp_time,
                    clock_rate=self.reception.clock_rate,
                    arrival_ns=frame.arrival_ns,
                    sender_us=self._clock.at(rtp_time),
                    damaged=frame.damaged,
                )
            )

    def _look_at_size(self, data: bytes) -> None:
        if self.codec == "vp8":
            self.width, self.height = vp8.frame_size(data) or (self.width, self.height)
        elif self.codec == "h264":
            for nal in h264.split_annexb(data):
                if nal[0] & 0x1F != NAL_SPS:
                    continue
                try:
                    sps = h264.parse_sps(nal)
                except ValueError:
                    return
                self.width, self.height = sps.width, sps.height
                return

    # --- loss ---

    def _on_tick(self) -> None:
        self._tick = None
        if self._stopped or self.assembler is None:
            return
        now_ns = time.monotonic_ns()
        self._deliver(self.assembler.expire(now_ns))
        if self.kind == "video":
            self._ask_again(now_ns)
            if self.assembler.wants_key:
                self._want_keyframe()
        if self.assembler.waiting:
            self._tick = self._loop.call_later(TICK_S, self._on_tick)

    def _ask_again(self, now_ns: int) -> None:
        assert self.assembler is not None
        round_trip_ns = self.round_trip_s * 1e9 if self.round_trip_s is not None else 50 * MS
        if self.assembler.nack_round_trip_ns is not None:
            round_trip_ns = max(round_trip_ns, self.assembler.nack_round_trip_ns)
        interval_ns = min(max(int(round_trip_ns * 1.2) + 5 * MS, 20 * MS), 100 * MS)
        due = self.assembler.nacks(now_ns, interval_ns)
        if due and self._ssrc is not None:
            self.nacks_sent += len(due)
            hooks.send(self._transport, nack_packet(self.local_ssrc, self._ssrc, due))

    # --- key frames ---

    def request_keyframe(self) -> None:
        """Send a PLI, at most every 200 ms; a request that comes too early is sent later."""
        if self._stopped or self._keyframe_timer is not None:
            return
        wait = self._keyframe_at + KEYFRAME_MIN_S - self._loop.time()
        if wait <= 0:
            self._send_pli()
        else:
            self._keyframe_timer = self._loop.call_later(wait, self._send_pli)

    def _want_keyframe(self) -> None:
        if self._loop.time() - self._keyframe_at >= KEYFRAME_AGAIN_S:
            self.request_keyframe()

    def _send_pli(self) -> None:
        self._keyframe_timer = None
        if self._ssrc is None or self._stopped:
            return
        self._keyframe_at = self._loop.time()
        self.keyframes_wanted += 1
        pli = RtcpPsfbPacket(fmt=RTCP_PSFB_PLI, ssrc=self.local_ssrc, media_ssrc=self._ssrc)
        hooks.send(self._transport, bytes(pli))

    # --- reports ---

    def _estimate(self, packet: RtpPacket, now_ns: int) -> None:
        """REMB, for senders that adapt to it: aiortc's table has no transport-wide congestion control."""
        if self._estimator is None or packet.extensions.abs_send_time is None:
            return
        try:
            estimate = self._estimator.add(
                abs_send_time=packet.extensions.abs_send_time,
                # Monotonic: the estimator counts through every millisecond that passed.
                arrival_time_ms=now_ns // MS,
                payload_size=len(packet.payload) + packet.padding_size,
                ssrc=packet.ssrc,
            )
        except (ArithmeticError, ValueError):
            # Send times that jump for long enough end in values that are no numbers.
            self._estimator = RemoteBitrateEstimator()
            return
        if estimate is not None:
            remb = RtcpPsfbPacket(fmt=RTCP_PSFB_APP, ssrc=self.local_ssrc, media_ssrc=0, fci=pack_remb_fci(*estimate))
            hooks.send(self._transport, bytes(remb))

    def _report(self) -> None:
        # "varied randomly over the range [0.5, 1.5] times the calculated interval" (RFC 3550, section 6.2)
        self._report_timer = self._loop.call_later(REPORT_S * (0.5 + random.random()), self._report)  # noqa: S311
        reception = self.reception
        if reception is None or self._ssrc is None:
            return
        last, delay = 0, 0
        if self._last_report is not None:
            last = self._last_report[0]
            delay = int(min(time.monotonic() - self._last_report[1], 65_535) * 65_536)
        info = RtcpReceiverInfo(
            ssrc=self._ssrc,
            fraction_lost=reception.fraction_lost(),
            packets_lost=clamp_packets_lost(reception.lost),
            # RFC 3550, section 6.4.1: the upper half counts the cycles, from zero.
            highest_sequence=(reception.highest - SEQUENCE_OFFSET) & 0xFFFFFFFF,
            jitter=reception.jitter & 0xFFFFFFFF,
            lsr=last,
            dlsr=delay,
        )
        hooks.send(self._transport, bytes(RtcpRrPacket(ssrc=self.local_ssrc, reports=[info])))


def nack_packet(ssrc: int, media_ssrc: int, extended: list[int]) -> bytes:
    """A generic NACK (RFC 4585, section 6.2.1) for ascending extended sequence numbers."""
    entries = bytearray()
    index = 0
    while index < len(extended):
        first = extended[index]
        mask = 0
        index += 1
        while index < len(extended) and extended[index] - first <= 16:
            mask |= 1 << (extended[index] - first - 1)
            index += 1
        entries += struct.pack("!HH", first & 0xFFFF, mask)
    return struct.pack("!BBHLL", 0x81, 205, 2 + len(entries) // 4, ssrc, media_ssrc) + entries
