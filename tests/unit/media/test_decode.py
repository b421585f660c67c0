"""Decoding and scaling: sizes, shapes and colours survive."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace

from streamer.formats.h264 import avcc_to_annexb
from streamer.formats.types import RungSpec
from streamer.media.decode import PictureDecoder, Scaler, black_picture, plane_view
from streamer.media.encoders import EncoderUnavailable, RungEncoder, profile_and_level
from streamer.settings import MediaSettings

SPEC = RungSpec("v240", 426, 240, 400_000, 600_000, 30.0, "avc1.640015")
COLOURS = ((235, 20, 20), (20, 220, 30), (30, 40, 230), (240, 240, 240))


def bars(width: int, height: int, space: int = Colorspace.ITU709, *, full: bool = False) -> VideoFrame:
    pixels = np.zeros((height, width, 3), np.uint8)
    for index, colour in enumerate(COLOURS):
        pixels[:, index * width // 4 : (index + 1) * width // 4] = colour
    return VideoFrame.from_ndarray(pixels, format="rgb24").reformat(
        format="yuv420p", dst_colorspace=space, dst_color_range=ColorRange.JPEG if full else ColorRange.MPEG
    )


def colours(frame: VideoFrame) -> list[tuple[int, ...]]:
    rgb = frame.reformat(
        format="rgb24",
        src_colorspace=Colorspace.ITU709,
        src_color_range=ColorRange.MPEG,
        dst_color_range=ColorRange.JPEG,
    ).to_ndarray()
    height, width, _ = rgb.shape
    return [tuple(int(v) for v in rgb[height // 2, (2 * i + 1) * width // 8]) for i in range(4)]


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("space", [Colorspace.ITU709, Colorspace.ITU601])
def test_colours_are_the_same_whatever_the_source_is_coded_in(space: int, full: bool) -> None:
    scaled = Scaler(426, 240).scale(bars(1280, 720, space, full=full))
    for seen, wanted in zip(colours(scaled), COLOURS, strict=True):
        assert max(abs(a - b) for a, b in zip(seen, wanted, strict=True)) <= 8


def test_sizes_that_are_rounded_fill_the_picture() -> None:
    assert Scaler(854, 480).inner_size(1920, 1080) == (854, 480)
    assert Scaler(426, 240).inner_size(854, 480) == (426, 240)
    assert Scaler(426, 240).inner_size(640, 480) == (320, 240)
    assert Scaler(640, 360).inner_size(1000, 400) == (640, 256)
    # PAL wide screen: 720x576 pixels that are 64:45 wide.
    assert Scaler(640, 360).inner_size(720, 576, Fraction(64, 45)) == (640, 360)


def test_another_shape_is_letterboxed_in_black() -> None:
    scaled = Scaler(426, 240).scale(bars(480, 480))
    luma = plane_view(scaled.planes[0])
    assert luma.shape == (240, 426)
    assert luma[:, :90].max() == 16
    assert luma[:, 336:].max() == 16
    assert luma[:, 95:330].min() > 20
    assert plane_view(scaled.planes[1])[:, :45].min() == 128


def test_a_picture_of_the_right_size_is_not_touched() -> None:
    frame = black_picture(426, 240)
    assert Scaler(426, 240).scale(frame) is frame


def test_an_idr_comes_exactly_where_it_is_asked_for() -> None:
    encoder = RungEncoder(SPEC, MediaSettings())
    scaler = Scaler(426, 240)
    flash = [bars(426, 240), black_picture(426, 240)]
    samples = []
    for index in range(90):
        # Every frame is another scene: no reason for an IDR of the encoder's own.
        samples += encoder.encode(scaler.scale(flash[index % 2]), index * 3000, idr=index in (30, 31))
    assert [s.start for s in samples if s.sync] == [0, 90_000, 93_000]
    assert encoder.drain() == []
    decoder = PictureDecoder("h264")
    assert encoder.config is not None
    for sample in samples:
        sets = (encoder.config.sps, encoder.config.pps) if sample.sync else ((), ())
        decoded = decoder.decode(avcc_to_annexb(sample.data, *sets), sample.start)
        # No frame of delay.
        assert [start for start, _ in decoded.pictures] == [sample.start]
        assert not decoded.damaged


def test_an_encoder_that_begins_anew_keeps_its_parameter_sets() -> None:
    encoder = RungEncoder(SPEC, MediaSettings())
    config = encoder.config
    encoder.encode(black_picture(426, 240), 0)
    encoder.reopen()
    (sample,) = encoder.encode(black_picture(426, 240), 3000)
    assert sample.sync
    assert encoder.config == config
    assert config is not None
    assert config.codecs == SPEC.codecs


def test_a_hardware_encoder_that_is_not_there_is_replaced() -> None:
    encoder = RungEncoder(SPEC, MediaSettings(encoder="h264_v4l2m2m"))
    assert encoder.name == "libx264"
    assert encoder.fell_back
    assert encoder.encode(black_picture(426, 240), 0)[0].sync


def test_no_encoder_at_all_is_an_error_with_a_code() -> None:
    with pytest.raises(EncoderUnavailable) as raised:
        RungEncoder(RungSpec("v0", 426, 240, 400_000, 600_000, 30.0, options={"preset": "no such"}), MediaSettings())
    assert raised.value.code == "encoder_unavailable"


def test_declared_codecs_become_the_encoders_options() -> None:
    assert profile_and_level("avc1.640028") == {"profile": "high", "level": "4.0"}
    assert profile_and_level("avc1.42e01f") == {"profile": "baseline", "level": "3.1"}
    assert profile_and_level("") == {}


@pytest.mark.parametrize("codec", ["h264", "vp8"])
@pytest.mark.parametrize("data", [b"", b"\x00", bytes(100), b"\x00\x00\x00\x01\x65\xff\xff", b"\xff" * 400])
def test_garbage_is_damage_and_no_error(codec: str, data: bytes) -> None:
    decoder = PictureDecoder(codec)
    assert decoder.decode(data, 0).pictures == []
    # It takes what comes next.
    decoder.decode(data, 3000)


def test_an_empty_packet_is_not_the_end() -> None:
    encoder = RungEncoder(SPEC, MediaSettings())
    assert encoder.config is not None
    (sample,) = encoder.encode(black_picture(426, 240), 0)
    decoder = PictureDecoder("h264")
    assert decoder.decode(b"", 0).damaged
    decoded = decoder.decode(avcc_to_annexb(sample.data, encoder.config.sps, encoder.config.pps), 3000)
    assert [start for start, _ in decoded.pictures] == [3000]


def test_an_unknown_codec_is_refused() -> None:
    with pytest.raises(ValueError, match="av1"):
        PictureDecoder("av1")
