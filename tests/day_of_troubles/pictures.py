"""A camera's pictures, and slides, encoded and decoded as a sender and the room do; faults in the pictures before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from av.video.frame import VideoFrame

from streamer.broadcast.measures import PictureMeasure
from streamer.formats.types import RungSpec
from streamer.media.decode import PictureDecoder
from streamer.media.encoders import RungEncoder
from streamer.media.picture_measures import PictureMeasurer
from streamer.settings import MediaSettings

WIDTH, HEIGHT = 640, 360
RATE, MEASURED_RATE = 8, 4
"""Few pictures a second are encoded: the room measures four."""


@dataclass(slots=True)
class Scene:
    """``noise``: a sensor's, levels of 255. ``motion``: how far a speaker sways, pixels."""

    noise: float = 2.0
    motion: float = 12.0
    slides: bool = False
    bitrate: int = 900_000


def luma_of(scene: Scene, rng: np.random.Generator, number: float) -> np.ndarray:
    """A wall with a lamp's fall-off, a lectern, and somebody in front of it; or a slide. ``number``: the time, in
    pictures at :data:`RATE`."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    if scene.slides:
        page = np.full((HEIGHT, WIDTH), 225.0)
        words = np.random.default_rng(int(number // (RATE * 15)))
        for line in range(6):
            length = int(words.integers(150, 500))
            page[60 + 45 * line : 75 + 45 * line, 60 : 60 + length] = 40 + 60 * (np.arange(length) % 9 < 4)
        return page
    picture = 150 - 0.12 * columns - 0.1 * rows + 10 * np.sin(columns / 23) * np.sin(rows / 17)
    picture[200:, 380:470] = 60
    at = 250 + scene.motion * np.sin(number / 5) + scene.motion / 3 * np.sin(number / 1.7)
    body = (np.abs(columns - at) < 45) & (rows > 170)
    head = (columns - at) ** 2 + (rows - 130) ** 2 < 35**2
    picture[body] = 45 + 8 * np.sin(rows[body] / 6)
    picture[head] = 185
    return np.clip(picture + rng.standard_normal(picture.shape) * scene.noise, 16, 235)


def fault_in(code: str, severity: str, luma: np.ndarray, frozen: np.ndarray, at_s: float) -> np.ndarray | None:
    """The picture with the fault; None is one flat colour."""
    under = severity == "under"
    if code == "picture_frozen":
        return luma if under and at_s > 8 else frozen
    if code in ("picture_black", "picture_flat") and under and at_s > 2:
        return luma
    if code == "picture_black":
        lit = np.zeros_like(luma) + 16
        return (
            lit if severity != "strong" else lit + np.abs(np.random.default_rng(int(at_s * 8)).normal(0, 2, luma.shape))
        )
    if code == "picture_flat":
        return None
    if code == "picture_dark":
        return 16 + (luma - 16) * {"under": 0.45, "plain": 0.16, "strong": 0.10}[severity]
    if code == "picture_washed_out":
        share = {"under": 0.6, "plain": 0.2, "strong": 0.12}[severity]
        return 170 + (luma - 110) * share
    raise ValueError(code)


def measures(
    scene: Scene, seconds: float, seed: int, *, code: str = "", severity: str = "", begin_s: float = 6.0
) -> Iterator[PictureMeasure]:
    """The room's measures of it, four times a second."""
    decoder, measurer = PictureDecoder("h264"), PictureMeasurer()
    units = encoded_pictures(scene, seconds, seed, code=code, severity=severity, begin_s=begin_s)
    for number, unit in enumerate(units):
        for start, picture in decoder.decode(unit, number).pictures:
            if start * MEASURED_RATE % RATE == 0:
                measure = measurer.measure(picture, start * 1000 // RATE)
                assert measure is not None
                yield measure


def encoded_pictures(
    scene: Scene,
    seconds: float,
    seed: int,
    *,
    code: str = "",
    severity: str = "",
    begin_s: float = 6.0,
    rate: float = RATE,
    key_s: float = 2.0,
) -> list[bytes]:
    """The sender's pictures: Annex B, ``rate`` a second, a key frame every ``key_s``."""
    rng = np.random.default_rng([seed, len(code)])
    spec = RungSpec("sender", WIDTH, HEIGHT, scene.bitrate, scene.bitrate, rate)
    encoder, out = RungEncoder(spec, MediaSettings()), []
    frozen = luma_of(scene, rng, int(begin_s * RATE))
    for number in range(int(seconds * rate)):
        at_s = number / rate
        luma: np.ndarray | None = luma_of(scene, rng, at_s * RATE)
        if code and at_s >= begin_s and luma is not None:
            luma = fault_in(code, severity, luma, frozen, at_s - begin_s)
        for sample in encoder.encode(_frame(luma), round(at_s * 90_000), idr=number % round(key_s * rate) == 0):
            config = encoder.config
            assert config is not None
            sets = (*config.sps, *config.pps) if sample.sync else ()
            out.append(b"".join(b"\0\0\0\1" + nal for nal in sets) + _annex_b(sample.data))
    return out


def _frame(luma: np.ndarray | None) -> VideoFrame:
    planes = np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
    if luma is None:
        planes[:HEIGHT] = 41
        planes[HEIGHT : HEIGHT * 5 // 4] = 240
        planes[HEIGHT * 5 // 4 :] = 110
    else:
        planes[:HEIGHT] = luma.astype(np.uint8)
    return VideoFrame.from_ndarray(planes, format="yuv420p")


def _annex_b(data: bytes) -> bytes:
    out, at = bytearray(), 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        out += b"\0\0\0\1" + data[at + 4 : at + 4 + size]
        at += 4 + size
    return bytes(out)
