"""Init sections and fragments, demuxed and decoded again."""

from __future__ import annotations

import io
from fractions import Fraction

import av
import numpy as np
import pytest

from streamer.formats import cmaf, h264
from streamer.formats.types import Sample, TrackConfig
from tests.fakes.encoded import GREYS, h264_seconds
from tests.fakes.packaging import AAC_FRAME, FRAME, video_samples

START = 90_000 * 3600 * 30
"""Thirty hours in: more than 32 bits of ticks."""


def packets(data: bytes) -> list[tuple[int, int, bool, bytes]]:
    with av.open(io.BytesIO(data)) as file:
        stream = file.streams[0]
        scale = stream.time_base * 90_000
        return [
            (int(p.pts * scale), int(p.duration * scale), p.is_keyframe, bytes(p)) for p in file.demux(stream) if p.size
        ]


def in_band(config: TrackConfig) -> bytes:
    """The parameter sets as they stand in front of a picture."""
    return b"".join(len(nal).to_bytes(4, "big") + nal for nal in (*config.sps, *config.pps))


def greys(data: bytes) -> list[float]:
    with av.open(io.BytesIO(data)) as file:
        return [float(np.mean(frame.to_ndarray()[: frame.height])) for frame in file.decode(video=0)]


def aac_frames(count: int) -> list[bytes]:
    encoder = av.CodecContext.create("aac", "w")
    encoder.sample_rate, encoder.format, encoder.layout = 48_000, "fltp", "stereo"
    encoder.bit_rate, encoder.time_base = 128_000, Fraction(1, 48_000)
    out: list[bytes] = []
    wave = (np.sin(np.arange(1024 * count) * 2 * np.pi * 440 / 48_000) * 0.3).astype(np.float32)
    for number in range(count):
        frame = av.AudioFrame.from_ndarray(
            np.tile(wave[number * 1024 : (number + 1) * 1024], (2, 1)), format="fltp", layout="stereo"
        )
        frame.sample_rate, frame.pts, frame.time_base = 48_000, number * 1024, Fraction(1, 48_000)
        out += [bytes(packet) for packet in encoder.encode(frame)]
    return out


def test_pictures_come_back_with_their_times_and_bytes() -> None:
    config, samples = video_samples(START, seconds=2)
    data = cmaf.init_section(config)
    for at in range(0, len(samples), 10):
        end = samples[at + 10].start if at + 10 < len(samples) else samples[-1].start + FRAME
        data += cmaf.fragment(config, cmaf.sequence_number(samples[at].start), samples[at : at + 10], end)
    sets = in_band(config)
    assert packets(data) == [(s.start, FRAME, s.sync, sets + s.data if s.sync else s.data) for s in samples]
    pictures = greys(data)
    assert len(pictures) == 60
    assert pictures[:30] == pytest.approx([GREYS[0]] * 30, abs=4)
    assert pictures[30:] == pytest.approx([GREYS[1]] * 30, abs=4)


def test_one_fragment_can_be_played_by_itself_after_its_init_section() -> None:
    config, samples = video_samples(START, seconds=3)
    third = cmaf.fragment(config, 9, samples[60:], samples[-1].start + FRAME)
    found = packets(cmaf.init_section(config) + third)
    assert [row[0] for row in found] == [s.start for s in samples[60:]]
    assert greys(cmaf.init_section(config) + third) == pytest.approx([GREYS[2]] * 30, abs=4)


def test_a_player_that_skips_a_new_init_section_decodes_by_the_sets_in_the_pictures() -> None:
    # As FFmpeg's HLS demuxer does where passed-through pictures follow encoded ones.
    config, samples = video_samples(START, seconds=1)
    other = h264.parse_access_unit(h264_seconds(640, 480, seconds=1)[0][0])
    stale = cmaf.video_config(other.sps, other.pps)
    assert stale.sps != config.sps
    data = cmaf.init_section(stale) + cmaf.fragment(config, 1, samples, samples[-1].start + FRAME)
    with av.open(io.BytesIO(data)) as file:
        sizes = {(frame.width, frame.height) for frame in file.decode(video=0)}
    assert sizes == {(config.width, config.height)}


