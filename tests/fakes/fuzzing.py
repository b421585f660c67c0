"""Nearly valid inputs for everything that a stranger or a publisher can send to the media plane. Deterministic.

A target takes one input and swallows its documented errors; any other error is a find. Each has its own seeds: valid
inputs, and inputs that once broke it.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import struct
import time
from collections.abc import Callable
from typing import Any

import aioice.ice
import aioice.stun
from aiortc.rtcdtlstransport import RtpRouter
from aiortc.rtp import HeaderExtensionsMap, RtcpPacket, RtpPacket

from streamer.control.ice_servers import parse_link_headers
from streamer.control.messages import Offer
from streamer.errors import BadRequest, StreamerError, Unprocessable
from streamer.formats import h264, vp8
from streamer.formats.types import AccessUnit
from streamer.media.decode import PictureDecoder
from streamer.media.incoming import PictureGuard, frame_size, read_unit
from streamer.room.publications import Publications
from streamer.rtc import aioice_hooks
from streamer.rtc import aiortc_hooks as hooks
from streamer.rtc.gate import Gate
from streamer.rtc.payloads import depayload, payload
from streamer.rtc.receiver import EncodedReceiver, nack_packet
from streamer.rtc.sdp import for_mid, is_restart, read_candidate, read_fragment, read_offer, write_answer
from tests.fakes.changed_inputs import Target, mutated
from tests.fakes.liar import STUN, rtcp, sps, vp8_key
from tests.fakes.peers import SPS_PPS, h264_frame
from tests.fakes.whip import KeepingSink, loopback_settings

# --- signalling -----------------------------------------------------------------------------------

OFFER = """v=0
o=- 1 1 IN IP4 0.0.0.0
s=-
t=0 0
a=group:BUNDLE 0 1
a=msid-semantic:WMS *
m=video 9 UDP/TLS/RTP/SAVPF 96 97 98
c=IN IP4 0.0.0.0
a=mid:0
a=sendonly
a=ice-ufrag:abcd
a=ice-pwd:abcdefghijklmnopqrstuvwx
a=fingerprint:sha-256 AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB
a=setup:actpass
a=rtcp-mux
a=extmap:3 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
a=rtpmap:96 VP8/90000
a=rtpmap:97 H264/90000
a=rtcp-fb:97 nack pli
a=fmtp:97 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f
a=rtpmap:98 rtx/90000
a=fmtp:98 apt=97
a=ssrc-group:FID 1 2
a=ssrc:1 cname:x
a=candidate:1 1 udp 2113937151 192.168.1.4 56789 typ host generation 0
m=audio 9 UDP/TLS/RTP/SAVPF 111 0
c=IN IP4 0.0.0.0
a=mid:1
a=sendonly
a=ice-ufrag:abcd
a=ice-pwd:abcdefghijklmnopqrstuvwx
a=fingerprint:sha-256 AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB
a=setup:actpass
a=rtcp-mux
a=rtpmap:111 opus/48000/2
a=fmtp:111 minptime=10;useinbandfec=1
"""
ANSWER = OFFER.replace("sendonly", "recvonly")
OFFERS = (
    OFFER.encode(),
    OFFER.replace("42e01f", "42e0").encode(),
    OFFER.replace("42e01f", "zzzzzz").encode(),
    OFFER.replace(" 97 98", " 97 98 " + "9" * 5000).encode(),
    OFFER.replace("ssrc:1", "ssrc:" + "9" * 5000).encode(),
    OFFER.replace("FID 1 2", "FID " + "9" * 5000 + " 1").encode(),
    OFFER.replace("apt=97", "apt=98").encode(),
    OFFER.replace("apt=97", "apt=x").encode(),
    OFFER.replace("m=video 9", "m=video " + "9" * 5000).encode(),
    OFFER.replace("56789", "0").encode(),
    OFFER.replace("192.168.1.4", "fe80::1%eth0").encode(),
    OFFER.replace("a=mid:0", "a=mid:").encode(),
    OFFER.replace("96 VP8", "\u0666 VP8").encode(),
    b"v=0\n" + b"m=video 9 UDP/TLS/RTP/SAVPF 96\n" * 3000,
    b"v=0\nm=video 9 UDP/TLS/RTP/SAVPF " + b"1 " * 30_000,
    b"\x00" * 1000,
)
FRAGMENT = b"""a=ice-ufrag:abcd
a=ice-pwd:abcdefghijklmnopqrstuvwx
m=audio 9 UDP/TLS/RTP/SAVPF 0
a=mid:0
a=candidate:1 1 udp 2113937151 192.168.1.4 56789 typ host generation 0 ufrag abcd
a=candidate:2 1 UDP 1677729535 2001:db8::7 9 typ srflx raddr 0.0.0.0 rport 0
a=candidate:3 1 tcp 1518280447 192.168.1.4 9 typ host tcptype active
a=candidate:4 1 udp 1 9b36eaac-bb2e-49bb-bb78-21c41c499900.local 5 typ host
a=end-of-candidates
"""
FRAGMENTS = (
    FRAGMENT,
    FRAGMENT.replace(b"56789", b"9" * 5000),
    FRAGMENT.replace(b"2113937151", b"9" * 5000),
    FRAGMENT.replace(b"56789", b"-1"),
    FRAGMENT.replace(b"56789", "٣".encode()),
    FRAGMENT.replace(b"rport 0", b"rport"),
    FRAGMENT.replace(b"generation 0", b"generation"),
    FRAGMENT.replace(b"192.168.1.4", b"fe80::1%" + b"e" * 300),
    b"a=candidate:" * 5000,
    b"\xff\xfe" * 100,
)
LINKS = (
    b'<stun:stun.example.org:3478>; rel="ice-server"',
    b'<turn:turn.example.org?transport=udp>; rel="ice-server"; username="user\\"x"; credential="pass"',
    b"<turn:x>" + b'; a="\\' * 3000,
    b"<" * 20_000,
    b"<a>" + b"; a = b" * 5000,
)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _offer() -> Callable[[bytes], None]:
    def take(data: bytes) -> None:
        for purpose in ("publish", "play"):
            with contextlib.suppress(StreamerError):
                read_offer(_text(data), purpose)  # type: ignore[arg-type]

    return take


def _answer() -> Callable[[bytes], None]:
    return lambda data: write_answer(_text(data)) and None


def _fragment() -> Callable[[bytes], None]:
    def take(data: bytes) -> None:
        text = _text(data)
        for line in text.splitlines()[:50]:
            read_candidate(line.partition(":")[2])
        try:
            fragment = read_fragment(text)
        except StreamerError:
            return
        is_restart(fragment, "abcd", "x")
        for_mid(fragment.candidates, "0")

    return take


def _links() -> Callable[[bytes], None]:
    return lambda data: parse_link_headers([_text(data)]) and None


# --- packets --------------------------------------------------------------------------------------


class _Codec:
    def __init__(self, name: str, payload_type: int, clock_rate: int, **parameters: int) -> None:
        self.name, self.payloadType, self.clockRate, self.channels = name, payload_type, clock_rate, 2
        self.parameters = parameters


class _Transport:
    """A transport that sends nowhere."""

    state = "new"

    class _Ice:
        class _Connection:
            _nominated: dict[int, Any] = {}

        _connection = _Connection()

    transport = _Ice()
    _tx_srtp = None


def receiver(kind: str) -> EncodedReceiver:
    """One that is fed by hand."""
    made = EncodedReceiver(kind, _Transport(), on_unit=_read())  # type: ignore[arg-type]
    codecs = (
        [_Codec("H264", 102, 90_000), _Codec("rtx", 103, 90_000, apt=102), _Codec("VP8", 104, 90_000)]
        if kind == "video"
        else [_Codec("opus", 111, 48_000), _Codec("PCMU", 0, 8000)]
    )
    made._codecs = {codec.payloadType: codec for codec in codecs}
    return made


def _read() -> Callable[[AccessUnit], None]:
    guard = PictureGuard(9_500_000)

    def take(unit: AccessUnit) -> None:
        incoming = read_unit(unit)
        if incoming is not None and guard.admits(incoming) and incoming.is_video:
            frame_size(incoming)

    return take


def rtp_packet(body: bytes, payload_type: int, number: int, *, marker: bool = True, ssrc: int = 7) -> bytes:
    return struct.pack("!BBHII", 0x80, 128 * marker | payload_type, number, number * 3000, ssrc) + body


def _extension(profile: int, body: bytes, length: int | None = None) -> bytes:
    words = len(body) // 4 if length is None else length
    return struct.pack("!BBHIIHH", 0x90, 0x80 | 102, 5, 5, 7, profile, words) + body + b"\x41\x9a\x01"


RTP = (
    *(rtp_packet(part, 102, n) for n, part in enumerate(payload("h264", h264_frame(3000, key=True)))),
    *(rtp_packet(part, 102, 9 + n) for n, part in enumerate(payload("h264", b"\0\0\0\1" + sps(1000, 1000) + SPS_PPS))),
    *(rtp_packet(part, 104, 20 + n, ssrc=8) for n, part in enumerate(payload("vp8", vp8_key(320, 180), 77))),
    rtp_packet(b"\xfc\xff\xfe", 111, 1, ssrc=9),
    rtp_packet(b"\x00\x05\x41\x9a", 103, 3, ssrc=10),
    rtp_packet(b"", 103, 3, ssrc=10),
    _extension(0xBEDE, b"\x32\x01\x02\x03"),
    _extension(0xBEDE, b"\x32\x01\x02\x03", 0xFFFF),
    _extension(0x1000, b"\x03\x03\x01\x02\x03\x00\x00\x00"),
    _extension(0xBEDE, b"\x10\xff\x20\xff\x40\x01\x50\x02"),
    b"\xbf" + b"\xff" * 60,
    b"\xa0" + rtp_packet(b"\xff", 102, 7)[1:],
)
RTCP = (
    rtcp(200, struct.pack("!IQIII", 7, 0xE0000000 << 32, 90_000, 1, 1)),
    rtcp(200, struct.pack("!IQIII", 7, (1 << 64) - 1, 0xFFFFFFFF, 1, 1)),
    rtcp(201, struct.pack("!I", 7) + struct.pack("!IIIIII", 1, 0, 0, 0, 0, 0), 1),
    rtcp(202, struct.pack("!I", 7) + b"\x01\x05hello\x00\x00\x00", 1),
    rtcp(203, struct.pack("!I", 7), 1),
    rtcp(203, b"", 31),
    nack_packet(7, 1, [1, 2, 3, 40, 90]),
    rtcp(206, struct.pack("!II", 7, 1), 1),
    rtcp(206, struct.pack("!II", 7, 0) + b"REMB\x01\x13\xf7\xa0\x96\xbe\x96\xcf", 15),
    rtcp(206, struct.pack("!II", 7, 0) + b"REMB\xff\xff\xff\xff", 15),
    rtcp(206, struct.pack("!II", 7, 1) + struct.pack("!IB3x", 1, 9), 4),
    rtcp(205, struct.pack("!II", 7, 1) + b"\xff" * 1000, 1),
    rtcp(200, b"") + rtcp(201, b"", words=0xFFFF),
    b"\x80\xc8\x00\x00" * 300,
)


def _rtp() -> Callable[[bytes], None]:
    # Each follows its own stream, or the other picture codec would never be looked at.
    streams = {7: receiver("video"), 8: receiver("video"), 9: receiver("audio")}
    extensions: Any = HeaderExtensionsMap()
    ids = extensions._HeaderExtensionsMap__ids
    ids.mid, ids.abs_send_time, ids.audio_level, ids.transport_sequence_number = 1, 3, 2, 5
    now_ns = time.monotonic_ns()

    def take(data: bytes) -> None:
        nonlocal now_ns
        now_ns += 3_000_000
        try:
            packet = RtpPacket.parse(data[:1500], extensions)
        except (ValueError, struct.error):
            return  # aiortc's own; the tap counts it
        for each in [streams[packet.ssrc]] if packet.ssrc in streams else streams.values():
            each.on_rtp(packet, now_ns)
            if each.assembler is not None:
                each._deliver(each.assembler.expire(now_ns))

    return take


def _rtcp() -> Callable[[bytes], None]:
    video = receiver("video")
    router: Any = RtpRouter()
    router.register_receiver(video, [7], [102])
    now_ns = time.monotonic_ns()
    for number, part in enumerate(payload("h264", h264_frame(3000, key=True))):
        video.on_rtp(RtpPacket.parse(rtp_packet(part, 102, number)), now_ns)

    def take(data: bytes) -> None:
        try:
            reports = RtcpPacket.parse(data[:1500])
        except (ValueError, struct.error):
            return
        for report in reports:
            try:
                recipients = router.route_rtcp(report)
            except struct.error:
                continue  # aiortc's, of a REMB that is cut short
            for recipient in recipients:
                recipient.on_rtcp(report, now_ns)
        number = (video.assembler._sequence.highest or 0) + 1 if video.assembler is not None else 0
        video.on_rtp(RtpPacket.parse(rtp_packet(b"\x41\x9a\x01", 102, number & 0xFFFF)), now_ns)
        video._report()
        if video._report_timer is not None:
            video._report_timer.cancel()

    return take


def _tap() -> Callable[[bytes], None]:
    """The whole way in, but for the secrets."""

    class Secrets:
        def unprotect(self, data: bytes) -> bytes:
            return data

        unprotect_rtcp = unprotect

    class Dtls:
        _rx_srtp = Secrets()
        _rtp_router = RtpRouter()
        _rtp_header_extensions_map = HeaderExtensionsMap()

    class Connection:
        _queue: asyncio.Queue[Any] = aioice_hooks.DatagramQueue()

    router: Any = Dtls._rtp_router
    video, audio = receiver("video"), receiver("audio")
    router.register_receiver(video, [7], [102, 103, 104])
    router.register_receiver(audio, [9], [111])
    tap = hooks._Tap(Dtls(), Connection(), 0)
    tap.flush()

    def take(data: bytes) -> None:
        # Or the gate would refuse all but the first few senders.
        tap.gate = Gate()
        router.ssrc_table = {7: video, 9: audio}
        tap(data, 1)

    return take


def _stun() -> Callable[[bytes], None]:
    connection = aioice.ice.Connection(ice_controlling=False)
    connection.data_received = lambda data, component: None  # type: ignore[method-assign]
    protocol = aioice_hooks.StunProtocol(connection)
    protocol.local_candidate = aioice.Candidate("1", 1, "udp", 1, "127.0.0.1", 9, "host")

    class Socket(asyncio.DatagramTransport):
        def sendto(self, data: Any, addr: Any = None) -> None:
            pass

    protocol.transport = Socket()  # type: ignore[assignment]
    return lambda data: protocol.datagram_received(data, ("127.0.0.1", 4000))


# --- pictures -------------------------------------------------------------------------------------

H264 = (
    h264_frame(300, key=True),
    b"\0\0\0\1" + sps(1000, 1000) + h264_frame(30, key=True),
    b"\0\0\0\1" + sps(240, 135, refs=16) + b"\0\0\0\1\x68\xce\x3c\x80\0\0\0\1\x65\x88\x80",
    b"\0\0\1\x67\x64\x00\x28\xac\xd9\x40\x78\x02\x27\xe5\xc0\x44\x00\x00\x03\x00\x04\x00\x00\x03\x00\xf0\x3c\x60\xc6\x58",
    b"\0\0\1\x06\x06\x01\xc4\x80\0\0\1\x41\x9a\x01",
    b"\0\0\1\x06" + b"\xff" * 3000,
    b"\0\0\1\x67\xf4\xff\x1f" + b"\xb6" * 900,
    b"\0\0\1\x67\x42\xe0\x1f" + b"\0" * 60,
    b"\0\0\1" * 3000,
    b"\0\0\1\x01" * 3000,
    b"\x01\x42\xe0\x1f\xff\xe1\x00\x09" + SPS_PPS[4:13] + b"\x01\x00\x04\x68\xce\x3c\x80",
)
VP8 = (
    vp8_key(320, 180, 400),
    vp8_key(16_383, 16_383, 40),
    vp8_key(0, 0, 40),
    b"\x11\x02\x00",
    b"\x90\x80\xff\xff\x10",
    b"\xff" * 12,
)


def _h264() -> Callable[[bytes], None]:
    unit = _read()

    def take(data: bytes) -> None:
        unit(AccessUnit("video", "h264", data, 0, 90_000, 0))
        readers: tuple[Callable[[bytes], object], ...] = (
            h264.parse_access_unit,
            h264.parse_sps,
            h264.slice_type,
            h264.parse_avc_configuration,
            h264.parameter_sets,
            h264.avcc_to_annexb,
            lambda each: h264.avc_configuration([each], [each]),
            lambda each: depayload("h264", each),
        )
        for read in readers:
            for part in (data, data[3:], data[4:]):
                with contextlib.suppress(ValueError):
                    read(part)

    return take


def _vp8() -> Callable[[bytes], None]:
    unit = _read()

    def take(data: bytes) -> None:
        unit(AccessUnit("video", "vp8", data, 0, 90_000, 0))
        vp8.frame_size(data)
        vp8.is_keyframe(data)
        with contextlib.suppress(ValueError):
            depayload("vp8", data)

    return take


def _decoder(codec: str) -> Callable[[], Callable[[bytes], None]]:
    """Behind the guard, as in a room."""

    def make() -> Callable[[bytes], None]:
        guard, decoder = PictureGuard(9_500_000), PictureDecoder(codec, 9_500_000)

        def take(data: bytes) -> None:
            incoming = read_unit(AccessUnit("video", codec, data, 0, 90_000, 0))
            if incoming is not None and guard.admits(incoming):
                decoder.decode(data, 0)

        return take

    return make


TARGETS = (
    Target("offers", OFFERS, _offer),
    Target("answers", (ANSWER.encode(), *OFFERS), _answer),
    Target("trickle fragments", FRAGMENTS, _fragment),
    Target("link headers", LINKS, _links),
    Target("rtp", RTP, _rtp),
    Target("rtcp", RTCP, _rtcp),
    Target("datagrams", (*RTP, *RTCP, *STUN, b"\x16\xfe\xff" + bytes(50)), _tap),
    Target("stun", STUN, _stun),
    Target("h264", H264, _h264),
    Target("vp8", VP8, _vp8),
    Target("h264 pictures", H264, _decoder("h264")),
    Target("vp8 pictures", VP8, _decoder("vp8")),
)


async def search_answers(rounds: int, seed: int = 0) -> int:
    """Changed offers through the whole way to an answer, peer and sockets included. How many were answered."""
    rng = random.Random(f"whole offers {seed}")
    publications = Publications(loopback_settings(), KeepingSink())
    answered = 0
    try:
        for index in range(len(OFFERS) + rounds):
            data = OFFERS[index] if index < len(OFFERS) else mutated(rng, OFFERS[:8])
            try:
                answer = await publications.offer(Offer("publish", _text(data), grant="g", takeover=True))
            except (BadRequest, Unprocessable):
                pass
            except Exception as error:
                raise AssertionError(f"whole offers: {error!r} for {data.hex()}") from error
            else:
                answered += 1
                await publications.hangup(answer.resource)
            while len(publications._closing) > 4:
                await asyncio.sleep(0)
    finally:
        await publications.close()
    assert not publications.count
    return answered
