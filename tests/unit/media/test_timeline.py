"""Clocks: sound and picture of one sender stand together, and stay together."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.broadcast.programme import TICKS_PER_MS, TICKS_PER_S
from streamer.formats.types import AccessUnit
from streamer.media.timeline import SLEW_PER_SEGMENT_TICKS, RoomClock, SourceClock

MS = 1_000_000
ROOM = RoomClock(epoch_ms=1_700_000_000_000, anchor_ns=0)


def picture(at_ms: float, *, delay_ms: float = 20, sender_ms: float | None = None, origin: int = 1000) -> AccessUnit:
    sender = None if sender_ms is None else int((sender_ms + at_ms) * 1000)
    return AccessUnit("video", "h264", b"", origin + int(at_ms * 90), 90_000, int((at_ms + delay_ms) * MS), sender)


def sound(at_ms: float, *, delay_ms: float = 20, sender_ms: float | None = None, origin: int = 77) -> AccessUnit:
    sender = None if sender_ms is None else int((sender_ms + at_ms) * 1000)
    return AccessUnit("audio", "opus", b"", origin + int(at_ms * 48), 48_000, int((at_ms + delay_ms) * MS), sender)


def test_the_first_picture_stands_at_its_arrival_but_not_before_the_take_may_begin() -> None:
    assert SourceClock(ROOM).video_start(picture(1000)) == 1020 * TICKS_PER_MS
    assert SourceClock(ROOM, not_before=2000 * TICKS_PER_MS).video_start(picture(1000)) == 2000 * TICKS_PER_MS


def test_sound_that_comes_late_still_stands_where_the_sender_took_it() -> None:
    clock = SourceClock(ROOM)
    clock.video_start(picture(1000, sender_ms=5_000_000))
    # Taken at the same moment, but held up by 130 ms on its way: without reports that would be lip error.
    assert clock.sound_start(sound(1000, delay_ms=150, sender_ms=5_000_000)) == pytest.approx(
        1020 * TICKS_PER_MS, abs=2
    )


def test_reports_that_come_late_move_the_sound_a_few_ms_per_second_and_never_the_picture() -> None:
    clock = SourceClock(ROOM)
    pictures = [clock.video_start(picture(t)) for t in range(0, 2000, 33)]
    clock.sound_start(sound(0, delay_ms=120))
    error = []
    for t in range(2000, 40_000, 20):
        pictures.append(clock.video_start(picture(t, sender_ms=9_000)))
        start = clock.sound_start(sound(t, delay_ms=120, sender_ms=9_000))
        error.append(start - (t + 20) * TICKS_PER_MS)
    assert abs(error[0]) > 85 * TICKS_PER_MS
    assert abs(error[-1]) < TICKS_PER_MS
    steps = [abs(b - a) for a, b in pairwise(error)]
    assert max(steps) <= 5 * TICKS_PER_MS * 20 // 1000 + 2
    assert [b - a for a, b in pairwise(pictures[62:])] == [1800] * (len(pictures) - 63)


def test_sound_alone_runs_on_its_own_clock_until_the_picture_joins_it() -> None:
    clock = SourceClock(ROOM)
    first = clock.sound_start(sound(0, sender_ms=1000))
    assert clock.sound_start(sound(20, sender_ms=1000)) - first == 20 * TICKS_PER_MS
    assert clock.video_start(picture(500, delay_ms=90, sender_ms=1000)) - first == pytest.approx(
        500 * TICKS_PER_MS, abs=2
    )


@given(st.floats(-200, 200))
def test_a_drifting_sender_is_followed_by_at_most_one_ms_per_segment(ppm: float) -> None:
    clock = SourceClock(ROOM)
    starts = []
    for n in range(2000):
        sent = n * 1000 / 30
        starts.append(clock.video_start(picture(sent * (1 + ppm / 1e6), delay_ms=20 - sent * ppm / 1e6)))
    plain = [round((n * 1000 / 30) * (1 + ppm / 1e6) * 90) for n in range(2000)]
    moved = [a - b for a, b in zip(starts, plain, strict=True)]
    for n in range(0, 1940, 60):
        assert abs(moved[n + 60] - moved[n]) <= SLEW_PER_SEGMENT_TICKS + 4


@pytest.mark.parametrize(("speed", "seconds"), [(1.05, 120), (1.08, 60), (0.95, 120), (1.02, 400)])
@pytest.mark.parametrize("reports", [True, False])
def test_a_sender_that_catches_up_or_falls_back_stays_in_its_take(speed: float, seconds: int, reports: bool) -> None:
    """FFmpeg sends at 1.05 times its speed after a lag, its own clock unmoved."""
    clock = SourceClock(ROOM)
    pictures, sounds, errors = [], [], []
    for n in range(seconds * 50):
        at = n * 20.0
        delay = 20 + at / speed - at
        known = 5_000_000.0 if reports else None
        sounds.append(clock.sound_start(one := sound(at, delay_ms=delay, sender_ms=known)))
        assert not clock.sound_is_far(sounds[-1], one)
        if n % 2 == 0:
            pictures.append(clock.video_start(two := picture(at, delay_ms=delay, sender_ms=known)))
            assert not clock.jumped(pictures[-1], two), f"after {at / 1000} s"
            errors.append(pictures[-1] - sounds[-1])
    assert max(map(abs, errors)) <= 10 * TICKS_PER_MS
    # No picture stands still or goes back, and none is held for long.
    assert min(b - a for a, b in pairwise(pictures)) > 36 * TICKS_PER_MS
    assert max(b - a for a, b in pairwise(pictures)) < 44 * TICKS_PER_MS


def test_a_queue_on_the_path_that_fills_and_empties_costs_no_take() -> None:
    clock = SourceClock(ROOM)
    for n in range(3000):
        at = n * 1000 / 30
        delay = 20 + (1400 if 20_000 < at < 60_000 else 0)
        assert not clock.jumped(clock.video_start(one := picture(at, delay_ms=delay)), one)


def test_a_clock_that_jumped_is_noticed() -> None:
    clock = SourceClock(ROOM)
    clock.video_start(picture(0))
    far = AccessUnit("video", "h264", b"", 1000 + 3600 * 90_000, 90_000, 60 * MS)
    assert clock.jumped(clock.video_start(far), far)
    assert not clock.jumped(clock.video_start(picture(100)), picture(100))


def test_a_tick_is_reached_at_its_nanosecond_and_not_before() -> None:
    clock = RoomClock(epoch_ms=0, anchor_ns=12_345, anchor_ticks=7)
    for ticks in (-90_001, 0, 7, 8, 9, 16, 90_000):
        assert clock.ticks(clock.reached_ns(ticks)) == ticks
        assert clock.ticks(clock.reached_ns(ticks) - 1) == ticks - 1


def test_a_broadcast_that_goes_on_never_steps_back_even_if_the_machines_clock_did() -> None:
    clock = RoomClock.resumed(epoch_ms=1_000_000, end_ticks=50 * TICKS_PER_S, now_ms=1_010_000, now_ns=5 * 10**9)
    assert clock.ticks(5 * 10**9) == 50 * TICKS_PER_S
    later = RoomClock.resumed(epoch_ms=1_000_000, end_ticks=50 * TICKS_PER_S, now_ms=1_090_000, now_ns=0)
    assert later.ticks(10**9) == 91 * TICKS_PER_S
    assert later.epoch_ms + later.ticks(0) // TICKS_PER_MS == 1_090_000