def test_durations_that_differ_are_kept_exactly() -> None:
    config, samples = video_samples(0, seconds=1)
    starts = [0]
    for number in range(1, 30):
        starts.append(starts[-1] + (3003 if number % 3 else 2997) + number)
    moved = [Sample(s.data, at, s.sync) for s, at in zip(samples, starts, strict=True)]
    found = packets(cmaf.init_section(config) + cmaf.fragment(config, 1, moved, starts[-1] + 777))
    assert [row[0] for row in found] == starts
    assert [row[1] for row in found] == [b - a for a, b in zip(starts, [*starts[1:], starts[-1] + 777], strict=True)]


def test_a_sync_sample_in_the_middle_is_marked_as_one() -> None:
    config, samples = video_samples(0, seconds=2)
    found = packets(cmaf.init_section(config) + cmaf.fragment(config, 1, samples[25:35], samples[35].start))
    assert [row[2] for row in found] == [False] * 5 + [True] + [False] * 4


def test_sound_comes_back_in_its_own_timescale_and_is_heard() -> None:
    config = cmaf.aac_config(48_000, 2)
    assert config.codecs == "mp4a.40.2"
    frames = [Sample(data, 900_000 + i * AAC_FRAME, True) for i, data in enumerate(aac_frames(60))]
    data = cmaf.init_section(config)
    for at in range(0, len(frames), 15):
        group = frames[at : at + 15]
        data += cmaf.fragment(config, at, group, group[-1].start + AAC_FRAME)
    found = packets(data)
    assert [row[:2] for row in found] == [(f.start, AAC_FRAME) for f in frames]
    with av.open(io.BytesIO(data)) as file:
        context = file.streams[0].codec_context
        assert (context.sample_rate, context.channels) == (48_000, 2)
        sound = np.concatenate([frame.to_ndarray()[0] for frame in file.decode(audio=0)])
    settled = sound[4096:40_960]
    assert np.sqrt(np.mean(settled**2)) == pytest.approx(0.3 / np.sqrt(2), rel=0.05)
    spectrum = np.abs(np.fft.rfft(settled))
    assert np.argmax(spectrum) * 48_000 / len(settled) == pytest.approx(440, abs=3)


def test_there_are_no_edit_lists_and_equal_configs_give_equal_bytes() -> None:
    config, _ = video_samples(0, seconds=1)
    data = cmaf.init_section(config)
    assert b"edts" not in data
    assert b"elst" not in data
    assert data == cmaf.init_section(cmaf.video_config(config.sps, config.pps))
    assert data[4:8] == b"ftyp"
    assert b"cmfc" in data[:40]


def test_the_sample_description_tells_size_and_parameter_sets() -> None:
    config, samples = video_samples(0, seconds=1)
    data = cmaf.init_section(config) + cmaf.fragment(config, 1, samples[:1], FRAME)
    with av.open(io.BytesIO(data)) as file:
        context = file.streams[0].codec_context
        assert (context.width, context.height) == (320, 180)
        assert h264.parameter_sets(bytes(context.extradata)) == (config.sps, config.pps)


def test_samples_that_do_not_follow_one_another_are_refused() -> None:
    config, samples = video_samples(0, seconds=1)
    with pytest.raises(ValueError, match="follow"):
        cmaf.fragment(config, 1, [samples[1], samples[0]], FRAME * 3)
    with pytest.raises(ValueError, match="follow"):
        cmaf.fragment(config, 1, samples[:2], samples[1].start)
    with pytest.raises(ValueError, match="needs a sample"):
        cmaf.fragment(config, 1, [], 3)
    with pytest.raises(ValueError, match="PPS"):
        cmaf.video_config(config.sps, ())
