"""Our use of the private parts of aiortc 1.16.0, and with :mod:`aioice_hooks` of aioice 0.13.0.

``tests/unit/rtc/test_hooks.py`` holds one test per attribute used here, so that a new version of either
library fails there and not in a talk. Nothing in this module patches a library for the whole process, except
:func:`install`, which only adds rows to aiortc's table of codecs.

How a peer is put together (all on the loop; ``receiver.EncodedReceiver`` and ``sender.EncodedSender`` take the
place of aiortc's own, which decode and encode)::

    install()
    pc = new_peer(binding.servers)
    # answering                                        # offering
    await pc.setRemoteDescription(offer)               transceiver = pc.addTransceiver("video", "sendonly")
    for t in pc.getTransceivers():                     use_sender(transceiver, EncodedSender(...))
        use_receiver(t, EncodedReceiver(...))          offer = await pc.createOffer()
    answer_as_dtls_server(pc)     # for setup:actpass  bind(pc, binding)
    bind(pc, binding)                                  tap(pc)
    tap(pc)                                            await pc.setLocalDescription(offer)
    await pc.setLocalDescription(await pc.createAnswer())
    ...
    await pc.close()

:func:`bind` decides addresses, ports, buffers and what is announced. :func:`tap` takes SRTP off the sockets
directly: no queue, no task, no thread per track.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, Literal, Protocol

import aiortc.codecs
import structlog
from aiortc import RTCConfiguration, RTCIceServer, RTCPeerConnection, RTCRtpTransceiver, RTCSessionDescription
from aiortc.rtcconfiguration import RTCBundlePolicy
from aiortc.rtcdtlstransport import RTCCertificate, RTCDtlsTransport
from aiortc.rtcrtpparameters import RTCRtcpFeedback, RTCRtpCodecParameters
from aiortc.rtp import AnyRtcpPacket, RtcpPacket, RtpPacket, is_rtcp

from streamer.control.ice_servers import IceServer
from streamer.rtc.aioice_hooks import (
    Checks,
    ConsentChecks,
    DatagramQueue,
    Gatherer,
    binding_request,
    host_candidate,
    listen,
)
from streamer.rtc.gate import MAX_DATAGRAM, Gate, asks_for_too_much
from streamer.rtc.ice import IceBinding

log = structlog.get_logger(__name__)

EARLY_MAX = 1024
"""Packets of media that wait for our end of the handshake: a large key frame."""
RTT_TIMEOUT_S = 2.0
MAX_SOCKETS = 8
"""Sockets of one ICE transport."""

_H264_EXTRA = (
    # profile-level-id, packetization-mode: Main, High and Constrained High, and mode 0 of the profiles that aiortc has
    # in mode 1.
    ("4d001f", "1"),
    ("64001f", "1"),
    ("640c1f", "1"),
    ("42001f", "0"),
    ("42e01f", "0"),
    ("4d001f", "0"),
    ("64001f", "0"),
)
_RSA_TOO = (
    b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA:"
    b"ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-CHACHA20-POLY1305:ECDHE-RSA-AES128-SHA:ECDHE-RSA-AES256-SHA"
)


Peer = RTCPeerConnection
Transceiver = RTCRtpTransceiver
"""For code that holds a peer and its media, because no other module imports aiortc."""


class MediaEndpoint(Protocol):
    """A receiver or sender that takes packets straight from the socket. Called on the loop; must not block."""

    def on_rtp(self, packet: RtpPacket, now_ns: int) -> None: ...

    def on_rtcp(self, packet: AnyRtcpPacket, now_ns: int) -> None: ...


# --- codecs -----------------------------------------------------------------------------------------


def install() -> None:
    """Add the H.264 profiles that aiortc refuses to its table. Idempotent."""
    video = aiortc.codecs.CODECS["video"]
    known = {
        (c.parameters.get("profile-level-id"), c.parameters.get("packetization-mode"))
        for c in video
        if c.name == "H264"
    }
    payload_type = max((c.payloadType or 0) for c in video) + 1
    for profile, mode in _H264_EXTRA:
        if (profile, mode) in known:
            continue
        video.append(
            RTCRtpCodecParameters(
                mimeType="video/H264",
                clockRate=90_000,
                payloadType=payload_type,
                rtcpFeedback=[
                    RTCRtcpFeedback(type="nack"),
                    RTCRtcpFeedback(type="nack", parameter="pli"),
                    RTCRtcpFeedback(type="ccm", parameter="fir"),
                    RTCRtcpFeedback(type="goog-remb"),
                ],
                parameters={
                    "level-asymmetry-allowed": "1",
                    "packetization-mode": mode,
                    "profile-level-id": profile,
                },
            )
        )
        video.append(
            RTCRtpCodecParameters(
                mimeType="video/rtx", clockRate=90_000, payloadType=payload_type + 1, parameters={"apt": payload_type}
            )
        )
        payload_type += 2


def codecs_of(transceiver: RTCRtpTransceiver) -> list[RTCRtpCodecParameters]:
    """The codecs of a transceiver that both sides have, in the order of preference."""
    private: Any = transceiver
    return list(private._codecs)


def set_codecs(transceiver: RTCRtpTransceiver, codecs: Sequence[RTCRtpCodecParameters]) -> None:
    """Reduce or reorder them, between setRemoteDescription and createAnswer."""
    private: Any = transceiver
    private._codecs = list(codecs)


def offer_codecs(transceiver: RTCRtpTransceiver, wanted: Iterable[tuple[str, str]]) -> None:
    """Offer only these (codec name, H.264 ``profile-level-id`` in mode 1 or ``""``), with RTX, in this order."""
    table = aiortc.codecs.CODECS[transceiver.kind]
    chosen = []
    for name, profile in wanted:
        for codec in table:
            if codec.name.lower() != name.lower():
                continue
            parameters = codec.parameters
            if profile and (parameters.get("profile-level-id"), parameters.get("packetization-mode")) != (profile, "1"):
                continue
            chosen.append(
                aiortc.rtcrtpparameters.RTCRtpCodecCapability(
                    mimeType=codec.mimeType,
                    clockRate=codec.clockRate,
                    channels=codec.channels,
                    parameters=codec.parameters,
                )
            )
            break
    if transceiver.kind == "video":
        chosen.append(aiortc.rtcrtpparameters.RTCRtpCodecCapability(mimeType="video/rtx", clockRate=90_000))
    private: Any = transceiver
    private._preferred_codecs = chosen


# --- peers --------------------------------------------------------------------------------------------


class _Certificate(RTCCertificate):
    """As a DTLS client aiortc accepts only servers with ECDSA certificates; GStreamer's has RSA."""

    def _create_ssl_context(self, srtp_profiles: Any) -> Any:
        context = super()._create_ssl_context(srtp_profiles)
        context.set_cipher_list(_RSA_TOO)
        return context


