"""Decodes segments as a player does: pictures with their strips, sound with its beeps."""

from __future__ import annotations

import io
import itertools
import threading
from dataclasses import dataclass, field
from typing import Any

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from streamer.publish.testcard import decode_strip, is_flash

TICKS = 90_000
LOUD = 0.06
_converter, _converting = VideoReformatter(), threading.Lock()
"""One for all threads. One of a thread's own is freed in each child process that is forked after the thread ended; it
waits there for its own threads, which are not in the child, and the parent waits for the child."""


@dataclass(frozen=True)
class Picture:
    """``at``: ticks of the broadcast's timeline."""

    at: int
    luma: NDArray[np.uint8]
    key: bool

    @property
    def shape(self) -> tuple[int, int]:
        height, width = self.luma.shape
        return width, height

    @property
    def strip(self) -> int | None:
        """The UTC milliseconds in the test card's strip, None for another picture."""
        return decode_strip(self.luma)


@dataclass(frozen=True)
class Sound:
    """``at``: ticks of the first sample. ``samples``: channels x samples at 48 kHz."""

    at: int
    samples: NDArray[np.float32]
    frames: list[int] = field(default_factory=list)
    """Ticks of each AAC frame."""

    @property
    def mono(self) -> NDArray[np.float32]:
        return np.asarray(self.samples.mean(axis=0), dtype=np.float32)

    def time_of(self, sample: int) -> int:
        return self.at + sample * TICKS // 48_000


def luma_of(frame: av.VideoFrame) -> NDArray[np.uint8]:
    """The brightness, 0 black and 255 white. A frame that makes a converter of its own takes ten times as long."""
    with _converting:
        return np.ascontiguousarray(_converter.reformat(frame, format="gray").to_ndarray())


def pictures(data: bytes) -> list[Picture]:
    """All pictures of an init section and the segments behind it. Raises if anything cannot be decoded."""
    with av.open(io.BytesIO(data), format="mp4") as container:
        (stream,) = container.streams.video
        assert not container.streams.audio, "a video rendition carries sound"
        stream.codec_context.thread_count = 1
        out = []
        for frame in container.decode(stream):
            assert frame.pts is not None
            assert not frame.is_corrupt
            at = round(frame.pts * frame.time_base * TICKS)
            out.append(Picture(at, luma_of(frame), bool(frame.key_frame)))
        return out


def picture_times(data: bytes) -> list[tuple[int, int, bool]]:
    """(ticks, duration, key frame?) as the boxes tell them, undecoded."""
    with av.open(io.BytesIO(data), format="mp4") as container:
        (stream,) = container.streams.video
        scale = stream.time_base * TICKS
        return [
            (round(p.pts * scale), round((p.duration or 0) * scale), bool(p.is_keyframe))
            for p in container.demux(stream)
            if p.pts is not None
        ]


def sound(data: bytes) -> Sound:
    with av.open(io.BytesIO(data), format="mp4") as container:
        (stream,) = container.streams.audio
        assert not container.streams.video
        chunks: list[Any] = []
        frames: list[int] = []
        for frame in container.decode(stream):
            assert frame.pts is not None
            assert frame.sample_rate == 48_000
            frames.append(round(frame.pts * frame.time_base * TICKS))
            chunks.append(frame.to_ndarray())
        return Sound(frames[0], np.concatenate(chunks, axis=1), frames)


def flashes(shown: list[Picture]) -> list[int]:
    """Ticks where a flash of the test card begins: a dark picture before, a bright one from then on."""
    return [now.at for before, now in itertools.pairwise(shown) if is_flash(now.luma) and not is_flash(before.luma)]


def beeps(heard: Sound) -> list[int]:
    """Ticks where a beep begins: a millisecond that is loud after 300 ms of quiet."""
    step = 48
    mono = heard.mono[: len(heard.mono) // step * step].reshape(-1, step)
    loud = np.abs(mono).max(axis=1) > LOUD
    out, quiet = [], 0
    for index, is_loud in enumerate(loud):
        if is_loud and quiet >= 300:
            out.append(heard.time_of(index * step))
        quiet = 0 if is_loud else quiet + 1
    return out


def frequency(heard: Sound, at: int, duration_s: float = 0.08) -> float:
    """Of the strongest tone in the sound from ``at`` on, Hz."""
    begin = (at - heard.at) * 48_000 // TICKS
    piece = heard.mono[begin : begin + int(duration_s * 48_000)]
    spectrum = np.abs(np.fft.rfft(piece * np.hanning(len(piece)), 48_000))
    return float(np.argmax(spectrum))


def steady_tone(heard: Sound, duration_s: float = 0.5) -> float:
    """The frequency in the last stretch of that length in which no 10 ms are quiet; 0 where there is none."""
    step = 480
    wave = heard.mono[: len(heard.mono) // step * step].reshape(-1, step)
    loud, needed, run = np.abs(wave).max(axis=1) > LOUD, round(duration_s * 48_000 / step), 0
    for index in range(len(loud) - 1, -1, -1):
        run = run + 1 if loud[index] else 0
        if run == needed:
            return frequency(heard, heard.time_of(index * step), duration_s)
    return 0.0


def nearest(at: int, others: list[int]) -> int:
    """Distance in ticks to the nearest of ``others``."""
    return min((abs(at - other) for other in others), default=1 << 60)
