"""The default ladder under a 1080p camera."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from tests.fakes import decoding
from tests.fakes.clips import ClipFeed, h264_clip
from tests.fakes.following import all_past, faultless, whole
from tests.fakes.hls_client import HlsFollower
from tests.fakes.publishing import camera
from tests.fakes.running import serving
from tests.fakes.shared import PATIENT

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]

SETTINGS = PATIENT | {"STREAMER_MEDIA__PRESET": "ultrafast", "STREAMER_ROOM__WARM_SPARE": "false"}
LADDER = {"v1080": (1920, 1080), "v720": (1280, 720), "v480": (854, 480), "v360": (640, 360), "v240": (426, 240)}


async def test_a_1080p_camera_becomes_five_pictures_cut_at_the_same_places() -> None:
    # Encoded once: the machine has enough to do with the ladder.
    clip = await asyncio.to_thread(
        partial(h264_clip, seconds=1, keyframe_s=1, width=1920, height=1080, fps=25, tune="zerolatency")
    )
    async with serving(environment=SETTINGS) as server:
        await server.room("grand", start="auto")
        async with (
            camera(server, "grand", audio=False, feed=lambda emit, options: ClipFeed(clip, emit, options)),
            HlsFollower(f"{server.url}/live/grand/index.m3u8") as follower,
        ):
            state = await server.wait_state("grand", "live")
            assert state["sources"]["main"]["passthrough"] is True
            await follower.open()
            await follower.follow(until=all_past(1))
            videos = {name for name, track in follower.tracks.items() if track.kind == "video"}
            assert videos == set(LADDER)
            newest = min(whole(follower, name)[-1] for name in follower.tracks)
            begins = {}
            for name, size in LADDER.items():
                shown = decoding.pictures(await follower.segment_bytes(name, newest))
                assert {p.shape for p in shown} == {size}
                assert shown[0].key
                assert sum(p.strip is not None for p in shown) >= len(shown) - 1
                begins[name] = shown[0].at
            # A busy machine may shed frame rate in the rungs, and encode the top anew when packets come late; where
            # segments begin is the same all the same.
            assert max(begins.values()) - min(begins.values()) <= 90_000 // 12, begins
            faultless(follower, shed=set(LADDER) - {"v1080"})
