"""The first frames for a new viewer of the relay."""

from __future__ import annotations

import itertools

from streamer.room.feed import CATCH_UP_STEP_US, WANT_INTERVAL_NS, ViewerFeed

START = b"\x00\x00\x00\x01"
SPS = bytes((0x67, 0x42, 0xE0, 0x1F, 0x11))
PPS = bytes((0x68, 0xCE, 0x01))
IDR = bytes((0x65, 0x88, 0x01))
SLICE = bytes((0x41, 0x9A, 0x02))


def unit(*nals: bytes) -> bytes:
    return b"".join(START + nal for nal in nals)


class Screen:
    def __init__(self) -> None:
        self.pictures: list[tuple[bytes, int, bool]] = []
        self.sounds: list[tuple[bytes, int]] = []

    def video(self, data: bytes, media_us: int, *, idr: bool) -> None:
        self.pictures.append((data, media_us, idr))

    def audio(self, data: bytes, media_us: int) -> None:
        self.sounds.append((data, media_us))


class Wants:
    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


def test_a_newcomer_begins_with_the_pictures_since_the_idr_and_ends_up_at_the_newest() -> None:
    wants = Wants()
    feed = ViewerFeed("public", wants)
    feed.push_video(unit(SPS, PPS, IDR), 1_000_000, True, 0)
    for number in range(1, 31):
        feed.push_video(unit(SLICE), 1_000_000 + number * 33_333, False, 0)
    screen = Screen()
    feed.join(screen, 0)
    assert len(screen.pictures) == 31
    times = [media_us for _, media_us, _ in screen.pictures]
    assert times[-1] == 1_000_000 + 30 * 33_333
    assert {after - before for before, after in itertools.pairwise(times)} == {CATCH_UP_STEP_US}
    assert [idr for _, _, idr in screen.pictures] == [True] + [False] * 30
    feed.push_video(unit(SLICE), 2_033_323, False, 0)
    feed.push_audio(b"opus", 2_030_000)
    assert screen.pictures[-1] == (unit(SLICE), 2_033_323, False)
    assert screen.sounds == [(b"opus", 2_030_000)]
    assert wants.count == 0


def test_without_a_recent_idr_one_is_asked_for_and_waited_for() -> None:
    wants = Wants()
    feed = ViewerFeed("public", wants)
    feed.push_video(unit(SPS, PPS, IDR), 0, True, 0)
    feed.push_video(unit(SLICE), 3_100_000, False, 0)  # the kept pictures are too old
    screen = Screen()
    feed.join(screen, 0)
    feed.push_video(unit(SLICE), 3_133_000, False, 1)
    assert (screen.pictures, wants.count) == ([], 1)
    feed.push_video(unit(SLICE), 3_166_000, False, WANT_INTERVAL_NS)
    assert wants.count == 2
    feed.push_video(unit(IDR), 3_200_000, True, WANT_INTERVAL_NS + 1)
    assert screen.pictures == [(unit(SPS, PPS, IDR), 3_200_000, True)]


def test_parameter_sets_that_came_apart_stand_before_each_idr() -> None:
    feed = ViewerFeed("public", Wants())
    screen = Screen()
    feed.push_video(unit(SPS, PPS), 0, False, 0)
    feed.join(screen, 0)
    feed.push_video(unit(IDR), 1, True, 0)
    other = bytes((0x67, 0x64, 0x00, 0x28, 0x22))
    feed.push_video(unit(other, PPS, IDR), 2, True, 0)
    feed.push_video(unit(IDR), 3, True, 0)
    assert [data for data, _, _ in screen.pictures] == [
        unit(SPS, PPS, IDR),
        unit(other, PPS, IDR),
        unit(other, PPS, IDR),
    ]
    assert feed.profile == "6400"


def test_whatever_viewers_ask_the_camera_is_asked_twice_a_second() -> None:
    wants = Wants()
    feed = ViewerFeed("public", wants)
    for number in range(100):
        feed.want_keyframe(number * 20_000_000)
    assert wants.count == 4


def test_who_left_gets_nothing_more() -> None:
    feed = ViewerFeed("public", Wants())
    screen = Screen()
    feed.push_video(unit(SPS, PPS, IDR), 0, True, 0)
    feed.join(screen, 0)
    feed.leave(screen)
    feed.leave(screen)
    feed.push_video(unit(SLICE), 33_000, False, 0)
    assert len(screen.pictures) == 1
    assert not feed._sinks
