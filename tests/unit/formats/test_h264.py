"""NAL units, parameter sets and access units, from real encoders and from garbage."""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.formats import h264


def encode(
    width: int, height: int, count: int = 12, *, sar: Fraction | None = None, **options: str
) -> tuple[bytes, list[bytes]]:
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.framerate, encoder.time_base = Fraction(25), Fraction(1, 25)
    if sar:
        encoder.sample_aspect_ratio = sar
    encoder.options = {"preset": "veryfast", **options}
    encoder.flags |= av.codec.context.Flags.global_header
    base = np.random.default_rng(7).integers(60, 90, (height * 3 // 2, width)).astype(np.uint8)
    out = []
    for number in range(count):
        frame = av.VideoFrame.from_ndarray(np.roll(base, 2 * number, axis=1), format="yuv420p")
        frame.pts, frame.time_base = number, Fraction(1, 25)
        out += [bytes(packet) for packet in encoder.encode(frame)]
    out += [bytes(packet) for packet in encoder.encode(None)]
    return bytes(encoder.extradata), out


@pytest.mark.parametrize(
    ("profile", "codecs"),
    [("baseline", "avc1.42c0"), ("main", "avc1.4d40"), ("high", "avc1.6400")],
)
@pytest.mark.parametrize(("width", "height"), [(1920, 1080), (640, 360), (426, 240), (1080, 1920)])
def test_sps_of_an_encoder_tells_size_profile_and_rate(profile: str, codecs: str, width: int, height: int) -> None:
    extradata, _ = encode(width, height, 1, profile=profile, tune="zerolatency")
    sps, pps = h264.parameter_sets(extradata)
    read = h264.parse_sps(sps[0])
    assert (read.width, read.height) == (width, height)
    assert read.codecs.startswith(codecs)
    assert read.codecs.endswith(f"{read.level:02x}")
    assert read.frame_rate == 25
    assert read.max_reorder_frames == 0
    assert read.progressive
    assert read.sample_aspect == (1, 1)
    assert len(pps) == 1


def test_b_frames_are_seen_in_slices_and_in_the_vui() -> None:
    extradata, packets = encode(320, 180, bf="2", **{"x264-params": "b-adapt=0:scenecut=0"})
    sps, _ = h264.parameter_sets(extradata)
    assert (h264.parse_sps(sps[0]).max_reorder_frames or 0) > 0
    units = [h264.parse_access_unit(packet) for packet in packets]
    assert any(unit.has_b for unit in units)
    assert units[0].idr
    assert not units[0].has_b


def test_without_b_frames_none_is_seen() -> None:
    _, packets = encode(320, 180, bf="0", tune="zerolatency")
    units = [h264.parse_access_unit(packet) for packet in packets]
    assert not any(unit.has_b for unit in units)
    assert [unit.idr for unit in units] == [True] + [False] * 11


def test_pixels_that_are_not_square_are_told() -> None:
    extradata, _ = encode(720, 576, 1, sar=Fraction(64, 45))
    assert h264.parse_sps(h264.parameter_sets(extradata)[0][0]).sample_aspect == (64, 45)


def test_interlaced_coding_is_told_and_the_height_is_right() -> None:
    extradata, _ = encode(720, 576, 1, **{"x264-params": "interlaced=1"})
    read = h264.parse_sps(h264.parameter_sets(extradata)[0][0])
    assert (read.width, read.height, read.progressive) == (720, 576, False)


def test_start_codes_of_three_and_four_bytes_and_trailing_zeros() -> None:
    data = b"junk\x00\x00\x01\x67a\x00\x00\x00\x01\x68b\x00\x00\x00\x00\x00\x01\x65c\x00\x00"
    assert list(h264.split_annexb(data)) == [b"\x67a", b"\x68b", b"\x65c"]
    assert list(h264.split_annexb(b"")) == []
    assert list(h264.split_annexb(b"\x00\x00\x01")) == []


def test_delimiters_filler_and_parameter_sets_stay_out_of_a_sample() -> None:
    extradata, packets = encode(320, 180, 1, tune="zerolatency")
    (sps,), (pps,) = h264.parameter_sets(extradata)
    aud, filler = b"\x09\xf0", b"\x0c\xff\xff\x80"
    unit = h264.parse_access_unit(h264.to_annexb([aud, sps, pps, *h264.split_annexb(packets[0]), filler]))
    assert (unit.sps, unit.pps) == ((sps,), (pps,))
    assert {nal[0] & 31 for nal in h264.split_avcc(unit.data)} <= {5, 6}
    assert h264.parse_access_unit(h264.avcc_to_annexb(unit.data, [sps], [pps])) == unit


def test_parameter_sets_alone_are_no_picture() -> None:
    extradata, _ = encode(320, 180, 1)
    sps, pps = h264.parameter_sets(extradata)
    unit = h264.parse_access_unit(h264.to_annexb([*sps, *pps]))
    assert unit.data == b""
    assert unit.sps == sps


def test_avcc_record_is_read_back_and_refused_when_cut() -> None:
    extradata, _ = encode(1280, 720, 1, profile="high")
    sps, pps = h264.parameter_sets(extradata)
    record = h264.avc_configuration(sps, pps)
    assert h264.parameter_sets(record) == (sps, pps)
    for end in range(len(record) - 4):
        with pytest.raises(ValueError, match=r"avcC|parameter"):
            h264.parameter_sets(record[:end])
    with pytest.raises(ValueError, match="SPS"):
        h264.avc_configuration((), pps)


def test_emulation_prevention_inside_an_sps() -> None:
    # time_scale and num_units_in_tick of 1/50 hold zeros that are escaped.
    extradata, _ = encode(640, 360, 1, tune="zerolatency")
    (sps,), _ = h264.parameter_sets(extradata)
    assert b"\x00\x00\x03" in sps
    assert h264.parse_sps(sps).frame_rate == 25


def sps_bytes() -> bytes:
    return h264.parameter_sets(encode(640, 360, 1)[0])[0][0]


SPS = sps_bytes()


@given(st.binary(max_size=200))
def test_garbage_raises_nothing_but_value_error(data: bytes) -> None:
    for read in (h264.parse_sps, h264.parse_access_unit, h264.parameter_sets, h264.slice_type):
        with suppress(ValueError):
            read(data)
    list(h264.split_annexb(data))
    with suppress(ValueError):
        list(h264.split_avcc(data))


@given(st.lists(st.tuples(st.integers(1, len(SPS) - 1), st.integers(0, 255)), max_size=6), st.integers(2, len(SPS)))
def test_a_damaged_sps_raises_nothing_but_value_error(changes: list[tuple[int, int]], end: int) -> None:
    data = bytearray(SPS)
    for at, value in changes:
        data[at] = value
    try:
        read = h264.parse_sps(bytes(data[:end]))
    except ValueError:
        return
    assert 0 < read.width <= 16_400
    assert 0 < read.height <= 2 * 16_400


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=8))
def test_nal_units_survive_the_byte_stream(payloads: list[bytes]) -> None:
    nals = [bytes((0x65,)) + payload.replace(b"\x00", b"\x01") for payload in payloads]
    assert list(h264.split_annexb(h264.to_annexb(nals))) == nals
