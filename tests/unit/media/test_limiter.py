"""The limiter: no true peak above -1 dBTP, by the meter that everybody sees; else the very same samples."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle

import numpy as np
import pytest

from streamer.media.limiter import LOOK_AHEAD, Limiter
from streamer.media.meters import LoudnessMeter
from streamer.media.pcm import SAMPLE_RATE

Pcm = np.ndarray
TIME = np.arange(4 * SAMPLE_RATE) / SAMPLE_RATE
CHANCE = np.random.default_rng(11)


def both(wave: Pcm) -> Pcm:
    return np.stack([wave, wave]).astype(np.float32)


def voice() -> Pcm:
    """Vowels of 120 Hz with breaths between them, as they come from a mixer that is turned up by far too much."""
    phase = 2 * np.pi * np.cumsum(120 + 20 * np.sin(2 * np.pi * 0.8 * TIME)) / SAMPLE_RATE
    harmonics = sum(np.sin(n * phase + n * n) * np.exp(-n / 9) for n in range(1, 45))
    syllables = np.clip(np.sin(2 * np.pi * 3.1 * TIME) * 2, 0, 1)
    return 1.2 * harmonics * syllables + CHANCE.normal(0, 0.003, len(TIME))


SIGNALS = {
    "a voice": voice(),
    "noise": CHANCE.normal(0, 0.5, len(TIME)),
    # The samples of this one never reach 1.0, and the wave between them reaches 1.4.
    "between the samples": np.sin(2 * np.pi * SAMPLE_RATE / 4 * TIME + np.pi / 4) * 1.4,
    "bursts": 4 * np.sin(2 * np.pi * 700 * TIME) * (np.sin(2 * np.pi * 2 * TIME) > 0.9),
    "applause": CHANCE.normal(0, 4, len(TIME)) * (CHANCE.random(len(TIME)) < 0.0005),
    "clipped": np.clip(3 * np.sin(2 * np.pi * 441 * TIME), -1.5, 1.5),
}


def true_peak(pcm: Pcm) -> float:
    meter, worst = LoudnessMeter(), -120.0
    for begin in range(0, pcm.shape[1] - 4799, 4800):
        meter.push(pcm[:, begin : begin + 4800].astype(np.float32), 0)
        worst = max(worst, meter.reading.true_peak)
    return worst


def limited(pcm: Pcm, limiter: Limiter, sizes: Sequence[int] = (960,)) -> Pcm:
    out, at, size = [], 0, cycle(sizes)
    while at < pcm.shape[1]:
        step = next(size)
        out.append(limiter.process(pcm[:, at : at + step]))
        at += step
    return np.concatenate(out, axis=1)


@pytest.mark.parametrize("name", SIGNALS)
def test_no_true_peak_is_above_minus_one(name: str) -> None:
    pcm = both(SIGNALS[name])
    out = limited(pcm, Limiter())
    assert true_peak(pcm) > 2
    assert -1.3 < true_peak(out) <= -1.0
    # In pieces of other sizes, as other senders have them, it is the same sound.
    other = limited(pcm, Limiter(), (120, 480, 7, 2880, 100))
    size = min(out.shape[1], other.shape[1])
    assert np.allclose(out[:, :size], other[:, :size], atol=1e-6)


def test_what_needs_no_limit_comes_out_bit_by_bit() -> None:
    pcm = both(CHANCE.normal(0, 0.1, SAMPLE_RATE))
    limiter = Limiter()
    out = limited(pcm, limiter)
    assert np.array_equal(out, pcm[:, : out.shape[1]])
    assert limiter.idle
    assert limiter.behind <= LOOK_AHEAD
    assert np.array_equal(limiter.rest(), pcm[:, out.shape[1] :])


def test_the_gain_comes_down_and_goes_up_without_a_step() -> None:
    pcm = both(np.full(SAMPLE_RATE, 0.2))
    pcm[:, 20_000:20_200] = 2.0
    gain = limited(pcm, Limiter())[0] / pcm[0, : -(LOOK_AHEAD - 6)]
    assert gain[:19_000].min() == 1.0
    assert gain[20_000:20_200].max() < 0.45
    assert np.abs(np.diff(gain)).max() < 1 / 150
    assert gain[-1] > gain[30_000] > gain[21_000]


def test_both_channels_have_one_gain() -> None:
    pcm = np.stack([2 * np.sin(2 * np.pi * 500 * TIME), 0.3 * np.sin(2 * np.pi * 800 * TIME)]).astype(np.float32)
    out = limited(pcm, Limiter())
    there = slice(5000, 100_000)
    gains = out[:, there] / np.where(np.abs(pcm[:, there]) > 0.05, pcm[:, there], np.nan)
    known = np.isfinite(gains).all(axis=0)
    assert np.allclose(gains[0, known], gains[1, known], atol=1e-4)
