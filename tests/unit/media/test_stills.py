"""Stills: small, now and then, of the right picture."""

from __future__ import annotations

import io

import numpy as np
from av.video.frame import VideoFrame
from PIL import Image

from streamer.media.stills import StillMaker, encode_jpeg


def picture(width: int, height: int) -> VideoFrame:
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, : width // 2] = (200, 30, 30)
    pixels[:, width // 2 :] = (30, 30, 200)
    return VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format="yuv420p")


def test_a_still_is_a_small_jpeg_of_the_picture() -> None:
    jpeg = StillMaker(5).make(picture(1280, 720), 0)
    image = Image.open(io.BytesIO(jpeg))
    assert image.format == "JPEG"
    assert image.size == (640, 360)
    assert len(jpeg) < 40_000
    red, blue = np.asarray(image)[180, 100], np.asarray(image)[180, 540]
    assert red[0] > 150 > red[2]
    assert blue[2] > 150 > blue[0]


def test_a_small_source_is_not_blown_up() -> None:
    image = Image.open(io.BytesIO(StillMaker(5).make(picture(322, 180), 0)))
    assert image.size == (322, 180)


def test_stills_keep_their_distance() -> None:
    maker = StillMaker(5)
    assert maker.due(1000)
    maker.make(picture(64, 36), 1000)
    assert not maker.due(1000 + 449_999)
    assert maker.due(1000 + 450_000)
    # The timeline of another broadcast.
    assert maker.due(500)


def test_a_slates_still_fits_too() -> None:
    assert Image.open(io.BytesIO(encode_jpeg(Image.new("RGB", (1920, 1080))))).size == (640, 360)
