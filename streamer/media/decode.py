"""Decoding a source's pictures, and scaling them into the rungs' sizes.

Belongs to the ladder's decode thread. PyAV gives up the GIL while it decodes and scales.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.codec.context import ThreadType
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from numpy.typing import NDArray

from streamer.media.encoders import TIME_BASE

Luma = NDArray[np.uint8]

PIXEL_FORMAT = "yuv420p"
BLACK = (16, 128, 128)
"""Y, Cb and Cr of black in limited range."""
FILL_TOLERANCE = 0.012
"""Aspect ratios that differ by no more than this are the same: a size rounded to even pixels is not letterboxed."""
_AVCOL_SPC_BT470BG = 5
_AVCOL_SPC_SMPTE170M = 6


@dataclass(slots=True)
class Decoded:
    """The result of one encoded frame."""

    pictures: list[tuple[int, VideoFrame]] = field(default_factory=list)
    """Start in ticks, and the picture."""
    damaged: bool = False
    """A picture that it refers to is missing, or the data is broken: a key frame is needed."""


class PictureDecoder:
    """Decodes one source's H.264 (Annex B) or VP8. Not thread-safe.

    One thread and no frame threads: a picture comes out with the call that put it in, unless the stream reorders.
    """

    def __init__(self, codec: str, max_pixels: int = 0) -> None:
        """``codec`` is ``h264`` or ``vp8``. Raises ValueError for another. Larger pictures than ``max_pixels`` (0: any)
        are damage: FFmpeg refuses them before it takes memory."""
        if codec not in ("h264", "vp8"):
            raise ValueError(f"no picture decoder for {codec}")
        self.codec = codec
        context = av.CodecContext.create(codec, "r")
        assert isinstance(context, VideoCodecContext)
        context.thread_count = 1
        context.thread_type = ThreadType.SLICE
        if max_pixels:
            context.options = {"max_pixels": str(max_pixels)}
        self._context = context

    @property
    def sample_aspect(self) -> Fraction:
        """Width over height of a source pixel."""
        ratio = self._context.sample_aspect_ratio
        return Fraction(ratio) if ratio and ratio > 0 else Fraction(1)

    def decode(self, data: bytes, start: int) -> Decoded:
        """Never raises for bad data; the result is then ``damaged``."""
        if not data:
            # FFmpeg takes an empty packet for the end of the stream, and no other after it.
            return Decoded(damaged=True)
        packet = av.Packet(data)
        packet.pts = packet.dts = start
        packet.time_base = TIME_BASE
        return self._run(packet)

    def flush(self) -> Decoded:
        """The pictures that were held back for reordering. The decoder cannot be used any more."""
        return self._run(None)

    def _run(self, packet: av.Packet[Any] | None) -> Decoded:
        decoded = Decoded()
        try:
            frames = self._context.decode(packet)
        except (av.FFmpegError, ValueError):
            decoded.damaged = True
            return decoded
        for frame in frames:
            if frame.pts is not None:
                decoded.pictures.append((frame.pts, frame))
            decoded.damaged = decoded.damaged or frame.is_corrupt
        return decoded


class Scaler:
    """Makes pictures of one size: yuv420p, BT.709, limited range, letterboxed where the aspect differs.

    Keeps its swscale context from picture to picture. Not thread-safe.
    """

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._reformatter = VideoReformatter()

    def scale(self, frame: VideoFrame, sample_aspect: Fraction = Fraction(1)) -> VideoFrame:
        """A picture of the scaler's size; ``frame`` itself if it fits already. Raises av.FFmpegError."""
        width, height = self.inner_size(frame.width, frame.height, sample_aspect)
        inner = self._reformat(frame, width, height)
        return inner if (width, height) == (self.width, self.height) else self._place(inner)

    def inner_size(self, width: int, height: int, sample_aspect: Fraction = Fraction(1)) -> tuple[int, int]:
        """The even size of a source of ``width`` x ``height`` pixels within the scaler's."""
        aspect = float(width * sample_aspect) / height
        own = self.width / self.height
        if abs(aspect / own - 1) <= FILL_TOLERANCE:
            return self.width, self.height
        if aspect > own:
            return self.width, max(2, round(self.width / aspect / 2) * 2)
        return max(2, round(self.height * aspect / 2) * 2), self.height

    def _reformat(self, frame: VideoFrame, width: int, height: int) -> VideoFrame:
        # An untagged picture is left as it is, because the passed-through top shows the same numbers. A picture tagged
        # BT.601 (VP8 always is) is converted, because the rungs are tagged BT.709 for the whole broadcast.
        sd = frame.colorspace in (_AVCOL_SPC_BT470BG, _AVCOL_SPC_SMPTE170M)
        full = frame.color_range == ColorRange.JPEG or frame.format.name.startswith("yuvj")
        return self._reformatter.reformat(
            frame,
            width,
            height,
            PIXEL_FORMAT,
            src_colorspace=Colorspace.ITU601 if sd else Colorspace.ITU709,
            dst_colorspace=Colorspace.ITU709,
            interpolation=Interpolation.AREA,
            src_color_range=ColorRange.JPEG if full else ColorRange.MPEG,
            dst_color_range=ColorRange.MPEG,
            # swscale's own threads would compete with the workers for the same cores.
            threads=1,
        )

    def _place(self, inner: VideoFrame) -> VideoFrame:
        canvas = VideoFrame(self.width, self.height, PIXEL_FORMAT)
        left = (self.width - inner.width) // 4 * 2
        top = (self.height - inner.height) // 4 * 2
        for index, value in enumerate(BLACK):
            shift = 1 if index else 0
            target, source = plane_view(canvas.planes[index]), plane_view(inner.planes[index])
            x, y = left >> shift, top >> shift
            rows, columns = source.shape
            target[:y] = value
            target[y + rows :] = value
            target[y : y + rows, :x] = value
            target[y : y + rows, x + columns :] = value
            target[y : y + rows, x : x + columns] = source
        canvas.colorspace, canvas.color_range = Colorspace.ITU709, ColorRange.MPEG
        return canvas


def plane_view(plane: VideoPlane) -> Luma:
    """The visible samples of an 8-bit plane, rows x columns, sharing its memory."""
    flat = np.frombuffer(plane, np.uint8)  # type: ignore[call-overload]
    view: np.ndarray[tuple[int, int], np.dtype[np.uint8]] = flat.reshape(plane.height, plane.line_size)[
        :, : plane.width
    ]
    return view


def black_picture(width: int, height: int) -> VideoFrame:
    """The picture of a rung before its source's first one."""
    frame = VideoFrame(width, height, PIXEL_FORMAT)
    for plane, value in zip(frame.planes, BLACK, strict=True):
        plane_view(plane)[:] = value
    frame.colorspace, frame.color_range = Colorspace.ITU709, ColorRange.MPEG
    return frame
