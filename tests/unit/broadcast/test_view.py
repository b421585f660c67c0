"""The mirror of a broadcast follows its events, and says so when it cannot."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.broadcast.media_events import (
    PROGRAMME_OUTPUT,
    Forgotten,
    IntervalOpened,
    MediaEvent,
    Opened,
    OutputClosed,
    OutputGone,
    PartMade,
    SegmentDone,
    SegmentOpened,
    Snapshot,
    StillMade,
    Trimmed,
)
from streamer.broadcast.programme import Broadcast, Chunk, Interval, Part, Segment
from streamer.broadcast.view import BroadcastView, OutOfStep, OutputView
from tests.fakes.broadcast import EPOCH_MS, RENDITIONS, FakeBroadcast


def has_whole_segment(output: OutputView | None) -> bool:
    assert output is not None
    return bool(output.tracks) and all(track.newest_whole is not None for track in output.tracks.values())


def make(**options: Any) -> tuple[BroadcastView, FakeBroadcast, list[MediaEvent]]:
    view, events = BroadcastView(), []

    def emit(event: MediaEvent) -> None:
        events.append(event)
        view.apply(event)

    return view, FakeBroadcast(emit, **options), events


def state(view: BroadcastView) -> bytes:
    return msgspec.msgpack.encode(view.snapshot())


def test_a_fresh_broadcast_grows_part_by_part() -> None:
    view, fake, _ = make()
    fake.open()
    fake.begin()
    out = view.public
    assert out is not None
    assert out.tracks["v720"].edge is None
    fake.part(fake.renditions[0], 0, 30_000)
    track = out.tracks["v720"]
    assert track.edge == (0, 0)
    assert track.reached(0, 0)
    assert not track.reached(0, 1)
    assert not track.reached(0)
    assert track.last_complete_msn == -1
    fake.done()
    assert track.reached(0)
    assert not track.reached(0, 1), "a part past the last one stands for the next segment's first"
    fake.begin()
    assert track.edge == (0, 0)
    fake.part(fake.renditions[0], 0, 30_000)
    assert track.reached(0, 1)
    assert track.edge == (1, 0)


def test_whole_segment_means_every_rendition() -> None:
    view, fake, _ = make()
    fake.open()
    out_before = view.public
    assert out_before is not None
    assert not has_whole_segment(out_before)
    fake.begin()
    for r in fake.renditions:
        fake.part(r, 0, 30_000)
    first, *rest = fake.renditions
    fake.send(SegmentDone(output="public", rendition=first.name, msn=0))
    assert not has_whole_segment(out_before)
    for r in rest:
        fake.send(SegmentDone(output="public", rendition=r.name, msn=0))
    assert has_whole_segment(out_before)
    assert out_before.has_aired_segment


def test_aired_segment_is_one_of_the_newest_interval() -> None:
    view, fake, _ = make()
    fake.open(aired=False)
    fake.segment()
    out = view.public
    assert out is not None
    assert has_whole_segment(out)
    assert not out.has_aired_segment
    fake.new_interval(aired=True)
    assert not out.has_aired_segment
    fake.segment()
    assert out.has_aired_segment
    fake.new_interval(aired=False)
    assert not out.has_aired_segment


def test_a_gap_in_sequence_is_refused_and_changes_nothing() -> None:
    view, fake, _ = make()
    fake.open()
    fake.segments(2)
    before = state(view)
    lost = SegmentOpened(output="public", rendition="v720", segment=Segment(2, 0, 1, False, 0), seq=fake.seq + 2)
    with pytest.raises(OutOfStep):
        view.apply(lost)
    assert state(view) == before


@pytest.mark.parametrize(
    "event",
    [
        SegmentDone(output="public", rendition="v720", msn=1),
        SegmentDone(output="public", rendition="v999", msn=2),
        SegmentOpened(output="public", rendition="v720", segment=Segment(4, 0, 1, False, 0)),
        SegmentOpened(output="public", rendition="v720", segment=Segment(1, 0, 1, False, 0)),
    ],
)
def test_an_event_that_does_not_follow_is_refused(event: MediaEvent) -> None:
    view, fake, _ = make()
    fake.open()
    fake.segments(2)
    before = state(view)
    with pytest.raises(OutOfStep):
        view.apply(event)
    assert state(view) == before


def test_a_part_out_of_order_is_refused() -> None:
    view, fake, events = make()
    fake.open()
    fake.segment()
    fake.begin()
    made = next(e for e in events if isinstance(e, PartMade))
    with pytest.raises(OutOfStep):
        view.apply(PartMade(output="public", rendition="v720", msn=1, index=1, part=made.part, data=b""))


def test_events_without_seq_are_taken_as_they_come() -> None:
    """The room process mirrors its own events before they are stamped."""
    view = BroadcastView()

    def emit(event: MediaEvent) -> None:
        event.seq = 0
        view.apply(event)

    fake = FakeBroadcast(emit).open()
    fake.segments(3)
    assert view.seq == 0
    assert view.public is not None
    assert view.public.last_complete_msn == 2


def test_trimming_drops_segments_intervals_and_init_references() -> None:
    view, fake, _ = make()
    fake.open()
    fake.segments(3)
    fake.new_inits()
    fake.new_interval(aired=False)
    fake.segments(3)
    out = view.public
    assert out is not None
    track = out.tracks["v720"]
    assert track.lists_init(0, 1)
    assert out.discontinuities_before(4) == 1
    assert out.discontinuities_before(3) == 0
    fake.trim(4)
    assert list(track.segments) == [4, 5]
    assert not track.lists_init(0, 1)
    assert track.lists_init(1, fake.init["v720"])
    assert list(out.intervals) == [1]
    assert out.discontinuity_sequence == 1
    assert out.discontinuities_before(4) == 1
    with pytest.raises(OutOfStep):
        fake.trim(2)


def test_a_window_cut_to_the_edge_lists_nothing_until_the_next_segment() -> None:
    view, fake, _ = make()
    fake.open()
    fake.segments(3)
    fake.trim(3)
    out = view.public
    assert out is not None
    assert out.tracks["a128"].edge is None
    assert not has_whole_segment(out)
    assert out.last_complete_msn == 2
    fake.segment()
    assert has_whole_segment(out)
    assert list(out.tracks["v360"].segments) == [3]


def test_a_lagging_rendition_finishes_below_a_window_that_was_cut() -> None:
    view, fake, _ = make()
    fake.open()
    fake.begin()
    slow = fake.renditions[1]
    for r in fake.renditions:
        fake.part(r, 0, 30_000)
    for r in fake.renditions:
        if r is not slow:
            fake.send(SegmentDone(output="public", rendition=r.name, msn=0))
    fake.trim(1)
    fake.part(slow, 1, 30_000)
    out = view.public
    assert out is not None
    assert out.tracks[slow.name].edge is None
    again = BroadcastView()
    again.apply(msgspec.msgpack.decode(state(view), type=Snapshot))
    follow_up = SegmentDone(output="public", rendition=slow.name, msn=0, seq=fake.seq + 1)
    view.apply(follow_up)
    again.apply(follow_up)
    assert state(again) == state(view)
    assert not out.tracks[slow.name].segments


def test_old_parts_that_lie_side_by_side_are_merged(tmp_path: Path) -> None:
    view, fake, _ = make(room_dir=tmp_path)
    fake.open()
    fake.segments(30)
    out = view.public
    assert out is not None
    track = out.tracks["v720"]
    old, new = track.segments[2], track.segments[29]
    assert len(old.parts) == 1
    assert old.parts[0].chunk.size == 6 * fake.part_bytes
    assert old.duration == 180_000
    assert len(new.parts) == 6
    on_disk = (tmp_path / old.parts[0].chunk.file).read_bytes()
    chunk = old.parts[0].chunk
    assert on_disk[chunk.offset : chunk.offset + chunk.size] == fake.segment_bytes("v720", 2)


def test_parts_in_memory_only_are_never_merged() -> None:
    view, fake, _ = make()
    fake.open()
    fake.segments(30)
    assert view.public is not None
    assert len(view.public.tracks["v720"].segments[0].parts) == 6


def test_versions_grow_through_snapshots() -> None:
    view, fake, _ = make()
    fake.open()
    fake.segments(2)
    assert view.public is not None
    before = view.public.tracks["v720"].version
    view.apply(view.snapshot())
    assert view.public is not None
    assert view.public.tracks["v720"].version > before


def test_only_the_rendition_that_changed_gets_a_new_version() -> None:
    view, fake, _ = make()
    fake.open()
    fake.begin()
    assert view.public is not None
    audio, video = view.public.tracks["a128"], view.public.tracks["v720"]
    before = audio.version, video.version
    fake.part(fake.renditions[0], 0, 30_000)
    assert audio.version == before[0]
    assert video.version > before[1]


def test_a_closed_broadcast_stays_closed_through_a_snapshot() -> None:
    view, fake, _ = make()
    fake.open()
    fake.segment()
    fake.still()
    fake.close()
    again = BroadcastView()
    again.apply(view.snapshot())
    assert again.closed
    assert again.public is not None
    assert again.public.still is not None
    assert again.public.still.jpeg.startswith(b"\xff\xd8")


def test_a_gap_counts_for_numbering_and_not_as_a_whole_segment() -> None:
    view, fake, _ = make()
    fake.open()
    fake.segment(gap_in=["v360"])
    assert view.public is not None
    track = view.public.tracks["v360"]
    assert track.last_complete_msn == 0
    assert track.edge == (0, -1)
    assert track.newest_whole is None
    assert not has_whole_segment(view.public)
    assert track.reached(0)
    fake.segment()
    assert has_whole_segment(view.public)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("segment"), st.integers(1, 8)),
        st.tuples(st.just("gap"), st.integers(1, 8)),
        st.tuples(st.just("interval"), st.integers(0, 1)),
        st.tuples(st.just("inits"), st.just(0)),
        st.tuples(st.just("trim"), st.integers(0, 3)),
        st.tuples(st.just("still"), st.just(0)),
    ),
    max_size=30,
)


@settings(max_examples=40, deadline=None)
@given(steps=steps, cut=st.integers(0, 1000))
def test_a_mirror_that_joins_anywhere_ends_up_equal(steps: list[tuple[str, int]], cut: int) -> None:
    """Snapshot at any event, then the rest of the events: the same as having heard all of them."""
    events: list[MediaEvent] = []
    fake = FakeBroadcast(events.append).open()
    for step, n in steps:
        if step == "segment":
            fake.segment(n)
        elif step == "gap":
            fake.segment(n, gap_in=["v360", "a128"])
        elif step == "interval":
            fake.new_interval(aired=bool(n))
        elif step == "inits":
            fake.new_inits()
        elif step == "trim":
            fake.trim(max(fake.first_msn, fake.msn - n))
        else:
            fake.still()
    cut %= len(events)
    first, late = BroadcastView(), BroadcastView()
    for event in events[: cut + 1]:
        first.apply(event)
    late.apply(msgspec.msgpack.decode(msgspec.msgpack.encode(first.snapshot()), type=Snapshot))
    for event in events[cut + 1 :]:
        first.apply(event)
        late.apply(msgspec.msgpack.decode(msgspec.msgpack.encode(event), type=type(event)))
    assert state(first) == state(late)
    assert first.seq == late.seq == fake.seq


def test_forgotten_programme_is_a_gap_and_the_rest_stays() -> None:
    view, fake, _ = make(output=PROGRAMME_OUTPUT)
    fake.open()
    for _ in range(5):
        fake.segment()
    output = view.outputs[PROGRAMME_OUTPUT]
    places = output.chunks(1, 2)
    assert len(places) == sum(len(track.segments[msn].parts) for track in output.tracks.values() for msn in (1, 2))
    view.apply(StillMade(output=PROGRAMME_OUTPUT, at_ms=EPOCH_MS + 3000, jpeg=b"x"))
    view.apply(Forgotten(output=PROGRAMME_OUTPUT, from_tick=200_000, to_tick=500_000, first_msn=1, last_msn=2))
    assert output.still is None
    assert output.chunks(1, 2) == []
    for track in output.tracks.values():
        assert [s.gap for s in track.segments.values()] == [False, True, True, False, False]
        assert [s.duration > 0 for s in track.segments.values()] == [True] * 5
        assert all(s.complete for s in track.segments.values())
    fake.segment()
    copy = BroadcastView()
    copy.apply(view.snapshot())
    assert state(copy) == state(view)


def test_the_newest_whole_segment_may_be_the_one_that_is_forgotten() -> None:
    view, fake, _ = make(output=PROGRAMME_OUTPUT)
    fake.open()
    fake.segment()
    view.apply(Forgotten(output=PROGRAMME_OUTPUT, from_tick=0, to_tick=90_000, first_msn=0, last_msn=0))
    track = next(iter(view.outputs[PROGRAMME_OUTPUT].tracks.values()))
    assert track.newest_whole is None
    fake.segment()
    assert track.newest_whole is not None
    assert track.newest_whole.msn == 1
    view.apply(Trimmed(output=PROGRAMME_OUTPUT, first_msn=1, discontinuity_sequence=0))
    assert not track.lists_init(0, 99)
    assert track.lists_init(0, track.segments[1].init)


def test_an_output_is_over_while_the_broadcast_goes_on() -> None:
    view, fake, _ = make(output="~key")
    fake.open()
    fake.segment()
    version = view.outputs["~key"].tracks["v720"].version
    view.apply(OutputClosed(output="~key"))
    assert view.outputs["~key"].closed
    assert view.outputs["~key"].tracks["v720"].version > version, "its playlists say so"
    assert not view.closed
    copy = BroadcastView()
    copy.apply(view.snapshot())
    assert copy.outputs["~key"].closed
    fake.new_interval(aired=True)
    assert not view.outputs["~key"].closed, "opened again under its address"
    view.apply(OutputGone(output="~key"))
    assert "~key" not in view.outputs


def long_day(outputs: tuple[str, ...], segments: int, window: int) -> Iterator[BroadcastView]:
    """A rendition on disk, segment by segment, as a web process hears of it."""
    view, rendition = BroadcastView(), RENDITIONS[0]
    view.apply(Opened(broadcast=Broadcast("b4f0c1", "salle", EPOCH_MS, (rendition,))))
    for output in outputs:
        view.apply(IntervalOpened(output=output, interval=Interval(0, "k0", True, 0)))

    def hear(event: MediaEvent) -> None:
        view.apply(msgspec.msgpack.decode(msgspec.msgpack.encode(event), type=MediaEvent))

    for msn in range(segments):
        chunks = [Chunk(f"b4f0c1/v720-{msn // 300:04d}.m4s", msn * 240_000 + n * 40_000, 40_000) for n in range(6)]
        for output in outputs:
            hear(SegmentOpened(output=output, rendition="v720", segment=Segment(msn, msn * 180_000, 1, False, 0)))
            for n, chunk in enumerate(chunks):
                part = Part(msn * 180_000 + n * 30_000, 30_000, n == 0, chunk)
                hear(PartMade(output=output, rendition="v720", msn=msn, index=n, part=part, data=b""))
            hear(SegmentDone(output=output, rendition="v720", msn=msn))
            hear(Trimmed(output=output, first_msn=max(0, msn - window), discontinuity_sequence=0))
        yield view


def test_a_room_for_ten_hours_keeps_few_bytes_of_each_segment() -> None:
    """At six renditions two hours of the public output and 35 minutes of the programme are under 10 MB."""
    sizes = []
    tracemalloc.start()
    try:
        for msn, _ in enumerate(long_day(("public", PROGRAMME_OUTPUT), 170, 100)):
            if msn in (30, 90, 120, 169):
                sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    early, full, whole, later = sizes
    assert (full - early) / 60 < 150 + 500, "bytes a segment of one rendition: public, and programme with all its parts"
    assert later - whole < 5000, "it goes on growing behind its window"


def test_old_segments_read_as_they_were_made() -> None:
    *_, view = long_day(("public",), 60, 100)
    track = view.outputs["public"].tracks["v720"]
    assert [segment.msn for segment in track.segments.values()] == list(track.segments) == list(range(60))
    assert len(list(track.segments.young)) < 20
    old = track.get(7)
    whole = Part(7 * 180_000, 180_000, True, Chunk("b4f0c1/v720-0000.m4s", 1_680_000, 240_000))
    assert old == Segment(7, whole.start, 1, False, 0, [whole], complete=True)
    assert track.segments.duration(7) == 180_000
    assert track.segments.duration(99) == 0
