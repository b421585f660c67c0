"""The index: bounded, checksummed records; a torn tail is dropped and told."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.broadcast.media_events import (
    Closed,
    InitMade,
    IntervalOpened,
    Opened,
    PartMade,
    SegmentDone,
    SegmentOpened,
    Snapshot,
    StillMade,
    Trimmed,
)
from streamer.broadcast.programme import Chunk, InitSection, Interval, Part, Segment
from streamer.formats.index import HEADER, decode_index, encode_event
from tests.fakes.packaging import broadcast

EVENTS = [
    Snapshot(broadcast=broadcast()),
    Opened(broadcast=broadcast()),
    InitMade(init=InitSection(1, "v180", "avc1.42c01e", b"ftypmoov")),
    IntervalOpened(output="public", interval=Interval(0, "key", True, 0)),
    SegmentOpened(output="public", rendition="v180", segment=Segment(0, 0, 1, False, 0)),
    PartMade("public", "v180", 0, 0, Part(0, 30_000, True, Chunk("b/v180-0000.m4s", 0, 5)), b"bytes"),
    SegmentDone(output="public", rendition="v180", msn=0),
    Trimmed(output="public", first_msn=1, discontinuity_sequence=0),
    Closed(),
]
RECORDS = [encode_event(event) or b"" for event in EVENTS]
INDEX = HEADER + b"".join(RECORDS)


def test_events_come_back_without_their_bytes() -> None:
    content = decode_index(INDEX)
    assert (content.good_bytes, content.torn_bytes) == (len(INDEX), 0)
    assert [type(event) for event in content.events] == [type(event) for event in EVENTS]
    part = content.events[5]
    assert isinstance(part, PartMade)
    assert part.data == b""
    assert part.part == EVENTS[5].part  # type: ignore[union-attr]


def test_an_index_cut_at_any_byte_gives_the_records_before_it() -> None:
    ends = [len(HEADER)]
    for record in RECORDS:
        ends.append(ends[-1] + len(record))
    for end in range(len(HEADER), len(INDEX) + 1):
        content = decode_index(INDEX[:end])
        whole = sum(at <= end for at in ends) - 1
        assert len(content.events) == whole
        assert content.good_bytes == ends[whole]
        assert content.torn_bytes == end - ends[whole]


@given(st.integers(len(HEADER), len(INDEX) - 1), st.integers(1, 255))
def test_a_damaged_byte_ends_the_index_there(at: int, change: int) -> None:
    data = bytearray(INDEX)
    data[at] ^= change
    content = decode_index(bytes(data))
    assert content.good_bytes <= at
    assert content.torn_bytes > 0


@given(st.binary(max_size=100))
def test_garbage_after_the_header_is_a_torn_tail(data: bytes) -> None:
    content = decode_index(HEADER + data)
    assert content.good_bytes + content.torn_bytes == len(HEADER) + len(data)


def test_another_version_is_refused() -> None:
    with pytest.raises(ValueError, match="version"):
        decode_index(b"SIDX\x00\x00\x00\x02")
    with pytest.raises(ValueError, match="version"):
        decode_index(b"")


def test_stills_are_not_kept() -> None:
    assert encode_event(StillMade(output="public", at_ms=1, jpeg=b"x")) is None


def test_an_index_is_printed_one_event_a_line(tmp_path: Path) -> None:
    file = tmp_path / "index-000000.sx"
    file.write_bytes(INDEX + RECORDS[0][:9])
    command = [sys.executable, "-m", "streamer.formats.index", str(file)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True)
    types = [json.loads(line)["type"] for line in printed.stdout.splitlines()]
    assert types == [event.__struct_config__.tag for event in EVENTS]
    assert printed.stderr == f"{len(EVENTS)} events, 9 bytes unread\n"
