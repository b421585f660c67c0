"""One source's sound after it is decoded: levelling, gain, mono, mute, and a limiter for true peaks.

Where nothing is set the very same samples come out, at once. Pure numpy; belongs to the sound's thread.
"""

from __future__ import annotations

import numpy as np

from streamer.broadcast.orders import SourceOrder
from streamer.media.leveller import Leveller
from streamer.media.limiter import LOOK_AHEAD, Limiter
from streamer.media.pcm import SAMPLE_RATE, Pcm

RAMP = SAMPLE_RATE // 100
"""A change is spread over 10 ms: no click, and done before the next packet."""


class SoundChain:
    """One take of one source. A new one obeys ``order`` at once; later orders are ramped to."""

    def __init__(self, order: SourceOrder, leveller: Leveller | None = None) -> None:
        self.source = order.name
        self._leveller = leveller or Leveller()
        self._gain, self._mono = _factor(order, self._leveller.gain_db), float(order.mono)
        self._limiter: Limiter | None = None
        self._heard: Pcm | None = None
        """The newest samples that came out without the limiter, for one that begins; None: nothing came out before."""

    @property
    def changes(self) -> bool:
        """Whether what comes out differs from what goes in."""
        return self._limiter is not None

    @property
    def muted(self) -> bool:
        return self._gain == 0.0

    @property
    def behind(self) -> int:
        """Samples that went in and have not come out yet."""
        return 0 if self._limiter is None else self._limiter.behind

    def interrupt(self) -> None:
        """The sound that comes next does not follow the last: what has not come out never does."""
        self._limiter = self._heard = None

    def process(self, block: Pcm, order: SourceOrder) -> Pcm:
        """The next 2 x n floats. What comes out is shorter or longer by what :attr:`behind` changes, without a seam."""
        gain, mono = _factor(order, self._leveller.push(block, on=order.level)), float(order.mono)
        if (gain, mono) != (self._gain, self._mono):
            changed = self._ramped(block, gain, mono)
        elif gain == 1.0 and not mono:
            return self._unchanged(block)
        else:
            changed = _steady(block, gain, mono)
        self._gain, self._mono = gain, mono
        if self._limiter is None:
            self._limiter = Limiter(self._heard)
        return self._limiter.process(changed)

    def _unchanged(self, block: Pcm) -> Pcm:
        if self._limiter is None:
            self._heard = block[:, -LOOK_AHEAD:]
            return block
        out = self._limiter.process(block)
        if not self._limiter.idle:
            return out
        # The limiter holds nothing down any more: what it still has passes as it is.
        rest, self._limiter = self._limiter.rest(), None
        self._heard = rest[:, -LOOK_AHEAD:]
        return np.concatenate((out, rest), axis=1)

    def _ramped(self, block: Pcm, gain: float, mono: float) -> Pcm:
        ramp = np.minimum(np.arange(1, block.shape[1] + 1, dtype=np.float32) / RAMP, 1)
        ramp /= max(float(ramp[-1]), 1e-9)
        mean = block.mean(axis=0)
        out: Pcm = (block + (mean - block) * (self._mono + (mono - self._mono) * ramp)) * (
            self._gain + (gain - self._gain) * ramp
        )
        return out.astype(np.float32)


def _steady(block: Pcm, gain: float, mono: float) -> Pcm:
    if mono:
        block = np.repeat(block.mean(axis=0, keepdims=True), 2, axis=0)
    out: Pcm = block * np.float32(gain)
    return out


def _factor(order: SourceOrder, level_db: float) -> float:
    return 0.0 if order.mute else float(10 ** ((order.gain_db + level_db) / 20))
