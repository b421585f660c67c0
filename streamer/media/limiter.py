"""A limiter that looks ahead: no true peak of what comes out is above -1 dBTP (ITU-R BS.1770-4, annex 2).

It measures between the samples too, four times over-sampled, comes down before a peak and goes up slowly after it.
Sound that needs no limit comes out bit by bit, a little later. Pure numpy.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamer.media.meters import interpolator
from streamer.media.pcm import SAMPLE_RATE, Pcm

Floats = NDArray[np.float64]

CEILING_DBTP = -1.0
_MARGIN_DB = 0.1
"""Four phases and a gain that moves miss this much of a peak at most."""
_LIMIT = 10 ** ((CEILING_DBTP - _MARGIN_DB) / 20)
_HOP = SAMPLE_RATE // 1000
"""1 ms: the gain is a line from hop to hop."""
_HOPS = 4
"""The gain comes down over as many hops: short enough to stay in step with the picture, long enough not to crackle."""
_RISE = float(10 ** (20 / 20 / 1000))
"""The gain goes up again by 20 dB a second: faster would be heard as pumping."""
_REACH = 6
"""A value between two samples depends on as many of them on either side."""
LOOK_AHEAD = (_HOPS + 1) * _HOP + _REACH
"""Samples by which what comes out is later, 5.1 ms, where what goes in is whole milliseconds."""


class Limiter:
    """Stereo at 48 kHz; both channels get the same gain, so that the image stays where it is."""

    def __init__(self, before: Pcm | None = None) -> None:
        """``before``: the samples that were heard just before, unlimited. None: nothing was, so the first samples may
        come limited."""
        context = np.zeros((2, _REACH), np.float32)
        if before is not None and before.shape[1] >= _REACH:
            context = before[:, -_REACH:]
        self._held = context.astype(np.float32)
        """The last samples that are out, as context, and all that are not."""
        self._needs = np.ones(1)
        """The gain that each hop allows, from the one before the first that is not out."""
        self._line: Floats | None = None if before is None else np.ones(_HOPS - 1)
        """The last gains before they are smoothed."""
        self._gain = 1.0
        """At the begin of the first hop that is not out."""

    @property
    def behind(self) -> int:
        """Samples that went in and have not come out yet."""
        return self._held.shape[1] - _REACH

    @property
    def idle(self) -> bool:
        """Whether it holds nothing down."""
        line = self._line
        return self._gain == 1.0 and bool(np.all(self._needs == 1.0)) and (line is None or bool(np.all(line == 1.0)))

    def rest(self) -> Pcm:
        """The samples that have not come out, as they came in."""
        return self._held[:, _REACH:]

    def process(self, block: Pcm) -> Pcm:
        """The next samples in, the next samples out."""
        self._held = np.concatenate((self._held, block), axis=1)
        self._measure()
        hops = len(self._needs) - 1 - _HOPS
        if hops <= 0:
            return np.zeros((2, 0), np.float32)
        gains = self._gains(hops)
        size = hops * _HOP
        out = self._held[:, _REACH : _REACH + size]
        if np.any(gains != 1.0):
            steps = np.arange(_HOP) / _HOP
            curve = (gains[:-1, None] + np.diff(gains)[:, None] * steps).reshape(-1)
            out = out * curve.astype(np.float32)
        self._held = self._held[:, size:]
        self._needs = self._needs[hops:]
        self._gain = float(gains[-1])
        return out

    def _measure(self) -> None:
        """The needs of the hops whose peaks are known now."""
        known = len(self._needs) - 1
        new = (self.behind - _REACH) // _HOP - known
        if new <= 0:
            return
        begin = known * _HOP
        piece = self._held[:, begin : begin + new * _HOP + 2 * _REACH].astype(np.float64)
        # Window k has the values between its samples 5 and 6; a hop has its own samples, and the values beside them.
        windows = np.lib.stride_tricks.sliding_window_view(piece, 2 * _REACH, axis=1)
        between = np.abs(windows @ interpolator()).max(axis=(0, 2))
        inner = np.abs(piece[:, _REACH : _REACH + new * _HOP]).max(axis=0)
        peaks = np.maximum(np.maximum(between[:-1], between[1:]), inner).reshape(new, _HOP).max(axis=1)
        needs = np.minimum(1.0, _LIMIT / np.maximum(peaks, _LIMIT))
        self._needs = np.concatenate((self._needs, needs))

    def _gains(self, hops: int) -> Floats:
        """The gain at the begin of each of the next hops, and at the end of the last."""
        edges = np.minimum(self._needs[:-1], self._needs[1:])
        # At edge j the lowest of the next edges: the mean of such values over as many hops is never above edge j.
        lowest = np.lib.stride_tricks.sliding_window_view(edges, _HOPS).min(axis=1)[1 : hops + 1]
        line = self._line
        if line is None:
            line = np.full(_HOPS - 1, lowest[0])
            self._gain = float(min(edges[0], lowest[0]))
        level = line[-1]
        risen = []
        for value in lowest:
            level = min(float(value), level * _RISE)
            risen.append(level)
        joined = np.concatenate((line, risen))
        self._line = joined[-(_HOPS - 1) :]
        smooth = np.lib.stride_tricks.sliding_window_view(joined, _HOPS).mean(axis=1)
        return np.concatenate(([self._gain], smooth))
