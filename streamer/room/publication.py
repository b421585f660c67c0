"""One WHIP connection: a peer that receives, from its offer to its end. Everything runs on the loop."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import structlog

from streamer.control.messages import Answer, Offer, SourceStatus, TrackStatus
from streamer.errors import StreamerError
from streamer.formats.types import AccessUnit
from streamer.rtc import aiortc_hooks as hooks
from streamer.rtc.gate import Gate
from streamer.rtc.ice import IceBinding
from streamer.rtc.receiver import Drop, EncodedReceiver
from streamer.rtc.sdp import USABLE, AnswerTuning, BadOffer, OfferFacts, write_answer
from streamer.rtc.trickle import TrickleSession
from streamer.settings import IceSettings
from streamer.supervision import start_kept

log = structlog.get_logger(__name__)

State = Literal["new", "connecting", "connected", "failed", "closed"]

WATCH_S = 0.25
PING_S = 2.0
ANSWER_TIMEOUT_S = 8.0
"""The wait for candidates from STUN and TURN servers; OBS gives up its POST after 8 s."""
CLOSE_TIMEOUT_S = 3.0
UP_NS = 1_000_000_000
NOTE_NS = 5_000_000_000
"""A note about refused packets stays for this long after the last one."""

hooks.install()


@dataclass(frozen=True, slots=True)
class WayCounts:
    """The counts of a publication's receivers, and their measures of its way."""

    expected: int
    """Packets."""
    lost: int
    """Those that did not come by themselves; some of them were sent again."""
    jitter_ms: float
    round_trip_ms: float | None
    video_kbps: float | None
    frame_rate: float | None
    keyframes_wanted: int
    queued_ms: float = 0.0
    """The wait of sound and picture in a queue on the way."""


