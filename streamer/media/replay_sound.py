"""Measures the sound of a replay, and encodes it again where it is too quiet or too loud. It decodes in a process of
its own, so that damaged media ends nothing else.

``python -m streamer.media.replay_sound`` reads a :class:`SoundOrder` from standard input and writes a
:class:`SoundAnswer`. One gain holds for the whole edition, and a limiter for its true peaks. A new frame of sound takes
the place of each old one, so that fragments keep their times and sound and picture their distance.
"""

from __future__ import annotations

import os
import re
import resource
import sys
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import msgspec
import numpy as np
from av.audio.codeccontext import AudioCodecContext

from streamer.control.process_files import die_with_parent
from streamer.control.sound_order import SoundAnswer, SoundOrder, SoundRun, SoundTrackOrder
from streamer.data_folder import read_range
from streamer.formats import cmaf, fragments
from streamer.formats.types import Sample
from streamer.media.aac import AAC_FRAME, AAC_TICKS, AacEncoder
from streamer.media.leveller import QUIETEST_LUFS, TARGET_LUFS
from streamer.media.limiter import CEILING_DBTP, Limiter
from streamer.media.meters import FLOOR_LUFS, LoudnessMeter
from streamer.media.pcm import SAMPLE_RATE, Pcm
from streamer.media.renditions import CONTAINER_OVERHEAD_BPS

TOLERATED_LU = 2.0
MOST_DB = 24.0
"""More than a live room gets: here the whole edition was heard before, and no breath is taken for a voice."""
MARGIN_DB = 1.5
"""AAC's errors make peaks higher than the limiter let them pass: usually by less than this."""
EXACT_LU = 0.5
ATTEMPTS = 4
"""If a peak came out too high, the sound is encoded again with as much more margin; where the limiter took loudness
away, with as much more gain."""
PIECE = 4 * AAC_FRAME
"""Larger arrays would be new memory each time, which takes longer than the work."""
DATA_BYTES = 1 << 30
MAX_FLUSH = 8
"""Frames of silence behind a run: the limiter and the encoder hold back less."""
_STEREO_48K = cmaf.aac_config().audio_specific_config
_SPECIFIC = re.compile(rb"esds.*\x05[\x02-\x7f]" + re.escape(_STEREO_48K), re.DOTALL)
"""The decoder specific info of the programme's own encoder (ISO/IEC 14496-1, 7.2.6.7)."""


@dataclass(frozen=True, slots=True)
class _Sound:
    """One fragment, decoded. ``start``: samples at 48 kHz since the broadcast's epoch."""

    chunk: int
    """Counted from the run's first."""
    start: int
    begins: bool
    """No sound stands right before it."""
    pcm: Pcm

    @property
    def frames(self) -> int:
        return len(self.pcm[0]) // AAC_FRAME


def levelled(order: SoundOrder) -> SoundAnswer:
    """Carry out the order. Raises OSError, EOFError, and ValueError for sound that is not the programme's."""
    folder = Path(order.folder)
    loudness = _loudness(folder, order.tracks[0])
    off = TARGET_LUFS - loudness
    if abs(off) <= TOLERATED_LU or loudness < QUIETEST_LUFS:
        return SoundAnswer(loudness)
    best, *others = order.tracks
    sizes, gain_db = _encode_again(folder, best, min(off, MOST_DB), exact=True)
    more = [_encode_again(folder, track, gain_db, exact=False)[0] for track in others]
    return SoundAnswer(loudness, gain_db, [sizes, *more])


def _loudness(folder: Path, track: SoundTrackOrder) -> float:
    """Integrated, of the stretches that are heard (ITU-R BS.1770-4). LUFS."""
    meter = LoudnessMeter()
    for run in track.runs:
        shown = [(cmaf.to_timescale(a, SAMPLE_RATE), cmaf.to_timescale(b, SAMPLE_RATE)) for a, b in run.shown]
        for sound in _sounds(folder, run):
            times = np.arange(sound.start, sound.start + sound.pcm.shape[1])
            heard = np.zeros(len(times), bool)
            for begin, end in shown:
                heard |= (times >= begin) & (times < end)
            if heard.any():
                meter.push(sound.pcm if heard.all() else sound.pcm[:, heard], 0)
    return meter.reading.integrated


