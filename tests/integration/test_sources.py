"""Cameras that change in mid-stream, and cameras of all kinds: the programme goes on whatever comes in."""

from __future__ import annotations

import asyncio
import itertools
import time
from typing import Any

import numpy as np
import pytest

from streamer.publish.inputs import Emit, FeedOptions, TestCardFeed
from tests.fakes import decoding
from tests.fakes.clips import ClipFeed, MonoFeed, h264_clip
from tests.fakes.following import all_past, faultless, newest, whole
from tests.fakes.hls_client import HlsFollower
from tests.fakes.publishing import STUTTERS, TINY, camera_process, tiny_camera
from tests.fakes.running import Running
from tests.fakes.shared import LOW, TOP
from tests.fakes.waiting import until_answered, until_answered_within

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]

VIDEO = (TOP, LOW)


async def source(server: Running, room: str, name: str = "main") -> dict[str, Any]:
    found = (await server.state(room))["sources"].get(name, {})
    assert isinstance(found, dict)
    return found


async def test_another_resolution_in_mid_stream_is_a_discontinuity_everywhere_at_once(server: Running) -> None:
    await server.room("turn", start="auto")
    async with tiny_camera(server, "turn") as lens, HlsFollower(f"{server.url}/live/turn/index.m3u8") as follower:
        await server.wait_state("turn", "live")
        await follower.open()
        await follower.follow(until=all_past(1))
        assert isinstance(lens.publisher.feed, TestCardFeed)
        changed, changed_ms = follower.edge(TOP)[0], time.time() * 1000
        lens.publisher.feed.resize(240, 320)
        await follower.follow(until=all_past(2))
        while (await newest(follower, TOP))[-1].strip is None and any(at > changed_ms for at in STUTTERS):
            # The camera was too slow to go on at once: there is the slate between.
            await follower.follow(until=all_past(1))
        listed = min(follower.edge(name)[0] for name in follower.tracks)
        places = {
            name: [m for m, s in track.reader.known.items() if changed <= m <= listed and s.discontinuity]
            for name, track in follower.tracks.items()
        }
        assert len({tuple(found) for found in places.values()}) == 1, places
        # More than one only where the slate was between.
        assert len(places[TOP]) == 1 or any(at > changed_ms for at in STUTTERS), places
        place = places[TOP][-1]
        before, after = follower.segment(TOP, place - 1), follower.segment(TOP, place)
        assert before.map != after.map, "new parameter sets are a new init section"
        top = await newest(follower, TOP)
        low = await newest(follower, LOW)
        assert top[-1].strip is not None
        # The rung keeps its size, the picture is letterboxed into it and keeps its shape.
        assert {p.shape for p in low} == {(256, 144)}
        column = low[-1].luma[32:112].astype(int)
        assert column[:, :48].mean() < 24
        assert column[:, -48:].mean() < 24
        assert column[:, 88:168].std() > 10
        faultless(follower)


async def test_vp8_becomes_an_encoded_top(server: Running) -> None:
    await server.room("vp8", start="auto")
    async with tiny_camera(server, "vp8", codec="vp8"), HlsFollower(f"{server.url}/live/vp8/index.m3u8") as follower:
        await server.wait_state("vp8", "live")
        await follower.open()
        await follower.follow(until=all_past(1))
        for name in VIDEO:
            shown = await newest(follower, name)
            assert sum(p.strip is None for p in shown) <= 2
        told = await source(server, "vp8")
        assert told["video"]["codec"] == "vp8"
        assert told["passthrough"] is False
        faultless(follower)


async def test_sound_alone_goes_with_a_still_and_picture_alone_with_silence(server: Running) -> None:
    await server.room("radio", start="auto")
    await server.room("mime", start="auto")
    async with tiny_camera(server, "radio", video=False), tiny_camera(server, "mime", audio=False):
        await server.wait_state("radio", "live")
        await server.wait_state("mime", "live")
        async with (
            HlsFollower(f"{server.url}/live/radio/index.m3u8") as radio,
            HlsFollower(f"{server.url}/live/mime/index.m3u8") as mime,
        ):
            await asyncio.gather(radio.open(), mime.open())
            await asyncio.gather(radio.follow(until=all_past(3)), mime.follow(until=all_past(1)))
            video = next(name for name, track in radio.tracks.items() if track.kind == "video")
            still = await newest(radio, video)
            assert still[0].luma.std() > 8
            assert still[0].strip is None
            msn = max(m for m, s in radio.tracks["a128"].reader.known.items() if s.complete)
            heard = decoding.sound(await radio.run_bytes("a128", msn - 3, msn))
            assert len(decoding.beeps(heard)) >= 3
            assert abs(decoding.frequency(heard, decoding.beeps(heard)[1]) - 1000) < 20

            assert (await newest(mime, TOP))[-1].strip is not None
            msn = max(m for m, s in mime.tracks["a128"].reader.known.items() if s.complete)
            assert np.abs(decoding.sound(await mime.segment_bytes("a128", msn)).samples).max() < 0.001
            faultless(radio)
            faultless(mime)
        assert "no_video" in (await source(server, "radio"))["notes"]
        assert "no_audio" in (await source(server, "mime"))["notes"]