class Publication:
    """A publisher's peer. ``on_unit``, ``on_connected`` and ``on_ended`` are called on the loop.

    After :meth:`close` (or ``on_ended``) no unit comes any more. ``resource`` is the secret that PATCH and DELETE name;
    ``id`` may be shown.
    """

    def __init__(
        self,
        offer: Offer,
        facts: OfferFacts,
        settings: IceSettings,
        binding: IceBinding,
        *,
        on_unit: Callable[[Publication, AccessUnit], None],
        on_connected: Callable[[Publication], None],
        on_ended: Callable[[Publication, str], None],
        drop: Drop | None = None,
    ) -> None:
        self.id = secrets.token_hex(4)
        self.resource = secrets.token_urlsafe(24)
        self.source = offer.source
        self.grant = offer.grant
        self.client = offer.client[:200]
        self.state: State = "new"
        self.started_ms = time.time_ns() // 1_000_000
        self.round_trip_s: float | None = None
        self._facts = facts
        self._settings = settings
        self._binding = binding
        self._on_unit = on_unit
        self._on_connected = on_connected
        self._on_ended = on_ended
        self._drop = drop
        self._trickle = TrickleSession(facts, binding, settings.max_candidates)
        self._receivers: list[EncodedReceiver] = []
        self._gates: list[Gate] = []
        self._loop = asyncio.get_running_loop()
        self._started = self._loop.time()
        self._pc: hooks.Peer | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._ended = False

    # --- signalling ---

    async def answer(self, tuning: AnswerTuning) -> Answer:
        """Open the sockets and answer the offer. Raises :class:`BadOffer` if aiortc cannot use it."""
        pc = self._pc = hooks.new_peer(self._binding.servers)
        self.state = "connecting"
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                await hooks.describe_remote(pc, self._facts.sdp, "offer")
                for transceiver in pc.getTransceivers():
                    hooks.set_codecs(transceiver, _best_first(transceiver))
                    self._receive(transceiver)
                if self._facts.leaves_role_open:
                    hooks.answer_as_dtls_server(pc)
                hooks.bind(pc, self._binding)
                self._gates = hooks.tap(pc, max_kbps=self._settings.max_publish_kbps)
                hooks.keep_while_heard(pc)
                pc.on("connectionstatechange", self._on_state)
                await pc.setLocalDescription(await pc.createAnswer())
                await self._trickle.meet(pc, hooks.remote_addresses(pc))
                sdp = write_answer(pc.localDescription.sdp, tuning)
        except TimeoutError as error:
            await self.close("answer_timeout")
            raise StreamerError(
                "No address for media was found in time.", code="ice_unavailable", status=503
            ) from error
        except Exception as error:
            await self.close("bad_offer")
            if isinstance(error, StreamerError):
                raise
            # aiortc reads a description step by step, and reports errors in it with exceptions of any type.
            log.info("offer_refused", error=repr(error), client=self.client)
            raise BadOffer("The offer cannot be read.", details={"reason": "sdp"}) from error
        except BaseException:
            await self.close("bad_offer")
            raise
        self._watcher = start_kept("publication watch", self._watch, task_name=f"publication {self.id}")
        return Answer(sdp=sdp, resource=self.resource, etag=self._trickle.etag)

    def _receive(self, transceiver: hooks.Transceiver) -> None:
        media = self._facts.of_kind(transceiver.kind)
        kind: Any = transceiver.kind
        receiver = EncodedReceiver(
            kind,
            transceiver.receiver.transport,
            on_unit=self._unit,
            on_disconnect=self._on_gone,
            rtx_of=media.rtx_of if media else None,
            drop=self._drop,
        )
        hooks.use_receiver(transceiver, receiver)
        self._receivers.append(receiver)

    async def candidates(self, fragment: str, if_match: str | None) -> None:
        """Raises the errors of :class:`streamer.control.messages.Candidates`."""
        await self._trickle.take(None if self._ended else self._pc, fragment, if_match)

    # --- life ---

    def _on_state(self) -> None:
        if self._pc is None or self._ended:
            return
        state = self._pc.connectionState
        if state == "connected" and self.state == "connecting":
            self.state = "connected"
            log.info(
                "publication_connected",
                publication=self.id,
                source=self.source,
                client=self.client,
                took_ms=round((self._loop.time() - self._started) * 1000),
            )
            self._on_connected(self)
        elif state == "failed":
            self._end("connection_failed")
        elif state == "closed":
            self._end("hung_up")

    def _on_gone(self) -> None:
        # The BYE of one track does not end the other.
        if all(receiver.gone for receiver in self._receivers):
            self._end("hung_up")

    async def _watch(self) -> None:
        """Watches the time limits and measures the round trip."""
        pinged = 0.0
        while not self._ended:
            await asyncio.sleep(WATCH_S)
            now = self._loop.time()
            if self.state == "connecting":
                if now - self._started > self._settings.connect_timeout_s:
                    self._end("connect_timeout")
                continue
            if self.silent_s() > self._settings.silence_timeout_s:
                self._end("silent")
            elif now - pinged > PING_S and self._pc is not None:
                pinged = now
                self.round_trip_s = await hooks.round_trip(hooks.dtls_transports(self._pc)[0])
                for receiver in self._receivers:
                    receiver.round_trip_s = self.round_trip_s

    def _end(self, reason: str) -> None:
        """The connection has ended by itself; the owner closes it."""
        if not self._ended:
            self._ended = True
            self.state = "closed" if reason in ("hung_up", "silent") else "failed"
            self._on_ended(self, reason)

    async def close(self, reason: str = "closed") -> None:
        """Close the sockets. Idempotent; ends within a few seconds whatever the other side does."""
        self._ended = True
        if self.state != "failed":
            self.state = "closed"
        if self._watcher is not None and self._watcher is not asyncio.current_task():
            self._watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watcher
        self._watcher = None
        pc, self._pc = self._pc, None
        if pc is None:
            return
        log.info("publication_closed", publication=self.id, source=self.source, reason=reason)
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await hooks.close(pc)
        except TimeoutError:
            log.warning("publication_close_timeout", publication=self.id)

    # --- media ---

    def _unit(self, unit: AccessUnit) -> None:
        if not self._ended:
            self._on_unit(self, unit)

    def request_keyframe(self) -> None:
        """Ask the sender for a key frame; at most five times a second, more requests are joined."""
        for receiver in self._receivers:
            if receiver.kind == "video":
                receiver.request_keyframe()

    # --- status ---------

    @property
    def last_packet_ns(self) -> int:
        """time.monotonic_ns() of the last packet of any track; 0 before the first."""
        return max((r.last_packet_ns for r in self._receivers), default=0)

    def silent_s(self) -> float:
        """Seconds since the last packet, or since the offer."""
        if self.last_packet_ns:
            return (time.monotonic_ns() - self.last_packet_ns) / 1e9
        return self._loop.time() - self._started

    def status(self) -> SourceStatus:
        now_ns = time.monotonic_ns()
        last = self.last_packet_ns
        notes = []
        if self.state == "connected":
            notes = [f"no_{kind}" for kind in ("audio", "video") if self._facts.of_kind(kind) is None]
        if any(gate.too_fast_ns and now_ns - gate.too_fast_ns < NOTE_NS for gate in self._gates):
            notes.append("too_much_data")
        return SourceStatus(
            name=self.source,
            up=self.state == "connected" and bool(last) and now_ns - last < UP_NS,
            publication=self.id,
            client=self.client,
            since_ms=self.started_ms,
            last_packet_ms=(time.time_ns() - (now_ns - last)) // 1_000_000 if last else 0,
            connection=self.state,
            video=self._track("video"),
            audio=self._track("audio"),
            round_trip_ms=None if self.round_trip_s is None else round(self.round_trip_s * 1000, 1),
            notes=notes,
        )

    def way(self) -> WayCounts:
        receptions = {r.kind: r.reception for r in self._receivers if r.reception is not None}
        video, sound = receptions.get("video"), receptions.get("audio")
        bitrate, rate = video.rates(time.monotonic()) if video is not None else (0, 0.0)
        # A picture's packets are spread on purpose: sound tells the way's own jitter.
        timed = sound or video
        return WayCounts(
            expected=sum(r.expected for r in receptions.values()),
            lost=sum(r.lost for r in receptions.values()),
            jitter_ms=timed.jitter_ms if timed is not None else 0.0,
            round_trip_ms=None if self.round_trip_s is None else self.round_trip_s * 1000,
            video_kbps=bitrate / 1000 if video is not None else None,
            frame_rate=rate if video is not None else None,
            keyframes_wanted=sum(receiver.keyframes_wanted for receiver in self._receivers),
            # A microphone that lost samples, or a camera that is slow, is late alone.
            queued_ms=min((reception.queued_ms for reception in receptions.values()), default=0.0),
        )

    def _track(self, kind: str) -> TrackStatus | None:
        receiver = next((r for r in self._receivers if r.kind == kind), None)
        if receiver is None or receiver.reception is None or receiver.assembler is None:
            return None
        bitrate, rate = receiver.reception.rates(time.monotonic())
        return TrackStatus(
            codec=receiver.codec,
            bitrate=bitrate,
            packets=receiver.reception.packets,
            lost=receiver.assembler.counters.given_up,
            jitter_ms=round(receiver.reception.jitter_ms, 1),
            width=receiver.width,
            height=receiver.height,
            frame_rate=round(rate, 1) if kind == "video" else 0.0,
            channels=receiver.channels if kind == "audio" else 0,
        )

    def counters(self) -> dict[str, float]:
        """Monotonic counters for metrics."""
        totals = dict.fromkeys(
            (
                "rtp_packets_total",
                "rtp_packets_lost_total",
                "rtp_packets_recovered_total",
                "rtp_packets_late_total",
                "rtp_packets_refused_total",
                "rtp_frames_dropped_total",
                "rtp_frames_refused_total",
                "nacks_sent_total",
                "keyframes_requested_total",
            ),
            0.0,
        )
        totals["rtp_packets_refused_total"] += sum(gate.refused_total for gate in self._gates)
        for receiver in self._receivers:
            totals["rtp_packets_refused_total"] += receiver.refused
            totals["rtp_frames_refused_total"] += receiver.frames_refused
            totals["nacks_sent_total"] += receiver.nacks_sent
            totals["keyframes_requested_total"] += receiver.keyframes_wanted
            if receiver.reception is not None and receiver.assembler is not None:
                counts = receiver.assembler.counters
                totals["rtp_packets_total"] += receiver.reception.packets
                totals["rtp_packets_lost_total"] += counts.given_up
                totals["rtp_packets_recovered_total"] += counts.recovered
                totals["rtp_packets_late_total"] += counts.late
                totals["rtp_frames_dropped_total"] += counts.frames_dropped
        return totals


def _best_first(transceiver: hooks.Transceiver) -> list[Any]:
    """H.264 before VP8, Opus before the rest, else as offered; a retransmission codec after its codec."""
    codecs = hooks.codecs_of(transceiver)
    order = USABLE[transceiver.kind]
    plain = [c for c in codecs if c.name.lower() in order]
    plain.sort(key=lambda c: order.index(c.name.lower()))
    out: list[Any] = []
    for codec in plain:
        out.append(codec)
        out += [c for c in codecs if c.name.lower() == "rtx" and c.parameters.get("apt") == codec.payloadType]
    return out
