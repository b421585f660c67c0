"""Debian's simple-whip-client (GStreamer): an RSA certificate, one PATCH, key frames on PLI only."""

from __future__ import annotations

import asyncio
import shutil

import pytest

from streamer.formats import h264
from tests.fakes.waiting import until
from tests.fakes.whip import WhipShim, whip_shim

pytestmark = [
    pytest.mark.gstreamer,
    pytest.mark.skipif(shutil.which("whip-client") is None, reason="simple-whip-client is not installed"),
]

H264 = (
    "videotestsrc is-live=true pattern=ball ! video/x-raw,width=640,height=360,framerate=30/1 ! videoconvert ! "
    "x264enc tune=zerolatency speed-preset=ultrafast bitrate=1000 key-int-max=6000 aud=false ! "
    "video/x-h264,profile=constrained-baseline ! rtph264pay pt=96 ssrc=11 config-interval=-1 "
    "aggregate-mode=zero-latency ! queue ! application/x-rtp,media=video,encoding-name=H264,payload=96"
)
VP8 = (
    "videotestsrc is-live=true pattern=ball ! video/x-raw,width=640,height=360,framerate=30/1 ! videoconvert ! "
    "vp8enc deadline=1 keyframe-max-dist=6000 ! rtpvp8pay pt=96 ssrc=11 ! queue ! "
    "application/x-rtp,media=video,encoding-name=VP8,payload=96"
)
OPUS = (
    "audiotestsrc is-live=true wave=red-noise ! audioconvert ! audioresample ! queue ! opusenc ! "
    "rtpopuspay pt=100 ssrc=1 ! queue ! application/x-rtp,media=audio,encoding-name=OPUS,payload=100"
)


async def start(shim: WhipShim, *, video: str | None = H264, audio: str | None = OPUS, trickle: bool = True):  # type: ignore[no-untyped-def]
    options = ["-u", shim.url, "-t", "secret", "-l", "3"]
    options += ["-V", video] if video else []
    options += ["-A", audio] if audio else []
    options += [] if trickle else ["-n"]
    return await asyncio.create_subprocess_exec(
        "whip-client", *options, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL
    )


async def stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), 5)
    except TimeoutError:
        process.kill()
        await process.wait()


@pytest.mark.parametrize("trickle", [True, False], ids=["trickled", "in the offer"])
async def test_h264_and_opus_arrive(trickle: bool) -> None:
    async with whip_shim() as shim:
        process = await start(shim, trickle=trickle)
        try:
            await until(lambda: len(shim.sink.of("video")) > 60 and len(shim.sink.of("audio")) > 60)
        finally:
            await stop(process)
    assert h264.parse_access_unit(shim.sink.of("video")[0].data).idr


async def test_a_key_frame_comes_when_it_is_asked_for() -> None:
    async with whip_shim() as shim:
        process = await start(shim, audio=None)

        def idrs() -> int:
            return sum(h264.parse_access_unit(u.data).idr for u in shim.sink.of("video"))

        try:
            await until(lambda: len(shim.sink.of("video")) > 15)
            before = idrs()
            shim.publications.request_keyframe("main")
            await until(lambda: idrs() > before)
        finally:
            await stop(process)


async def test_vp8_arrives() -> None:
    async with whip_shim() as shim:
        process = await start(shim, video=VP8, audio=None)
        try:
            await until(lambda: len(shim.sink.of("video")) > 30)
            status = shim.publications.status()["main"]
        finally:
            await stop(process)
    assert status.video is not None
    assert (status.video.codec, status.video.width, status.video.height) == ("vp8", 640, 360)


async def test_sound_alone_arrives() -> None:
    async with whip_shim() as shim:
        process = await start(shim, video=None)
        try:
            await until(lambda: len(shim.sink.of("audio")) > 60)
        finally:
            await stop(process)
