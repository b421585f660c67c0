"""A WHIP client publishes, and what comes out is played: followed, demuxed, decoded, looked at and listened to."""

from __future__ import annotations

import asyncio
import contextlib
import io
import itertools
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import av
import numpy as np
import pytest
import pytest_asyncio

from tests.fakes import decoding
from tests.fakes.decoding import TICKS, Picture, Sound
from tests.fakes.following import faultless, whole
from tests.fakes.hls_client import HlsFollower
from tests.fakes.publishing import camera
from tests.fakes.running import Running
from tests.fakes.shared import REAL, Servers
from tests.fakes.waiting import until_answered

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]

RUN = 5
"""Segments that are looked at: ten seconds."""
PAUSE_MS = 2500
"""0.9 s of silence between two beeps, and what a meter's reading is behind the clock when it is read."""
VIDEO = {"v360": (640, 360), "v240": (426, 240), "v144": (256, 144)}
ROOM = "really"
TOP = "v360"
SOUND = ("a128", "a48")


@dataclass
class Followed:
    """A room that was followed for a while and is still on air."""

    server: Running
    follower: HlsFollower
    first: int
    last: int
    parts: dict[tuple[str, int, int], bytes]
    """Rendition, segment and index -> init section and part, of the last three segments."""
    shown: dict[str, list[Picture]]
    heard: dict[str, Sound]

    @property
    def url(self) -> str:
        return self.follower.url


def run_of(follower: HlsFollower) -> list[int]:
    """The newest segments that are whole in all renditions. The slate may have been on before the first key frame: the
    programme is one run of one init section."""
    everywhere = sorted(set.intersection(*(set(whole(follower, name)) for name in follower.tracks)))
    run: list[int] = []
    for m in everywhere:
        if run and (m != run[-1] + 1 or follower.segment(TOP, m).map != follower.segment(TOP, m - 1).map):
            run = []
        run.append(m)
    return run


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def live(servers: Servers) -> AsyncIterator[Followed]:
    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(servers.lent(REAL))
        await server.room(ROOM, start="auto")
        await stack.enter_async_context(camera(server, ROOM))
        await server.wait_state(ROOM, "live")
        follower = HlsFollower(f"{server.url}/live/{ROOM}/index.m3u8", prefetch=True)
        await stack.enter_async_context(follower)
        await follower.open()
        await follower.follow(until=lambda _: len(run_of(follower)) > RUN)
        run = run_of(follower)
        first, last = run[-RUN], run[-1]
        # At once: parts are served for a short while only.
        parts = {
            (name, msn, index): await follower.init_bytes(name, msn) + await follower.part_bytes(name, msn, index)
            for name in VIDEO
            for msn in range(last - 2, last + 1)
            for index in range(len(follower.segment(name, msn).parts))
        }
        shown = {name: decoding.pictures(await follower.run_bytes(name, first, last)) for name in VIDEO}
        heard = {name: decoding.sound(await follower.run_bytes(name, first, last)) for name in SOUND}
        yield Followed(server, follower, first, last, parts, shown, heard)


async def test_a_strict_reader_finds_no_fault(live: Followed) -> None:
    faultless(live.follower)
    assert set(live.follower.tracks) == {*VIDEO, *SOUND}
    for track in live.follower.tracks.values():
        assert track.reader.reloads > 4 * RUN, "blocking reloads come with each part"
        # A segment may end where a part was hinted; more often than once in each would cost players a request.
        assert track.reader.hints_missed <= len(track.reader.known)


