"""The programme's workers without threads and without codecs: outputs can be matched with inputs.

A picture carries its source, number and capture time through decoder, ladder and encoder; a sample of sound has its
capture time as its value. The ladder, the sound track, the packagers and outputs around them are real.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, partial
from typing import Any

import av
import numpy as np
import pytest

from streamer.formats import cmaf, h264
from streamer.formats.types import RungSpec, Sample, TrackConfig
from streamer.media import aac, audio, ladder, pipeline
from streamer.media.decode import Decoded
from streamer.media.meters import LoudnessMeter
from streamer.media.slate import SlateClip, SlateText
from streamer.settings import MediaSettings

WORKER_S = 0.004
"""The time of a job in a worker."""
SLATE_READY_S = 0.4
START_CODE = b"\0\0\0\1"


@dataclass(frozen=True)
class Tag:
    """The data in a picture. ``number`` counts a source's frames in decoding order."""

    source: str
    number: int
    capture_us: int
    kind: str
    """``I``, ``P`` or ``B``."""
    width: int = 0
    height: int = 0

    def pack(self) -> bytes:
        text = f"{self.source}|{self.number}|{self.capture_us}|{self.kind}|{self.width}|{self.height}"
        return bytes((0x65 if self.kind == "I" else 0x41,)) + text.encode()

    @classmethod
    def unpack(cls, nal: bytes) -> Tag:
        source, number, capture, kind, width, height = nal[1:].decode().split("|")
        return cls(source, int(number), int(capture), kind, int(width), int(height))

    @classmethod
    def of_sample(cls, avcc: bytes) -> Tag:
        """Of the picture, the last NAL unit; parameter sets may stand before it."""
        at = 0
        while (end := at + 4 + int.from_bytes(avcc[at : at + 4], "big")) < len(avcc):
            at = end
        return cls.unpack(avcc[at + 4 :])


@cache
def parameter_sets(
    width: int, height: int, profile: str = "high", b_frames: int = 0
) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """SPS and PPS of a real encoder. ``high`` is the rungs' profile, cameras have ``baseline`` or ``main``."""
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.framerate, encoder.time_base = Fraction(30), Fraction(1, 30)
    encoder.flags |= av.codec.context.Flags.global_header
    encoder.options = {"profile": profile, "bf": str(b_frames), "preset": "veryfast"}
    encoder.open()
    return h264.parameter_sets(bytes(encoder.extradata))


def rung_config(spec: RungSpec) -> TrackConfig:
    return cmaf.video_config(*parameter_sets(spec.width, spec.height))


class SimulatedWorker:
    """A worker that takes virtual time for each job, in the loop's thread."""

    raised: list[Exception] = []

    def __init__(self, name: str, *, niceness: int = 0) -> None:
        self.name = name
        self.failures = 0
        self._loop = asyncio.get_running_loop()
        self._jobs: deque[tuple[float, bool, Callable[[], Any]]] = deque()
        self._closed = False

    @property
    def lag(self) -> float:
        return 0.0

    @property
    def depth(self) -> int:
        return len(self._jobs)

    @property
    def idle(self) -> bool:
        return not self._jobs

    def put(self, job: Callable[[], Any], *, sheddable: bool = False) -> None:
        if not self._closed:
            due = self._loop.time() + WORKER_S
            self._jobs.append((due, sheddable, job))
            self._loop.call_at(due, self._work)

    def shed(self) -> int:
        kept = [entry for entry in self._jobs if not entry[1]]
        dropped = len(self._jobs) - len(kept)
        self._jobs = deque(kept)
        return dropped

    def close(self) -> None:
        self._closed = True
        self._jobs.clear()

    def _work(self) -> None:
        while self._jobs and self._jobs[0][0] <= self._loop.time():
            try:
                self._jobs.popleft()[2]()
            except Exception as error:
                self.raised.append(error)


@dataclass(frozen=True)
class Picture:
    tag: Tag
    width: int = 640
    height: int = 360


class SimulatedDecoder:
    """Needs a key frame first and misses lost frames, like a real one; gives pictures in order of presentation."""

    sample_aspect = Fraction(1)

    def __init__(self, codec: str, max_pixels: int = 0) -> None:
        self.codec = codec
        self._last: int | None = None
        self._held: list[tuple[int, Picture]] = []

    def decode(self, data: bytes, start: int) -> Decoded:
        tag = Tag.unpack(data.rsplit(START_CODE, 1)[1])
        if self._last is None and tag.kind != "I":
            return Decoded(damaged=True)
        damaged = tag.kind != "I" and tag.number != (self._last or 0) + 1
        self._last = tag.number
        picture = (start, Picture(tag))
        if tag.kind == "B":
            return Decoded([picture], damaged)
        if tag.source.startswith("b_"):
            held, self._held = self._held, [picture]
            return Decoded(held, damaged)
        return Decoded([picture], damaged)

    def flush(self) -> Decoded:
        held, self._held = self._held, []
        return Decoded(held)


class SimulatedScaler:
    def __init__(self, width: int, height: int) -> None: ...

    def scale(self, frame: Picture, sample_aspect: Fraction = Fraction(1)) -> Picture:
        return frame


class SimulatedStills:
    def __init__(self, interval_s: float) -> None:
        self._interval = interval_s * 90_000
        self._last = -self._interval

    def due(self, start: int) -> bool:
        return start - self._last >= self._interval

    def make(self, frame: Picture, start: int) -> bytes:
        self._last = start
        return frame.tag.pack()


