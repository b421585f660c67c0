"""Two of our own peers joined in one loop, for tests of what lies between them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiortc import RTCPeerConnection

from streamer.formats.types import AccessUnit
from streamer.rtc import aiortc_hooks as hooks
from streamer.rtc.ice import IceBinding
from streamer.rtc.receiver import Drop, EncodedReceiver
from streamer.rtc.sender import EncodedSender
from tests.fakes.waiting import until

LOOPBACK = IceBinding(addresses=("127.0.0.1",))
SPS_PPS = b"\0\0\0\1\x67\x42\xe0\x1f\xda\x02\x80\xf6\x80\0\0\0\1\x68\xce\x3c\x80"


def h264_frame(size: int, *, key: bool = False) -> bytes:
    """An access unit of the right shape; its pictures are nonsense."""
    body = bytes(i % 251 + 1 for i in range(size))
    return (SPS_PPS + b"\0\0\0\1\x65\x88" if key else b"\0\0\0\1\x41\x9a") + body


@dataclass
class Pair:
    sender_pc: RTCPeerConnection
    receiver_pc: RTCPeerConnection
    senders: dict[str, EncodedSender]
    receivers: dict[str, EncodedReceiver]
    units: list[AccessUnit] = field(default_factory=list)
    keyframes_wanted: list[float] = field(default_factory=list)
    bitrates: list[int] = field(default_factory=list)

    def of(self, kind: str) -> list[AccessUnit]:
        return [unit for unit in self.units if unit.kind == kind]


@asynccontextmanager
async def pair(
    *,
    drop: Drop | None = None,
    binding: IceBinding = LOOPBACK,
    codec: tuple[str, str] = ("H264", "42e01f"),
    publication: bool = False,
) -> AsyncIterator[Pair]:
    """``publication``: the receiver keeps its sender as a room keeps its publisher."""
    hooks.install()
    sending, receiving = hooks.new_peer(bundle=True), hooks.new_peer()
    made = Pair(sending, receiving, {}, {})
    try:
        video = sending.addTransceiver("video", "sendonly")
        hooks.offer_codecs(video, [codec])
        made.senders["video"] = EncodedSender.on(
            video,
            on_keyframe_wanted=lambda: made.keyframes_wanted.append(0.0),
            on_bitrate=made.bitrates.append,
        )
        audio = sending.addTransceiver("audio", "sendonly")
        hooks.offer_codecs(audio, [("opus", "")])
        made.senders["audio"] = EncodedSender.on(audio)
        hooks.bind(sending, LOOPBACK)
        hooks.tap(sending)
        await sending.setLocalDescription(await sending.createOffer())

        await receiving.setRemoteDescription(sending.localDescription)
        for transceiver in receiving.getTransceivers():
            receiver = EncodedReceiver(
                transceiver.kind,
                transceiver.receiver.transport,
                on_unit=made.units.append,
                drop=drop if transceiver.kind == "video" else None,
            )
            hooks.use_receiver(transceiver, receiver)
            made.receivers[transceiver.kind] = receiver
        hooks.answer_as_dtls_server(receiving)
        hooks.bind(receiving, binding)
        hooks.tap(receiving)
        if publication:
            hooks.keep_while_heard(receiving)
        await receiving.setLocalDescription(await receiving.createAnswer())
        await sending.setRemoteDescription(receiving.localDescription)
        await until(lambda: all(s.ready for s in made.senders.values()))
        await until(lambda: all(r._started for r in made.receivers.values()))
        yield made
    finally:
        await sending.close()
        await receiving.close()
