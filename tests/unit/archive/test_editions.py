"""The begins of an edition's stretches."""

from __future__ import annotations

import itertools

from msgspec import structs

from streamer.archive.editions import make
from streamer.archive.material import Material, Reel, Span
from streamer.broadcast.programme import TICKS_PER_MS, TICKS_PER_S, Broadcast, Chunk, Part, Rendition, Segment
from streamer.formats.fragments import Frame

EPOCH_MS = 1_000_000
PART = TICKS_PER_S // 2
VIDEO = ("v360", "v180")


def rendition(name: str) -> Rendition:
    kind = "audio" if name.startswith("a") else "video"
    return Rendition(name, kind, "x", 1000, 1000)  # type: ignore[arg-type]


def segment(msn: int, *, first: int = 0, key: int = 0, gap: bool = False) -> Segment:
    """Two seconds from ``2 * msn`` on, of which the parts before ``first`` are not there."""
    start = msn * 2 * TICKS_PER_S
    if gap:
        return Segment(msn, start, 1, False, 0, complete=True, gap=True, gap_duration=2 * TICKS_PER_S)
    made = [Part(start + n * PART, PART, n == key, Chunk("f.m4s", 1000 * (msn * 4 + n), 1000)) for n in range(first, 4)]
    return Segment(msn, made[0].start, 1, False, 0, made, complete=True)


def edition(*spans: tuple[float, float], **tracks: list[Segment]):  # type: ignore[no-untyped-def]
    """Of the seconds ``spans``; of all without."""
    broadcast = Broadcast("b", "r", EPOCH_MS, tuple(rendition(name) for name in tracks))
    material = Material("s", "r", (Reel(broadcast, (), {name: tuple(row) for name, row in tracks.items()}),))

    def frames(wanted):  # type: ignore[no-untyped-def]
        found = next(s for s in tracks[wanted.place[1]] if s.msn == wanted.place[2])
        step = TICKS_PER_S // 10
        count = found.duration // step
        return [Frame(found.start + n * step, step, n == 0, n, 1) for n in range(count)], TICKS_PER_S

    cut = [Span(EPOCH_MS + round(a * 1000), EPOCH_MS + round(b * 1000)) for a, b in spans or ((0, 60),)]
    return make(material, cut, frames)


def test_it_begins_where_every_rendition_has_something() -> None:
    made = edition(
        v360=[segment(0, first=1), segment(1), segment(2)],
        v180=[segment(0, gap=True), segment(1), segment(2)],
        a128=[segment(0, first=1), segment(1), segment(2)],
    )
    for pieces in made.tracks.values():
        assert [(piece.number, piece.msn, piece.gap) for piece in pieces] == [(0, 1, False), (1, 2, False)]


def test_renditions_that_have_their_first_parts_at_other_times_begin_together() -> None:
    made = edition(
        v360=[segment(0, first=1, key=1), segment(1)],
        v180=[segment(0, first=3, key=3), segment(1)],
        a128=[segment(0, first=2), segment(1)],
    )
    starts = {name: pieces[0].start for name, pieces in made.tracks.items()}
    assert set(starts.values()) == {3 * PART}
    for pieces in made.tracks.values():
        for one, following in itertools.pairwise(pieces):
            assert abs(following.start - one.end) <= 21 * TICKS_PER_MS


def test_the_rest_of_a_segment_is_no_beginning() -> None:
    made = edition(v360=[segment(0, first=2), segment(1)], a128=[segment(0, first=2), segment(1)])
    assert [piece.msn for piece in made.tracks["v360"]] == [1]


def test_a_gap_in_the_middle_stays_where_it_is() -> None:
    made = edition(
        v360=[segment(0), segment(1), segment(2)],
        v180=[segment(0), segment(1, gap=True), segment(2)],
    )
    assert [piece.gap for piece in made.tracks["v180"]] == [False, True, False]
    assert [piece.gap for piece in made.tracks["v360"]] == [False, False, False]


def test_a_gap_with_the_times_of_another_rendition_leaves_no_hole() -> None:
    # Of the pictures the first part was forgotten, and with it the segment; the sound's ended a frame earlier.
    frame = TICKS_PER_S // 50
    late = structs.replace(segment(1, gap=True), start=2 * TICKS_PER_S - frame)
    made = edition(v360=[segment(0), late, segment(2)], a128=[segment(0), segment(1), segment(2)])
    before, gap, after = made.tracks["v360"]
    assert gap.gap
    assert gap.start == before.end
    assert after.discontinuity
    assert [piece.discontinuity for piece in made.tracks["a128"]] == [False, False, True]


def test_a_rendition_that_was_never_made_holds_nothing_up() -> None:
    made = edition(v360=[segment(0), segment(1)], v180=[segment(0, gap=True), segment(1, gap=True)])
    assert [piece.msn for piece in made.tracks["v360"]] == [0, 1]


def test_a_beginning_between_key_frames_has_nothing_from_before_it() -> None:
    """One key frame in two seconds: the picture of the next segment is shown until its time."""
    made = edition((1.0, 5.0), v360=[segment(n) for n in range(4)], a128=[segment(n) for n in range(4)])
    first, second, last = made.tracks["v360"]
    following = segment(1)
    assert first.trim is not None
    assert (first.trim.held, first.chunks) == (True, (following.parts[0].chunk,))
    assert (first.start, first.end, second.start) == (TICKS_PER_S, following.start, following.start)
    assert (second.trim, last.end) == (None, 5 * TICKS_PER_S)
    sound = made.tracks["a128"][0]
    assert (sound.start, sound.chunks[0]) == (TICKS_PER_S, segment(0).parts[0].chunk)


def test_a_stretch_without_a_key_frame_is_left_out() -> None:
    rows = {"v360": [segment(n) for n in range(4)], "a128": [segment(n) for n in range(4)]}
    assert [piece.msn for piece in edition((0.5, 1.9), (4.0, 6.0), **rows).tracks["v360"]] == [2]
    # The next segment is not here yet, or its first picture is missing.
    assert edition((1.0, 60.0), v360=[segment(0)], a128=[segment(0)]).tracks["v360"] == ()
    late = {"v360": [segment(0), segment(1, first=1, key=1), segment(2)], "a128": [segment(n) for n in range(3)]}
    assert [piece.msn for piece in edition((1.0, 6.0), **late).tracks["v360"]] == [0, 1, 2]
