from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.rtc.jitter import MS, FrameAssembler, RtpFragment, RtpFrame, TimestampUnwrapper
from streamer.rtc.payloads import PayloadPiece

WAIT_MS = 250


class Link:
    """Frames of some packets each, over a link that a test spoils."""

    def __init__(self, *, video: bool = True, first_sequence: int = 100) -> None:
        self.assembler = FrameAssembler(video=video, wait_ms=WAIT_MS)
        self.sequence = first_sequence
        self.now_ns = 1_000_000_000
        self.frames: list[RtpFrame] = []

    def packets(
        self, number: int, count: int = 3, *, key: bool = False, marker: bool = True
    ) -> list[tuple[int, RtpFragment]]:
        out = []
        for index in range(count):
            piece = PayloadPiece(bytes((number % 256, index % 256)), index == 0, key)
            fragment = RtpFragment(number * 3000, marker and index == count - 1, piece, self.now_ns)
            out.append((self.sequence & 0xFFFF, fragment))
            self.sequence += 1
        return out

    def feed(self, packets: list[tuple[int, RtpFragment]]) -> None:
        for sequence, fragment in packets:
            self.frames += self.assembler.add(sequence, fragment._replace(arrival_ns=self.now_ns))

    def wait(self, ms: float) -> None:
        self.now_ns += int(ms * MS)
        self.frames += self.assembler.expire(self.now_ns)

    def numbers(self) -> list[int]:
        return [frame.timestamp // 3000 for frame in self.frames]


def test_a_frame_is_there_with_its_last_packet() -> None:
    link = Link()
    link.feed(link.packets(0, key=True))
    assert link.numbers() == [0]
    assert link.frames[0].key
    assert not link.frames[0].damaged


def test_without_marker_bits_the_next_frame_ends_the_one_before() -> None:
    link = Link()
    link.feed(link.packets(0, key=True, marker=False) + link.packets(1, marker=False) + link.packets(2, marker=False))
    assert link.numbers() == [0, 1]


@settings(max_examples=60)
@given(st.randoms(use_true_random=False), st.integers(0, 65535))
def test_reordering_within_the_wait_changes_nothing(rng: random.Random, first: int) -> None:
    link = Link(first_sequence=first)
    packets = [p for n in range(40) for p in link.packets(n, rng.randint(1, 5), key=n == 0)]
    head, tail = packets[:1], packets[1:]
    shuffled = sorted(tail, key=lambda p: tail.index(p) + rng.uniform(0, 12))
    link.feed(head + shuffled)
    assert link.numbers() == list(range(40))
    assert link.assembler.counters.frames_dropped == 0
    assert not link.assembler.waiting


def test_a_key_frame_of_two_thousand_packets_comes_through() -> None:
    link = Link()
    link.feed(link.packets(0, 2000, key=True) + link.packets(1))
    assert link.numbers() == [0, 1]
    assert len(link.frames[0].data) == 4000


def test_a_lost_packet_is_asked_for_again_and_again() -> None:
    link = Link()
    link.feed(link.packets(0, key=True))
    lost = link.packets(1)
    link.feed([lost[0], lost[2]])
    asked = []
    for _ in range(10):
        asked += link.assembler.nacks(link.now_ns, 50 * MS)
        link.now_ns += 20 * MS
    assert len(asked) == 4
    assert len(set(asked)) == 1
    link.feed([lost[1]])
    assert link.numbers() == [0, 1]
    assert link.assembler.counters.recovered == 1
    assert not link.assembler.broken


def test_the_round_trip_of_a_repair_is_known() -> None:
    link = Link()
    link.feed(link.packets(0, key=True))
    lost = link.packets(1)
    link.feed([lost[0], lost[2]])
    link.assembler.nacks(link.now_ns, 50 * MS)
    link.now_ns += 30 * MS
    link.feed([lost[1]])
    assert link.assembler.nack_round_trip_ns == 30 * MS


def test_a_hole_blocks_for_the_wait_and_no_longer() -> None:
    link = Link()
    link.feed(link.packets(0, key=True))
    lost = link.packets(1)
    link.feed([lost[0], lost[2], *link.packets(2)])
    link.wait(WAIT_MS - 10)
    assert link.numbers() == [0]
    link.wait(20)
    assert link.numbers() == [0, 2]
    assert link.frames[1].damaged
    assert link.assembler.wants_key
    assert link.assembler.counters.given_up == 1


def test_after_a_loss_all_is_damaged_until_a_key_frame() -> None:
    link = Link()
    link.feed(link.packets(0, key=True))
    lost = link.packets(1)
    link.feed(lost[:1] + link.packets(2))
    link.wait(WAIT_MS + 1)
    link.feed(link.packets(3) + link.packets(4, key=True) + link.packets(5))
    assert [(n, f.damaged) for n, f in zip(link.numbers(), link.frames, strict=True)] == [
        (0, False),
        (2, True),
        (3, True),
        (4, False),
        (5, False),
    ]
    assert not link.assembler.wants_key


def test_a_frame_whose_first_packet_is_lost_is_not_delivered() -> None:
    link = Link()
    link.feed(link.packets(0, key=True))
    link.feed(link.packets(1)[1:])
    link.wait(WAIT_MS + 1)
    link.feed(link.packets(2))
    assert link.numbers() == [0, 2]
    assert link.assembler.counters.frames_dropped == 1


def test_whole_frames_lost_cost_no_more_than_themselves() -> None:
    link = Link()
    link.feed(link.packets(0, key=True))
    link.packets(1)
    link.packets(2)
    link.feed(link.packets(3))
    link.wait(WAIT_MS + 1)
    assert link.numbers() == [0, 3]


def test_what_comes_too_late_or_twice_is_counted_and_dropped() -> None:
    link = Link()
    first = link.packets(0, key=True)
    link.feed(first + first)
    lost = link.packets(1)
    link.feed(lost[1:] + link.packets(2))
    link.wait(WAIT_MS + 1)
    link.feed(lost[:1])
    assert link.assembler.counters.late == 4
    assert link.numbers() == [0, 2]


def test_a_publisher_that_begins_in_the_middle_is_damaged_and_wants_a_key_frame() -> None:
    link = Link()
    assert not link.assembler.wants_key
    link.feed(link.packets(0)[1:] + link.packets(1))
    assert link.numbers() == [1]
    assert link.frames[0].damaged
    assert link.assembler.wants_key


def test_another_stream_of_numbers_begins_anew() -> None:
    link = Link()
    link.feed(link.packets(0, key=True))
    link.sequence = 40_000
    link.feed(link.packets(1, 4, key=True) + link.packets(2))
    assert link.assembler.counters.restarts == 1
    assert link.numbers()[-1] == 2


def test_one_stray_number_is_no_new_stream() -> None:
    link = Link()
    link.feed(link.packets(0, key=True))
    link.feed([(50_000, RtpFragment(1, True, PayloadPiece(b"x", True, True), link.now_ns))])
    link.feed(link.packets(1))
    assert link.numbers() == [0, 1]
    assert link.assembler.counters.restarts == 0


def test_an_unreadable_packet_costs_its_frame() -> None:
    link = Link()
    link.feed(link.packets(0, key=True))
    broken = link.packets(1)
    broken[1] = (broken[1][0], broken[1][1]._replace(piece=None))
    link.feed(broken + link.packets(2))
    assert link.numbers() == [0, 2]
    assert link.frames[1].damaged


def test_sound_goes_on_after_a_hole_and_is_never_damaged() -> None:
    link = Link(video=False)
    link.feed(link.packets(0, 1))
    link.packets(1, 1)
    link.feed(link.packets(2, 1))
    link.wait(WAIT_MS + 1)
    assert link.numbers() == [0, 2]
    assert not any(frame.damaged for frame in link.frames)
    assert not link.assembler.wants_key


def test_padding_between_frames_is_no_frame() -> None:
    link = Link()
    link.feed(link.packets(0, key=True))
    link.feed([(link.sequence, RtpFragment(0, False, PayloadPiece(b"", False, False), link.now_ns))])
    link.sequence += 1
    link.feed(link.packets(1))
    assert link.numbers() == [0, 1]
    assert not link.frames[1].damaged


@settings(max_examples=40)
@given(st.randoms(use_true_random=False))
def test_under_any_loss_frames_are_whole_and_in_order(rng: random.Random) -> None:
    link = Link(first_sequence=65_000)
    for number in range(150):
        packets = link.packets(number, rng.randint(1, 6), key=number % 30 == 0)
        link.feed([p for p in packets if rng.random() > 0.1])
        link.wait(33)
    assert link.numbers() == sorted(set(link.numbers()))
    for frame in link.frames:
        number = frame.timestamp // 3000
        assert frame.data == b"".join(bytes((number % 256, i)) for i in range(len(frame.data) // 2))
    assert len(link.assembler._buffer) < 200


def test_rtp_times_go_on_through_the_wrap_and_step_back_with_b_frames() -> None:
    times = TimestampUnwrapper()
    assert times.unwrap(0xFFFF_F000) == 0xFFFF_F000
    assert times.unwrap(0x0000_0100) == 0x1_0000_0100
    assert times.unwrap(0xFFFF_FF00) == 0xFFFF_FF00
    assert times.near(0x0000_0200) == 0x1_0000_0200
    assert times.last == 0xFFFF_FF00
