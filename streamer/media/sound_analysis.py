"""Measures ten times a second what a source's sound tells of its microphone, its cable and its room.

Pure numpy, but for the voice (:mod:`.voice`). An analysis belongs to one thread.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from streamer.broadcast.measures import SILENT_DB, SoundMeasure
from streamer.media.meters import BLOCK, KWeighting, decibels, lufs
from streamer.media.pcm import SAMPLE_RATE
from streamer.media.voice import VOICE_RATE, VoiceDetector

Floats = NDArray[np.float64]
Mono = NDArray[np.float32]

FINE = SAMPLE_RATE // 100
"""10 ms: the step in which breaks are looked for."""
DECIMATION = SAMPLE_RATE // VOICE_RATE
_TAPS = 48

CLIP_PEAK = 0.5
"""Sound is not at a limit below -6 dBFS: a desk's or a sender's limit lies above."""
CLIP_OFTEN, CLIP_SELDOM = 0.90, 0.995
CLIP_CREST_DB = 10.0
CLIP_FLAT = 0.86
"""The level that one sample in ten reaches, beside that of one in two hundred: flat tops are near to 1."""

BREAK_DB = 30.0
"""A break is this far below the sound of the last seconds,"""
BREAK_UNDER_DB = 8.0
"""and this far below its quietest moments,"""
BREAK_SURELY_DB = 40.0
"""or so far below the sound itself, where a noise gate leaves nothing in those,"""
BREAK_FADES = 5
"""after so many steps: a decoder lets sound that is cut off fade."""
BREAK_STEPS = (6, 99)
FADE_EDGE_DB = 6.0
"""Opus lets sound fade that is cut off: it takes so much away at once,"""
FADE_DB = (0.6, 2.6)
"""and this in each step then: so evenly nothing else does."""
FADED_DB = -78.0
"""Down here the steps are uneven."""
FADE_BACK_DB = 15.0
"""It comes back at once."""
EDGE_WITHIN_DB = 15.0
"""The sound is no softer than this, beside its level of the last seconds, when it breaks off."""

SPECTRUM = 8192
"""Half a second at 16 kHz: lines of 2 Hz."""
HOP = SPECTRUM // 2
KEPT = 12
"""The spectra of three seconds. A voice moves; what is in all of them is a line."""
HUM_HARMONICS = 8
HUM_LINES = 3
HUM_OVER_DB = 10.0
"""A line of the mains is this far above its neighbours."""
HUM_SWAYS_DB = 8.0
"""Words take so much from a line now and then."""
TONE_FROM_HZ, TONE_TO_HZ = 180.0, 7000.0
TONE_OVER_DB = 25.0
TONE_ALONE_DB = 12.0
"""Other lines than its own multiples are at least this much weaker: music has many."""
LINE_BINS = 2


class SoundAnalysis:
    """``voices``: whether voices are looked for."""

    def __init__(self, *, voices: bool = True) -> None:
        self._weighting = KWeighting()
        self._voice = VoiceDetector() if voices else None
        self._pending = np.zeros((2, 0), np.float32)
        self._fine: list[float] = []
        """Levels of the last steps of 10 ms, dBFS."""
        self._usual = self._quietest = SILENT_DB
        self._gap = 0
        self._gap_level = 0.0
        self._fade = 0
        self._lasts = [SILENT_DB, SILENT_DB]
        self._tail = np.zeros(_TAPS - DECIMATION, np.float32)
        self._slow = np.zeros(0, np.float32)
        """Mono at 16 kHz that the next looks at lines and tones need."""
        self._new = 0
        self._spectra: deque[Floats] = deque(maxlen=KEPT)
        self._hum = self._tone = (SILENT_DB, 0.0)

    def push(self, samples: NDArray[np.float32], at_ms: int) -> Iterator[SoundMeasure]:
        """``samples``: 2 x n floats at 48 kHz at full scale 1.0, of which the last came at ``at_ms``."""
        joined = np.concatenate((self._pending, samples), axis=1)
        whole = joined.shape[1] // BLOCK * BLOCK
        self._pending = joined[:, whole:].copy()
        for begin in range(0, whole, BLOCK):
            after = joined.shape[1] - begin - BLOCK
            yield self._block(joined[:, begin : begin + BLOCK], at_ms - after * 1000 // SAMPLE_RATE)

    def interrupt(self) -> None:
        """Packets are missing here: what breaks is the way."""
        self._fine.clear()
        self._gap = self._fade = 0
        self._lasts = [SILENT_DB, SILENT_DB]

    def _block(self, block: NDArray[np.float32], at_ms: int) -> SoundMeasure:
        wide = block.astype(np.float64)
        powers = np.mean(wide**2, axis=1)
        level = decibels(float(powers.max()))
        peak = float(np.abs(block).max())
        fine = 10 * np.log10(np.maximum((wide**2).reshape(2, -1, FINE).mean(axis=2).max(axis=0), 1e-12))
        pairs = fine.reshape(-1, 2).mean(axis=1)
        mid = decibels(float(np.mean(wide.mean(axis=0) ** 2)))
        slow = self._decimate(block)
        if self._voice is not None:
            self._voice.push(slow)
        self._look_for_lines(slow)
        return SoundMeasure(
            at_ms=at_ms,
            level=level,
            lowest=float(pairs.min()),
            peak=decibels(peak**2),
            loudness=lufs(self._weighting.power(wide)),
            voice=self._voice.voice if self._voice is not None else None,
            balance_db=abs(decibels(float(powers[0])) - decibels(float(powers[1]))),
            mid_db=mid - decibels(float(powers.mean())),
            clips=self._clips(block, peak, level),
            dropouts=self._dropouts(fine),
            hum_db=self._hum[0],
            hum_hz=self._hum[1],
            tone_db=self._tone[0],
            tone_hz=self._tone[1],
        )

    def _decimate(self, block: NDArray[np.float32]) -> Mono:
        mono = np.concatenate((self._tail, block[int(np.argmax(np.abs(block).max(axis=1)))]))
        self._tail = mono[-(_TAPS - DECIMATION) :]
        windows = np.lib.stride_tricks.sliding_window_view(mono, _TAPS)[::DECIMATION]
        result: Mono = windows @ _low_pass()
        return result

    # --- clipping ----------------------------------------------------------------------------------

    def _clips(self, block: NDArray[np.float32], peak: float, level: float) -> int:
        """1 if sound stands at its limit. A codec bends the flat tops a little, so that no two samples are equal."""
        if peak < CLIP_PEAK or decibels(peak**2) - level > CLIP_CREST_DB:
            return 0
        loudest = np.abs(block).max(axis=0)
        ranks = [int(share * (loudest.size - 1)) for share in (CLIP_OFTEN, CLIP_SELDOM)]
        often, seldom = np.partition(loudest, ranks)[ranks].tolist()
        return int(often >= CLIP_FLAT * seldom)

    # --- breaks ------------------------------------------------------------------------------------

    def _dropouts(self, fine: Floats) -> int:
        found = 0
        for value in fine.tolist():
            if self._fades(value):
                found, self._gap, self._fine = found + 1, 0, [value]
            elif self._step(value):
                found, self._fade = found + 1, 0
        return found

    def _fades(self, level: float) -> bool:
        """One step of 10 ms. True: sound that Opus let fade is back."""
        before, last = max(self._lasts), self._lasts[-1]
        self._lasts = [last, level]
        if self._fade and (FADE_DB[0] <= last - level <= FADE_DB[1] or level < FADED_DB):
            self._fade += 1
            return False
        steps = self._fade
        edge = self._usual > -50 and before > self._usual - EDGE_WITHIN_DB and level < before - FADE_EDGE_DB
        self._fade = int(edge)
        back = last < self._usual - BREAK_DB and level > last + FADE_BACK_DB
        return back and BREAK_STEPS[0] <= steps <= BREAK_STEPS[1]

    def _step(self, level: float) -> bool:
        """One step of 10 ms. True: a break ended. A word that fades and a noise gate are no break: there the sound is
        soft before it is gone."""
        if self._gap:
            if level < self._usual - BREAK_DB:
                self._gap += 1
                self._gap_level = max(self._gap_level, level) if self._gap > BREAK_FADES else level
                return False
            steps, self._gap = self._gap, 0
            self._fine = [level]
            gone = self._gap_level < max(self._quietest - BREAK_UNDER_DB, self._usual - BREAK_SURELY_DB)
            return gone and BREAK_STEPS[0] <= steps <= BREAK_STEPS[1]
        before = max(self._fine, default=SILENT_DB)
        if self._usual > -50 and before > self._usual - EDGE_WITHIN_DB and level < self._usual - BREAK_DB:
            self._gap, self._gap_level = 1, level
            return False
        self._fine = [*self._fine[-1:], level]
        # The level of the last seconds' sound, not of its pauses; and of its pauses.
        self._usual += (level - self._usual) * (0.1 if level > self._usual else 0.002)
        self._quietest += (level - self._quietest) * (0.1 if level < self._quietest else 0.001)
        return False

    # --- lines and tones ---------------------------------------------------------------------------

    def _look_for_lines(self, slow: Mono) -> None:
        self._slow = np.concatenate((self._slow, slow))[-SPECTRUM:]
        self._new += slow.size
        if self._slow.size < SPECTRUM or self._new < HOP:
            return
        self._new %= HOP
        scale = 2 / (SPECTRUM * float((_window(SPECTRUM) ** 2).sum()))
        self._spectra.append(np.abs(np.fft.rfft(self._slow * _window(SPECTRUM))) ** 2 * scale)
        if len(self._spectra) == KEPT:
            lasting = np.min(np.stack(self._spectra), axis=0)
            low = np.stack(self._spectra)[:, : HUM_HARMONICS * 64 * SPECTRUM // VOICE_RATE]
            self._hum = _hum_of(lasting, np.partition(low, KEPT // 3, axis=0)[KEPT // 3])
            self._tone = _tone_of(lasting)


def _hum_of(lasting: Floats, usual: Floats) -> tuple[float, float]:
    """Level and frequency of the mains; ``SILENT_DB`` if there is none. ``lasting`` is what all spectra have, and tells
    whether there is a line; ``usual`` what most of them have: words take from a line now and then."""
    best = (SILENT_DB, 0.0)
    for mains in (50, 60):
        total, least, found = 0.0, 0.0, 0
        for harmonic in range(1, HUM_HARMONICS + 1):
            centre = round(mains * harmonic * SPECTRUM / VOICE_RATE)
            near = lasting[centre - LINE_BINS : centre + LINE_BINS + 1]
            beside = np.concatenate((lasting[centre - 11 : centre - 4], lasting[centre + 5 : centre + 12]))
            if float(near.max()) > float(np.median(beside)) * 10 ** (HUM_OVER_DB / 10):
                total += float(usual[centre - LINE_BINS : centre + LINE_BINS + 1].sum())
                least, found = least + float(near.sum()), found + 1
        # Words in most of the spectra are no part of a line.
        level = min(decibels(total), decibels(least) + HUM_SWAYS_DB)
        if found >= HUM_LINES and level > best[0]:
            best = (level, float(mains))
    return best


def _tone_of(lasting: Floats) -> tuple[float, float]:
    """Level and frequency of the one narrow tone in what lasts of the spectra."""
    first, last = (int(hertz * SPECTRUM / VOICE_RATE) for hertz in (TONE_FROM_HZ, TONE_TO_HZ))
    peak = first + int(np.argmax(lasting[first:last]))
    beside = np.concatenate((lasting[max(first, peak - 30) : peak - 5], lasting[peak + 6 : peak + 31]))
    if float(lasting[peak]) < float(np.median(beside)) * 10 ** (TONE_OVER_DB / 10):
        return SILENT_DB, 0.0
    others = lasting[first:last].copy()
    for multiple in range(1, last // peak + 1):
        others[max(0, multiple * peak - first - 6) : multiple * peak - first + 7] = 0
    if float(others.max()) > float(lasting[peak]) / 10 ** (TONE_ALONE_DB / 10):
        return SILENT_DB, 0.0
    level = decibels(float(lasting[peak - LINE_BINS : peak + LINE_BINS + 1].sum()))
    return level, peak * VOICE_RATE / SPECTRUM


@lru_cache(maxsize=4)
def _window(size: int) -> Floats:
    return np.hanning(size)


@lru_cache(maxsize=1)
def _low_pass() -> Mono:
    """A windowed sinc for 7 kHz at 48 kHz."""
    position = np.arange(_TAPS) - (_TAPS - 1) / 2
    taps = np.sinc(position * 2 * 7000 / SAMPLE_RATE) * np.hamming(_TAPS)
    result: Mono = (taps / taps.sum()).astype(np.float32)
    return result
