from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.formats.h264 import START_CODE
from streamer.rtc.payloads import PAYLOAD_MAX, depayload, depayload_h264, payload

SPS, PPS = b"\x67\x42\xe0\x1f\xda\x02", b"\x68\xce\x3c\x80"


def nal(header: int, size: int) -> bytes:
    return bytes((header, 0x88)) + bytes(i % 251 + 1 for i in range(size - 2))


def joined(codec: str, packets: list[bytes]) -> bytes:
    return b"".join(depayload(codec, packet).data for packet in packets)


@given(st.lists(st.tuples(st.sampled_from([0x65, 0x41, 0x06]), st.integers(3, 5000)), min_size=1, max_size=6))
def test_h264_comes_out_as_it_went_in(units: list[tuple[int, int]]) -> None:
    frame = b"".join(START_CODE + nal(header, size) for header, size in units)
    packets = payload("h264", frame)
    assert all(len(packet) <= PAYLOAD_MAX for packet in packets)
    assert joined("h264", packets) == frame


def test_a_key_frame_begins_with_its_parameter_sets_in_one_packet() -> None:
    frame = START_CODE + SPS + START_CODE + PPS + START_CODE + nal(0x65, 4000)
    packets = payload("h264", frame)
    first = depayload_h264(packets[0])
    assert first.begins
    assert first.data == START_CODE + SPS + START_CODE + PPS
    assert any(depayload_h264(packet).key for packet in packets)
    assert not any(depayload_h264(packet).begins for packet in packets[2:])


def test_delimiters_are_not_sent() -> None:
    assert payload("h264", b"\0\0\1\x09\xf0" + START_CODE + nal(0x41, 20)) == [nal(0x41, 20)]


@given(st.binary(min_size=1, max_size=5000), st.integers(0, 0x7FFF))
def test_vp8_comes_out_as_it_went_in(frame: bytes, picture_id: int) -> None:
    packets = payload("vp8", frame, picture_id)
    assert all(len(packet) <= PAYLOAD_MAX for packet in packets)
    assert joined("vp8", packets) == frame
    assert [depayload("vp8", packet).begins for packet in packets] == [True] + [False] * (len(packets) - 1)
    assert depayload("vp8", packets[0]).key == (not frame[0] & 1)


def test_a_sound_packet_is_a_frame() -> None:
    assert payload("opus", b"abc") == [b"abc"]
    assert depayload("opus", b"abc") == (b"abc", True, True)


@given(st.sampled_from(["h264", "vp8", "opus"]), st.binary(max_size=60))
def test_nonsense_is_a_value_error_or_data(codec: str, data: bytes) -> None:
    try:
        depayload(codec, data)
    except ValueError:
        return


@pytest.mark.parametrize("data", [b"", b"\x18\x00", b"\x18\x00\x09ab", b"\x1d\x00\x00", b"\x90", b"\x80\x80"])
def test_cut_packets_are_refused_or_empty(data: bytes) -> None:
    for codec in ("h264", "vp8"):
        try:
            assert len(depayload(codec, data).data) <= len(data) + 4
        except ValueError:
            continue


def test_a_frame_that_begins_with_encoder_notes_begins() -> None:
    packets = payload("h264", b"".join(START_CODE + n for n in (b"\x06\x05" + bytes(range(1, 200)), SPS, PPS)))
    assert depayload_h264(packets[0]).begins
