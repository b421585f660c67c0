"""Our sender and receiver against each other over real sockets, with deterministic loss."""

from __future__ import annotations

import asyncio
import itertools
import time

import pytest
from aiortc.rtp import AnyRtcpPacket, RtcpRrPacket, RtpPacket

from streamer.rtc.sender import HISTORY
from tests.fakes.peers import Pair, h264_frame, pair
from tests.fakes.waiting import until


def now_us() -> int:
    return time.time_ns() // 1000


async def play(joined: Pair, count: int, *, size: int = 3000, interval_s: float = 0.01) -> None:
    for index in range(count):
        joined.senders["video"].push(h264_frame(size, key=index == 0), now_us(), key=index == 0)
        await asyncio.sleep(interval_s)


async def test_a_key_frame_of_more_than_a_megabyte_comes_through_at_once() -> None:
    async with pair() as joined:
        frame = h264_frame(1_300_000, key=True)
        joined.senders["video"].push(frame, now_us())
        await until(lambda: joined.of("video"))
        assert joined.of("video")[0].data == frame
        assert not joined.of("video")[0].damaged


@pytest.mark.parametrize("every", [100, 20, 7])
async def test_lost_packets_are_sent_again_and_no_frame_is_missed(every: int) -> None:
    count = 0

    def drop(packet: RtpPacket) -> bool:
        nonlocal count
        count += 1
        return count % every == every // 2

    async with pair(drop=drop) as joined:
        await play(joined, 80)
        await until(lambda: len(joined.of("video")) == 80)
        assert not any(unit.damaged for unit in joined.of("video"))
        assert joined.receivers["video"].assembler is not None
        assert joined.receivers["video"].assembler.counters.recovered > 0
        assert joined.keyframes_wanted == []


async def test_a_repair_that_is_lost_too_is_asked_for_again() -> None:
    dropped: dict[int, int] = {}

    def drop(packet: RtpPacket) -> bool:
        # The third packet, and its first two repairs: a repair's payload begins with the original number.
        number = int.from_bytes(packet.payload[:2], "big") if packet.payload_type == 102 else packet.sequence_number
        if not dropped:
            dropped[(number + 3) & 0xFFFF] = 0
        if number in dropped and dropped[number] < 3:
            dropped[number] += 1
            return True
        return False

    async with pair(drop=drop) as joined:
        await play(joined, 40)
        await until(lambda: len(joined.of("video")) == 40)
        assert list(dropped.values()) == [3]
        assert not any(unit.damaged for unit in joined.of("video"))


async def test_what_cannot_be_repaired_costs_a_quarter_of_a_second_and_asks_for_a_key_frame() -> None:
    lost: set[int] = set()

    def drop(packet: RtpPacket) -> bool:
        number = int.from_bytes(packet.payload[:2], "big") if packet.payload_type == 102 else packet.sequence_number
        if not lost and packet.payload_type != 102:
            lost.update({(number + 10) & 0xFFFF, (number + 11) & 0xFFFF})
        return number in lost

    slowest_s = 0.0
    async with pair(drop=drop) as joined:
        for index in range(90):
            began = time.monotonic()
            key = index == 0 or (
                bool(joined.keyframes_wanted) and not any(u.damaged is False for u in joined.units[20:])
            )
            joined.senders["video"].push(h264_frame(3000, key=key), now_us(), key=key)
            await asyncio.sleep(0.01)
            slowest_s = max(slowest_s, time.monotonic() - began)
        await until(lambda: len(joined.of("video")) >= 85 and not joined.of("video")[-1].damaged)
        units = joined.of("video")
        arrivals = [unit.arrival_ns for unit in units]
        assert joined.keyframes_wanted
        assert any(unit.damaged for unit in units)
        # The loop of a busy machine is late by as much for each of the two: the loss, and its end.
        assert max(b - a for a, b in itertools.pairwise(arrivals)) / 1e9 < 0.4 + 2 * slowest_s


async def test_a_burst_longer_than_the_history_asks_for_a_key_frame() -> None:
    async with pair() as joined:
        await play(joined, 2)
        await until(lambda: len(joined.of("video")) == 2)
        sender = joined.senders["video"]
        sender._resend((sender._sequence - HISTORY - 5) & 0xFFFF, time.monotonic_ns())
        assert joined.keyframes_wanted


async def test_reports_count_the_cycles_of_sequence_numbers_from_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    """Firefox takes the packets that arrived from it."""
    told: list[int] = []
    async with pair() as joined:
        sender = joined.senders["video"]

        def heard(packet: AnyRtcpPacket, _now_ns: int) -> None:
            if isinstance(packet, RtcpRrPacket):
                told.extend(report.highest_sequence for report in packet.reports)

        monkeypatch.setattr(sender, "on_rtcp", heard)
        sender._sequence = first = 65_534
        await play(joined, 4, size=100)
        await until(lambda: len(joined.of("video")) == 4)
        joined.receivers["video"]._report()
        newest = first + ((sender._sequence - first) & 0xFFFF) - 1
        assert newest > 65_535
        # A report of its own may have come when there were fewer.
        await until(lambda: newest in told)
        assert all(first <= number <= newest for number in told), told


async def test_a_sender_begins_with_a_key_frame() -> None:
    async with pair() as joined:
        sender = joined.senders["video"]
        assert not sender.push(h264_frame(100), now_us(), key=False)
        assert sender.push(h264_frame(100, key=True), now_us(), key=True)
        assert sender.push(h264_frame(100), now_us(), key=False)
        assert sender.frames_dropped == 1


async def test_times_on_the_wire_are_those_that_were_pushed() -> None:
    async with pair() as joined:
        base = now_us()
        for index in range(10):
            joined.senders["video"].push(h264_frame(100, key=True), base + index * 40_000)
            joined.senders["audio"].push(b"\xfcab", base + index * 20_000)
        await until(lambda: len(joined.of("video")) == 10 and len(joined.of("audio")) == 10)
        picture, sound = joined.of("video"), joined.of("audio")
        assert {b.rtp_time - a.rtp_time for a, b in itertools.pairwise(picture)} <= {3599, 3600, 3601}
        assert {b.rtp_time - a.rtp_time for a, b in itertools.pairwise(sound)} <= {959, 960, 961}
        assert (picture[0].codec, sound[0].codec, sound[0].clock_rate) == ("h264", "opus", 48_000)


async def test_vp8_passes_with_its_size() -> None:
    async with pair(codec=("VP8", "")) as joined:
        frame = b"\x10\x00\x00\x9d\x01\x2a" + (640).to_bytes(2, "little") + (360).to_bytes(2, "little") + bytes(3000)
        joined.senders["video"].push(frame, now_us())
        await until(lambda: joined.of("video"))
        assert joined.of("video")[0].data == frame
        assert (joined.receivers["video"].width, joined.receivers["video"].height) == (640, 360)
