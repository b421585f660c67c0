"""Meters: what they say is what FFmpeg's meters say."""

from __future__ import annotations

import time

import av
import numpy as np
import pytest
from av.filter import Graph

from streamer.media.meters import LoudnessMeter, PictureMeter, reading_as_dict

RATE = 48_000


def tone(seconds: float, decibels: float, hertz: float = 1000) -> np.ndarray:
    wave = 10 ** (decibels / 20) * np.sin(2 * np.pi * hertz * np.arange(int(seconds * RATE)) / RATE)
    return np.stack([wave, wave]).astype(np.float32)


def noise(seconds: float, level: float = 0.05) -> np.ndarray:
    rng = np.random.default_rng(7)
    white = rng.normal(0, level, (2, int(seconds * RATE)))
    return np.cumsum(white, axis=1).astype(np.float32) * 0.02 + white.astype(np.float32)


def ffmpeg_ebur128(pcm: np.ndarray) -> dict[str, float]:
    """FFmpeg's own meter over the whole, as it stands at the end."""
    graph = Graph()
    source = graph.add_abuffer(format="fltp", sample_rate=RATE, layout="stereo", time_base="1/48000")
    meter = graph.add("ebur128", "metadata=1:peak=sample+true")
    sink = graph.add("abuffersink")
    source.link_to(meter)
    meter.link_to(sink)
    graph.configure()
    out: dict[str, float] = {}
    for begin in range(0, pcm.shape[1], 4800):
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(pcm[:, begin : begin + 4800]), "fltp", "stereo")
        frame.sample_rate, frame.pts = RATE, begin
        graph.push(frame)
        while True:
            try:
                pulled = graph.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                break
            out.update({key.removeprefix("lavfi.r128."): float(value) for key, value in pulled.metadata.items()})
    return out


def test_a_reference_tone_reads_as_the_standard_says() -> None:
    """EBU Tech 3341, test case 1: stereo sine of 1 kHz at -23 dBFS reads -23 LUFS within 0.1 LU."""
    meter = LoudnessMeter()
    meter.push(tone(20, -23), 0)
    reading = meter.reading
    assert reading.momentary == pytest.approx(-23, abs=0.1)
    assert reading.short_term == pytest.approx(-23, abs=0.1)
    assert reading.integrated == pytest.approx(-23, abs=0.1)
    assert reading.peak == pytest.approx(-23, abs=0.05)
    assert reading.true_peak == pytest.approx(-23, abs=0.1)
    assert reading.silent_since is None


def test_quiet_passages_are_gated_out_of_the_whole() -> None:
    """EBU Tech 3341, test case 3: -36, -23, -36 dBFS for 10, 60 and 10 s reads -23 LUFS."""
    meter = LoudnessMeter()
    meter.push(np.concatenate((tone(10, -36), tone(60, -23), tone(10, -36)), axis=1), 0)
    assert meter.reading.integrated == pytest.approx(-23, abs=0.1)
    assert meter.reading.short_term == pytest.approx(-36, abs=0.1)


def test_the_values_are_those_of_ffmpeg() -> None:
    pcm = np.concatenate((noise(3, 0.02), noise(3, 0.1), tone(1, -20, 60), noise(2.4, 0.05)), axis=1)
    meter = LoudnessMeter()
    # Pieces as they come from a codec.
    for begin in range(0, pcm.shape[1], 1024):
        meter.push(pcm[:, begin : begin + 1024], begin * 15 // 8)
    theirs = ffmpeg_ebur128(pcm)
    assert meter.reading.momentary == pytest.approx(theirs["M"], abs=0.1)
    assert meter.reading.short_term == pytest.approx(theirs["S"], abs=0.1)
    assert meter.reading.integrated == pytest.approx(theirs["I"], abs=0.2)


def test_a_peak_between_samples_is_seen() -> None:
    """A quarter of the sampling rate, sampled 45 degrees off its peaks: 3 dB more than any sample shows."""
    wave = 0.5 * np.sin(2 * np.pi * np.arange(RATE) / 4 + np.pi / 4)
    meter = LoudnessMeter()
    meter.push(np.stack([wave, wave]).astype(np.float32), 0)
    assert meter.reading.peak == pytest.approx(-9.03, abs=0.05)
    assert meter.reading.true_peak == pytest.approx(-6.02, abs=0.3)


def test_clipping_is_counted_once_however_it_is_cut() -> None:
    pcm = np.zeros((2, 5 * 4800), np.float32)
    pcm[0, 100:110] = 1.0
    pcm[1, 4790:4830] = -1.0
    pcm[0, 9000:9002] = 1.0
    meter = LoudnessMeter()
    meter.push(pcm, 0)
    assert meter.reading.clipped_total == 2


def test_silence_has_a_beginning() -> None:
    meter = LoudnessMeter()
    meter.push(np.concatenate((tone(1, -30), np.zeros((2, RATE), np.float32)), axis=1), 450_000)
    assert meter.reading.silent_since == 450_000 + 90_000
    assert meter.reading.momentary < -100
    meter.push(tone(0.1, -30), 630_000)
    assert meter.reading.silent_since is None


def test_metering_is_cheap() -> None:
    meter = LoudnessMeter()
    pcm = noise(20)
    began = time.process_time()
    meter.push(pcm, 0)
    assert (time.process_time() - began) / 20 < 0.02


def test_black_and_frozen_pictures_are_told_from_live_ones() -> None:
    rng = np.random.default_rng(3)
    meter = PictureMeter()
    meter.push_luma(rng.integers(40, 200, (360, 640)).astype(np.uint8), 0)
    meter.push_luma(rng.integers(40, 200, (360, 640)).astype(np.uint8), 100)
    assert meter.reading.black_since is None
    assert meter.reading.frozen_since is None
    still = rng.integers(40, 200, (360, 640)).astype(np.uint8)
    for at in (200, 300, 400):
        meter.push_luma(still, at)
    assert meter.reading.frozen_since == 300
    for at in (500, 600):
        meter.push_luma(np.full((360, 640), 16, np.uint8), at)
    assert meter.reading.black_since == 500
    assert meter.reading.frozen_since == 600
    assert meter.reading.luma == 0
    meter.push_luma(np.full((180, 320), 200, np.uint8), 700)
    assert meter.reading.black_since is None
    assert meter.reading.frozen_since is None


def test_a_reading_goes_over_the_wire() -> None:
    meter = LoudnessMeter()
    meter.push(tone(1, -23), 0)
    told = reading_as_dict(meter.reading)
    assert told["momentary"] == pytest.approx(-23, abs=0.2)
    assert told["silent_since"] is None


def test_the_first_words_are_where_speech_begins_after_a_silence() -> None:
    meter = LoudnessMeter()
    hum = noise(14, 0.0005)
    door = np.concatenate((hum[:, : 12 * RATE], tone(0.2, -12)), axis=1)
    speech = tone(3, -30, 440)
    meter.push(door, 0)
    meter.push(hum[:, : 11 * RATE], int(12.2 * 90_000))
    assert meter.reading.words_since is None, "a door is no word"
    begins = int(23.2 * 90_000)
    meter.push(speech, begins)
    assert meter.reading.words_since == pytest.approx(begins, abs=9000)
    meter.push(hum[:, : 4 * RATE], begins + 3 * 90_000)
    meter.push(speech, begins + 7 * 90_000)
    assert meter.reading.words_since == pytest.approx(begins, abs=9000), "a pause of four seconds is a pause"


def test_somebody_who_speaks_from_the_start_has_no_first_words() -> None:
    meter = LoudnessMeter()
    meter.push(tone(15, -25), 0)
    assert meter.reading.words_since is None
