"""Meters measure the sound's loudness and silence, and whether the picture is black or frozen.

Pure numpy. A meter belongs to one thread; :attr:`reading` is a value that any thread may take.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from streamer.broadcast.programme import TICKS_PER_S
from streamer.media.pcm import SAMPLE_RATE

Floats = NDArray[np.float64]

BLOCK = SAMPLE_RATE // 10
"""100 ms: the step of momentary and short-term loudness (EBU Tech 3341)."""
MOMENTARY_BLOCKS = 4
SHORT_TERM_BLOCKS = 30
FLOOR_LUFS = -120.0
SILENCE_DBFS = -60.0
"""A block whose peak is below this is silent."""
WORDS_LUFS = -45.0
"""Speech into a badly adjusted microphone is louder than this in 100 ms."""
WORDS_AFTER_BLOCKS = 100
WORDS_LEAST_BLOCKS = 6
WORDS_WITHIN_BLOCKS = 20
CLIP_LEVEL = 0.9999
CLIP_RUN = 3
"""This many samples in a row at full scale count as clipping."""

# ITU-R BS.1770-4, tables 1 and 2, for 48 kHz: the shelf of the head, then the RLB high pass.
_SHELF = ((1.53512485958697, -2.69169618940638, 1.19839281085285), (-1.69065929318241, 0.73248077421585))
_HIGH_PASS = ((1.0, -2.0, 1.0), (-1.99004745483398, 0.99007225036621))
_OFFSET_LUFS = -0.691
_SUB = 64
"""Samples that one matrix product filters at once."""
_ABSOLUTE_GATE_LUFS = -70.0
_RELATIVE_GATE_LU = -10.0
_PHASES = 4
_TAPS = 12


@dataclass(frozen=True, slots=True)
class SoundReading:
    """Loudness in LUFS, peaks in dBFS and dBTP, of the last blocks."""

    momentary: float = FLOOR_LUFS
    """Over the last 400 ms."""
    short_term: float = FLOOR_LUFS
    """Over the last 3 s."""
    integrated: float = FLOOR_LUFS
    """Gated, since the meter began (ITU-R BS.1770-4)."""
    peak: float = FLOOR_LUFS
    """In the last 100 ms."""
    true_peak: float = FLOOR_LUFS
    clipped_total: int = 0
    """The number of times that the sound stood at full scale for three samples or more."""
    silent_since: int | None = None
    """The tick since which there is no sound; None while there is sound."""
    words_since: int | None = None
    """The tick of the first speech after a silence of ten seconds; None before the first time."""


class FirstWords:
    """Finds the begin of speech: sound that goes on for about a second after ten seconds without.

    A door, a cough or a chair are short; a hall's hum is quiet.
    """

    def __init__(self) -> None:
        self.since: int | None = None
        """The tick of the newest beginning."""
        self._quiet = 0
        """Blocks since the last speech."""
        self._began: int | None = None
        self._heard = self._blocks = 0

    def push(self, loudness: float, start: int) -> None:
        """A block of 100 ms that begins at tick ``start``; ``loudness`` in LUFS."""
        heard = loudness >= WORDS_LUFS
        if self._began is None and heard and self._quiet >= WORDS_AFTER_BLOCKS:
            self._began, self._heard, self._blocks = start, 0, 0
        if self._began is None:
            self._quiet = 0 if heard else self._quiet + 1
            return
        self._heard += heard
        self._blocks += 1
        if self._heard >= WORDS_LEAST_BLOCKS:
            self.since, self._began, self._quiet = self._began, None, 0
        elif self._blocks >= WORDS_WITHIN_BLOCKS:
            self._began = None


class KWeighting:
    """The filter of the ear and the head (ITU-R BS.1770-4) over stereo sound at 48 kHz."""

    def __init__(self) -> None:
        self._state = np.zeros((2, 4))

    def power(self, samples: Floats) -> float:
        """The weighted power of the next 2 x n samples; n is a multiple of 64."""
        # BS.1770-4, formula 2: the sum over the channels of the mean square; both channels weigh 1.
        return float(np.mean(self._weigh(samples) ** 2, axis=1).sum())

    def _weigh(self, samples: Floats) -> Floats:
        """A recursive filter as products of matrices, 64 samples at a time."""
        kernel = _kernel()
        inputs = samples.reshape(2, -1, _SUB)
        forced = inputs @ kernel.forced.T
        drives = inputs @ kernel.drive.T
        states = np.empty((2, inputs.shape[1], 4))
        state = self._state
        for index in range(inputs.shape[1]):
            states[:, index] = state
            state = state @ kernel.step.T + drives[:, index]
        self._state = state
        return (forced + states @ kernel.free.T).reshape(2, -1)


class LoudnessMeter:
    """Measures stereo sound at 48 kHz that is pushed in pieces of any length."""

    def __init__(self) -> None:
        self.reading = SoundReading()
        self._pending = np.zeros((2, 0), np.float32)
        self._weighting = KWeighting()
        self._tail = np.zeros((2, _TAPS - 1))
        self._powers: list[float] = []
        self._histogram = np.zeros(1000, np.int64)
        """Counts of gating blocks by loudness, a tenth of a LU each from -70 LUFS."""
        self._clip_run = [0, 0]
        self._clipped = 0
        self._silent_since: int | None = None
        self._words = FirstWords()

    def push(self, samples: NDArray[np.float32], start: int) -> None:
        """``samples``: 2 x n floats at full scale 1.0, the first at tick ``start``."""
        held = self._pending.shape[1]
        at = start - held * TICKS_PER_S // SAMPLE_RATE
        joined = np.concatenate((self._pending, samples), axis=1) if held else samples
        whole = joined.shape[1] // BLOCK * BLOCK
        for begin in range(0, whole, BLOCK):
            self._block(joined[:, begin : begin + BLOCK], at + begin * TICKS_PER_S // SAMPLE_RATE)
        self._pending = joined[:, whole:].copy()

    def _block(self, samples: NDArray[np.float32], start: int) -> None:
        wide = samples.astype(np.float64)
        peak = decibels(float(np.abs(wide).max()) ** 2)
        self._powers.append(self._weighting.power(wide))
        del self._powers[:-SHORT_TERM_BLOCKS]
        momentary = _loudness(self._powers[-MOMENTARY_BLOCKS:], MOMENTARY_BLOCKS)
        if len(self._powers) >= MOMENTARY_BLOCKS and momentary >= _ABSOLUTE_GATE_LUFS:
            self._histogram[min(999, int((momentary - _ABSOLUTE_GATE_LUFS) * 10))] += 1
        self._count_clipping(wide)
        self._words.push(lufs(self._powers[-1]), start)
        if peak >= SILENCE_DBFS:
            self._silent_since = None
        elif self._silent_since is None:
            self._silent_since = start
        self.reading = SoundReading(
            momentary=momentary,
            short_term=_loudness(self._powers, SHORT_TERM_BLOCKS),
            integrated=self._integrated(),
            peak=peak,
            true_peak=max(peak, self._true_peak(wide)),
            clipped_total=self._clipped,
            silent_since=self._silent_since,
            words_since=self._words.since,
        )

    def _true_peak(self, samples: Floats) -> float:
        """BS.1770-4, annex 2: four times over-sampled."""
        joined = np.concatenate((self._tail, samples), axis=1)
        self._tail = joined[:, -(_TAPS - 1) :]
        windows = np.lib.stride_tricks.sliding_window_view(joined, _TAPS, axis=1)
        return decibels(float(np.abs(windows @ interpolator()).max()) ** 2)

    def _count_clipping(self, samples: Floats) -> None:
        for channel in range(2):
            full = np.abs(samples[channel]) >= CLIP_LEVEL
            run = self._clip_run[channel]
            if not full.any():
                self._clip_run[channel] = 0
                continue
            edges = np.flatnonzero(np.diff(np.concatenate(([0], full.view(np.int8), [0]))))
            begins, ends = edges[::2], edges[1::2]
            lengths = ends - begins
            counted_before = run >= CLIP_RUN
            if begins[0] == 0:
                lengths[0] += run
            self._clipped += int((lengths >= CLIP_RUN).sum()) - int(begins[0] == 0 and counted_before)
            self._clip_run[channel] = int(lengths[-1]) if ends[-1] == samples.shape[1] else 0

    def _integrated(self) -> float:
        counts = self._histogram
        if not counts.any():
            return FLOOR_LUFS
        levels = _ABSOLUTE_GATE_LUFS + 0.05 + np.arange(1000) / 10
        powers = 10 ** ((levels - _OFFSET_LUFS) / 10)
        gate = lufs(float((powers * counts).sum() / counts.sum())) + _RELATIVE_GATE_LU
        kept = counts * (levels >= gate)
        return lufs(float((powers * kept).sum() / kept.sum())) if kept.any() else FLOOR_LUFS


@dataclass(frozen=True, slots=True)
class _Kernel:
    """A filter of order 4, a block at a time.

    outputs = forced @ inputs + free @ state; the next state = step @ state + drive @ inputs.
    """

    forced: Floats
    free: Floats
    step: Floats
    drive: Floats


@lru_cache(maxsize=1)
def _kernel() -> _Kernel:
    """The matrices, from the filter's responses to each unit input and unit state."""
    forced, drive = np.zeros((_SUB, _SUB)), np.zeros((4, _SUB))
    for index in range(_SUB):
        unit = np.zeros(_SUB)
        unit[index] = 1.0
        forced[:, index], drive[:, index] = _filter(unit, np.zeros(4))
    free, step = np.zeros((_SUB, 4)), np.zeros((4, 4))
    for index in range(4):
        state = np.zeros(4)
        state[index] = 1.0
        free[:, index], step[:, index] = _filter(np.zeros(_SUB), state)
    return _Kernel(forced, free, step, drive)


