"""Stills: a small JPEG of the programme every few seconds. Called on the decode thread."""

from __future__ import annotations

import io

from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from PIL import Image

from streamer.broadcast.programme import TICKS_PER_S

MAX_WIDTH = 640
QUALITY = 70


def encode_jpeg(image: Image.Image, max_width: int = MAX_WIDTH) -> bytes:
    """A progressive JPEG at most ``max_width`` wide."""
    if image.width > max_width:
        height = max(1, round(image.height * max_width / image.width))
        image = image.resize((max_width, height), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "JPEG", quality=QUALITY, progressive=True)
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
        return encode_jpeg(Image.frombuffer("RGB", (width, height), bytes_of(scaled), "raw", "RGB", 0, 1))


def bytes_of(frame: VideoFrame) -> bytes:
    """A packed RGB picture without its lines' padding."""
    return frame.to_ndarray().tobytes()