async def test_blocking_reloads_wait_for_the_part_and_no_longer(live: Followed) -> None:
    for track in live.follower.tracks.values():
        waits = sorted(track.waits_s)
        assert waits[len(waits) // 2] < 0.6
        assert waits[-1] < 1.5


async def test_every_rendition_has_its_size_and_the_same_pictures(live: Followed) -> None:
    for name, size in VIDEO.items():
        assert {p.shape for p in live.shown[name]} == {size}
        strips = [p.strip for p in live.shown[name]]
        assert strips.count(None) <= len(strips) // 100, f"{name}: strips that cannot be read"
    top = [p.strip for p in live.shown[TOP] if p.strip is not None]
    assert top == sorted(set(top)), "the top rendition is the camera's own frames, each of them, in order"
    assert np.diff(top).max() < 70, "no frame of the camera is missing"
    for name in VIDEO:
        own = [p.strip for p in live.shown[name] if p.strip is not None]
        assert own == sorted(own)


async def test_a_picture_stands_at_the_same_time_in_every_rendition(live: Followed) -> None:
    top = {p.strip: p.at for p in live.shown[TOP]}
    for name in VIDEO:
        both = [abs(p.at - top[p.strip]) for p in live.shown[name] if p.strip in top and p.strip is not None]
        assert len(both) > len(live.shown[TOP]) // 2
        assert float(np.median(both)) <= TICKS / 25, f"{name} is {np.median(both) / 90:.0f} ms off"


async def test_segments_follow_each_other_without_hole_or_overlap(live: Followed) -> None:
    for name in (*VIDEO, *SOUND):
        known = live.follower.tracks[name].reader.known
        for msn in range(live.first, live.last):
            before, after = known[msn], known[msn + 1]
            assert before.pdt_ms is not None
            assert after.pdt_ms is not None
            assert abs(before.pdt_ms + float(before.duration) * 1000 - after.pdt_ms) <= 2
    for name in VIDEO:
        times = decoding.picture_times(await live.follower.run_bytes(name, live.first, live.last))
        for (at, duration, _), (following, _, _) in itertools.pairwise(times):
            assert abs(at + duration - following) <= 2, f"{name}: hole or overlap at {at}"
    for name in SOUND:
        frames = np.diff(live.heard[name].frames)
        assert set(frames.tolist()) == {1920}, f"{name}: AAC frames follow each other exactly"


async def test_each_segment_begins_with_a_key_frame_and_parts_say_which_are_independent(live: Followed) -> None:
    for name in VIDEO:
        for msn in range(live.last - 2, live.last + 1):
            segment = live.follower.segment(name, msn)
            assert segment.parts
            assert segment.parts[0].independent
            for index, part in enumerate(segment.parts):
                begins_with_key = decoding.picture_times(live.parts[name, msn, index])[0][2]
                assert begins_with_key or not part.independent


async def test_flash_and_beep_are_together_in_every_rendition(live: Followed) -> None:
    for sound, name in itertools.product(SOUND, VIDEO):
        beeps = decoding.beeps(live.heard[sound])
        assert len(beeps) >= 8
        flashes = decoding.flashes(live.shown[name])
        assert len(flashes) >= 8
        apart = [decoding.nearest(flash, beeps) / 90 for flash in flashes[1:-1]]
        # A camera on a busy machine may pass over a beep.
        lost = [ms for ms in apart if ms > 500]
        assert len(lost) <= 1, f"{name}, {sound}: {apart}"
        apart = [ms for ms in apart if ms <= 500]
        # The first difference of the camera's clocks is taken out of the sound by a few ms a second.
        assert max(apart) <= 45 or apart[-1] < apart[0] - len(apart), f"{name}, {sound}: {apart}"


async def test_the_sound_is_the_tone_in_stereo(live: Followed) -> None:
    for heard in live.heard.values():
        assert heard.samples.shape[0] == 2
        for at in decoding.beeps(heard)[1:-1]:
            assert abs(decoding.frequency(heard, at) - 1000) < 20
        assert np.abs(heard.mono).max() > 0.15


async def test_program_date_time_is_when_the_picture_was_taken(live: Followed) -> None:
    for name in VIDEO:
        pdt = live.follower.segment(name, live.first).pdt_ms
        assert pdt is not None
        shown = live.shown[name]
        off = [abs(pdt + (p.at - shown[0].at) / 90 - p.strip) for p in shown if p.strip is not None]
        assert max(off) < 500, f"{name}: {max(off):.0f} ms"


async def test_bandwidths_hold_what_the_multivariant_playlist_promises(live: Followed) -> None:
    for variant in live.follower.variants:
        name = variant.uri.rpartition("/")[2].partition(".m3u8")[0]
        peak = 0.0
        for msn in range(live.first, live.last + 1):
            size = len(await live.follower.segment_bytes(name, msn, init=False))
            peak = max(peak, size * 8 / float(live.follower.segment(name, msn).duration))
        promised = int(variant.attributes["BANDWIDTH"])
        assert peak <= promised * 1.1, f"{name}: {peak:.0f} bit/s, {promised} are promised"


async def test_plain_hls_players_play_the_same_address(live: Followed) -> None:
    def play() -> tuple[set[str], int]:
        kinds, count = set(), 0
        with av.open(live.url, timeout=15) as container:
            streams = [next(iter(container.streams.video)), next(iter(container.streams.audio))]
            for frame in container.decode(streams):
                kinds.add("video" if isinstance(frame, av.VideoFrame) else "audio")
                count += 1
                if count > 150 and len(kinds) == 2:
                    break
        return kinds, count

    kinds, count = await asyncio.to_thread(play)
    assert kinds == {"video", "audio"}
    assert count > 150


async def test_a_still_shows_the_programme(live: Followed) -> None:
    async with live.server.session.get(f"{live.server.url}/live/{ROOM}/still.jpg") as response:
        assert response.status == 200
        assert response.content_type == "image/jpeg"
        data = await response.read()
    with av.open(io.BytesIO(data)) as container:
        frame = next(container.decode(video=0))
    luma = decoding.luma_of(frame)
    assert luma.std() > 20
    assert frame.width >= 320


async def test_metrics_tell_of_the_room(live: Followed) -> None:
    async with live.server.session.get(f"{live.server.url}/metrics") as response:
        text = await response.text()
    for line in text.splitlines():
        if line.startswith(("streamer_samples_refused_total", "streamer_parts_overlong_total", "streamer_gaps_total")):
            assert float(line.rpartition(" ")[2]) == 0, line


async def test_the_crew_sees_meters_of_what_goes_out(live: Followed) -> None:
    meters = (await live.server.state(ROOM))["meters"]
    # A beep of 0.1 s a second at -12 dBFS or so, and a card that is neither black nor frozen.
    assert -50 < meters["sound"]["integrated"] < -10

    async def neither_silent_nor_black_nor_frozen() -> bool:
        # Media time since when it is so: between two beeps it is rightly silent, and two pictures may be alike.
        meters = (await live.server.state(ROOM))["meters"]
        now_ms = time.time() * 1000
        faults = (("sound", "silent_since"), ("picture", "black_since"), ("picture", "frozen_since"))
        return all(now_ms - (meters[kind][fault] or now_ms) < PAUSE_MS for kind, fault in faults)

    await until_answered(neither_silent_nor_black_nor_frozen)
    assert 0.02 < meters["picture"]["luma"] < 0.98