def _filter(samples: Floats, state: Floats) -> tuple[Floats, Floats]:
    """Both biquads, transposed direct form II, sample by sample."""
    out, state = np.empty_like(samples), state.copy()
    for index, value in enumerate(samples):
        for stage, ((b0, b1, b2), (a1, a2)) in enumerate((_SHELF, _HIGH_PASS)):
            first, second = 2 * stage, 2 * stage + 1
            result = b0 * value + state[first]
            state[first] = b1 * value - a1 * result + state[second]
            state[second] = b2 * value - a2 * result
            value = result
        out[index] = value
    return out, state


@lru_cache(maxsize=1)
def interpolator() -> Floats:
    """Twelve taps for each of four phases: a windowed sinc, unity gain at zero frequency."""
    length = _PHASES * _TAPS
    position = (np.arange(length) - (length - 1) / 2) / _PHASES
    taps = np.sinc(position) * np.kaiser(length, 6.0)
    phases = taps.reshape(_TAPS, _PHASES)
    result: Floats = phases / phases.sum(axis=0)
    return result


def decibels(power: float) -> float:
    return FLOOR_LUFS if power <= 1e-12 else float(10 * np.log10(power))


def lufs(power: float) -> float:
    return FLOOR_LUFS if power <= 1e-12 else float(_OFFSET_LUFS + 10 * np.log10(power))


