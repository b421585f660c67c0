"""Levelling: voices come to -18 LUFS, slowly; what is no voice moves nothing.

Pure numpy; belongs to the sound's thread. One for each source, kept from take to take.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamer.media.meters import BLOCK, FLOOR_LUFS, LoudnessMeter
from streamer.media.pcm import Pcm

TARGET_LUFS = -18.0
MOST_DB = 12.0
"""Above this the noise of a poor microphone would be louder than the voice is clearer."""
QUIETEST_LUFS = -50.0
"""A voice below it is not meant for the microphone."""
RELATIVE_LU = -10.0
"""Blocks this far below the mean are pauses and breaths (ITU-R BS.1770-4, the relative gate)."""
MEAN_BLOCKS = 60
LEAST_BLOCKS = 20
"""Two seconds of voice are heard before the first move."""
STEP_DB = 0.1
"""In 100 ms of voice: 1 dB a second, which nobody notices."""
BACK_DB = 0.3
"""In 100 ms, on the way back to the source's own level."""
MOVES_FROM_DB = 1.0
RESTS_AT_DB = 0.2
VOICED = 0.45
"""The share of the sound that repeats itself at the pitch of a voice. Of noise and applause it is under a third."""
_DECIMATION = 6
_SHORTEST, _LONGEST = 20, 114
"""Periods of 400 and of 70 Hz at 8 kHz, samples."""
_LOWEST = 13
"""Bins of the spectrum below 65 Hz: the mains' hum repeats itself too."""


class Leveller:
    """Measures a source's sound before it is changed."""

    def __init__(self) -> None:
        self.gain_db = 0.0
        self._meter = LoudnessMeter()
        self._pending = np.zeros(0, np.float32)
        self._power = 0.0
        """The mean of voiced blocks, as a factor of full scale."""
        self._blocks = 0
        self._moving = False

    def push(self, block: Pcm, *, on: bool) -> float:
        """The source's next sound; returns the gain for it, in dB. ``on`` False: the gain goes back to 0."""
        if not on and self.gain_db == 0.0:
            return 0.0
        self._meter.push(block, 0)
        mono = np.concatenate((self._pending, block.mean(axis=0)))
        while len(mono) >= BLOCK:
            self._hear(mono[:BLOCK], on=on)
            mono = mono[BLOCK:]
        self._pending = mono
        return self.gain_db

    def _hear(self, mono: NDArray[np.float32], *, on: bool) -> None:
        if not on:
            self.gain_db = _towards(self.gain_db, 0.0, BACK_DB)
            return
        loudness = self._meter.reading.momentary
        if loudness < QUIETEST_LUFS or loudness < self.loudness + RELATIVE_LU or not is_voiced(mono):
            return
        self._blocks += 1
        share = 1 / min(self._blocks, MEAN_BLOCKS)
        self._power += (float(10 ** (loudness / 10)) - self._power) * share
        if self._blocks < LEAST_BLOCKS:
            return
        wanted = float(np.clip(TARGET_LUFS - self.loudness, -MOST_DB, MOST_DB))
        away = abs(wanted - self.gain_db)
        self._moving = away > (RESTS_AT_DB if self._moving else MOVES_FROM_DB)
        if self._moving:
            self.gain_db = _towards(self.gain_db, wanted, STEP_DB)

    @property
    def loudness(self) -> float:
        """Of the voice, LUFS, before the gain."""
        return float(10 * np.log10(self._power)) if self._power > 0 else FLOOR_LUFS


def is_voiced(mono: NDArray[np.float32]) -> bool:
    """Whether 100 ms at 48 kHz have the pitch of a voice."""
    low = mono[: len(mono) // _DECIMATION * _DECIMATION].reshape(-1, _DECIMATION).mean(axis=1).astype(np.float64)
    low -= low.mean()
    energy = float((low**2).sum())
    spectrum = np.fft.rfft(low, 2 * len(low))
    spectrum[:_LOWEST] = 0
    repeats = np.fft.irfft(np.abs(spectrum) ** 2)[_SHORTEST : _LONGEST + 1]
    # With each lag fewer samples overlap.
    overlap = 1 - np.arange(_SHORTEST, _LONGEST + 1) / len(low)
    return bool((repeats / overlap).max() > VOICED * energy > 0)


def _towards(value: float, wanted: float, step: float) -> float:
    return wanted if abs(wanted - value) <= step else value + (step if wanted > value else -step)
