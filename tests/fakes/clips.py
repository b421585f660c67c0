"""Sources that our own publisher does not make: B-frames, rare key frames that nobody can ask for, mono."""

from __future__ import annotations

import threading
import time
from fractions import Fraction
from typing import NamedTuple

import av
import numpy as np

from streamer.publish.inputs import Emit, Encoded, Feed, FeedOptions
from streamer.publish.testcard import TestCard

FPS = 30
BLOCK_US = 20_000


class Sent(NamedTuple):
    """A frame in the order of sending. ``send_us`` and ``media_us`` from the clip's beginning."""

    data: bytes
    send_us: int
    media_us: int
    key: bool


def h264_clip(
    *,
    seconds: float,
    keyframe_s: float,
    width: int = 640,
    height: int = 360,
    fps: int = FPS,
    profile: str = "high",
    **x264: str,
) -> list[Sent]:
    """The test card's picture (its strip tells the time in the clip), Annex B. ``x264``: options (``bf="2"``)."""
    card = TestCard(width, height, "clip")
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.framerate, encoder.time_base = Fraction(fps), Fraction(1, fps)
    encoder.bit_rate = 600_000
    encoder.gop_size = round(keyframe_s * fps)
    encoder.thread_count = 1
    encoder.profile = profile
    encoder.options = {"preset": "veryfast", "bf": "0", "sc_threshold": "0", **x264}
    packets = []
    for number in range(round(seconds * fps)):
        frame = card.frame_at(number * 1_000_000 // fps)
        frame.pts, frame.time_base = number, Fraction(1, fps)
        packets += encoder.encode(frame)
    packets += encoder.encode(None)
    return [
        Sent(bytes(packet), number * 1_000_000 // fps, int(packet.pts or 0) * 1_000_000 // fps, packet.is_keyframe)
        for number, packet in enumerate(packets)
    ]


class ClipFeed(Feed):
    """Sends a clip again and again in decoding order, and ignores requests for key frames."""

    def __init__(self, clip: list[Sent], emit: Emit, options: FeedOptions) -> None:
        super().__init__(emit, options)
        self._clip = clip

    def _play(self) -> None:
        length_us = self._clip[-1].send_us + self._clip[1].send_us
        if not self.wanted.wait(0.5):
            return
        base_us = time.time_ns() // 1000
        while not self._stop.is_set():
            for sent in self._clip:
                self._sleep_until(base_us + sent.send_us)
                if self._stop.is_set():
                    return
                if self.wanted.is_set():
                    self._emit(Encoded("video", sent.data, base_us + sent.media_us, sent.key))
            base_us += length_us


class MonoFeed(Feed):
    """A tone of 440 Hz alone, in one channel until ``stereo`` is set and in two from then on."""

    def __init__(self, emit: Emit, options: FeedOptions) -> None:
        super().__init__(emit, options)
        self.stereo = threading.Event()

    def _play(self) -> None:
        encoders = {}
        for layout in ("mono", "stereo"):
            encoder = av.CodecContext.create("libopus", "w")
            encoder.sample_rate, encoder.format, encoder.layout = 48_000, "s16", layout
            encoder.time_base, encoder.bit_rate = Fraction(1, 48_000), 64_000
            encoders[layout] = encoder
        if not self.wanted.wait(0.5):
            return
        base_us, block = time.time_ns() // 1000, 0
        while not self._stop.is_set():
            layout = "stereo" if self.stereo.is_set() else "mono"
            wave = 8000 * np.sin(2 * np.pi * 440 * (block * 960 + np.arange(960)) / 48_000)
            samples = np.repeat(wave.astype(np.int16), 1 if layout == "mono" else 2).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(samples, format="s16", layout=layout)
            frame.sample_rate, frame.pts, frame.time_base = 48_000, block * 960, Fraction(1, 48_000)
            self._sleep_until(base_us + (block + 1) * BLOCK_US)
            for packet in encoders[layout].encode(frame):
                self._emit(Encoded("audio", bytes(packet), base_us + block * BLOCK_US, True))
            block += 1