def new_peer(servers: Sequence[IceServer] = (), *, bundle: bool = False) -> RTCPeerConnection:
    """A peer connection without aiortc's default (public) STUN server.

    ``bundle``: one transport from the start, for offers; answers follow the offer.
    """
    ice_servers = [
        RTCIceServer(urls=s.url, username=s.username or None, credential=s.credential or None) for s in servers
    ]
    policy = RTCBundlePolicy.MAX_BUNDLE if bundle else RTCBundlePolicy.BALANCED
    pc = RTCPeerConnection(RTCConfiguration(iceServers=ice_servers, bundlePolicy=policy))
    private: Any = pc
    private._RTCPeerConnection__certificates[0] = _Certificate.generateCertificate()
    return pc


async def describe_remote(pc: RTCPeerConnection, sdp: str, kind: Literal["offer", "answer"]) -> None:
    """Apply the other side's description. aiortc raises errors of any type if it cannot use it."""
    await pc.setRemoteDescription(RTCSessionDescription(sdp, kind))


def dtls_transports(pc: RTCPeerConnection) -> list[RTCDtlsTransport]:
    private: Any = pc
    return list(private._RTCPeerConnection__dtlsTransports)


async def close(pc: RTCPeerConnection) -> None:
    """Close a peer, also one with a half-applied description, for which aiortc's own close fails."""
    try:
        await pc.close()
    except Exception as error:
        log.info("peer_not_closed_in_order", error=repr(error))
        for dtls in dtls_transports(pc):
            for part in (dtls, dtls.transport):
                with contextlib.suppress(Exception):
                    await part.stop()


