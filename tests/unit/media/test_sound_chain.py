"""A source's sound passes as it is, or changes as it was set, without a click."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from streamer.broadcast.orders import SourceOrder
from streamer.media.pcm import SAMPLE_RATE
from streamer.media.sound_chain import SoundChain
from tests.unit.media.test_limiter import true_peak

PLAIN = SourceOrder("main")
PACKET = 960


def sine(seconds: float, level: float = 0.1, hertz: float = 440) -> np.ndarray:
    wave = level * np.sin(2 * np.pi * hertz * np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE)
    return np.stack([wave, 0.5 * wave]).astype(np.float32)


def through(chain: SoundChain, pcm: np.ndarray, orders: Iterable[SourceOrder]) -> np.ndarray:
    """Packet by packet, each with its order; the places of what comes out are checked."""
    out, at, placed = [], 0, 0
    for order in orders:
        begin = at - chain.behind
        block = chain.process(pcm[:, at : at + PACKET], order)
        assert begin == placed, "a hole, or sound twice"
        placed += block.shape[1]
        out.append(block)
        at += PACKET
    return np.concatenate(out, axis=1)


def test_where_nothing_is_set_the_very_same_samples_come_out_at_once() -> None:
    chain, pcm = SoundChain(PLAIN), sine(1, 1.3)
    for at in range(0, pcm.shape[1], PACKET):
        block = pcm[:, at : at + PACKET]
        assert chain.process(block, PLAIN) is block
    assert not chain.changes
    assert chain.behind == 0


def test_a_change_and_the_way_back_have_no_seam() -> None:
    pcm = sine(2)
    louder = SourceOrder("main", gain_db=6.0)
    chain = SoundChain(PLAIN)
    out = through(chain, pcm, [PLAIN] * 30 + [louder] * 30 + [PLAIN] * 40)
    assert not chain.changes
    assert out.shape == pcm.shape
    # Of two parts of a sine no neighbours are further apart than those of the louder one.
    assert np.abs(np.diff(out)).max() < 1.05 * 2 * np.abs(np.diff(pcm)).max()
    assert np.array_equal(out[:, : 30 * PACKET], pcm[:, : 30 * PACKET])
    assert np.allclose(out[:, 31 * PACKET : 59 * PACKET], pcm[:, 31 * PACKET : 59 * PACKET] * 1.9953, atol=1e-4)
    assert np.array_equal(out[:, 62 * PACKET :], pcm[:, 62 * PACKET :])


def test_a_mute_is_whole_after_ten_milliseconds_and_makes_no_click() -> None:
    pcm = sine(1, 0.5)
    chain = SoundChain(PLAIN)
    out = through(chain, pcm, [PLAIN] * 20 + [SourceOrder("main", mute=True)] * 30)
    assert not np.any(out[:, 20 * PACKET + SAMPLE_RATE // 100 :])
    assert np.abs(np.diff(out)).max() < 1.1 * np.abs(np.diff(pcm)).max()


def test_mono_gives_both_ears_the_mean_and_mends_a_dead_channel() -> None:
    pcm = sine(1)
    pcm[1] = 0
    out = through(SoundChain(PLAIN), pcm, [PLAIN] * 5 + [SourceOrder("main", mono=True)] * 45)
    later = slice(6 * PACKET, 48 * PACKET)
    assert np.array_equal(out[0, later], out[1, later])
    assert np.allclose(out[0, later], pcm[0, later] / 2, atol=1e-6)


def test_a_new_take_has_its_gain_from_its_first_sample_and_no_peak() -> None:
    loud = SourceOrder("main", gain_db=20.0)
    out = through(SoundChain(loud), sine(1, 0.5), [loud] * 50)
    assert true_peak(out) <= -1.0
    assert np.abs(out[:, :2000]).max() > 0.8


def test_sound_after_a_gap_does_not_bring_back_what_was_held() -> None:
    loud, pcm = SourceOrder("main", gain_db=6.0), sine(1)
    chain = SoundChain(loud)
    through(chain, pcm, [loud] * 10)
    assert chain.behind > 0
    chain.interrupt()
    assert chain.behind == 0
    block = chain.process(np.zeros((2, PACKET), np.float32), loud)
    assert not np.any(block)
