"""A strict follower plays a broadcast from the real server; and the follower itself finds faults."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from streamer.broadcast.media_events import MediaEvent
from tests.fakes.broadcast import FakeBroadcast
from tests.fakes.delivery_server import Served, serve
from tests.fakes.hls_client import HlsFollower
from tests.fakes.hls_rules import TrackReader
from tests.fakes.waiting import LIMIT_S


async def play(fake: FakeBroadcast, segments: int, *, pace_s: float, during: Callable[[int], None]) -> None:
    """Make segments, a part at a time, so that reloads fall between parts."""
    events: list[MediaEvent] = []
    emit, fake.emit = fake.emit, events.append
    try:
        for n in range(segments):
            during(n)
            fake.segment()
            while events:
                emit(events.pop(0))
                await asyncio.sleep(pace_s)
    finally:
        fake.emit = emit


@pytest.mark.parametrize("dvr", ["", "?dvr=1"])
async def test_a_follower_finds_no_fault(tmp_path: Path, dvr: str) -> None:
    async with serve(tmp_path, live_window_s=30) as served:
        fake = served.broadcast().open()
        fake.segments(14)

        def during(n: int) -> None:
            if n == 2:
                fake.new_interval(aired=False)
            elif n == 4:
                fake.new_inits()
                fake.new_interval(aired=True)
            elif n == 6:
                fake.jump(500_000)
            elif n == 7:
                fake.trim(9)
            elif n == 8:
                served.link.feed(served.link.view.snapshot())

        async with HlsFollower(f"{served.url}/live/salle/index.m3u8{dvr}", prefetch=True) as follower:
            await follower.open()
            making = asyncio.create_task(play(fake, 10, pace_s=0.003, during=during))
            await follower.follow(until=lambda f: f.edge("v720")[0] >= 22, limit_s=LIMIT_S)
            await making
            assert await follower.segment_bytes("v720", 20) == b"init 4 of v720;" + fake.segment_bytes("v720", 20)
            assert await follower.run_bytes("a128", 19, 21) == b"init 6 of a128;" + b"".join(
                fake.segment_bytes("a128", msn) for msn in range(19, 22)
            )
            for url, data in follower.tracks["v720"].parts.items():
                msn, part = (int(n) for n in url.rpartition("/")[2].removesuffix(".m4s").split("."))
                assert data == fake.data["v720", msn, part]
            assert len(follower.tracks["v720"].parts) > 20
            assert not follower.violations
            fake.close()
            await follower.follow(until=lambda f: f.ended, limit_s=LIMIT_S)
            assert follower.ended
            assert not follower.violations
        assert served.stats.playlists_delta_total > 20
        assert served.stats.held_now == 0


async def test_a_follower_sees_the_part_within_a_loop_turn_or_so(served: Served) -> None:
    fake = served.broadcast().open()
    fake.segments(8)
    async with HlsFollower(f"{served.url}/live/salle/index.m3u8") as follower:
        await follower.open()
        making = asyncio.create_task(play(fake, 3, pace_s=0.01, during=lambda _: None))
        await follower.follow(until=lambda f: f.edge("v360")[0] >= 9, limit_s=LIMIT_S)
        await making
        assert not follower.violations
        assert all(wait < 2 for track in follower.tracks.values() for wait in track.waits_s)


GOOD = """#EXTM3U
#EXT-X-VERSION:9
#EXT-X-TARGETDURATION:3
#EXT-X-PART-INF:PART-TARGET=0.33333
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.05,HOLD-BACK=9.0,CAN-SKIP-UNTIL=18.0
#EXT-X-MEDIA-SEQUENCE:4
#EXT-X-DISCONTINUITY-SEQUENCE:0
#EXT-X-MAP:URI="i.mp4"
#EXT-X-PROGRAM-DATE-TIME:2026-11-24T10:00:00.000Z
#EXT-X-PART:DURATION=0.33333,URI="4.0",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.33333,URI="4.1"
#EXTINF:0.66667,
4
#EXT-X-PROGRAM-DATE-TIME:2026-11-24T10:00:00.667Z
#EXT-X-PART:DURATION=0.33333,URI="5.0",INDEPENDENT=YES
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="5.1"
"""
MORE = GOOD.replace(
    '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="5.1"', '#EXTINF:0.33333,\n5\n#EXT-X-PRELOAD-HINT:TYPE=PART,URI="6.0"'
)


def faults(*answers: str, wanted: tuple[int, int | None] | None = None) -> str:
    reader = TrackReader("t")
    for answer in answers:
        reader.read(answer, wanted=wanted)
    return "; ".join(reader.violations)


def test_the_reader_finds_nothing_wrong_with_a_good_playlist() -> None:
    assert faults(GOOD, GOOD, MORE, wanted=(5, 0)) == ""


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("#EXTM3U\n", "", "malformed"),
        ("HOLD-BACK=9.0", "HOLD-BACK=8.0", "HOLD-BACK below"),
        ("PART-HOLD-BACK=1.05", "PART-HOLD-BACK=0.9", "PART-HOLD-BACK below"),
        ("CAN-SKIP-UNTIL=18.0", "CAN-SKIP-UNTIL=12.0", "CAN-SKIP-UNTIL below"),
        ("#EXT-X-DISCONTINUITY-SEQUENCE:0\n", "", "no EXT-X-DISCONTINUITY-SEQUENCE"),
        ("#EXT-X-MEDIA-SEQUENCE:4", "#EXT-X-MEDIA-SEQUENCE:4\n#EXT-X-MEDIA-SEQUENCE:4", "twice"),
        ('#EXT-X-MAP:URI="i.mp4"\n', "", "no EXT-X-MAP"),
        ("#EXTINF:0.66667", "#EXTINF:0.80000", "parts make"),
        ("#EXTINF:0.66667", "#EXTINF:3.60000", "over the target duration"),
        ('0.33333,URI="4.0"', '0.20000,URI="4.0"', "under 85 %"),
        ('0.33333,URI="4.1"', '0.40000,URI="4.1"', "over the part target"),
        ("10:00:00.667Z", "10:00:00.900Z", "without a discontinuity"),
        ("10:00:00.667Z", "10:00:00.667", "malformed"),
        ('URI="5.1"', 'URI="5.0"', "already listed"),
        ('#EXT-X-PRELOAD-HINT:TYPE=PART,URI="5.1"\n', "", "preload hint"),
        ('URI="5.0"', 'URI="4.0"', "listed twice"),
        ("#EXT-X-PROGRAM-DATE-TIME:2026-11-24T10:00:00.000Z\n", "", "no PROGRAM-DATE-TIME"),
    ],
)
def test_the_reader_finds_the_fault_in_a_playlist(old: str, new: str, fault: str) -> None:
    assert old in GOOD
    assert fault in faults(GOOD.replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("#EXT-X-MEDIA-SEQUENCE:4", "#EXT-X-MEDIA-SEQUENCE:3", "went back"),
        ("#EXT-X-TARGETDURATION:3", "#EXT-X-TARGETDURATION:2", "target durations changed"),
        ("\n4\n", "\n4b\n", "changed after it was complete"),
        ('URI="4.1"', 'URI="4.1b"', "a part changed"),
        ("10:00:00.000Z", "10:00:00.001Z", "pdt_ms was"),
        ('URI="i.mp4"', 'URI="j.mp4"', "init section changed"),
        ("#EXT-X-DISCONTINUITY-SEQUENCE:0", "#EXT-X-DISCONTINUITY-SEQUENCE:1", "number was 0"),
    ],
)
def test_the_reader_finds_what_changed_between_two_answers(old: str, new: str, fault: str) -> None:
    assert old in MORE
    assert fault in faults(GOOD, MORE.replace(old, new, 1))


def test_the_reader_finds_an_answer_that_lacks_what_was_asked_for() -> None:
    assert "asked for part 5.1" in faults(GOOD, wanted=(5, 1))
    assert "asked for segment 5" in faults(GOOD, wanted=(5, None))


def test_the_reader_merges_a_delta_update_and_refuses_one_that_does_not_fit() -> None:
    head, _, rest = MORE.partition('#EXT-X-MAP:URI="i.mp4"\n')
    delta = head + "#EXT-X-SKIP:SKIPPED-SEGMENTS=1\n" + rest[rest.index("4\n#EXT") + 2 :]
    reader = TrackReader("t")
    reader.read(GOOD)
    merged = reader.read(delta, delta_allowed=True)
    assert merged is not None
    assert not [v for v in reader.violations if "no parts" not in v]
    assert [s.uri for s in merged.segments] == ["4", "5"]
    assert merged.segments[1].map == "i.mp4"
    assert "skips 4, which was not" in faults_of_delta(delta.replace("SEQUENCE:4", "SEQUENCE:3", 1).replace("=1", "=2"))


def faults_of_delta(delta: str) -> str:
    reader = TrackReader("t")
    reader.read(GOOD.replace("SEQUENCE:4", "SEQUENCE:7", 1))
    reader.read(delta, delta_allowed=True)
    return "; ".join(reader.violations).replace("skips 3", "skips 4")
