"""Rendering, held to RFC 8216bis by a reader that knows nothing of it."""

from __future__ import annotations

import gzip
import re
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from streamer.broadcast.media_events import MediaEvent
from streamer.broadcast.programme import Broadcast, Rendition
from streamer.broadcast.view import BroadcastView
from streamer.delivery import playlists
from streamer.delivery.rendering import Playlist, Renderers
from tests.fakes.broadcast import EPOCH_MS, RENDITIONS, FakeBroadcast
from tests.fakes.chance import examples
from tests.fakes.hls_playlist import parse_media
from tests.fakes.hls_rules import TrackReader, check_alignment, check_playlist


class Harness:
    """A fake broadcast, its mirror and its renderers."""

    def __init__(self, live_window_s: int = 600, on_event: Callable[[], None] = lambda: None) -> None:
        self.view = BroadcastView()
        self.renderers = Renderers(live_window_s)
        self.on_event = on_event
        self.fake = FakeBroadcast(self.take)

    def take(self, event: MediaEvent) -> None:
        self.view.apply(event)
        self.on_event()

    def playlist(self, rendition: str, *, dvr: bool = False, skip: bool = False) -> Playlist | None:
        broadcast, output = self.view.broadcast, self.view.public
        if broadcast is None or output is None or output.tracks[rendition].edge is None:
            return None
        renderer = self.renderers.track(broadcast, output, output.tracks[rendition])
        return renderer.playlist(dvr=dvr, skip=skip, closed=self.view.closed)

    def text(self, rendition: str, *, dvr: bool = False, skip: bool = False) -> str:
        playlist = self.playlist(rendition, dvr=dvr, skip=skip)
        assert playlist is not None
        return playlist.text.decode()


@pytest.mark.parametrize(
    ("ticks", "text"),
    [(0, "0.00000"), (30_000, "0.33333"), (60_000, "0.66667"), (90_000, "1.00000"), (1920, "0.02133"), (1, "0.00001")],
)
def test_ticks_as_seconds(ticks: int, text: str) -> None:
    assert playlists.seconds(ticks) == text


def test_media_time_as_date() -> None:
    assert playlists.date_time(0, 0) == "1970-01-01T00:00:00.000Z"
    assert playlists.date_time(1_795_000_000_123, 90 * 877) == "2026-11-18T11:06:41.000Z"