def use_receiver(transceiver: RTCRtpTransceiver, receiver: Any) -> None:
    """Replace aiortc's receiver by our own, before the connection is made. RTCP of both directions has one SSRC."""
    private: Any = transceiver
    receiver.local_ssrc = private.sender._ssrc
    private._RTCRtpTransceiver__receiver = receiver


def use_sender(transceiver: RTCRtpTransceiver, sender: Any) -> None:
    """The same for a sender; before createOffer or createAnswer, because the description contains its SSRCs."""
    private: Any = transceiver
    sender._stream_id = private.sender._stream_id
    private._RTCRtpTransceiver__sender = sender


def answer_as_dtls_server(pc: RTCPeerConnection) -> None:
    """Answer ``setup:passive`` if the offer leaves the choice (actpass).

    RFC 8842, section 5.3 lets the answerer choose; as server we admit every client certificate.
    """
    for transport in dtls_transports(pc):
        private: Any = transport
        if private._role == "auto":
            private._set_role("server")


# --- sockets ------------------------------------------------------------------------------------------


async def listen_too(pc: RTCPeerConnection, address: str, binding: IceBinding) -> None:
    """Open one more socket, without announcing it, for checks to a peer; see ``ice.same_machine``."""
    for dtls in dtls_transports(pc):
        connection: Any = dtls.transport._connection
        bound = [p.local_candidate.host for p in connection._protocols]
        if address in bound or len(bound) >= MAX_SOCKETS or connection._closing:
            continue
        protocol = await listen(connection, address, binding)
        if protocol is None:
            continue
        protocol.local_candidate = host_candidate(protocol, 1, len(bound))
        if connection._closing:
            await protocol.close()
            continue
        connection._protocols.append(protocol)
        # The known candidates were paired without it.
        for candidate in connection._remote_candidates:
            connection._pair_remote_candidate(candidate)
        connection.sort_check_list()


def bind(pc: RTCPeerConnection, binding: IceBinding) -> None:
    """Decide the addresses of the peer's sockets. Before setLocalDescription, which opens them."""
    for transport in dtls_transports(pc):
        connection: Any = transport.transport._connection
        connection._queue = DatagramQueue()
        connection.get_component_candidates = Gatherer(connection, binding)
        connection.check_incoming = Checks(connection)


# --- packets ------------------------------------------------------------------------------------------


class _Tap:
    """Replaces ``Connection.data_received``: SRTP and SRTCP go to the media endpoints at once."""

    def __init__(self, dtls: Any, connection: Any, max_kbps: int) -> None:
        self._dtls = dtls
        self._connection = connection
        self.gate = Gate(max_kbps)
        self.consent: ConsentChecks | None = None
        self._early: deque[bytes] | None = deque(maxlen=EARLY_MAX)
        """Packets that came before our end was ready; None once it is. The sender may be ready first, and its first
        packets are its first key frame."""

    def __call__(self, data: bytes, component: int) -> None:
        if not data or len(data) > MAX_DATAGRAM:
            self.gate.refused["too_large"] += bool(data)
            return
        # RFC 7983: 128..191 is RTP and RTCP, 20..63 DTLS.
        if not 127 < data[0] < 192:
            self._connection._queue.put_nowait((data, component))
            return
        if self._early is not None:
            self._early.append(data)
            return
        self._media(data)

    def flush(self) -> None:
        """Receivers are registered: deliver the early packets, and from now on deliver at once."""
        early, self._early = self._early, None
        for data in early or ():
            self._media(data)

    def _media(self, data: bytes) -> None:
        dtls = self._dtls
        srtp = dtls._rx_srtp
        if srtp is None:
            return
        now_ns = time.monotonic_ns()
        try:
            control = is_rtcp(data)
            # RFC 3550, sections 5.1 and 6.4: neither is encrypted.
            ssrc = int.from_bytes(data[4:8] if control else data[8:12], "big")
            if not self.gate.admits(data, ssrc, now_ns):
                return
            if control:
                compound = srtp.unprotect_rtcp(data)
                self._authentic(ssrc)
                if asks_for_too_much(compound):
                    self.gate.refused["too_large"] += 1
                    return
                for report in RtcpPacket.parse(compound):
                    for recipient in dtls._rtp_router.route_rtcp(report):
                        recipient.on_rtcp(report, now_ns)
            else:
                plain = srtp.unprotect(data)
                self._authentic(ssrc)
                packet = RtpPacket.parse(plain, dtls._rtp_header_extensions_map)
                receiver = dtls._rtp_router.route_rtp(packet)
                if receiver is None:
                    self.gate.refused["malformed"] += 1
                else:
                    receiver.on_rtp(packet, now_ns)
        except Exception as error:
            # An exception that leaves a datagram callback would close the socket, and a peer's datagram must not do
            # that.
            self.gate.refused["malformed"] += 1
            if self.gate.refused["malformed"] in (1, 100, 10_000):
                log.warning("datagram_refused", error=repr(error), count=self.gate.refused["malformed"])

    def _authentic(self, ssrc: int) -> None:
        # libsrtp refuses what was replayed.
        self.gate.authentic(ssrc)
        if self.consent is not None:
            self.consent.came()