def _loudness(powers: list[float], blocks: int) -> float:
    """Over the last ``blocks`` values, or over all if there are fewer."""
    return lufs(sum(powers) / min(blocks, len(powers))) if powers else FLOOR_LUFS


@dataclass(frozen=True, slots=True)
class PictureReading:
    luma: float = 0.0
    """Mean brightness, 0 (black) to 1 (white)."""
    black_since: int | None = None
    """The tick since which the picture is black; None while it is not."""
    frozen_since: int | None = None
    """The tick since which nothing in the picture has moved."""


BLACK_LUMA = 24
"""Limited range (16 is black): no thumbnail sample above this is a black picture."""
FROZEN_DIFFERENCE = 1.0
"""A camera's noise alone moves some sample of the thumbnail by more than this; re-encoded stills do not."""
_THUMBNAIL = (36, 64)


class PictureMeter:
    """Looks at small thumbnails of 8-bit planar pictures. A change of size counts as movement."""

    def __init__(self) -> None:
        self.reading = PictureReading()
        self._last: NDArray[np.int16] | None = None

    def push(self, frame: VideoFrame, start: int) -> None:
        """``frame``: a picture whose first plane is 8-bit luma in limited range, shown at tick ``start``."""
        plane = frame.planes[0]
        flat: NDArray[np.uint8] = np.frombuffer(plane, np.uint8)  # type: ignore[call-overload]
        luma = flat.reshape(plane.height, plane.line_size)[:, : plane.width]
        self.push_luma(luma, start)

    def push_luma(self, luma: NDArray[np.uint8], start: int) -> None:
        rows, columns = (max(1, size // cells) for size, cells in zip(luma.shape, _THUMBNAIL, strict=True))
        thumbnail: NDArray[np.int16] = luma[rows // 2 :: rows, columns // 2 :: columns].astype(np.int16)
        black = bool(thumbnail.max() <= BLACK_LUMA)
        last, self._last = self._last, thumbnail
        frozen = (
            last is not None
            and last.shape == thumbnail.shape
            and float(np.abs(thumbnail - last).max()) <= FROZEN_DIFFERENCE
        )
        self.reading = PictureReading(
            luma=float(np.clip((thumbnail.mean() - 16) / 219, 0, 1)),
            black_since=_since(self.reading.black_since, black, start),
            frozen_since=_since(self.reading.frozen_since, frozen, start),
        )


def _since(since: int | None, holds: bool, start: int) -> int | None:
    if not holds:
        return None
    return start if since is None else since


def reading_as_dict(reading: SoundReading | PictureReading) -> dict[str, Any]:
    """For the control socket: rounded to the precision of a meter's display."""
    values = {name: getattr(reading, name) for name in reading.__dataclass_fields__}
    return {name: round(value, 2) if isinstance(value, float) else value for name, value in values.items()}
