from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streamer.publish.inputs import FeedOptions, OpusEncoder, VideoEncoder
from streamer.publish.testcard import (
    BLACK,
    BLOCK,
    BLOCK_US,
    CELLS,
    WHITE,
    TestCard,
    beep_block,
    decode_strip,
    encode_strip,
    is_flash,
    sound_frame,
    utc_text,
)

NOW_MS = 1_795_534_280_040


def luma_of(frame: av.VideoFrame) -> np.ndarray:
    plane = frame.planes[0]
    return np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: frame.height, : frame.width]


def picture_of(cells: np.ndarray, width: int, height: int) -> np.ndarray:
    row = np.where(cells[(np.arange(width) * CELLS) // width], WHITE, BLACK)
    return np.tile(row.astype(np.uint8), (height, 1))


@given(st.integers(0, 2**42 - 1), st.integers(3 * CELLS, 1920))
@example(153, 177)
def test_the_strip_tells_any_time_at_any_width(ms: int, width: int) -> None:
    assert decode_strip(picture_of(encode_strip(ms), width, 90)) == ms


@given(st.integers(0, 2**42 - 1), st.integers(2, CELLS - 3))
def test_one_wrong_cell_is_no_other_time(ms: int, cell: int) -> None:
    cells = encode_strip(ms)
    cells[cell] = not cells[cell]
    assert decode_strip(picture_of(cells, 640, 360)) is None


def test_a_picture_without_a_strip_is_none() -> None:
    rng = np.random.default_rng(1)
    assert decode_strip(np.full((240, 426), 128, np.uint8)) is None
    assert all(decode_strip(rng.integers(0, 255, (240, 426), np.uint8)) is None for _ in range(50))
    assert decode_strip(np.zeros((20, 30), np.uint8)) is None


def test_a_time_outside_the_strip_is_refused() -> None:
    with pytest.raises(ValueError, match="1970"):
        encode_strip(-1)


@pytest.mark.parametrize("codec", ["h264", "vp8"])
def test_every_frame_is_read_back_after_encoding_and_scaling_to_240_lines(codec: str) -> None:
    options = FeedOptions(codec=codec, bitrate=400_000)  # type: ignore[arg-type]
    card = TestCard(1280, 720)
    encoder = VideoEncoder(options, 1280, 720)
    decoder = av.CodecContext.create(codec, "r")
    rates = []
    for index in range(30):
        at_us = NOW_MS * 1000 + index * 1_000_000 // 30
        data, key = encoder.encode(card.frame_at(at_us), at_us, False)
        assert key == (index == 0)
        packet = av.Packet(data)
        packet.time_base = Fraction(1, 90_000)
        for decoded in decoder.decode(packet):
            assert decode_strip(luma_of(decoded.reformat(width=426, height=240))) == at_us // 1000
            rates.append(1)
    assert len(rates) == 30


def test_a_second_begins_with_a_flash_and_a_beep() -> None:
    card = TestCard(640, 360)
    second = 1_795_534_280_000_000
    assert [is_flash(luma_of(card.frame_at(second + ms * 1000))) for ms in (0, 66, 100, 500, 966)] == [
        True,
        True,
        False,
        False,
        False,
    ]
    loud = [bool(np.abs(beep_block(second + n * BLOCK_US)).max() > 4000) for n in range(50)]
    assert loud == [True] * 5 + [False] * 45


def test_the_beep_is_one_kilohertz_in_both_channels() -> None:
    sound = np.concatenate([beep_block(n * BLOCK_US) for n in range(5)]).reshape(-1, 2)
    assert sound.shape == (5 * BLOCK, 2)
    assert np.array_equal(sound[:, 0], sound[:, 1])
    spectrum = np.abs(np.fft.rfft(sound[:, 0]))
    assert np.argmax(spectrum) * 48_000 / len(sound) == pytest.approx(1000, abs=10)


def test_three_blocks_of_sound_may_go_in_one_packet() -> None:
    encoder, second = OpusEncoder(64_000, 3), 1_795_534_280_000_000
    packets = [
        packet for n in range(20) for packet in encoder.encode(sound_frame(second + n * 3 * BLOCK_US, n * 3 * BLOCK, 3))
    ]
    assert {b - a for (_, a), (_, b) in pairwise(packets)} == {3 * BLOCK}
    decoder = av.CodecContext.create("libopus", "r")
    assert [frame.samples for frame in decoder.decode(av.Packet(packets[1][0]))] == [3 * BLOCK]


def test_the_time_is_written_and_only_its_digits_change() -> None:
    assert utc_text(NOW_MS) == "2026-11-24  15:31:20.040"
    card = TestCard(1280, 720)
    first = luma_of(card.frame_at(NOW_MS * 1000)).copy()
    second = luma_of(card.frame_at(NOW_MS * 1000 + 33_000)).copy()
    fresh = luma_of(TestCard(1280, 720).frame_at(NOW_MS * 1000 + 33_000))
    assert not np.array_equal(first, second)
    assert np.array_equal(second, fresh)


@pytest.mark.parametrize("size", [(159, 90), (1281, 720), (640, 80)])
def test_impossible_sizes_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="test card"):
        TestCard(*size)
