"""Fragments read again, and cut inside: what is left is decoded."""

from __future__ import annotations

import contextlib
from random import Random

import pytest

from streamer.formats import cmaf, fragments
from streamer.formats.fragments import cut, frames_of, read_fragments, stilled, timescale_of, to_ticks, trimmed
from streamer.formats.types import Sample
from tests.fakes.decoding import picture_times, pictures, sound
from tests.fakes.packaging import AAC_FRAME, FRAME, video_samples
from tests.fakes.studio import aac_second

START = 900_000


def video(parts: int = 10) -> tuple[bytes, bytes]:
    """Init section, and five seconds in fragments; a key frame each second."""
    config, samples = video_samples(START)
    step = len(samples) // parts
    out = [
        cmaf.fragment(config, n + 1, samples[n * step : (n + 1) * step], START + (n + 1) * step * FRAME)
        for n in range(parts)
    ]
    return cmaf.init_section(config), b"".join(out)


def audio() -> tuple[bytes, bytes]:
    config = cmaf.aac_config()
    frames = [Sample(data, START + n * AAC_FRAME, True) for n, data in enumerate(aac_second())]
    end = START + len(frames) * AAC_FRAME
    half = len(frames) // 2
    return cmaf.init_section(config), cmaf.fragment(config, 1, frames[:half], frames[half].start) + cmaf.fragment(
        config, 2, frames[half:], end
    )


def test_what_was_written_is_read() -> None:
    init, data = video()
    assert timescale_of(init) == 90_000
    frames = frames_of(data)
    assert [f.start for f in frames] == [START + n * FRAME for n in range(150)]
    assert {f.duration for f in frames} == {FRAME}
    assert [n for n, f in enumerate(frames) if f.sync] == [0, 30, 60, 90, 120]
    init, data = audio()
    assert timescale_of(init) == 48_000
    assert all(f.sync for f in frames_of(data))
    assert [to_ticks(f.start, 48_000) for f in frames_of(data)] == [START + n * AAC_FRAME for n in range(47)]


@pytest.mark.parametrize(("first", "end"), [(0, 150), (45, 150), (30, 61), (59, 60), (100, 101), (1, 149)])
def test_pictures_between_two_times(first: int, end: int) -> None:
    init, data = video()
    whole = pictures(init + data)
    made = trimmed(data, START + first * FRAME, START + end * FRAME)
    times = picture_times(init + made)
    lead = first % 30
    assert [at for at, _, _ in times[lead:]] == [START + n * FRAME for n in range(first, end)]
    assert all(duration == 1 for _, duration, _ in times[:lead])
    assert times[0][2], "it begins with a key frame"
    assert times[0][0] == START + first * FRAME - lead
    shown = pictures(init + made)[lead:]
    assert all((a.luma == b.luma).all() for a, b in zip(shown, whole[first:end], strict=True))
    assert sum(duration for _, duration, _ in times) == (end - first) * FRAME + lead


def test_without_a_picture_from_before_the_cut() -> None:
    """The next key frame stands still until its time; where there is none, nothing is left."""
    init, data = video()
    whole = pictures(init + data)
    made = stilled(data, START + 45 * FRAME, START + 80 * FRAME)
    times = picture_times(init + made)
    assert [(at, duration) for at, duration, _ in times[:2]] == [
        (START + 45 * FRAME, 16 * FRAME), (START + 61 * FRAME, FRAME),
    ]  # fmt: skip
    shown = pictures(init + made)
    assert len(shown) == len(times) == 20
    assert all((a.luma == b.luma).all() for a, b in zip(shown, whole[60:80], strict=True))
    first = frames_of(data)[45]
    assert data[first.at : first.at + first.size] not in made
    # A key frame of a later fragment, alone.
    alone = picture_times(init + stilled(data, START + 45 * FRAME, START + 59 * FRAME))
    assert [(at, duration) for at, duration, _ in alone] == [(START + 45 * FRAME, 14 * FRAME)]
    with pytest.raises(ValueError, match="no key frame"):
        stilled(data, START + 121 * FRAME, START + 150 * FRAME)


def test_sound_between_two_times() -> None:
    init, data = audio()
    scale = 48_000
    begin = START * scale // 90_000
    made = trimmed(data, begin + 10 * 1024 + 100, begin + 30 * 1024 + 900)
    heard = sound(init + made)
    assert heard.frames[0] == START + 10 * AAC_FRAME
    assert len(heard.frames) == 21


def test_a_frame_belongs_where_most_of_it_is() -> None:
    frames = frames_of(video()[1])
    kept, lead = cut(frames, START + 30 * FRAME + FRAME // 2, None)
    assert (len(kept), lead) == (120, 0)
    kept, lead = cut(frames, START + 30 * FRAME + FRAME // 2 + 1, None)
    assert (kept[lead].start, lead) == (START + 31 * FRAME, 1)


def test_nothing_is_left() -> None:
    _, data = video()
    for start, end in ((START + 1_000_000, None), (None, START), (START + 5 * FRAME, START + 5 * FRAME)):
        with pytest.raises(ValueError, match="nothing"):
            trimmed(data, start, end)


def test_cut_again_is_the_same() -> None:
    init, data = video()
    once = trimmed(data, START + 45 * FRAME, START + 100 * FRAME)
    assert len(pictures(init + trimmed(once, START + 45 * FRAME, None))) == 55 + 15


@pytest.mark.parametrize("seed", range(30))
def test_damage_is_refused_and_never_runs_away(seed: int) -> None:
    rng = Random(seed)
    data = bytearray(video()[1])
    for _ in range(rng.randrange(1, 20)):
        data[rng.randrange(len(data))] = rng.randrange(256)
    damaged = bytes(data[: rng.randrange(len(data))])
    with contextlib.suppress(ValueError):
        list(read_fragments(damaged))
    assert fragments.MAX_BOX_BYTES
