"""Parts of real samples: bounds, sums, cuts, and what players make of them."""

from __future__ import annotations

import io

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.formats import cmaf
from streamer.formats.types import Cut, Sample, TrackConfig
from streamer.media.packager import TrackPackager
from tests.fakes.encoded import GREYS
from tests.fakes.packaging import AAC_FRAME, FRAME, PartLog, pictures, video_samples

TARGET = 30_000
SOUND = cmaf.aac_config()


def packager(track: str = "v180") -> tuple[TrackPackager, PartLog]:
    log = PartLog()
    return TrackPackager(track, log, part_target_ticks=TARGET), log


def push_in_segments(made: TrackPackager, config: TrackConfig, samples: list[Sample], every: int) -> None:
    for number, sample in enumerate(samples):
        if number % every == 0:
            made.begin(Cut(number // every, sample.start, discontinuity=number == 0), config)
        made.push(sample)


def test_thirty_frames_a_second_make_parts_of_exactly_the_target() -> None:
    config, samples = video_samples(900_000, seconds=4)
    made, log = packager()
    push_in_segments(made, config, samples, 60)
    made.end(samples[-1].start + FRAME)
    assert [p.duration for p in log.parts] == [TARGET] * 12
    assert [p.independent for p in log.parts] == [i % 3 == 0 for i in range(12)]
    assert [(p.number, p.index) for p in log.parts] == [(n, i) for n in (0, 1) for i in range(6)]
    assert [start for _, start in log.opened] == [900_000, 900_000 + 180_000]
    assert log.closed == [0, 1]


def test_parts_joined_are_the_segment_and_play_through_cuts() -> None:
    config, samples = video_samples(900_000, seconds=5)
    made, log = packager()
    push_in_segments(made, config, samples, 60)
    made.end(samples[-1].start + FRAME)
    data = cmaf.init_section(config) + b"".join(part.data for part in log.parts)
    with av.open(io.BytesIO(data)) as file:
        stream = file.streams.video[0]
        frames = [(int(f.pts * stream.time_base * 90_000), np.mean(f.to_ndarray()[:180])) for f in file.decode(stream)]
    assert [at for at, _ in frames] == [s.start for s in samples]
    assert [grey for _, grey in frames] == pytest.approx([g for g in GREYS for _ in range(30)], abs=4)


@pytest.mark.parametrize("frame", [1500, 1800, 3000, 3003, 3600, 3750, 3754, 4500])
def test_usual_frame_rates_keep_parts_between_85_percent_and_the_target(frame: int) -> None:
    config, samples = video_samples(0, seconds=5, frame=frame)
    made, log = packager()
    made.begin(Cut(0, 0, discontinuity=True), config)
    for sample in samples:
        made.push(sample)
    assert log.parts
    assert all(0.85 * TARGET <= part.duration <= TARGET for part in log.parts)
    assert made.overlong_total == 0


def test_jittering_times_keep_every_part_within_the_target() -> None:
    config, samples = video_samples(0, seconds=5)
    wobble = np.random.default_rng(3).integers(-900, 900, len(samples))
    moved = [Sample(s.data, max(0, s.start + int(w)), s.sync) for s, w in zip(samples, wobble, strict=True)]
    made, log = packager()
    made.begin(Cut(0, 0, discontinuity=True), config)
    for sample in moved:
        made.push(sample)
    assert all(0.85 * TARGET <= part.duration <= TARGET for part in log.parts)
    assert made.dropped_total == 0


@pytest.mark.parametrize(("frame", "left_out"), [(3003, (9, 40)), (3600, (8, 25)), (6000, (5, 26))])
def test_a_frame_that_is_left_out_makes_no_part_too_short(frame: int, left_out: tuple[int, ...]) -> None:
    config, samples = video_samples(0, seconds=5, frame=frame)
    made, log = packager()
    made.begin(Cut(0, 0, discontinuity=True), config)
    kept = [sample for number, sample in enumerate(samples) if number not in left_out]
    for sample in kept:
        made.push(sample)
    assert all(0.85 * TARGET <= part.duration <= TARGET for part in log.parts)
    shown = [sample.start for part in log.parts for sample in part.samples]
    early = [due.start - at for due, at in zip(kept, shown, strict=False)]
    assert 0 < max(early) <= frame
    assert sum(ticks > 0 for ticks in early) <= len(left_out)
    assert made.dropped_total == made.overlong_total == 0


def test_sound_is_cut_at_the_nearest_frame_however_late_it_comes() -> None:
    made, log = packager("a128")
    made.begin(Cut(0, 0, discontinuity=True), SOUND)
    for number in range(40):
        made.push(Sample(b"x", number * AAC_FRAME, True))
    # The picture cuts at 180000, sound is at 76800: the cut waits.
    made.begin(Cut(1, 180_000, discontinuity=False), SOUND)
    made.begin(Cut(2, 361_000, discontinuity=False), SOUND)
    for number in range(40, 300):
        made.push(Sample(b"x", number * AAC_FRAME, True))
    boundaries = [start for _, start in log.opened]
    assert boundaries == [0, 94 * AAC_FRAME, 188 * AAC_FRAME]
    assert all(abs(start - cut.start) <= AAC_FRAME // 2 for cut, start in log.opened)
    first = [part for part in log.parts if part.number == 0]
    assert sum(part.duration for part in first) == boundaries[1]
    assert all(part.independent and part.duration <= TARGET for part in log.parts)
    assert [part.duration for part in first[:-1]] == [15 * AAC_FRAME] * (len(first) - 1)


def test_a_part_of_sound_does_not_wait_for_the_next_frame() -> None:
    made, log = packager("a128")
    made.begin(Cut(0, 0, discontinuity=True), SOUND)
    for number in range(15):
        made.push(Sample(b"x", number * AAC_FRAME, True))
    assert [part.duration for part in log.parts] == [15 * AAC_FRAME]


def test_times_that_do_not_grow_are_dropped_and_counted() -> None:
    config, samples = video_samples(9000, seconds=1)
    made, log = packager()
    made.begin(Cut(0, 9000, discontinuity=True), config)
    for sample in (samples[0], samples[0], samples[1], samples[0], Sample(b"", 20_000, False), *samples[2:]):
        made.push(sample)
    made.end(samples[-1].start + FRAME)
    assert made.dropped_total == 3
    assert sum(part.duration for part in log.parts) == 30 * FRAME


def test_samples_outside_of_any_segment_are_dropped() -> None:
    config, samples = video_samples(0, seconds=1)
    made, log = packager()
    made.push(samples[0])
    made.begin(Cut(0, FRAME, discontinuity=True), config)
    made.push(Sample(samples[0].data, FRAME, True))
    made.end(2 * FRAME)
    made.push(Sample(samples[2].data, 2 * FRAME, False))
    assert made.dropped_total == 2
    assert [(part.start, part.duration) for part in log.parts] == [(FRAME, FRAME)]
    assert log.closed == [0]


def test_a_take_waits_for_its_first_key_frame() -> None:
    config, samples = video_samples(0, seconds=2)
    made, log = packager()
    made.begin(Cut(0, 0, discontinuity=True), config)
    for sample in samples[20:]:
        made.push(sample)
    assert made.dropped_total == 10
    assert log.parts[0].start == samples[30].start
    assert log.parts[0].independent


def test_a_last_picture_that_is_held_gets_a_part_of_its_own() -> None:
    config, samples = video_samples(0, seconds=1)
    made, log = packager()
    made.begin(Cut(0, 0, discontinuity=True), config)
    for sample in samples[:5]:
        made.push(sample)
    made.end(samples[4].start + 45_000)
    assert [part.duration for part in log.parts] == [4 * FRAME, 45_000]
    assert made.overlong_total == 1


def test_a_segment_without_a_sample_is_told_all_the_same() -> None:
    made, log = packager("a128")
    for number in range(3):
        made.begin(Cut(number, number * 600, discontinuity=True), SOUND)
    made.push(Sample(b"x", 1200, True))
    assert [cut.number for cut, _ in log.opened] == [0, 1, 2]
    assert log.closed == [0, 1]


frames = st.lists(st.tuples(st.integers(-500, 20_000), st.booleans(), st.booleans()), min_size=1, max_size=120)


@given(frames)
def test_whatever_comes_durations_sum_exactly_and_parts_follow_one_another(
    script: list[tuple[int, bool, bool]],
) -> None:
    config, encoded = pictures(seconds=1)
    made, log = packager()
    at, number = 0, 0
    made.begin(Cut(0, 0, discontinuity=False), config)
    for step, cut, end in script:
        if cut:
            number += 1
            made.begin(Cut(number, max(0, at + step), discontinuity=False), config)
        made.push(Sample(encoded[0][0], at, True))
        if end:
            made.end(at + max(1, step))
            number += 1
            made.begin(Cut(number, at + max(1, step), discontinuity=False), config)
        at += step
    made.end(max(at, 0) + 100_000)
    for before, after in zip(log.parts, log.parts[1:], strict=False):
        assert after.start >= before.end
        if (before.number, before.index + 1) == (after.number, after.index):
            assert after.start == before.end
        else:
            assert after.index == 0
            assert after.number > before.number
    over = [part for part in log.parts if part.duration > TARGET]
    assert len(over) == made.overlong_total
    opened = [cut.number for cut, _ in log.opened]
    assert opened == sorted(set(opened))
    assert log.closed == opened