class SimulatedEncoder:
    def __init__(self, spec: RungSpec, settings: MediaSettings) -> None:
        self.spec = spec
        self.config = rung_config(spec)
        self._idr = True

    def encode(self, frame: Picture, start: int, *, idr: bool = False) -> list[Sample]:
        idr, self._idr = idr or self._idr, False
        nal = bytes((0x65 if idr else 0x41,)) + frame.tag.pack()[1:]
        return [Sample(len(nal).to_bytes(4, "big") + nal, start, idr)]

    def drain(self) -> list[Sample]:
        self._idr = True
        return []

    def expect_idr(self) -> None:
        self._idr = True

    def reopen(self) -> None:
        self._idr = True


class SimulatedShelf:
    """Slates whose pictures are their text."""

    def __init__(
        self,
        rungs: Sequence[RungSpec],
        settings: MediaSettings,
        text: SlateText,
        loop: asyncio.AbstractEventLoop,
        *,
        segment_s: float = 2.0,
        on_ready: Callable[[str], None],
    ) -> None:
        self._rungs, self._loop, self._on_ready = rungs, loop, on_ready
        self._shown: SlateText = text
        self._text = text
        self.titles = 0
        self.set_text(text)

    def set_text(self, text: SlateText) -> None:
        self._text = text
        self._loop.call_later(SLATE_READY_S, self._ready, text)

    def clips(self, kind: str = "slate") -> Mapping[str, SlateClip]:
        return {spec.name: self._clip(spec, kind) for spec in self._rungs}

    def still(self, kind: str = "slate") -> bytes | None:
        return f"{kind}|{self._shown.text}".encode()

    def close(self) -> None: ...

    def _ready(self, text: SlateText) -> None:
        if text is self._text:
            self.titles += text.title != self._shown.title
            self._shown = text
            for kind in ("slate", "sound_only"):
                self._on_ready(kind)

    def _clip(self, spec: RungSpec, kind: str) -> SlateClip:
        frames = []
        for index in range(72):
            nal = Tag(f"{kind}-{self._shown.text}", index, 0, "P" if index else "I").pack()
            frames.append(Sample(len(nal).to_bytes(4, "big") + nal, index * 3000, sync=index == 0))
        return SlateClip(rung_config(spec), 3000, tuple(frames))


class SimulatedMeter(LoudnessMeter):
    """Hears nothing: what stands for sound here has no loudness."""

    def push(self, samples: audio.Pcm, start: int) -> None: ...


SOUND_RANGE_S = 1000.0
"""A sample of source n is worth n times this and its capture time in seconds."""


class SimulatedSoundDecoder:
    def __init__(self, codec: str) -> None:
        self.codec = codec
        self.behind = 0

    def decode(self, data: bytes) -> audio.Pcm:
        number, capture_us = data.decode().split("|")
        first = int(number) * SOUND_RANGE_S + int(capture_us) / 1e6
        ramp = (first + np.arange(960) / 48_000).astype(np.float32)
        return np.stack([ramp, ramp])


class SimulatedAac:
    """One frame behind, as the real one."""

    def __init__(self, bitrate: int, start: int) -> None:
        self.config = cmaf.aac_config()
        self._next = start
        self._held: bytes | None = None

    def encode(self, pcm: audio.Pcm) -> list[Sample]:
        held, self._held = self._held, self._describe(pcm[0])
        if held is None:
            return []
        sample = Sample(held, self._next, sync=True)
        self._next += aac.AAC_TICKS
        return [sample]

    @staticmethod
    def _describe(pcm: Any) -> bytes:
        """``sound|source|capture in microseconds`` of the frame's first sample; ``silence``; ``mixed`` at seams."""
        points = pcm[[128, 512, 896]].astype(float)
        if not points.any():
            return b"silence"
        if np.abs(np.diff(points) - 384 / 48_000).max() > 0.003:
            return b"mixed"
        number, capture_s = divmod(points[1] - 512 / 48_000, SOUND_RANGE_S)
        return f"sound|{int(number)}|{round(capture_s * 1e6)}".encode()


@contextlib.contextmanager
def simulated_workers() -> Iterator[None]:
    """Put the stand-ins in place. Fails at the end if a job raised."""
    SimulatedWorker.raised.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ladder, "OrderedWorker", SimulatedWorker)
        patch.setattr(ladder, "PictureDecoder", SimulatedDecoder)
        patch.setattr(ladder, "Scaler", SimulatedScaler)
        patch.setattr(ladder, "StillMaker", SimulatedStills)
        patch.setattr(ladder, "black_picture", lambda w, h: Picture(Tag("black", 0, 0, "I"), w, h))
        patch.setattr(audio, "OrderedWorker", SimulatedWorker)
        patch.setattr(audio, "SoundDecoder", SimulatedSoundDecoder)
        patch.setattr(audio, "AacEncoder", SimulatedAac)
        patch.setattr(pipeline, "Ladder", partial(ladder.Ladder, encoder_factory=SimulatedEncoder))
        patch.setattr(pipeline, "SlateShelf", SimulatedShelf)
        patch.setattr(pipeline, "PictureMeter", lambda: None)
        patch.setattr(pipeline, "LoudnessMeter", SimulatedMeter)
        yield
    if SimulatedWorker.raised:
        raise SimulatedWorker.raised[0]
