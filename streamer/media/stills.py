"""Stills: a small JPEG of the programme every few seconds, and pictures for the crew. Called on the decode thread."""

from __future__ import annotations

import io
from fractions import Fraction

from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from PIL import Image

from streamer.broadcast.programme import TICKS_PER_S

MAX_WIDTH = 640
QUALITY = 70
CREW_WIDTH = 480
CREW_QUALITY = 60
"""The crew looks at ten of them every two seconds: about 12 kB and 2 ms each."""


def encode_jpeg(image: Image.Image, max_width: int = MAX_WIDTH) -> bytes:
    """A progressive JPEG at most ``max_width`` wide."""
    if image.width > max_width:
        height = max(1, round(image.height * max_width / image.width))
        image = image.resize((max_width, height), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "JPEG", quality=QUALITY, progressive=True)
    return buffer.getvalue()


def crew_jpeg(frame: VideoFrame, reformatter: VideoReformatter, sample_aspect: Fraction = Fraction(1)) -> bytes:
    """A plain JPEG of a decoded picture, at most :data:`CREW_WIDTH` wide. Raises av.FFmpegError."""
    wide = float(frame.width * sample_aspect)
    width = min(CREW_WIDTH, round(wide / 2) * 2)
    height = max(2, min(4 * CREW_WIDTH, round(frame.height * width / wide / 2) * 2))
    scaled = reformatter.reformat(frame, width, height, "rgb24", interpolation=Interpolation.AREA, threads=1)
    image = image_of(scaled)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=CREW_QUALITY)
    return buffer.getvalue()


class StillMaker:
    """Decides when a still is due and makes it. Not thread-safe."""

    def __init__(self, interval_s: float) -> None:
        self._interval = int(interval_s * TICKS_PER_S)
        self._last: int | None = None
        self._reformatter = VideoReformatter()

    def due(self, start: int) -> bool:
        """Whether the picture at tick ``start`` becomes a still."""
        return self._last is None or not 0 <= start - self._last < self._interval

    def make(self, frame: VideoFrame, start: int) -> bytes:
        """The JPEG of a square-pixel picture. Raises av.FFmpegError."""
        self._last = start
        width = min(MAX_WIDTH, frame.width)
        height = max(2, round(frame.height * width / frame.width / 2) * 2)
        scaled = self._reformatter.reformat(frame, width, height, "rgb24", interpolation=Interpolation.AREA, threads=1)
        return encode_jpeg(image_of(scaled))


def image_of(frame: VideoFrame) -> Image.Image:
    """A packed RGB picture as an image."""
    # Not by way of numpy: a process that makes one picture would load it for this.
    plane = frame.planes[0]
    return Image.frombuffer("RGB", (frame.width, frame.height), bytes(plane), "raw", "RGB", plane.line_size, 1)
