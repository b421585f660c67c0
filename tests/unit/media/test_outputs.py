"""Outputs: numbering, intervals and discontinuities, with renditions that lag, and a mirror that checks every step."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.broadcast.media_events import IntervalOpened, PartMade, Trimmed
from streamer.broadcast.programme import Broadcast
from streamer.formats import cmaf
from streamer.formats.types import Cut, TrackConfig
from streamer.media.feeds import PROGRAMME, SLATE_FEED, TrackFeed
from streamer.media.inits import Inits
from streamer.media.output_window import Listed, OutputState
from streamer.media.outputs import MAX_LAG_TICKS, SLACK_TICKS, Output
from tests.fakes.packaging import MemoryStore, Mirror, Scripted, broadcast, pictures

PART = 30_000
TRACKS = ("v180", "v90", "a128")


def configs() -> dict[str, TrackConfig]:
    return {"v180": pictures()[0], "v90": pictures(160, 90)[0], "a128": cmaf.aac_config()}


def slate_configs() -> dict[str, TrackConfig]:
    return {**configs(), "v180": pictures(160, 90)[0]}


@dataclass
class Room:
    """An output with its two feeds, and the tracks of both by name."""

    of: Broadcast = field(default_factory=broadcast)
    aired: bool = True
    state: OutputState | None = None

    def __post_init__(self) -> None:
        self.mirror = Mirror(self.of)
        self.store = MemoryStore()
        self.output = Output(self.of, Inits(), self.mirror.event, aired=self.aired, state=self.state)
        self.programme = TrackFeed(PROGRAMME, self.store, [self.output])
        self.slate = TrackFeed(SLATE_FEED, self.store, [self.output])
        self.on = {name: Scripted(self.programme, name, config) for name, config in configs().items()}
        self.off = {name: Scripted(self.slate, name, config) for name, config in slate_configs().items()}

    def segment(self, number: int, parts: int = 6, *, discontinuity: bool = False, feed: str = "on") -> None:
        tracks = self.on if feed == "on" else self.off
        start = max(track.at for track in tracks.values())
        for track in tracks.values():
            track.at = start
            track.open(Cut(number, start, discontinuity))
        for _ in range(parts):
            for track in tracks.values():
                track.part()

    def listed(self, rendition: str) -> list[tuple[int, bool, bool, int]]:
        """(msn, discontinuity, gap, parts) of every segment that was ever listed."""
        return [
            (msn, e.segment.discontinuity, e.segment.gap, len(self.mirror.parts.get((name, msn), [])))
            for (name, msn), e in self.mirror.segments.items()
            if name == rendition
        ]


def flags(room: Room, rendition: str) -> dict[int, tuple[bool, int]]:
    return {
        msn: (e.segment.discontinuity, e.segment.interval)
        for (name, msn), e in room.mirror.segments.items()
        if name == rendition
    }


def test_segments_are_numbered_alike_in_every_rendition() -> None:
    room = Room()
    for number in range(4):
        room.segment(number)
    for rendition in TRACKS:
        assert room.listed(rendition) == [(msn, False, False, 6) for msn in range(4)]
    assert len(room.mirror.inits) == 3
    assert [e.interval.aired for e in room.mirror.events if isinstance(e, IntervalOpened)] == [True]


def test_a_new_take_is_a_discontinuity_at_the_same_number_everywhere() -> None:
    room = Room()
    for number in range(5):
        room.segment(number, discontinuity=number in (0, 3))
    for rendition in TRACKS:
        assert [row[1] for row in room.listed(rendition)] == [False, False, False, True, False]


def test_going_off_air_ends_every_rendition_at_the_last_finished_part_and_slate_follows() -> None:
    room = Room()
    room.segment(0)
    room.segment(1, parts=2)
    begin = room.output.go_off_air()
    assert begin == 180_000 + 2 * PART
    key = room.mirror.view.outputs["public"].interval
    assert key is not None
    assert not key.aired
    # The further programme must not appear.
    for track in room.on.values():
        track.part()
    for track in room.off.values():
        track.at = begin
    room.segment(0, parts=3, feed="off")
    for rendition in TRACKS:
        assert room.listed(rendition) == [(0, False, False, 6), (1, False, False, 2), (2, True, False, 3)]
        assert max(e.part.start + e.part.duration for e in room.mirror.parts[(rendition, 1)]) == begin
    keys = [e.interval.key for e in room.mirror.events if isinstance(e, IntervalOpened)]
    assert len(set(keys)) == 2
    assert all(len(key) == 12 for key in keys)


def test_going_on_air_waits_for_the_next_cut() -> None:
    room = Room(aired=False)
    room.segment(0, feed="off")
    room.segment(10)
    room.output.go_on_air()
    assert room.output.aired
    for track in room.on.values():
        track.part()
    room.segment(1, parts=1, feed="off")
    assert all(row[0] < 2 for row in room.listed("v180"))
    for track in room.off.values():
        track.close()
    room.segment(11)
    for rendition in TRACKS:
        rows = room.listed(rendition)
        assert [row[0] for row in rows] == [0, 1, 2]
        assert [row[1] for row in rows] == [False, False, True]
    data = [e.data for e in room.mirror.parts[("v180", 2)]]
    assert data[0].startswith(b"v180:11.0")


def test_a_cut_that_was_under_way_before_the_tap_does_not_turn_time_back() -> None:
    room = Room(aired=False)
    room.segment(0, feed="off")
    room.segment(1, feed="off")
    room.output.go_on_air()
    # The encoders were behind: this segment began two seconds ago.
    for track in room.on.values():
        track.at = 180_000
    room.segment(7)
    assert [row[0] for row in room.listed("v180")] == [0, 1]
    for track in room.off.values():
        track.close()
    room.segment(8)
    for rendition in TRACKS:
        assert room.listed(rendition)[2:] == [(2, True, False, 6)]


def test_changing_ones_mind_before_the_cut_leaves_the_slate_on() -> None:
    room = Room(aired=False)
    room.segment(0, feed="off")
    room.output.go_on_air()
    assert room.output.go_off_air() is None
    room.segment(1)
    room.segment(1, feed="off")
    assert [row[1] for row in room.listed("a128")] == [False, False]
    assert len([e for e in room.mirror.events if isinstance(e, IntervalOpened)]) == 1


def test_off_air_before_the_first_part_of_a_segment_does_not_list_it() -> None:
    room = Room()
    room.segment(0)
    for track in room.on.values():
        track.open(Cut(1, 180_000, discontinuity=False))
    assert room.output.go_off_air() == 180_000
    for track in room.on.values():
        track.part()
    for track in room.off.values():
        track.at = 180_000
    room.segment(0, feed="off", parts=1)
    for rendition in TRACKS:
        assert room.listed(rendition) == [(0, False, False, 6), (1, True, False, 1)]


def test_a_rendition_that_lags_still_brings_what_the_others_have_shown() -> None:
    room = Room()
    room.segment(0)
    for name in ("v180", "a128"):
        room.on[name].open(Cut(1, 180_000, discontinuity=False))
        for _ in range(3):
            room.on[name].part()
    late = room.on["v90"]
    end = room.output.go_off_air()
    assert end == 180_000 + 3 * PART
    for name in TRACKS:
        room.off[name].at = end
        room.off[name].open(Cut(0, end, discontinuity=True))
        room.off[name].part()
    assert [row[0] for row in room.listed("v180")] == [0, 1, 2]
    # Its slate is there already, and waits for the rest of the programme.
    assert [row[0] for row in room.listed("v90")] == [0]
    late.open(Cut(1, 180_000, discontinuity=False))
    for _ in range(5):
        late.part()
    assert room.listed("v90") == [(0, False, False, 6), (1, False, False, 3), (2, True, False, 1)]
    assert all(e.part.start + e.part.duration <= end for e in room.mirror.parts[("v90", 1)])


def test_a_rendition_that_stops_gets_gaps_and_finds_back() -> None:
    room = Room()
    room.segment(0)
    for number in range(1, 6):
        for name in ("v180", "a128"):
            room.on[name].open(Cut(number, 180_000 * number, discontinuity=False))
            for _ in range(6):
                room.on[name].part()
    behind = room.listed("v90")
    assert [row[2] for row in behind] == [False, True, True]
    assert room.mirror.segments[("v90", 1)].segment.gap_duration == 180_000
    late = room.on["v90"]
    late.open(Cut(2, 360_000, discontinuity=False))
    late.part()
    assert room.output.late_total == 1
    late.open(Cut(4, 720_000, discontinuity=False))
    for _ in range(6):
        late.part()
    late.open(Cut(5, 900_000, discontinuity=False))
    late.part()
    assert [row[2:] for row in room.listed("v90")][4:] == [(False, 6), (False, 1)]
    assert room.output.gaps_total == 3


def test_a_rung_that_was_shed_lists_the_next_lower_ones_segments() -> None:
    room = Room()
    room.segment(0)
    room.programme.stand_in("v180", "v90", Cut(1, 180_000, discontinuity=True))
    for number in (1, 2):
        for name in ("v90", "a128"):
            room.on[name].open(Cut(number, 180_000 * number, discontinuity=number == 1))
            for _ in range(6):
                room.on[name].part()
    room.programme.stand_in("v180", "v180", Cut(3, 540_000, discontinuity=True))
    room.segment(3, discontinuity=True)
    assert [row[3] for row in room.listed("v180")] == [6, 6, 6, 6]
    own, lent = room.mirror.parts[("v180", 1)], room.mirror.parts[("v90", 1)]
    assert [e.part for e in own] == [e.part for e in lent]
    inits = [room.mirror.segments[("v180", msn)].segment.init for msn in range(4)]
    assert inits[0] == inits[3] != inits[1] == inits[2]
    assert room.mirror.inits[inits[1]].init.rendition == "v180"


def test_the_window_moves_and_counts_the_discontinuities_that_leave_it() -> None:
    room = Room(of=broadcast(dvr_s=60))
    for number in range(60):
        room.segment(number, discontinuity=number % 10 == 5)
    view = room.mirror.view.outputs["public"]
    # A segment leaves when it ended more than 60 s before the newest whole one.
    assert view.first_msn == 28
    assert view.discontinuity_sequence == 3
    assert list(view.tracks["v90"].segments) == list(range(28, 60))


def test_cutting_the_window_leaves_the_live_edge() -> None:
    room = Room()
    for number in range(5):
        room.segment(number, discontinuity=number == 2)
    room.output.cut_window()
    trimmed = [e for e in room.mirror.events if isinstance(e, Trimmed)]
    assert [(e.first_msn, e.discontinuity_sequence) for e in trimmed] == [(4, 1)]
    room.segment(5)
    assert list(room.mirror.view.outputs["public"].tracks["a128"].segments) == [4, 5]


def test_a_broadcast_that_goes_on_has_new_numbers_and_a_discontinuity() -> None:
    window = tuple(Listed(msn, 180_000 * msn, 180_000 * (msn + 1)) for msn in range(7))
    room = Room(state=OutputState(next_msn=7, next_interval=3, window=window))
    room.segment(0)
    for rendition in TRACKS:
        assert room.listed(rendition) == [(7, True, False, 6)]
    (interval,) = [e.interval for e in room.mirror.events if isinstance(e, IntervalOpened)]
    assert interval.index == 3


def test_the_end_closes_every_rendition_where_it_is() -> None:
    room = Room()
    room.segment(0)
    room.on["v180"].open(Cut(1, 180_000, discontinuity=False))
    room.on["v180"].part()
    room.output.close()
    view = room.mirror.view.outputs["public"]
    for rendition in TRACKS:
        last = view.tracks[rendition].last
        assert last is not None
        assert last.complete
        assert last.msn == 1
    assert view.tracks["v90"].last.gap  # type: ignore[union-attr]


@pytest.mark.parametrize("parts", [1, 4])
def test_parts_that_nobody_lists_are_not_stored(parts: int) -> None:
    room = Room(aired=False)
    room.segment(0, parts=parts)
    assert room.store.written == {}
    assert room.programme.unlisted_total == 3 * parts


@dataclass
class Clockwork:
    """Drives both feeds in steps of a part, each track behind by its own number of steps."""

    room: Room
    lags: dict[str, int]
    script: dict[str, list[object]] = field(default_factory=lambda: {name: [] for name in TRACKS})
    step: int = 0
    number: int = 0
    slate_number: int = 0
    slating: bool = False
    ends: list[tuple[int, int]] = field(default_factory=list)
    """(msn, tick) at which the programme had to stop."""

    def run(self, commands: list[str]) -> None:
        for command in commands:
            now = self.step * PART
            if command == "on":
                self.room.output.go_on_air()
            elif command == "off":
                msn = self.room.output.next_msn - 1
                end = self.room.output.go_off_air()
                if end is not None:
                    self.ends.append((msn, end))
                    self._slate(end, Cut(self.slate_number, end, discontinuity=True))
                    for at in range(end, now, PART):
                        for track in self.room.off.values():
                            track.part(min(PART, now - at))
                    self.slating = True
            if command in ("cut", "take") or self.step == 0:
                pending = self.room.output.aired and self.slating
                cut = Cut(self.number, now, discontinuity=command == "take")
                self.number += 1
                for name in TRACKS:
                    self.script[name].append(cut)
                if pending:
                    for track in self.room.off.values():
                        track.close()
                    self.slating = False
                elif self.slating:
                    self._slate(now, Cut(self.slate_number, now, discontinuity=False))
            for name in TRACKS:
                self.script[name].append("part")
            if self.slating:
                for track in self.room.off.values():
                    track.part()
            self.step += 1
            for name, lag in self.lags.items():
                self._play(name, until=lag)

    def drain(self) -> None:
        for name in TRACKS:
            self._play(name, until=0)

    def _slate(self, at: int, cut: Cut) -> None:
        self.slate_number += 1
        for track in self.room.off.values():
            track.at = at
            track.open(cut)

    def _play(self, name: str, until: int) -> None:
        queue = self.script[name]
        while sum(entry == "part" for entry in queue) > until:
            entry = queue.pop(0)
            if isinstance(entry, Cut):
                self.room.on[name].open(entry)
            else:
                self.room.on[name].part()


commands = st.lists(st.sampled_from(["part"] * 6 + ["cut", "cut", "take", "on", "off", "off"]), min_size=5, max_size=80)
lags = st.fixed_dictionaries({name: st.integers(0, 6) for name in TRACKS})


@settings(max_examples=150, deadline=None)
@given(commands, lags, st.booleans())
def test_discontinuities_and_intervals_are_the_same_whatever_happens(
    script: list[str], behind: dict[str, int], aired: bool
) -> None:
    room = Room(aired=True)
    work = Clockwork(room, behind)
    if not aired:
        room.output.go_off_air()
        work._slate(0, Cut(0, 0, discontinuity=True))
        work.slating = True
    work.run(["cut", *script])
    work.drain()
    room.output.close()
    seen: dict[int, tuple[bool, int]] = {}
    for rendition in TRACKS:
        mine = flags(room, rendition)
        assert list(mine) == list(range(len(mine)))
        for msn, flag in mine.items():
            assert seen.setdefault(msn, flag) == flag
    assert {len(flags(room, rendition)) for rendition in TRACKS} == {len(seen)}
    intervals = [e.interval for e in room.mirror.events if isinstance(e, IntervalOpened)]
    assert [i.index for i in intervals] == list(range(len(intervals)))
    for msn in range(1, len(seen)):
        if seen[msn][1] != seen[msn - 1][1]:
            assert seen[msn][0]
    # No listed part of the programme ends after it went off air.
    for msn, end in work.ends:
        if not intervals[seen[msn][1]].aired:
            continue
        for rendition in TRACKS:
            for event in room.mirror.parts.get((rendition, msn), []):
                assert event.part.start + event.part.duration <= end + SLACK_TICKS
    # Time never runs back within a rendition.
    for rendition in TRACKS:
        at = 0
        for event in room.mirror.events:
            if isinstance(event, PartMade) and event.rendition == rendition:
                assert event.part.start >= at
                at = event.part.start + event.part.duration
    assert room.output.late_total == 0
    assert MAX_LAG_TICKS > 6 * PART
