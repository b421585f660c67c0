"""Levelling brings voices to -18 LUFS, slowly; what is no voice moves nothing."""

from __future__ import annotations

import numpy as np
import pytest

from streamer.broadcast.orders import RoomOrders, SourceOrder
from streamer.media.leveller import MOST_DB, TARGET_LUFS, Leveller, is_voiced
from streamer.media.meters import LoudnessMeter
from streamer.media.pcm import SAMPLE_RATE
from streamer.media.sound_chain import SoundChain
from tests.unit.media.test_limiter import both, true_peak

PACKET = 960
CHANCE = np.random.default_rng(5)


def speech(seconds: float, lufs: float, pitch: float = 130) -> np.ndarray:
    """Syllables with pauses, over a hall's noise 45 dB below."""
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    phase = 2 * np.pi * np.cumsum(pitch + 25 * np.sin(2 * np.pi * 0.7 * time)) / SAMPLE_RATE
    wave = sum(np.sin(n * phase + n * n) * np.exp(-n / 4) for n in range(1, 12))
    wave *= np.clip(2 * np.sin(2 * np.pi * 2.8 * time), 0, 1) * (np.sin(2 * np.pi * 0.25 * time) > -0.7)
    wave += CHANCE.normal(0, 0.005 * float(np.std(wave)), len(time))
    return both(wave * 10 ** ((lufs - loudness(both(wave))) / 20))


def noise(seconds: float) -> np.ndarray:
    return both(CHANCE.normal(0, 0.05, int(seconds * SAMPLE_RATE)))


def loudness(pcm: np.ndarray) -> float:
    meter = LoudnessMeter()
    meter.push(pcm, 0)
    return meter.reading.integrated


def levelled(leveller: Leveller, pcm: np.ndarray, *, on: bool = True) -> np.ndarray:
    """The gain for each packet, dB."""
    return np.array([leveller.push(pcm[:, at : at + PACKET], on=on) for at in range(0, pcm.shape[1], PACKET)])


@pytest.mark.parametrize(("lufs", "pitch"), [(-28, 110), (-23, 210), (-10, 130)])
def test_a_voice_comes_to_minus_eighteen_by_one_decibel_a_second(lufs: float, pitch: float) -> None:
    pcm = speech(12, lufs, pitch)
    leveller = Leveller()
    gains = np.concatenate((levelled(leveller, pcm), levelled(leveller, pcm)))
    assert np.abs(np.diff(gains)).max() <= 0.1 + 1e-6
    assert gains[: 2 * 50].max() == 0.0
    later = pcm * np.float32(10 ** (gains[-1] / 20))
    assert abs(loudness(later) - TARGET_LUFS) < 1.5
    # It rests where it has arrived.
    assert np.ptp(gains[-2 * 50 :]) <= 1.0


def test_a_voice_in_its_place_and_all_that_is_no_voice_moves_nothing() -> None:
    assert np.abs(levelled(Leveller(), speech(8, TARGET_LUFS))).max() <= 1.0
    leveller = Leveller()
    time = np.arange(6 * SAMPLE_RATE) / SAMPLE_RATE
    for pcm in (noise(6), np.zeros((2, 6 * SAMPLE_RATE), np.float32), both(0.05 * np.sin(2 * np.pi * 50 * time))):
        assert not levelled(leveller, pcm).any()
    assert not is_voiced(noise(0.1)[0])
    assert is_voiced(speech(1, -20)[0, 2400:7200])


def test_no_voice_is_raised_without_bound_and_a_pause_keeps_the_gain() -> None:
    leveller = Leveller()
    quiet = speech(12, -40)
    for _ in range(3):
        levelled(leveller, quiet)
    assert leveller.gain_db == pytest.approx(MOST_DB, abs=0.3)
    before = leveller.gain_db
    assert set(levelled(leveller, noise(3) * np.float32(0.01))) == {before}


def test_in_the_chain_nothing_changes_before_it_moves_and_after_it_is_off() -> None:
    pcm = speech(15, -30)
    order = RoomOrders(sources=(), levelling=True, not_levelled=("browser",)).of_source("main")
    assert order == SourceOrder("main", level=True)
    assert not RoomOrders(sources=(), levelling=True, not_levelled=("browser",)).of_source("browser").level
    chain = SoundChain(order)
    out = [chain.process(pcm[:, at : at + PACKET], order) for at in range(0, pcm.shape[1], PACKET)]
    heard = np.concatenate(out, axis=1)
    assert np.array_equal(heard[:, : 2 * SAMPLE_RATE], pcm[:, : 2 * SAMPLE_RATE])
    assert loudness(heard[:, 12 * SAMPLE_RATE :]) > loudness(pcm) + 4
    assert true_peak(heard) <= -1.0
    assert chain.changes
    off, quiet = SourceOrder("main"), noise(6) * np.float32(0.1)
    for at in range(0, quiet.shape[1], PACKET):
        last = chain.process(quiet[:, at : at + PACKET], off)
    assert not chain.changes
    assert np.array_equal(last, quiet[:, -PACKET:])