async def test_one_channel_and_then_two_are_one_sound(server: Running) -> None:
    await server.room("mono", start="auto")
    feed: MonoFeed | None = None

    def made(emit: Emit, options: FeedOptions) -> MonoFeed:
        nonlocal feed
        feed = MonoFeed(emit, options)
        return feed

    async with (
        tiny_camera(server, "mono", video=False, feed=made),
        HlsFollower(f"{server.url}/live/mono/index.m3u8") as follower,
    ):
        await server.wait_state("mono", "live")
        await follower.open()
        await follower.follow(until=all_past(1))
        assert feed is not None
        feed.stereo.set()
        await follower.follow(until=all_past(2))
        known = follower.tracks["a128"].reader.known
        whole = sorted(m for m, s in known.items() if s.complete)
        heard = decoding.sound(await follower.run_bytes("a128", whole[-4], whole[-1]))
        assert heard.samples.shape[0] == 2
        loud = np.abs(heard.mono[: len(heard.mono) // 480 * 480]).reshape(-1, 480).max(axis=1)
        assert (loud > 0.1).mean() > 0.98, "no hole where the channels change"
        faultless(follower)


@pytest.mark.parametrize(
    ("room", "note", "clip"),
    [
        ("bframes", "encoded_b_frames", {"seconds": 4, "keyframe_s": 1, "bf": "2"}),
        ("stubborn", "encoded_keyframe_interval", {"seconds": 6, "keyframe_s": 6, "tune": "zerolatency"}),
    ],
)
async def test_a_picture_that_cannot_be_passed_is_encoded_and_the_technician_told_why(
    server: Running, room: str, note: str, clip: dict[str, Any]
) -> None:
    await server.room(room, start="auto")
    frames = await asyncio.to_thread(lambda: h264_clip(**clip, width=TINY.width, height=TINY.height))
    async with (
        tiny_camera(server, room, audio=False, feed=lambda emit, options: ClipFeed(frames, emit, options)),
        HlsFollower(f"{server.url}/live/{room}/index.m3u8") as follower,
    ):
        await server.wait_state(room, "live")

        async def told() -> bool:
            return note in (await source(server, room)).get("notes", [])

        await until_answered(told)
        assert (await source(server, room))["passthrough"] is False
        await follower.open()
        await follower.follow(until=all_past(1))
        for name in VIDEO:
            rates: list[int] = []
            for back in (0, 1):
                shown = await newest(follower, name, back)
                rates.append(len(shown))
                strips = [p.strip for p in shown if p.strip is not None]
                assert len(strips) >= len(shown) - 2
                backwards = sum(b < a for a, b in itertools.pairwise(strips))
                assert backwards <= 1, f"{name}: pictures out of order, beyond the clip's own turn"
            # A busy machine may hold the camera up in one of them.
            assert max(rates) >= 20
        faultless(follower)
        assert (await server.state(room))["state"] == "live"


async def test_spare_takes_over_in_three_seconds_and_main_takes_back(server: Running) -> None:
    await server.room("double", start="auto")
    async with (
        tiny_camera(server, "double", source="spare", width=240, height=180),
        HlsFollower(f"{server.url}/live/double/index.m3u8") as follower,
    ):

        async def spare_up() -> bool:
            return bool((await source(server, "double", "spare")).get("up"))

        await until_answered(spare_up)
        async with camera_process(server, "double") as main:

            async def on_main() -> bool:
                told = await server.state("double")
                return told["state"] == "live" and (await source(server, "double")).get("passthrough") is True

            await until_answered(on_main)
            await follower.open()
            await follower.follow(until=all_past(1))
            main.kill()
            killed_ms = time.time() * 1000

            async def on_spare() -> bool:
                return (await source(server, "double", "spare")).get("passthrough") is True

            edge = follower.edge(TOP)[0]
            await until_answered_within(3.0, on_spare)
        await follower.follow(until=all_past(2))
        assert (await server.state("double"))["state"] == "live"
        # The top rendition: a rung shows one of the two in letterbox, where no strip can be read.
        later = [p for msn in whole(follower, TOP) if msn >= edge for p in await at(follower, TOP, msn)]
        assert {p.shape for p in later} == {(320, 180), (240, 180)}
        first = min(p.strip for p in later if p.shape == (240, 180) and p.strip is not None)
        assert first - killed_ms < 3000, "the spare's first picture was taken later"
        strips = [p.strip for p in later if p.strip is not None]
        assert len(strips) >= len(later) - 2, "no slate in between"
        assert np.diff([p.at for p in later]).max() <= 0.35 * decoding.TICKS, "no hole"
        async with tiny_camera(server, "double"):
            await until_answered(on_main)
            await follower.follow(until=all_past(1))
            assert (await newest(follower, TOP))[-1].shape == (320, 180)
        faultless(follower)


async def at(follower: HlsFollower, name: str, msn: int) -> list[decoding.Picture]:
    return decoding.pictures(await follower.segment_bytes(name, msn))