def _sounds(folder: Path, run: SoundRun) -> Iterator[_Sound]:
    if not _SPECIFIC.search(run.init) or fragments.timescale_of(run.init) != SAMPLE_RATE:
        raise ValueError("the sound is not AAC-LC in stereo at 48 kHz")
    decoder, expected = _decoder(), -1
    for number, chunk in enumerate(run.chunks):
        data = read_range(folder / chunk.file, chunk.offset, chunk.size)
        for fragment in fragments.read_fragments(data):
            if set(fragment.durations) != {AAC_FRAME}:
                raise ValueError("a frame of sound is not 1024 samples long")
            begins = fragment.start != expected
            if begins:
                decoder = _decoder()
            expected = fragment.end
            blocks, at = [], fragment.data_at
            for size in fragment.sizes:
                blocks.append(_decoded(decoder, data[at : at + size]))
                at += size
            yield _Sound(number, fragment.start, begins, np.concatenate(blocks, axis=1))


def _decoder() -> AudioCodecContext:
    context = av.CodecContext.create("aac", "r")
    assert isinstance(context, AudioCodecContext)
    context.extradata = _STEREO_48K
    return context


def _decoded(decoder: AudioCodecContext, data: bytes) -> Pcm:
    """A frame; silence where it is damaged."""
    try:
        frames: list[Any] = decoder.decode(av.Packet(data)) if data else []
    except av.FFmpegError:
        frames = []
    pcm = np.concatenate([frame.to_ndarray() for frame in frames], axis=1) if frames else np.zeros((2, 0), np.float32)
    return pcm.astype(np.float32) if pcm.shape == (2, AAC_FRAME) else np.zeros((2, AAC_FRAME), np.float32)


class _Outcome:
    """Measures the sound that came out of the encoder, as it is decoded."""

    def __init__(self) -> None:
        self.peak_dbtp = FLOOR_LUFS
        self._meter = LoudnessMeter()

    def hear(self, pcm: Pcm) -> None:
        """A frame: shorter than a block, so that no block's peak is missed."""
        self._meter.push(pcm, 0)
        self.peak_dbtp = max(self.peak_dbtp, self._meter.reading.true_peak)

    @property
    def loudness(self) -> float:
        return self._meter.reading.integrated


