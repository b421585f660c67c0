"""Decoded sound as arrays, 2 x n floats at 48 kHz: a window of the timeline, fades, slewing, concealment.

Pure numpy.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Pcm = NDArray[np.float32]

SAMPLE_RATE = 48_000
FADE = SAMPLE_RATE * 3 // 1000
"""3 ms: short enough not to be heard as a fade, long enough not to click."""
WINDOW = 12 * SAMPLE_RATE
SLEW_FROM = SAMPLE_RATE * 2 // 1000
"""Sound that is less than 2 ms off stays where it is."""
SLEW_PER = 250
"""One of this many samples is added or left out: 4 ms a second, seven cents."""
FAST_FROM = SAMPLE_RATE * 4 // 1000
FAST_SHARE = 5
"""Sound that stays further off is drawn by a fifth of the rest with each packet: its sender's clock runs fast or slow,
by 5 % where FFmpeg catches up."""
_SHORTEST_PERIOD = SAMPLE_RATE // 400
_LONGEST_PERIOD = SAMPLE_RATE // 60
_TEMPLATE = SAMPLE_RATE // 100


class PcmWindow:
    """The next seconds of the timeline, silent where nothing was written. Positions are samples since the epoch."""

    def __init__(self, start: int) -> None:
        self._base = start
        self._data = np.zeros((2, WINDOW), np.float32)

    def write(self, at: int, block: Pcm) -> None:
        """Replace the sound at ``at``; samples outside the window are dropped."""
        begin, end = max(at, self._base), min(at + block.shape[1], self._base + WINDOW)
        if begin < end:
            self._data[:, begin - self._base : end - self._base] = block[:, begin - at : end - at]

    def read(self, at: int, size: int) -> Pcm:
        """A copy of ``size`` samples; silence outside the window."""
        out = np.zeros((2, size), np.float32)
        begin, end = max(at, self._base), min(at + size, self._base + WINDOW)
        if begin < end:
            out[:, begin - at : end - at] = self._data[:, begin - self._base : end - self._base]
        return out

    def take(self, at: int, size: int) -> Pcm:
        """As :meth:`read`; sound from more than a second before is dropped."""
        out = self.read(at, size)
        passed = at - SAMPLE_RATE - self._base
        if passed > WINDOW // 4:
            kept = max(0, WINDOW - passed)
            self._data[:, :kept] = self._data[:, WINDOW - kept :].copy()
            self._data[:, kept:] = 0
            self._base += passed
        return out

    def clear(self, at: int) -> None:
        """Replace the sound from ``at`` on by silence."""
        self._data[:, max(0, at - self._base) :] = 0


def to_samples(ticks: int) -> int:
    """Samples at 48 kHz, rounded."""
    return (ticks * 8 + 7) // 15


def to_ticks(samples: int) -> int:
    """Ticks of 1/90000 s, rounded down."""
    return samples * 15 // 8


def fade_in(block: Pcm) -> Pcm:
    size = min(FADE, block.shape[1])
    out = block.copy()
    out[:, :size] *= _ramp(size)
    return out


def fade_out(block: Pcm) -> Pcm:
    size = min(FADE, block.shape[1])
    out = block.copy()
    if size:
        out[:, -size:] *= _ramp(size)[::-1]
    return out


def crossfade(old: Pcm, block: Pcm) -> Pcm:
    """``block`` with its beginning mixed with ``old``, which reaches a little beyond it."""
    size = min(old.shape[1], block.shape[1])
    ramp = _ramp(size)
    out = block.copy()
    out[:, :size] = block[:, :size] * ramp + old[:, :size] * (1 - ramp)
    return out


def slew(block: Pcm, drift: float, lately: float = 0.0) -> Pcm:
    """Make a block a little longer (``drift`` > 0: it lies too early) or shorter, so that the next one lies better.

    ``drift`` is the distance over a third of a second, ``lately`` over a few packets.
    """
    size = block.shape[1]
    if size < SLEW_PER:
        return block
    change = 0
    if abs(drift) >= SLEW_FROM:
        most = max(1, size // SLEW_PER)
        change = int(np.clip(round(drift / 8), -most, most))
    if abs(lately) > FAST_FROM:
        change += round((abs(lately) - FAST_FROM) / FAST_SHARE * np.sign(lately))
    if not change:
        return block
    positions = np.arange(size + change) * (size / (size + change))
    known = np.arange(size)
    return np.stack([np.interp(positions, known, channel) for channel in block]).astype(np.float32)


def conceal(before: Pcm, size: int) -> Pcm:
    """An estimate of the sound after ``before``: its last period repeated, fading (like G.711 appendix I)."""
    mono = before.mean(axis=0)
    if before.shape[1] < _TEMPLATE + _LONGEST_PERIOD or not np.any(mono):
        return np.zeros((2, size), np.float32)
    template = mono[-_TEMPLATE:]
    # Candidates: the same length of sound, a period earlier.
    windows = np.lib.stride_tricks.sliding_window_view(
        mono[-_TEMPLATE - _LONGEST_PERIOD : -_SHORTEST_PERIOD], _TEMPLATE
    )
    energy = np.sqrt((windows**2).sum(axis=1)) + 1e-9
    best = int(np.argmax(windows @ template / energy))
    period = _LONGEST_PERIOD - best
    cycle = before[:, -period:]
    repeated = np.tile(cycle, (1, -(-size // period)))[:, :size]
    # Half as loud after 20 ms: a longer buzz would be heard as such.
    decay = np.exp2(-np.arange(size, dtype=np.float32) / (SAMPLE_RATE // 50))
    result: Pcm = (repeated * decay).astype(np.float32)
    return result


def _ramp(size: int) -> NDArray[np.float32]:
    return np.linspace(0, 1, size, endpoint=False, dtype=np.float32)