def tap(pc: RTCPeerConnection, *, max_kbps: int = 0) -> list[Gate]:
    """Deliver media straight from the sockets to the peer's :class:`MediaEndpoint` objects.

    ``max_kbps``: packets above this bitrate are refused; 0: no limit. Returns the gate of each transport, which counts.
    """
    gates = []
    for dtls in dtls_transports(pc):
        connection: Any = dtls.transport._connection
        connection.data_received = received = _Tap(dtls, connection, max_kbps)
        gates.append(received.gate)
    return gates


def keep_while_heard(pc: RTCPeerConnection) -> None:
    """A publisher's connection is kept by all that comes from it, not by its answers alone.

    After :func:`bind` and :func:`tap`.
    """
    for dtls in dtls_transports(pc):
        connection: Any = dtls.transport._connection
        checks = ConsentChecks(connection)
        connection.query_consent = connection.check_incoming.consent = connection.data_received.consent = checks


def register_receiver(dtls: RTCDtlsTransport, receiver: Any, parameters: Any) -> None:
    private: Any = dtls
    private._register_rtp_receiver(receiver, parameters)
    _flush_soon(private)


def unregister_receiver(dtls: RTCDtlsTransport, receiver: Any) -> None:
    private: Any = dtls
    private._unregister_rtp_receiver(receiver)


def register_sender(dtls: RTCDtlsTransport, sender: Any, parameters: Any) -> None:
    private: Any = dtls
    private._register_rtp_sender(sender, parameters)
    _flush_soon(private)


def _flush_soon(dtls: Any) -> None:
    """In the next turn of the loop: aiortc registers all endpoints of a connection in one."""
    received = dtls.transport._connection.data_received
    if isinstance(received, _Tap):
        asyncio.get_running_loop().call_soon(received.flush)


def unregister_sender(dtls: RTCDtlsTransport, sender: Any) -> None:
    private: Any = dtls
    private._unregister_rtp_sender(sender)


def send(dtls: RTCDtlsTransport, data: bytes) -> bool:
    """Protect and send one RTP packet or one compound RTCP packet, now. False: not connected, or without consent."""
    private: Any = dtls
    connection = private.transport._connection
    pair = connection._nominated.get(1)
    if pair is None or private._tx_srtp is None or dtls.state != "connected":
        return False
    checks = connection.query_consent
    if isinstance(checks, ConsentChecks) and not checks.consent.admits(time.monotonic_ns()):
        return False
    protected = private._tx_srtp.protect_rtcp(data) if is_rtcp(data) else private._tx_srtp.protect(data)
    transport = pair.protocol.transport
    if transport.is_closing():
        return False
    transport.sendto(protected, pair.remote_addr)
    return True


async def round_trip(dtls: RTCDtlsTransport) -> float | None:
    """One STUN binding request on the selected pair. Returns the round trip in seconds, None without an answer.

    It renews a publisher's consent as well (RFC 7675).
    """
    connection: Any = dtls.transport._connection
    pair = connection._nominated.get(1)
    if pair is None or connection.remote_password is None:
        return None
    checks = connection.query_consent
    started = time.monotonic()
    try:
        async with asyncio.timeout(RTT_TIMEOUT_S):
            if isinstance(checks, ConsentChecks):
                answered = await checks.check(pair)
            else:
                answered = await binding_request(connection, pair)
    except TimeoutError:
        return None
    return time.monotonic() - started if answered else None


def remote_addresses(pc: RTCPeerConnection) -> list[str]:
    """Addresses of the remote candidates so far."""
    return [c.ip for t in dtls_transports(pc) for c in t.transport.getRemoteCandidates()]