class _Stretch:
    """Uninterrupted sound on its way through gain, limiter and encoder."""

    def __init__(self, bitrate: int, start: int, gain_db: float, margin_db: float, outcome: _Outcome) -> None:
        """``start``: samples since the epoch, whole AAC frames. ``margin_db``: how far below its own ceiling the
        limiter holds the peaks."""
        if start % AAC_FRAME:
            raise ValueError("sound that does not stand at whole frames")
        self._before, self._after = _factor(gain_db + margin_db), _factor(-margin_db)
        self._outcome, self._decoder = outcome, _decoder()
        self._limiter = Limiter()
        self._encoder = AacEncoder(bitrate, start // AAC_FRAME * AAC_TICKS)
        self._ready = np.zeros((2, 0), np.float32)
        self._samples: deque[Sample] = deque()
        self._waiting: deque[tuple[int, int, int]] = deque()
        """Chunk, start in ticks, and number of frames of the fragments that are not out yet."""

    def push(self, sound: _Sound) -> Iterator[tuple[int, bytes]]:
        """The fragments that are finished, with their chunks."""
        self._waiting.append((sound.chunk, sound.start // AAC_FRAME * AAC_TICKS, sound.frames))
        self._encode(sound.pcm)
        yield from self._finished()

    def end(self) -> Iterator[tuple[int, bytes]]:
        """The rest. Raises ValueError if frames are missing."""
        for _ in range(MAX_FLUSH):
            if not self._waiting:
                return
            self._encode(np.zeros((2, AAC_FRAME), np.float32))
            yield from self._finished()
        if self._waiting:
            raise ValueError("the encoder gave too few frames")

    def _encode(self, pcm: Pcm) -> None:
        for begin in range(0, pcm.shape[1], PIECE):
            passed = self._limiter.process(pcm[:, begin : begin + PIECE] * self._before) * self._after
            ready = np.concatenate((self._ready, passed), axis=1)
            whole = ready.shape[1] // AAC_FRAME * AAC_FRAME
            for at in range(0, whole, AAC_FRAME):
                for sample in self._encoder.encode(ready[:, at : at + AAC_FRAME]):
                    self._outcome.hear(_decoded(self._decoder, sample.data))
                    self._samples.append(sample)
            self._ready = ready[:, whole:]

    def _finished(self) -> Iterator[tuple[int, bytes]]:
        while self._waiting and len(self._samples) >= self._waiting[0][2]:
            chunk, start, count = self._waiting.popleft()
            samples = [self._samples.popleft() for _ in range(count)]
            if samples[0].start != start:
                raise ValueError("the encoder's frames are out of step")
            sequence = cmaf.sequence_number(start)
            yield chunk, cmaf.fragment(self._encoder.config, sequence, samples, start + count * AAC_TICKS)


def _encode_again(folder: Path, track: SoundTrackOrder, gain_db: float, *, exact: bool) -> tuple[list[int], float]:
    """Write the track's file. Returns the sizes of its chunks and the gain. ``exact``: the gain is changed where what
    comes out has another loudness than the target."""
    margin_db = MARGIN_DB
    for left in reversed(range(ATTEMPTS)):
        outcome = _Outcome()
        sizes = _write(folder, track, gain_db, margin_db, outcome)
        over, missing = outcome.peak_dbtp - CEILING_DBTP, TARGET_LUFS - outcome.loudness
        wanted = min(gain_db + missing, MOST_DB) if exact and abs(missing) > EXACT_LU else gain_db
        if not left or (over <= 0 and wanted == gain_db):
            break
        if over > 0:
            margin_db += over + 0.1
        gain_db = wanted
    return sizes, gain_db


def _write(folder: Path, track: SoundTrackOrder, gain_db: float, margin_db: float, outcome: _Outcome) -> list[int]:
    """The sizes of the chunks."""
    sizes: list[int] = []
    bitrate = track.bandwidth - CONTAINER_OVERHEAD_BPS

    def begin(start: int) -> _Stretch:
        return _Stretch(bitrate, start, gain_db, margin_db, outcome)

    with open(folder / track.out, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as out:
        for run in track.runs:
            before = len(sizes)
            sizes += [0] * len(run.chunks)
            for stretch, sound in _stretches(folder, run, begin):
                for chunk, data in stretch.end() if sound is None else stretch.push(sound):
                    out.write(data)
                    sizes[before + chunk] += len(data)
        out.flush()
        os.fsync(out.fileno())
    return sizes


def _stretches(
    folder: Path, run: SoundRun, begin: Callable[[int], _Stretch]
) -> Iterator[tuple[_Stretch, _Sound | None]]:
    """The run's sound with the stretch that it belongs to; None: the stretch ends."""
    stretch: _Stretch | None = None
    for sound in _sounds(folder, run):
        if stretch is None or sound.begins:
            if stretch is not None:
                yield stretch, None
            stretch = begin(sound.start)
        yield stretch, sound
    if stretch is not None:
        yield stretch, None


def _factor(db: float) -> np.float32:
    return np.float32(10 ** (db / 20))


def main() -> int:
    order = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=SoundOrder)
    resource.setrlimit(resource.RLIMIT_CPU, (order.cpu_s, order.cpu_s))
    resource.setrlimit(resource.RLIMIT_DATA, (DATA_BYTES, DATA_BYTES))
    # After an interruption the sound may have been deleted: nothing is written.
    die_with_parent(os.getppid())
    # Live media come first.
    os.nice(19)
    sys.stdout.buffer.write(msgspec.msgpack.encode(levelled(order)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
