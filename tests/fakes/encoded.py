"""Real encoded pictures and sound, made once: a grey that tells the frame's number, and a tone."""

from __future__ import annotations

from fractions import Fraction
from functools import cache

import av
import numpy as np

FPS = 30
GREYS = (40, 80, 120, 160, 200)
"""Luma of the pictures of each second, by turns."""


@cache
def h264_seconds(width: int = 320, height: int = 180, seconds: int = 5) -> tuple[tuple[bytes, bool], ...]:
    """Access units (Annex B, IDR?) at 30 fps with an IDR each second, whose grey is ``GREYS[second]``."""
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.framerate, encoder.time_base = Fraction(FPS, 1), Fraction(1, FPS)
    encoder.bit_rate = 600_000
    encoder.options = {"preset": "ultrafast", "tune": "zerolatency", "profile": "baseline", "g": str(FPS)}
    noise = np.random.default_rng(1).integers(-6, 7, (FPS, height, width))
    out: list[tuple[bytes, bool]] = []
    for number in range(seconds * FPS):
        luma = np.full((height, width), GREYS[number // FPS % len(GREYS)]) + noise[number % FPS]
        picture = np.concatenate([luma, np.full((height // 2, width), 128)]).astype(np.uint8)
        frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
        frame.pts, frame.time_base = number, Fraction(1, FPS)
        if number % FPS == 0:
            frame.pict_type = av.video.frame.PictureType.I
        out += [(bytes(packet), bool(packet.is_keyframe)) for packet in encoder.encode(frame)]
    return tuple(out)


@cache
def opus_second() -> tuple[bytes, ...]:
    """50 packets of 20 ms: a 440 Hz tone, stereo."""
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.format, encoder.layout = 48_000, "s16", "stereo"
    encoder.time_base = Fraction(1, 48_000)
    wave = (np.sin(np.arange(48_000 * 2) * 2 * np.pi * 440 / 48_000) * 8000).astype(np.int16)
    out: list[bytes] = []
    for start in range(0, len(wave), 960):
        samples = np.repeat(wave[start : start + 960], 2).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = 48_000, start, Fraction(1, 48_000)
        out += [bytes(packet) for packet in encoder.encode(frame)]
    return tuple(out[20:70])
