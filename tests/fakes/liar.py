"""A publisher that keeps to the protocol until it is connected, and then lies in every field that it can reach.

Deterministic by its seed. :data:`LIES` are functions of (random numbers, the liar) to packets, RTP or RTCP, that are
protected and sent like any others.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator

from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.rtp import pack_remb_fci

from streamer.rtc import aiortc_hooks as hooks
from streamer.rtc.payloads import payload_h264, payload_vp8
from streamer.rtc.sender import EncodedSender
from tests.fakes.peers import LOOPBACK, SPS_PPS, h264_frame
from tests.fakes.waiting import until

HUGE_SPS = bytes.fromhex("6742c01eda0100010000ffc0")
"""Of a shape that parsers read on in, whatever it means."""


def vp8_key(width: int, height: int, size: int = 4000) -> bytes:
    """A key frame's header before nonsense."""
    head = b"\x10\x00\x00\x9d\x01\x2a" + width.to_bytes(2, "little") + height.to_bytes(2, "little")
    return head + bytes(i % 251 for i in range(size))


def sps(width_mbs: int, height_mbs: int, *, refs: int = 1, level: int = 31) -> bytes:
    """A Baseline parameter set that claims this many macroblocks and reference frames."""
    bits = ""
    for value in (0, 0, 2, refs):  # id, log2_max_frame_num - 4, pic_order_cnt_type, max_num_ref_frames
        bits += _ue(value)
    bits += "0" + _ue(width_mbs - 1) + _ue(height_mbs - 1) + "1" + "1" + "0" + "0" + "1"
    bits += "0" * (-len(bits) % 8)
    body = int(bits, 2).to_bytes(len(bits) // 8, "big")
    escaped = body.replace(b"\0\0\0", b"\0\0\3\0").replace(b"\0\0\1", b"\0\0\3\1").replace(b"\0\0\2", b"\0\0\3\2")
    return b"\x67\x42\xe0" + bytes((level,)) + escaped


def _ue(value: int) -> str:
    code = bin(value + 1)[2:]
    return "0" * (len(code) - 1) + code


class Liar:
    """``codec`` is of its picture; sound is Opus."""

    def __init__(self, seed: int, codec: str = "h264") -> None:
        self.random = random.Random(seed)
        self.codec = codec
        self.pc: RTCPeerConnection = hooks.new_peer(bundle=True)
        self.senders: dict[str, EncodedSender] = {}
        for kind, wanted in (
            ("video", ("H264", "42e01f") if codec == "h264" else ("VP8", "")),
            ("audio", ("opus", "")),
        ):
            transceiver = self.pc.addTransceiver(kind, "sendonly")
            hooks.offer_codecs(transceiver, [wanted])
            self.senders[kind] = EncodedSender.on(transceiver)
        hooks.bind(self.pc, LOOPBACK)
        hooks.tap(self.pc)
        self.sequence = self.random.randrange(65536)
        self.timestamp = self.random.randrange(1 << 32)
        self.sent = 0

    async def offer(self) -> str:
        await self.pc.setLocalDescription(await self.pc.createOffer())
        return str(self.pc.localDescription.sdp)

    async def accept(self, sdp: str) -> None:
        await self.pc.setRemoteDescription(RTCSessionDescription(sdp, "answer"))
        await until(lambda: all(sender.ready for sender in self.senders.values()))

    @property
    def ssrc(self) -> int:
        return int(self.senders["video"]._ssrc)

    def payload_type(self, kind: str = "video") -> int:
        return int(self.senders[kind]._payload_type)

    def send(self, data: bytes) -> None:
        """One packet, protected; packets that the libraries refuse to protect are not sent."""
        try:
            hooks.send(hooks.dtls_transports(self.pc)[0], data[:1400])
            self.sent += 1
        except Exception:
            pass

    def rtp(
        self,
        payload: bytes,
        *,
        step: int = 1,
        marker: bool = False,
        ssrc: int | None = None,
        payload_type: int | None = None,
        first: int = 0x80,
        extension: bytes = b"",
    ) -> bytes:
        self.sequence = (self.sequence + step) & 0xFFFF
        head = struct.pack(
            "!BBHII",
            first,
            (0x80 if marker else 0) | (self.payload_type() if payload_type is None else payload_type),
            self.sequence,
            self.timestamp & 0xFFFFFFFF,
            self.ssrc if ssrc is None else ssrc,
        )
        return head + extension + payload

    def frame(self, data: bytes) -> list[bytes]:
        """The packets of an honest frame."""
        self.timestamp += 3000
        parts = payload_h264(data) if self.codec == "h264" else payload_vp8(data, self.random.randrange(1 << 15))
        return [self.rtp(part, marker=index == len(parts) - 1) for index, part in enumerate(parts)]

    def honest_key(self) -> list[bytes]:
        return self.frame(h264_frame(2000, key=True) if self.codec == "h264" else vp8_key(320, 180))


def nal_middle(liar: Liar) -> bytes:
    """A payload in the middle of a frame."""
    return b"\x7c\x01" + liar.random.randbytes(1100) if liar.codec == "h264" else b"\x00" + liar.random.randbytes(1100)


def jumps(liar: Liar) -> Iterator[bytes]:
    for index in range(400):
        yield liar.rtp(nal_middle(liar), step=2999 if index % 2 else 1, marker=index % 3 == 0)


def every_other(liar: Liar) -> Iterator[bytes]:
    for index in range(1000):
        yield liar.rtp(nal_middle(liar), step=2, marker=index % 5 == 0)


def jumps_that_restart(liar: Liar) -> Iterator[bytes]:
    for index in range(300):
        yield liar.rtp(nal_middle(liar), step=20_000 if index % 2 else 1)


def no_marker(liar: Liar) -> Iterator[bytes]:
    yield from liar.honest_key()
    for _ in range(4200):
        yield liar.rtp(nal_middle(liar))


def empty_packets(liar: Liar) -> Iterator[bytes]:
    for _ in range(1000):
        yield liar.rtp(b"\x41\x9a" if liar.codec == "h264" else b"\x00\x00")


def huge_pictures(liar: Liar) -> Iterator[bytes]:
    for _ in range(20):
        if liar.codec == "vp8":
            yield from liar.frame(vp8_key(16_000, 16_000))
            yield from liar.frame(vp8_key(16_383, 1))
        else:
            idr = b"\0\0\0\1\x68\xce\x3c\x80\0\0\0\1\x65\x88" + bytes(i % 251 + 1 for i in range(2000))
            for claim in (sps(1000, 1000), sps(240, 135, refs=16, level=62), sps(1, 1024), HUGE_SPS):
                yield from liar.frame(b"\0\0\0\1" + claim + idr)
                yield from liar.frame(SPS_PPS + b"\0\0\0\1" + claim + idr)


def sizes_that_change(liar: Liar) -> Iterator[bytes]:
    for index in range(60):
        side = liar.random.randrange(1, 60)
        if liar.codec == "vp8":
            yield from liar.frame(vp8_key(side * 16, side * 9 + index % 2, 500))
        else:
            yield from liar.frame(b"\0\0\0\1" + sps(side, side, refs=index % 17) + h264_frame(500, key=True)[13:])


def many_ssrcs(liar: Liar) -> Iterator[bytes]:
    for _ in range(500):
        yield liar.rtp(nal_middle(liar)[:60], ssrc=liar.random.randrange(1 << 32))


def rtx_without_end(liar: Liar) -> Iterator[bytes]:
    for _ in range(500):
        number = liar.random.randrange(1 << 16).to_bytes(2, "big")
        yield liar.rtp(
            number + nal_middle(liar)[:60],
            ssrc=liar.random.randrange(1 << 32),
            payload_type=liar.payload_type() + 1,
        )


def times_that_jump(liar: Liar) -> Iterator[bytes]:
    for _ in range(200):
        liar.timestamp += liar.random.choice((1 << 31, (1 << 31) - 1, -3000, 0, 1, 1 << 28, -(1 << 27)))
        yield from liar.honest_key()


def lying_headers(liar: Liar) -> Iterator[bytes]:
    for _ in range(400):
        profile = liar.random.choice((0xBEDE, 0x1000, 0, 0xFFFF))
        length = liar.random.choice((0, 1, 4, 255, 65535))
        extension = struct.pack("!HH", profile, length) + liar.random.randbytes(liar.random.randrange(40))
        first = liar.random.choice((0x80, 0x8F, 0x90, 0xA0, 0xB0, 0xBF, 0x9F))
        yield liar.rtp(liar.random.randbytes(liar.random.randrange(60)), first=first, extension=extension)


def lying_fragments(liar: Liar) -> Iterator[bytes]:
    for _ in range(800):
        kind = liar.random.choice((0x78, 0x7C, 0x7D, 0x79, 0x61, 0x67, 0x66, 0x00, 0x1F))
        yield liar.rtp(
            bytes((kind,)) + liar.random.randbytes(liar.random.randrange(30)), marker=liar.random.random() < 0.2
        )


def units_without_end(liar: Liar) -> Iterator[bytes]:
    """A frame of a megabyte in NAL units of a byte each, one of SEI that is one long escape, and one of escapes."""
    liar.timestamp += 3000
    for body in (b"\x00\x00\x01\x01", b"\xff\xff\x00\x00", b"\x00\x00\x03\x00"):
        yield liar.rtp(b"\x67\x42\xe0\x1f\xda\x02\x80\xf6\x80")
        yield liar.rtp(b"\x7c\x86" + body * 290)
        for _ in range(900):
            yield liar.rtp(b"\x7c\x06" + body * 290)
        yield liar.rtp(b"\x7c\x46" + body * 290, marker=True)
        liar.timestamp += 3000


def too_many_frames(liar: Liar) -> Iterator[bytes]:
    yield from liar.honest_key()
    for _ in range(1500):
        liar.timestamp += 30
        yield liar.rtp(b"\x41\x9a\x01" if liar.codec == "h264" else b"\x10\x01\x02\x03", marker=True)


def sound_of_any_shape(liar: Liar) -> Iterator[bytes]:
    pt, ssrc = liar.payload_type("audio"), int(liar.senders["audio"]._ssrc)
    for _ in range(600):
        liar.timestamp += liar.random.choice((960, 0, 1 << 31, -960, 5760, 1 << 24))
        size = liar.random.choice((0, 1, 2, 50, 1300))
        yield liar.rtp(liar.random.randbytes(size), ssrc=ssrc, payload_type=pt, marker=True)


def rtcp(packet_type: int, body: bytes, count: int = 0, *, words: int | None = None) -> bytes:
    body += b"\0" * (-len(body) % 4)
    return struct.pack("!BBH", 0x80 | count, packet_type, len(body) // 4 if words is None else words) + body


def absurd_reports(liar: Liar) -> Iterator[bytes]:
    for _ in range(600):
        ssrc = liar.random.choice((liar.ssrc, int(liar.senders["audio"]._ssrc), 7))
        ntp = liar.random.choice((0, 1, (1 << 64) - 1, liar.random.randrange(1 << 64)))
        rtp_time = liar.random.choice((0, liar.timestamp & 0xFFFFFFFF, (1 << 32) - 1))
        yield rtcp(200, struct.pack("!IQIII", ssrc, ntp, rtp_time, 1, 1))


def rtcp_storm(liar: Liar) -> Iterator[bytes]:
    for _ in range(400):
        ssrc = struct.pack("!II", liar.ssrc, liar.random.randrange(1 << 32))
        nack = struct.pack("!HH", liar.random.randrange(1 << 16), 0xFFFF)
        yield liar.random.choice(
            (
                rtcp(205, ssrc + nack * 340, 1),
                rtcp(206, ssrc + pack_remb_fci(1, [1] * 200), 15),
                rtcp(206, ssrc + liar.random.randbytes(40), 15),
                rtcp(202, struct.pack("!I", liar.ssrc) + liar.random.randbytes(100), 31),
                rtcp(203, struct.pack("!I", int(liar.senders["audio"]._ssrc)), 1),
                rtcp(203, b"", 31),
                rtcp(201, ssrc[:4] + liar.random.randbytes(24), 1, words=liar.random.randrange(65536)),
                rtcp(207, liar.random.randbytes(400)),
                rtcp(200, liar.random.randbytes(8)) * 40,
            )
        )


def stun(*attributes: tuple[int, bytes], method: int = 1) -> bytes:
    body = b"".join(
        struct.pack("!HH", kind, len(value)) + value + b"\0" * (-len(value) % 4) for kind, value in attributes
    )
    return struct.pack("!HHI12s", method, len(body), 0x2112A442, b"x" * 12) + body


STUN = (
    stun((0x0006, b"abcd:efgh"), (0x0024, b"\0\0\0\1"), (0x802A, b"12345678"), (0x0025, b"")),
    stun((0x0024, b"\0")),
    stun((0x0008, b"short")),
    stun((0x0020, b"\0\1\0")),
    stun((0x0020, b"\0\7\0\0\0\0\0\0")),
    stun((0x0009, b"")),
    stun((0x0009, b"\0\0\4\0x"), method=0x111),
    stun((0x8028, b"\0")),
    stun(method=0x3EEF),
)
"""Datagrams that anybody may send to a media socket; aioice reads attributes of any length before it checks the
sender."""


LIES: tuple[Callable[[Liar], Iterator[bytes]], ...] = (
    jumps,
    every_other,
    jumps_that_restart,
    no_marker,
    empty_packets,
    huge_pictures,
    sizes_that_change,
    rtx_without_end,
    times_that_jump,
    lying_headers,
    lying_fragments,
    units_without_end,
    too_many_frames,
    sound_of_any_shape,
    absurd_reports,
    rtcp_storm,
    many_ssrcs,
)
