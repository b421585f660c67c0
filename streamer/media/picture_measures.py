"""Measures single pictures of a source as they were decoded, before they are scaled or framed. Pure numpy."""

from __future__ import annotations

import numpy as np
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane
from numpy.typing import NDArray

from streamer.broadcast.measures import PictureMeasure

Samples = NDArray[np.int16]

GRID = (36, 64)
PLANAR = {"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p"}
"""Formats of 8 bits with a plane each for brightness and two colours."""
FULL_RANGE = {"yuvj420p", "yuvj422p", "yuvj444p"}
MOVED_LEVELS = 4
"""A sample that differs by fewer levels of 255 may be the encoder's noise."""
MOVED_SHARE = 0.002
SWAYED_LEVELS = 0.35
"""A camera's own noise moves many samples a little; a still that is encoded again moves few."""
CELL = 4
"""Noise is less in the mean of a cell of so many by so many samples; what moves is not."""
CELL_LEVELS = 6.0


class PictureMeasurer:
    """Belongs to one source and one thread."""

    def __init__(self) -> None:
        self._last: Samples | None = None

    def measure(self, frame: VideoFrame, at_ms: int) -> PictureMeasure | None:
        """None for a format that it cannot read."""
        name = frame.format.name
        if name not in PLANAR:
            return None
        luma, blue, red = (_samples(plane) for plane in frame.planes[:3])
        low, width = (0.0, 255.0) if name in FULL_RANGE or frame.color_range == 2 else (16.0, 219.0)
        light = np.clip((luma - low) / width, 0, 1)
        darkest, brightest = np.percentile(light, [2, 98])
        deviation = max(float(luma.std()), float(blue.std()), float(red.std())) / 255
        last, self._last = self._last, luma
        still, noise = (None, None) if last is None else _compared(last, luma)
        return PictureMeasure(
            at_ms=at_ms,
            mean=float(light.mean()),
            brightest=float(np.percentile(light, 99.8)),
            contrast=float(brightest - darkest),
            deviation=deviation,
            still=still,
            noise=noise,
        )


def _compared(last: Samples, luma: Samples) -> tuple[bool | None, float | None]:
    """Whether the picture stands, and its noise."""
    if last.shape != luma.shape:
        return False, None
    change = luma - last
    distance = np.abs(change)
    rows, columns = (size // CELL * CELL for size in change.shape)
    cells = change[:rows, :columns].reshape(rows // CELL, CELL, columns // CELL, CELL)
    # Those who move are in few of the cells.
    noise = float(np.median(np.abs(cells).mean(axis=(1, 3)))) if cells.size else None
    if float((distance >= MOVED_LEVELS).mean()) < MOVED_SHARE and float(distance.mean()) < SWAYED_LEVELS:
        return True, noise
    return (False if float(np.abs(cells.mean(axis=(1, 3))).max(initial=0.0)) >= CELL_LEVELS else None), noise


def _samples(plane: VideoPlane) -> Samples:
    flat: NDArray[np.uint8] = np.frombuffer(plane, np.uint8)  # type: ignore[call-overload]
    whole = flat.reshape(plane.height, plane.line_size)[:, : plane.width]
    rows, columns = (max(1, size // cells) for size, cells in zip(whole.shape, GRID, strict=True))
    return whole[rows // 2 :: rows, columns // 2 :: columns].astype(np.int16)
