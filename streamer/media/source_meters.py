"""Decodes and measures sources beside the programme's path, on a thread of its own.

Sound is decoded for those that the owner chooses, of pictures key frames only. Where the programme decodes all pictures
of a source, it gives them here as they are (:meth:`SourceMeters.picture`).
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial

import av
from av.video.frame import VideoFrame

from streamer.broadcast.measures import PictureMeasure, SoundMeasure
from streamer.formats.types import AccessUnit
from streamer.media.audio import SoundDecoder
from streamer.media.decode import PictureDecoder
from streamer.media.ordered_worker import OrderedWorker
from streamer.media.picture_measures import PictureMeasurer
from streamer.media.sound_analysis import SoundAnalysis

MAX_JOBS = 150
"""Three seconds of packets: a busy machine measures less."""
MAX_MEASURES = 400
GAP_S = 0.005
NICENESS = 5

SourceMeasure = tuple[str, SoundMeasure | PictureMeasure]


@dataclass(frozen=True, slots=True)
class SeenPicture:
    """A decoded key frame; ``sample_aspect`` is width over height of its pixels."""

    frame: VideoFrame
    sample_aspect: Fraction
    at_ms: int


@dataclass(slots=True)
class _Sound:
    decoder: SoundDecoder
    analysis: SoundAnalysis = field(default_factory=SoundAnalysis)
    next_time: int | None = None
    """The RTP time at which the next packet begins if none is missing."""


class SourceMeters:
    """All public methods are called on the loop, but for :meth:`picture`; none waits."""

    def __init__(self, max_pixels: int) -> None:
        """``max_pixels``: of a picture; larger ones are not decoded."""
        self.dropped_total = 0
        self._max_pixels = max_pixels
        self._worker = OrderedWorker("meters", niceness=NICENESS)
        self._measured: deque[SourceMeasure] = deque(maxlen=MAX_MEASURES)
        self._lock = threading.Lock()
        """For the measurers of pictures and what was seen: the programme's thread and the worker use them."""
        self._measurers: dict[str, PictureMeasurer] = {}
        self._seen: dict[str, SeenPicture] = {}
        # On the worker only.
        self._sounds: dict[str, _Sound] = {}

    def collect(self) -> list[SourceMeasure]:
        """The measures since the last call, in order for each source."""
        return [self._measured.popleft() for _ in range(len(self._measured))]

    def sound(self, source: str, unit: AccessUnit, at_ms: int) -> None:
        """``at_ms``: the machine's UTC ms at which it came."""
        self._put(partial(self._hear, source, unit, at_ms))

    def key_frame(self, source: str, unit: AccessUnit, at_ms: int) -> None:
        """With its parameter sets."""
        self._put(partial(self._see, source, unit, at_ms))

    def seen(self, source: str) -> SeenPicture | None:
        """The last key frame that was decoded here, unless the programme has shown newer pictures of the source."""
        with self._lock:
            return self._seen.get(source)

    def forget_sound(self, source: str) -> None:
        """The source is not listened to any more."""
        self._worker.put(lambda: self._sounds.pop(source, None))

    def forget(self, source: str) -> None:
        """The source is gone, or another sender feeds it."""
        self.forget_sound(source)
        # Also what waits to be decoded.
        self._worker.put(lambda: self._forget_pictures(source))
        self._forget_pictures(source)

    def picture(self, source: str, frame: VideoFrame, at_ms: int) -> None:
        """A decoded picture, on the thread that has decoded it."""
        with self._lock:
            self._seen.pop(source, None)
            measurer = self._measurers.setdefault(source, PictureMeasurer())
            measure = measurer.measure(frame, at_ms)
        if measure is not None:
            self._measured.append((source, measure))

    def close(self) -> None:
        self._worker.close()

    def _put(self, job: partial[None]) -> None:
        if self._worker.depth < MAX_JOBS:
            self._worker.put(job)
        else:
            self.dropped_total += 1

    def _forget_pictures(self, source: str) -> None:
        with self._lock:
            self._measurers.pop(source, None)
            self._seen.pop(source, None)

    # --- on the worker -----------------------------------------------------------------------------

    def _hear(self, source: str, unit: AccessUnit, at_ms: int) -> None:
        sound = self._sounds.get(source)
        try:
            if sound is None or sound.decoder.codec != unit.codec:
                sound = self._sounds[source] = _Sound(SoundDecoder(unit.codec))
            samples = sound.decoder.decode(unit.data)
        except (av.FFmpegError, ValueError):
            return
        if sound.next_time is not None and abs(unit.rtp_time - sound.next_time) > GAP_S * unit.clock_rate:
            sound.analysis.interrupt()
        sound.next_time = unit.rtp_time + samples.shape[1] * unit.clock_rate // 48_000
        self._measured.extend((source, measure) for measure in sound.analysis.push(samples, at_ms))

    def _see(self, source: str, unit: AccessUnit, at_ms: int) -> None:
        try:
            # A key frame needs none before it, and a decoder of its own no memory between two of them.
            decoder = PictureDecoder(unit.codec, self._max_pixels)
        except ValueError:
            return
        found = [*decoder.decode(unit.data, 0).pictures, *decoder.flush().pictures]
        if found:
            frame = found[-1][1]
            self.picture(source, frame, at_ms)
            with self._lock:
                self._seen[source] = SeenPicture(frame, decoder.sample_aspect, at_ms)
