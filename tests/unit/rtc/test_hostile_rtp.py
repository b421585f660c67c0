"""A publisher that lies in every field costs itself, and nobody else."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from streamer.formats.h264 import parse_access_unit, parse_sps, to_annexb
from streamer.formats.types import AccessUnit
from streamer.media.decode import PictureDecoder
from streamer.media.incoming import IncomingUnit, PictureGuard, read_unit
from streamer.media.timeline import RoomClock, SourceClock
from streamer.rtc.gate import MAX_DATAGRAM, MAX_NACK_ENTRIES, MAX_SSRCS, Gate, asks_for_too_much
from streamer.rtc.jitter import (
    CAPACITY,
    MAX_FRAME_BYTES,
    MAX_FRAME_PACKETS,
    MAX_HOLES,
    MAX_SOUND_BYTES,
    MS,
    FrameAssembler,
    RtpFragment,
)
from streamer.rtc.payloads import PayloadPiece
from streamer.rtc.receiver import nack_packet
from tests.fakes.hostile_room import ordeal
from tests.fakes.liar import LIES, huge_pictures, rtcp, sps, vp8_key


async def test_a_sender_that_lies_in_every_field_holds_nobody_up(tmp_path: Path) -> None:
    room = await ordeal(tmp_path, range(1), LIES)
    assert room.status is not None
    counters = room.status.counters
    assert counters["pictures_refused_total"] > 0
    assert counters["rtp_packets_refused_total"] > 500
    assert counters["rtp_frames_dropped_total"] > 0
    assert counters["rtp_frames_refused_total"] > 0


async def test_a_picture_that_claims_to_be_huge_is_not_decoded_and_the_technician_reads_why(tmp_path: Path) -> None:
    room = await ordeal(tmp_path, range(1, 2), (huge_pictures,))
    assert room.status is not None
    # On a busy machine a sound may come late, which is said beside it.
    assert all("picture_too_large" in room.status.sources[name].notes for name in ("main", "slides"))


def piece(data: bytes = b"x", *, begins: bool = False) -> PayloadPiece:
    return PayloadPiece(data, begins, False)


def cpu_s(run: Callable[[], object]) -> float:
    began = time.thread_time()
    run()
    return time.thread_time() - began


def test_numbers_that_jump_cost_no_more_than_their_packets() -> None:
    assembler = FrameAssembler(video=True, wait_ms=250)

    def run() -> None:
        for index in range(3000):
            now_ns = index * MS // 5
            assembler.add(index * 2990 & 0xFFFF, RtpFragment(0, False, piece(), now_ns))
            assembler.expire(now_ns)
            assembler.nacks(now_ns, 20 * MS)
            assert len(assembler._missing) <= MAX_HOLES
            assert len(assembler._unasked) + len(assembler._asked) <= 2 * MAX_HOLES

    assert cpu_s(run) < 1.0


def test_every_other_packet_lost_costs_no_more_than_the_packets() -> None:
    assembler = FrameAssembler(video=True, wait_ms=250)

    def run() -> None:
        for index in range(8000):
            assembler.add(index * 2 & 0xFFFF, RtpFragment(index, False, piece(begins=True), 0))
        assembler.expire(1000 * MS)

    assert cpu_s(run) < 1.0
    assert not assembler.waiting
    assert len(assembler._buffer) <= CAPACITY


def test_a_frame_without_end_is_given_up_and_counted() -> None:
    assembler = FrameAssembler(video=True, wait_ms=250)
    body = bytes(1100)
    for index in range(MAX_FRAME_BYTES // len(body) + 2000):
        assert assembler.add(index & 0xFFFF, RtpFragment(0, False, piece(body, begins=index == 0), 0)) == []
        assert assembler._frame_bytes <= MAX_FRAME_BYTES + len(body)
    assert assembler._pieces == []
    assert assembler.counters.frames_too_large == 1
    # The next one is a frame again.
    done = assembler.add((index + 1) & 0xFFFF, RtpFragment(1, True, PayloadPiece(b"k", True, True), 0))
    assert [frame.data for frame in done] == [b"k"]
    assert assembler.counters.frames_dropped == 1


def test_a_frame_of_packets_with_nothing_in_them_ends_too() -> None:
    assembler = FrameAssembler(video=True, wait_ms=250)
    for index in range(3 * MAX_FRAME_PACKETS):
        assembler.add(index & 0xFFFF, RtpFragment(0, False, piece(b"", begins=index == 0), 0))
        assert len(assembler._pieces) <= MAX_FRAME_PACKETS


def test_sound_larger_than_any_packet_of_sound_is_dropped() -> None:
    assembler = FrameAssembler(video=False, wait_ms=40)
    assert assembler.add(0, RtpFragment(0, True, piece(bytes(MAX_SOUND_BYTES + 1), begins=True), 0)) == []
    assert assembler.counters.frames_too_large == 1


def test_the_gate_knows_size_rate_and_sources() -> None:
    gate = Gate(max_kbps=8000)
    assert not gate.admits(bytes(MAX_DATAGRAM + 1), 1, 0)
    for ssrc in range(MAX_SSRCS):
        assert gate.admits(bytes(100), ssrc, 0)
        gate.authentic(ssrc)
    assert not gate.admits(bytes(100), 5000, 0)
    assert gate.admits(bytes(100), 1, 0)
    # A packet that is not authentic takes no place.
    other = Gate()
    for ssrc in range(5000):
        assert other.admits(bytes(100), ssrc, ssrc * MS)
    admitted = sum(gate.admits(bytes(1200), 1, index * MS) for index in range(10_000))
    # 8 Mbit/s over ten seconds, and the burst of two.
    assert 8_000 < admitted < 10_000
    assert gate.refused["too_fast"] == 10_000 - admitted
    assert gate.refused_total == 10_000 - admitted + 2


def test_a_nack_is_looked_at_before_it_is_unrolled() -> None:
    assert not asks_for_too_much(nack_packet(1, 2, list(range(500))))
    assert asks_for_too_much(rtcp(205, bytes(8 + 4 * (MAX_NACK_ENTRIES + 1)), 1))
    assert asks_for_too_much(rtcp(201, bytes(4)) + rtcp(205, bytes(1300), 1))
    assert not asks_for_too_much(rtcp(205, b"", 1))
    assert not asks_for_too_much(b"\x80")


def test_the_guard_refuses_by_what_parameter_sets_and_key_frames_claim() -> None:
    guard = PictureGuard(9_500_000)
    good, large, crowded = sps(120, 68, refs=4), sps(1000, 1000), sps(240, 135, refs=16)
    assert guard.admits(h264_unit(good, idr=True))
    assert not guard.admits(h264_unit(large, idr=True))
    assert guard.refusal == "picture_too_large"
    # A second set behind a good one, one that is cropped to a small picture, too many references.
    assert not guard.admits(h264_unit(good, large, idr=True))
    assert not guard.admits(h264_unit(crowded, idr=True))
    # Pictures that refer to a refused one are refused with it; a key frame alone belongs to the refused set.
    assert not guard.admits(h264_unit(idr=False))
    assert not guard.admits(h264_unit(idr=True))
    assert not guard.admits(h264_unit(good, idr=False))
    assert guard.admits(h264_unit(idr=True))
    assert guard.refusal is None
    assert not guard.admits(h264_unit(b"\x67\x42", idr=True))
    assert guard.refusal == "picture_unreadable"
    assert guard.refused_total == 7
    vp8 = PictureGuard(9_500_000)
    assert vp8.admits(vp8_unit(1920, 1080))
    assert not vp8.admits(vp8_unit(16_000, 16_000))
    assert not vp8.admits(vp8_unit(16_383, 1))
    assert vp8.admits(vp8_unit(320, 180))
    assert guard.admits(IncomingUnit(AccessUnit("audio", "opus", b"x", 0, 48_000, 0)))


def test_the_decoder_itself_takes_no_memory_for_what_is_too_large() -> None:
    decoder = PictureDecoder("vp8", 9_500_000)
    assert decoder.decode(vp8_key(16_000, 16_000), 0).damaged
    assert not decoder.decode(vp8_key(16_000, 16_000), 0).pictures


def h264_unit(*sets: bytes, idr: bool) -> IncomingUnit:
    nals = [*sets, b"\x65\x88\x80\x10" if idr else b"\x41\x9a\x80\x10"]
    incoming = read_unit(AccessUnit("video", "h264", to_annexb(nals), 0, 90_000, 0))
    assert incoming is not None
    return incoming


def vp8_unit(width: int, height: int) -> IncomingUnit:
    incoming = read_unit(AccessUnit("video", "vp8", vp8_key(width, height, 100), 0, 90_000, 0))
    assert incoming is not None
    return incoming


def test_an_access_unit_of_a_million_units_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="too many"):
        parse_access_unit(b"\0\0\1\x09" * 1_000_000)
    escapes = b"\0\0\1\x06\xff\xff" + b"\x02\0\0\3" * 1_000_000
    assert cpu_s(lambda: parse_access_unit(escapes)) < 0.2


def test_a_parameter_set_as_long_as_can_be_is_read_in_a_moment() -> None:
    def run() -> None:
        for _ in range(20):
            with contextlib.suppress(ValueError):
                parse_sps(b"\x67\xf4\xff\x1f" + b"\xb6" * 60_000)

    assert cpu_s(run) < 0.2


def test_sound_whose_clock_jumped_finds_its_place_again() -> None:
    clock = SourceClock(RoomClock(epoch_ms=0, anchor_ns=0))
    for index in range(100):
        # At the 50th packet the sender's clock is another, and its reports lie by a century.
        rtp_time = index * 960 + (1 << 31 if index >= 50 else 0)
        sender_us = index * 20_000 - (10**15 if index >= 50 else 0)
        unit = AccessUnit("audio", "opus", b"x", rtp_time, 48_000, index * 20 * MS, sender_us)
        start = clock.sound_start(unit)
        assert clock.sound_is_far(start, unit) == (index == 50)
        if index != 50:
            assert abs(start - index * 1800) < 9000
