"""Other people's publishers against the whole server: the room goes on air, and what they sent comes out."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.fakes import decoding
from tests.fakes.following import all_past, faultless, whole
from tests.fakes.hls_client import HlsFollower
from tests.fakes.running import Running
from tests.fakes.shared import REAL, Servers

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]

GST_VIDEO = (
    "videotestsrc is-live=true pattern=smpte ! video/x-raw,width=640,height=360,framerate=30/1 ! videoconvert ! "
    "x264enc tune=zerolatency speed-preset=ultrafast bitrate=800 key-int-max=600 aud=false ! "
    "video/x-h264,profile=constrained-baseline ! rtph264pay pt=96 ssrc=11 config-interval=-1 "
    "aggregate-mode=zero-latency ! queue ! application/x-rtp,media=video,encoding-name=H264,payload=96"
)
GST_AUDIO = (
    "audiotestsrc is-live=true wave=sine freq=1000 ! audioconvert ! audioresample ! queue ! opusenc ! "
    "rtpopuspay pt=100 ssrc=1 ! queue ! application/x-rtp,media=audio,encoding-name=OPUS,payload=100"
)
NEAR_HZ = 10
"""Sound that is late is played up to half a percent faster until it is not."""
RUNGS = {"v240", "v144"}
"""The subject is the publisher, not whether a busy machine encodes every picture of what it sent."""


@pytest_asyncio.fixture(loop_scope="session")
async def server(servers: Servers) -> AsyncIterator[Running]:
    async with servers.lent(REAL) as running:
        yield running


async def run(*command: str) -> asyncio.subprocess.Process:
    quiet = asyncio.subprocess.DEVNULL
    return await asyncio.create_subprocess_exec(*command, stdin=quiet, stdout=quiet, stderr=quiet)


async def end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), 5)
    except TimeoutError:
        process.kill()
        await process.wait()


async def plays(server: Running, room: str) -> None:
    """On air, followed for some segments, passed through, with a picture and the 1 kHz tone."""
    state = await server.wait_state(room, "live")
    # A room may encode it anew later, when a busy machine's packets come late.
    assert state["sources"]["main"]["passthrough"] is True, state
    async with HlsFollower(f"{server.url}/live/{room}/index.m3u8") as follower:
        await follower.open()
        await follower.follow(until=all_past(1))
        for name in ("v360", "v144"):
            shown = decoding.pictures(await follower.segment_bytes(name, whole(follower, name)[-1]))
            assert len(shown) > 20
            assert shown[-1].luma.std() > 20
        heard = decoding.sound(await follower.segment_bytes("a128", whole(follower, "a128")[-1]))
        assert abs(decoding.steady_tone(heard) - 1000) < NEAR_HZ
        faultless(follower, shed=RUNGS)


@pytest.mark.gstreamer
@pytest.mark.skipif(shutil.which("whip-client") is None, reason="simple-whip-client is not installed")
async def test_gstreamers_whip_client_goes_on_air(server: Running) -> None:
    token = await server.room("gst", start="auto")
    address = f"{server.url}/whip/gst"
    process = await run("whip-client", "-u", address, "-t", token, "-l", "3", "-V", GST_VIDEO, "-A", GST_AUDIO)
    try:
        await plays(server, "gst")
    finally:
        await end(process)
    await server.wait_state("gst", "slate")


async def test_ffmpegs_whip_muxer_goes_on_air(server: Running) -> None:
    imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg")
    token = await server.room("ffmpeg", start="auto")
    process = await run(
        imageio_ffmpeg.get_ffmpeg_exe(),
        # After a lag it would send 5 % faster, and the sound were higher until it has caught up.
        *("-hide_banner", "-loglevel", "warning", "-re", "-readrate_catchup", "1"),
        *("-f", "lavfi", "-i", "testsrc2=size=640x360:rate=30"),
        *("-f", "lavfi", "-i", "sine=frequency=1000:sample_rate=48000"),
        *("-c:v", "libx264", "-profile:v", "baseline", "-preset", "ultrafast", "-tune", "zerolatency"),
        *("-b:v", "1M", "-g", "60", "-bf", "0", "-pix_fmt", "yuv420p", "-c:a", "libopus", "-ac", "2"),
        *("-f", "whip", "-authorization", token, f"{server.url}/whip/ffmpeg"),
    )
    try:
        await plays(server, "ffmpeg")
    finally:
        await end(process)
    await server.wait_state("ffmpeg", "slate")
