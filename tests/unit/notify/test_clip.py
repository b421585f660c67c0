"""The clip of an alarm: exactly the public seconds that were asked for, decodable, and none of others."""

from __future__ import annotations

import io
from pathlib import Path

import av
import pytest

from streamer.broadcast.media_events import (
    PUBLIC,
    InitMade,
    IntervalOpened,
    Opened,
    PartMade,
    SegmentDone,
    SegmentOpened,
)
from streamer.broadcast.programme import TICKS_PER_S, Chunk, InitSection, Interval, Part, Segment
from streamer.control.messages import RoomConfig
from streamer.formats import cmaf
from streamer.notify.clip import clip_of
from tests.fakes.media_plane import FakeRoom
from tests.fakes.packaging import VIDEO, broadcast, video_samples

EPOCH_MS = 1_790_000_000_000
SEGMENTS, SEGMENT_S = 5, 2


def room(*, private_from: int = SEGMENTS, gone: bool = False) -> FakeRoom:
    """Ten seconds of pictures in segments of two. ``private_from``: from this segment on they are not public."""
    link = FakeRoom(RoomConfig("salle", "Salle"))
    config, samples = video_samples(0, seconds=SEGMENTS * SEGMENT_S)
    link.feed(Opened(broadcast(epoch_ms=EPOCH_MS, renditions=(VIDEO,))))
    link.feed(InitMade(InitSection(1, VIDEO.name, VIDEO.codecs, cmaf.init_section(config))))
    for number, public in ((0, True), (1, False)):
        start = 0 if public else private_from * SEGMENT_S * TICKS_PER_S
        if public or private_from < SEGMENTS:
            link.feed(IntervalOpened(PUBLIC, Interval(number, f"key-{number}", True, start, public)))
    for msn in range(SEGMENTS):
        start, end = (one * SEGMENT_S * TICKS_PER_S for one in (msn, msn + 1))
        own = [sample for sample in samples if start <= sample.start < end]
        data = cmaf.fragment(config, msn + 1, own, end)
        interval = 1 if msn >= private_from else 0
        link.feed(SegmentOpened(PUBLIC, VIDEO.name, Segment(msn, start, 1, msn == 0, interval)))
        part = Part(start, end - start, True, Chunk("missing" if gone else "", msn * 1_000_000, len(data)))
        link.feed(PartMade(PUBLIC, VIDEO.name, msn, 0, part, b"" if gone else data))
        link.feed(SegmentDone(PUBLIC, VIDEO.name, msn))
    return link


@pytest.mark.parametrize(("begin_s", "end_s"), [(4, 9), (3.5, 8.5)])
async def test_a_clip_has_the_seconds_that_were_asked_for(tmp_path: Path, begin_s: float, end_s: float) -> None:
    movie = await clip_of(room(), tmp_path, EPOCH_MS + round(begin_s * 1000), EPOCH_MS + round(end_s * 1000))
    assert movie is not None
    with av.open(io.BytesIO(movie)) as opened:
        (stream,) = opened.streams.video
        assert (stream.width, stream.height) == (320, 180)
        assert len(list(opened.decode(stream))) >= 150
        assert stream.duration is not None
        assert float(stream.duration * stream.time_base) == pytest.approx(5, abs=0.05)
    assert list(tmp_path.iterdir()) == []


async def test_a_clip_ends_where_the_public_output_does_and_is_none_where_the_bytes_are_gone(tmp_path: Path) -> None:
    begin_ms, end_ms = EPOCH_MS + 4000, EPOCH_MS + 9000
    assert await clip_of(room(private_from=0), tmp_path, begin_ms, end_ms) is None
    assert await clip_of(room(gone=True), tmp_path, begin_ms, end_ms) is None
    assert await clip_of(FakeRoom(RoomConfig("salle", "Salle")), tmp_path, begin_ms, end_ms) is None
