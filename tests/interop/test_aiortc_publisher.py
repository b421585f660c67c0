"""aiortc's own encoders and senders, as they are, against our publications."""

from __future__ import annotations

import asyncio
import itertools
from fractions import Fraction
from typing import Any

import aiohttp
import av
import numpy as np
import pytest
from aiortc import RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, VideoStreamTrack

from streamer.formats.types import AccessUnit
from tests.fakes.waiting import until
from tests.fakes.whip import WhipShim, whip_shim


class Moving(VideoStreamTrack):
    """Thirty different pictures a second."""

    def __init__(self) -> None:
        super().__init__()
        self._count = itertools.count()

    async def recv(self) -> av.VideoFrame:
        pts, time_base = await self.next_timestamp()
        rows = (np.arange(360)[:, None] + np.arange(640)[None, :] + next(self._count) * 4) % 256
        frame = av.VideoFrame.from_ndarray(np.dstack([rows] * 3).astype(np.uint8), format="rgb24")
        frame.pts, frame.time_base = pts, Fraction(time_base.numerator, time_base.denominator)
        return frame


@pytest.fixture(autouse=True)
def loopback_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aioice.ice.get_host_addresses", lambda use_ipv4, use_ipv6: ["127.0.0.1"])


WANTED, SPOILT = 46, 5


def whole(units: list[AccessUnit]) -> list[AccessUnit]:
    """Those that came without damage."""
    return [unit for unit in units if not unit.damaged]


async def publish(pc: RTCPeerConnection, shim: WhipShim, codec: str | None, *, audio: bool = True) -> str:
    if codec is not None:
        transceiver = pc.addTransceiver(Moving(), "sendonly")
        capabilities = RTCRtpSender.getCapabilities("video").codecs
        wanted = [c for c in capabilities if c.mimeType.lower() in (f"video/{codec}", "video/rtx")]
        transceiver.setCodecPreferences(wanted)
    if audio:
        pc.addTransceiver(AudioStreamTrack(), "sendonly")
    await pc.setLocalDescription(await pc.createOffer())
    async with aiohttp.ClientSession() as http:
        headers = {"Content-Type": "application/sdp"}
        async with http.post(shim.url, data=pc.localDescription.sdp, headers=headers) as response:
            assert response.status == 201
            body = await response.text()
            await pc.setRemoteDescription(RTCSessionDescription(body, "answer"))
            return response.headers["Location"]


@pytest.mark.parametrize("codec", ["h264", "vp8"])
async def test_picture_and_sound_are_decoded_after_loss(codec: str) -> None:
    count = 0

    def drop(packet: Any) -> bool:
        nonlocal count
        count += 1
        return count % 40 == 20

    pc = RTCPeerConnection()
    try:
        async with whip_shim(drop=drop) as shim:
            await publish(pc, shim, codec)
            # A busy machine may send again too late now and then: any stretch will do.
            await until(lambda: len(whole(shim.sink.of("video")[-WANTED:])) >= WANTED - SPOILT)
            await until(lambda: min(len(shim.sink.of(kind)) for kind in ("video", "audio")) >= WANTED)
            await until(lambda: shim.sink.of("video")[-1].sender_us and shim.sink.of("audio")[-1].sender_us)
            pictures, sounds = whole(shim.sink.of("video")), list(shim.sink.of("audio"))
            status = shim.publications.status()["main"]
    finally:
        await pc.close()
    decoder = av.CodecContext.create(codec, "r")
    frames = [f for unit in pictures for f in decoder.decode(av.Packet(unit.data))]
    assert len(frames) >= WANTED - SPOILT
    assert (frames[-1].width, frames[-1].height) == (640, 360)
    opus = av.CodecContext.create("libopus", "r")
    assert sum(f.samples for unit in sounds for f in opus.decode(av.Packet(unit.data))) >= 40 * 960
    assert status.video is not None
    assert (status.video.codec, status.video.width) == (codec, 640)
    assert status.audio is not None
    assert status.audio.codec == "opus"


async def test_sound_alone_of_an_old_codec() -> None:
    pc = RTCPeerConnection()
    try:
        async with whip_shim() as shim:
            transceiver = pc.addTransceiver(AudioStreamTrack(), "sendonly")
            codecs = RTCRtpSender.getCapabilities("audio").codecs
            transceiver.setCodecPreferences([c for c in codecs if c.mimeType == "audio/PCMU"])
            await publish(pc, shim, None, audio=False)
            await until(lambda: len(shim.sink.of("audio")) > 10)
            assert shim.sink.of("audio")[0].codec == "pcmu"
            assert shim.sink.of("audio")[0].clock_rate == 8000
    finally:
        await pc.close()


async def test_a_publisher_that_closes_is_gone_at_once() -> None:
    pc = RTCPeerConnection()
    async with whip_shim() as shim:
        await publish(pc, shim, "vp8")
        await until(lambda: shim.sink.units)
        await pc.close()
        await until(lambda: ("down", "main", "hung_up") in shim.sink.events)
    await asyncio.sleep(0)
