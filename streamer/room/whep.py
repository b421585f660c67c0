"""One WHEP viewer: an aiortc peer that sends encoded frames as they are. In the relay process, on the loop."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from typing import Any

import structlog

from streamer.control.messages import Answer, Candidates, Offer
from streamer.errors import StreamerError
from streamer.room.feed import ViewerFeed
from streamer.rtc import aiortc_hooks as hooks
from streamer.rtc import sdp
from streamer.rtc.ice import IceBinding
from streamer.rtc.sender import EncodedSender
from streamer.rtc.trickle import TrickleSession

log = structlog.get_logger(__name__)

CHECK_EVERY_S = 1.0
SILENT_LIMIT_S = 15.0
"""A viewer that sent no receiver report for this long is gone. aioice notices after 30 s."""
CLOSE_LIMIT_S = 5.0
CODECS = {"video": "h264", "audio": "opus"}


class Viewer:
    """A connection from its offer to its end. It is a :class:`streamer.room.feed.FrameSink` of its feed."""

    def __init__(
        self,
        offer: Offer,
        feed: ViewerFeed,
        binding: IceBinding,
        connect_limit_s: float,
        max_candidates: int,
        on_connected: Callable[[], bool],
    ) -> None:
        """``on_connected`` returns whether there is still a place for it."""
        self.resource = secrets.token_urlsafe(24)
        self.feed = feed
        self._binding = binding
        self._connect_limit_s = connect_limit_s
        self._on_connected = on_connected
        self._facts = _read_offer(offer, max_candidates)
        self._trickle = TrickleSession(self._facts, binding, max_candidates)
        self._pc: hooks.Peer = hooks.new_peer(binding.servers)
        self._video: EncodedSender | None = None
        self._audio: EncodedSender | None = None
        self._joined = False
        self._over = asyncio.Event()

    async def answer(self) -> Answer:
        """Raises StreamerError ``bad_offer`` 400, ``unsupported_media`` 422 or 406; the caller then closes it."""
        pc = self._pc
        try:
            await hooks.describe_remote(pc, self._facts.sdp, "offer")
            for transceiver in pc.getTransceivers():
                self._send_on(transceiver)
            if self._facts.leaves_role_open:
                hooks.answer_as_dtls_server(pc)
            hooks.bind(pc, self._binding)
            hooks.tap(pc)
            await pc.setLocalDescription(await pc.createAnswer())
            await self._trickle.meet(pc, hooks.remote_addresses(pc))
        except (StreamerError, TimeoutError):
            raise
        except Exception as error:
            # aiortc raises ValueError, AssertionError, KeyError and its own errors at descriptions that it cannot use.
            raise sdp.BadOffer("The offer cannot be answered.", details={"reason": repr(error)[:200]}) from error
        return Answer(sdp=sdp.write_answer(pc.localDescription.sdp), resource=self.resource, etag=self._trickle.etag)

    def _send_on(self, transceiver: hooks.Transceiver) -> None:
        wanted = CODECS[transceiver.kind]
        offered = hooks.codecs_of(transceiver)
        usable = [codec for codec in offered if codec.name.lower() == wanted]
        if wanted == "h264":
            # RFC 6184: mode 0 has no fragments, and our pictures do not fit a packet.
            usable = [codec for codec in usable if codec.parameters.get("packetization-mode") == "1"]
        if not usable:
            raise _not_acceptable(transceiver.kind)
        chosen = max(usable, key=self._fitness) if wanted == "h264" else usable[0]
        rtx = [c for c in offered if c.name.lower() == "rtx" and c.parameters.get("apt") == chosen.payloadType]
        hooks.set_codecs(transceiver, [chosen, *rtx])
        transceiver.direction = "sendonly"
        if transceiver.kind == "video":
            self._video = EncodedSender.on(transceiver, on_ready=self._ready, on_keyframe_wanted=self._picture_lost)
        else:
            self._audio = EncodedSender.on(transceiver, on_ready=self._ready)

    def _fitness(self, codec: Any) -> int:
        """The fit of an offered profile to the pictures: the same bits, the same profile, or any."""
        offered = str(codec.parameters.get("profile-level-id", "42e01f")).lower()
        profile = self.feed.profile
        return 2 * (offered[:4] == profile) + (offered[:2] == profile[:2])

    async def candidates(self, wanted: Candidates) -> None:
        """Raises the errors of :class:`Candidates`."""
        await self._trickle.take(self._pc, wanted.fragment, wanted.if_match)

    # --- media --------------------------------------------------------------------------------------

    def video(self, data: bytes, media_us: int, *, idr: bool) -> None:
        if self._video is not None:
            self._video.push(data, media_us, key=idr)

    def audio(self, data: bytes, media_us: int) -> None:
        if self._audio is not None:
            self._audio.push(data, media_us)

    @property
    def counters(self) -> dict[str, float]:
        senders = [sender for sender in (self._video, self._audio) if sender is not None]
        return {
            "whep_packets_total": sum(s.packets_sent for s in senders),
            "whep_bytes_total": sum(s.bytes_sent for s in senders),
            "whep_resent_total": sum(s.resent for s in senders),
            "whep_frames_dropped_total": sum(s.frames_dropped for s in senders),
        }

    def _ready(self) -> None:
        senders = [sender for sender in (self._video, self._audio) if sender is not None]
        if not self._joined and not self._over.is_set() and all(sender.ready for sender in senders):
            if not self._on_connected():
                self._over.set()
                return
            self._joined = True
            self.feed.join(self, time.monotonic_ns())

    def _picture_lost(self) -> None:
        self.feed.want_keyframe(time.monotonic_ns())

    # --- life ---------------------------------------------------------------------------------------

    def hang_up(self) -> None:
        self._over.set()

    async def live(self) -> str:
        """Runs until the viewer is gone. Returns the reason; then the caller closes the connection."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        while not self._over.is_set():
            state = self._pc.connectionState
            if state in ("failed", "closed"):
                return state
            if not self._joined and loop.time() - began > self._connect_limit_s:
                return "not connected in time"
            if self._joined and loop.time() - max(began, self._last_report()) > SILENT_LIMIT_S + self._connect_limit_s:
                return "silent"
            try:
                async with asyncio.timeout(CHECK_EVERY_S):
                    await self._over.wait()
            except TimeoutError:
                continue
        return "hung up"

    def _last_report(self) -> float:
        reports = [s.last_report_at for s in (self._video, self._audio) if s is not None]
        return max((at for at in reports if at is not None), default=0.0)

    async def close(self) -> None:
        """Leaves no socket, timer or task open, whatever state the connection is in."""
        self._over.set()
        self.feed.leave(self)
        try:
            async with asyncio.timeout(CLOSE_LIMIT_S):
                await hooks.close(self._pc)
        except TimeoutError:
            log.warning("viewer_not_closing", feed=self.feed.name)


def _read_offer(offer: Offer, max_candidates: int) -> sdp.OfferFacts:
    facts = sdp.read_offer(offer.sdp, "play", max_candidates=max_candidates)
    for kind, wanted in CODECS.items():
        media = facts.of_kind(kind)
        if media is not None and wanted not in media.codecs:
            raise _not_acceptable(kind)
    return facts


def _not_acceptable(kind: str) -> StreamerError:
    name = {"video": "H.264 in packetization mode 1", "audio": "Opus"}[kind]
    return StreamerError(
        f"The {kind} is {name}, which the offer does not have.",
        code="unsupported_media",
        status=406,
        details={"reason": "codec", "kind": kind, "taken": [CODECS[kind]]},
    )