def test_multivariant_has_sound_apart_and_the_middle_first() -> None:
    names = ("v1080", "v720", "v480", "v360", "v240")
    ladder = tuple(
        Rendition(n, "video", "avc1.64001f", b, b * 8 // 10, int(n[1:]) * 16 // 9, int(n[1:]), 29.97)
        for n, b in zip(names, (5_000_000, 3_000_000, 1_500_000, 800_000, 400_000), strict=True)
    )
    sound = Rendition("a128", "audio", "mp4a.40.2", 140_000, 128_000, channels=2)
    text = playlists.multivariant(Broadcast("b1", "salle", EPOCH_MS, (*ladder, sound)), dvr=True)
    lines = text.splitlines()
    assert lines[0] == "#EXTM3U"
    assert [line for line in lines if not line.startswith("#")] == [
        *(f"b1/{name}.m3u8?dvr=1" for name in ("v480", "v1080", "v720", "v360", "v240")),
        "./b1/a128.m3u8?dvr=1",
    ]
    assert (
        '#EXT-X-STREAM-INF:BANDWIDTH=1640000,AVERAGE-BANDWIDTH=1328000,CODECS="avc1.64001f,mp4a.40.2",'
        'RESOLUTION=853x480,FRAME-RATE=29.970,AUDIO="a128",CLOSED-CAPTIONS=NONE'
    ) in lines
    assert '#EXT-X-STREAM-INF:BANDWIDTH=140000,AVERAGE-BANDWIDTH=128000,CODECS="mp4a.40.2"' in lines
    assert (
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a128",NAME="a128",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",'
        'URI="b1/a128.m3u8?dvr=1"'
    ) in lines


def test_one_sound_is_the_default_and_the_leaner_one_is_only_a_variant() -> None:
    video, good = RENDITIONS[0], RENDITIONS[2]
    poor = structs.replace(good, name="a64", bandwidth=70_000, average_bandwidth=64_000)
    text = playlists.multivariant(Broadcast("b", "r", EPOCH_MS, (poor, good, video)))
    media = [line for line in text.splitlines() if line.startswith("#EXT-X-MEDIA")]
    assert len(media) == 1
    assert 'GROUP-ID="a128"' in media[0]
    assert "DEFAULT=YES" in media[0]
    # VLC makes no group of a rendition whose address, letter by letter, is a variant's: there was no sound then.
    (address,) = re.findall('URI="([^"]+)"', media[0])
    assert address == "b/a128.m3u8"
    assert address not in text.splitlines()
    assert "./b/a128.m3u8" in text.splitlines()
    assert text.endswith('#EXT-X-STREAM-INF:BANDWIDTH=70000,AVERAGE-BANDWIDTH=64000,CODECS="mp4a.40.2"\n./b/a64.m3u8\n')


def test_multivariant_without_sound_and_without_picture() -> None:
    video, sound = RENDITIONS[0], RENDITIONS[2]
    only_video = playlists.multivariant(Broadcast("b", "r", EPOCH_MS, (video,)))
    assert "AUDIO" not in only_video
    assert 'CODECS="avc1.4d401f"' in only_video
    only_sound = playlists.multivariant(Broadcast("b", "r", EPOCH_MS, (sound,)))
    assert only_sound.splitlines()[-1] == "./b/a128.m3u8"


def test_a_playlist_in_full() -> None:
    h = Harness()
    h.fake.open()
    h.fake.segment(2)
    h.fake.new_interval(aired=False)
    h.fake.begin()
    h.fake.part(h.fake.renditions[0], 0, 30_000)
    assert h.text("v720", dvr=True) == (
        "#EXTM3U\n"
        "#EXT-X-VERSION:9\n"
        "#EXT-X-INDEPENDENT-SEGMENTS\n"
        "#EXT-X-TARGETDURATION:3\n"
        "#EXT-X-PART-INF:PART-TARGET=0.33333\n"
        "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.05000,HOLD-BACK=9.0,CAN-SKIP-UNTIL=18.0\n"
        "#EXT-X-MEDIA-SEQUENCE:0\n"
        "#EXT-X-DISCONTINUITY-SEQUENCE:0\n"
        '#EXT-X-MAP:URI="k0-b4f0c1/v720/init-1.mp4"\n'
        "#EXT-X-PROGRAM-DATE-TIME:2026-11-18T11:06:40.000Z\n"
        '#EXT-X-PART:DURATION=0.33333,URI="k0-b4f0c1/v720/0.0.m4s",INDEPENDENT=YES\n'
        '#EXT-X-PART:DURATION=0.33333,URI="k0-b4f0c1/v720/0.1.m4s"\n'
        "#EXTINF:0.66667,\n"
        "k0-b4f0c1/v720/0.m4s\n"
        "#EXT-X-DISCONTINUITY\n"
        '#EXT-X-MAP:URI="k1-b4f0c1/v720/init-1.mp4"\n'
        "#EXT-X-PROGRAM-DATE-TIME:2026-11-18T11:06:40.667Z\n"
        '#EXT-X-PART:DURATION=0.33333,URI="k1-b4f0c1/v720/1.0.m4s",INDEPENDENT=YES\n'
        '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="k1-b4f0c1/v720/1.1.m4s"\n'
        '#EXT-X-RENDITION-REPORT:URI="v360.m3u8?dvr=1",LAST-MSN=0,LAST-PART=1\n'
        '#EXT-X-RENDITION-REPORT:URI="a128.m3u8?dvr=1",LAST-MSN=0,LAST-PART=2\n'
    )


def test_the_hint_after_a_whole_segment_names_the_newest_interval() -> None:
    h = Harness()
    h.fake.open()
    h.fake.segment()
    assert parse_media(h.text("v720")).hint == "k0-b4f0c1/v720/1.0.m4s"
    h.fake.new_interval(aired=False)
    h.fake.segment()
    assert parse_media(h.text("v720")).hint == "k1-b4f0c1/v720/2.0.m4s"


def test_an_open_segment_without_parts_is_not_mentioned() -> None:
    h = Harness()
    h.fake.open()
    h.fake.segment()
    h.fake.new_interval(aired=False)
    h.fake.begin()
    playlist = parse_media(h.text("v720"))
    assert playlist.edge[0] == 0
    assert playlist.hint == "k1-b4f0c1/v720/1.0.m4s"


def test_the_live_window_is_ten_minutes_of_a_longer_one() -> None:
    h = Harness()
    h.fake.open()
    h.fake.segments(320)
    live, dvr = parse_media(h.text("v720")), parse_media(h.text("v720", dvr=True))
    assert live.first_msn == 20
    assert live.segments[0].map
    assert dvr.first_msn == 0
    assert live.edge == dvr.edge


def test_a_closed_playlist_ends() -> None:
    h = Harness()
    h.fake.open()
    h.fake.segments(3)
    h.fake.close()
    playlist = parse_media(h.text("v360"))
    assert playlist.ended
    assert playlist.hint is None
    assert not check_playlist(playlist)


def test_a_gap_is_marked_and_the_init_section_is_named_after_it() -> None:
    h = Harness()
    h.fake.open()
    h.fake.segments(2)
    h.fake.jump(900_000)
    h.fake.segment(gap_in=["v360"])
    h.fake.segment()
    h.fake.trim(2)
    playlist = parse_media(h.text("v360"))
    assert playlist.segments[0].gap
    assert playlist.segments[1].map is not None
    assert not check_playlist(playlist)


def test_the_first_segment_of_a_trimmed_window_names_its_init_section() -> None:
    """Its lines were written while the segment before it was there."""
    h = Harness()
    h.fake.open()
    h.fake.segments(40)
    h.text("v720", dvr=True)
    for first_msn in (5, 32, 38):
        h.fake.trim(first_msn)
        playlist = parse_media(h.text("v720", dvr=True))
        assert playlist.first_msn == first_msn
        assert playlist.tags["EXT-X-MAP"] == 1
        assert playlist.segments[0].map is not None


def test_a_rendering_is_shared_until_something_changes() -> None:
    h = Harness()
    h.fake.open()
    h.fake.segments(3)
    first = h.playlist("v720")
    assert first is h.playlist("v720")
    assert first is not None
    assert first.packed() is first.packed()
    h.fake.segment()
    assert h.playlist("v720") is not first


def test_reports_are_fresh_even_where_the_own_rendition_stands_still() -> None:
    h = Harness()
    h.fake.open()
    h.fake.segment()
    h.text("v720")
    h.fake.begin()
    h.fake.part(h.fake.renditions[1], 0, 30_000)
    assert parse_media(h.text("v720")).reports["v360.m3u8"] == (1, 0)


def test_two_web_processes_agree_on_the_text() -> None:
    """One that followed from the start and one that joined by a snapshot, but for a repeated init section."""
    h = Harness()
    h.fake.open()
    h.fake.segments(100)
    h.text("v720")
    h.fake.segments(40)
    late = Harness()
    late.view.apply(h.view.snapshot())
    for rendition in ("v720", "a128"):
        assert h.text(rendition) == late.text(rendition)
        assert h.text(rendition, dvr=True) == late.text(rendition, dvr=True)
        assert h.text(rendition, skip=True) == late.text(rendition, skip=True)


def test_a_two_hour_playlist_costs_little_per_part() -> None:
    """This is no benchmark: it would fail by a factor of ten if every part rendered every segment."""
    h = Harness()
    h.fake.part_bytes = 1
    h.fake.open()
    h.fake.segments(1000)
    playlist = h.playlist("v720", dvr=True)
    assert playlist is not None
    playlist.packed()
    began = time.process_time()
    rounds = 20
    for _ in range(rounds):
        h.fake.segment(1)
        playlist = h.playlist("v720", dvr=True)
        assert playlist is not None
        playlist.packed()
    assert (time.process_time() - began) / rounds < 0.02


steps = st.lists(
    st.one_of(
        st.tuples(st.just("segment"), st.integers(1, 7), st.sampled_from([30_000, 27_000, 9_000])),
        st.tuples(st.just("several"), st.integers(1, 9), st.just(0)),
        st.tuples(st.just("gap"), st.integers(1, 6), st.just(0)),
        st.tuples(st.just("interval"), st.integers(0, 1), st.just(0)),
        st.tuples(st.just("inits"), st.just(0), st.just(0)),
        st.tuples(st.just("jump"), st.integers(1, 9_000_000), st.just(0)),
        st.tuples(st.just("trim"), st.integers(0, 20), st.just(0)),
        st.tuples(st.just("snapshot"), st.just(0), st.just(0)),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=examples(15), deadline=None)
@given(steps=steps, live_window_s=st.sampled_from([30, 60, 600]))
def test_any_broadcast_keeps_the_rules_at_every_part(steps: list[tuple[str, int, int]], live_window_s: int) -> None:
    names = [r.name for r in RENDITIONS]
    readers = {
        (name, dvr, skip): TrackReader(f"{name} dvr={dvr} skip={skip}")
        for name in names
        for dvr in (False, True)
        for skip in (False, True)
    }
    events = 0

    def look() -> None:
        nonlocal events
        events += 1
        if events % 11:
            return
        for (name, dvr, skip), reader in readers.items():
            playlist = h.playlist(name, dvr=dvr, skip=skip and reader.last is not None)
            if playlist is None:
                continue
            assert gzip.decompress(playlist.packed()) == playlist.text
            reader.read(playlist.text.decode(), delta_allowed=skip)
            if skip:
                full = h.playlist(name, dvr=dvr)
                assert full is not None
                expected = parse_media(full.text.decode())
                assert reader.last is not None
                got = reader.last.segments
                assert [(s.msn, s.uri, s.number, s.pdt_ms) for s in got] == [
                    (s.msn, s.uri, s.number, s.pdt_ms) for s in expected.segments
                ]
                assert all(a.map == b.map for a, b in zip(got, expected.segments, strict=True) if not a.gap)

    h = Harness(live_window_s, look)
    fake = h.fake
    fake.part_bytes = 1
    fake.open()
    for step, n, extra in steps:
        if step == "segment":
            fake.segment(n, last_part=extra)
        elif step == "several":
            fake.segments(n)
        elif step == "gap":
            fake.segment(n, gap_in=["v360", "a128"])
        elif step == "interval":
            fake.new_interval(aired=bool(n))
        elif step == "inits":
            fake.new_inits()
        elif step == "jump":
            fake.jump(n)
        elif step == "trim":
            fake.trim(max(fake.first_msn, fake.msn - 10 - n))
        else:
            h.view.apply(h.view.snapshot())
    look()
    faults = [fault for reader in readers.values() for fault in reader.violations]
    assert not faults
    for dvr in (False, True):
        assert not check_alignment(readers[(name, dvr, False)] for name in names)
