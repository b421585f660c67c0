"""Minutes that a room forgets, withholds or leaves out because the director orders it."""

from __future__ import annotations

from pathlib import Path

from streamer.broadcast.media_events import PROGRAMME_OUTPUT, PUBLIC
from streamer.broadcast.orders import OutputOrder, RoomOrders, Withheld
from streamer.broadcast.programme import TICKS_PER_MS, TICKS_PER_S
from streamer.media.outputs import SLACK_TICKS
from tests.fakes.ordered import (
    KEY,
    breaches,
    camera_samples,
    checked,
    first_msn,
    names,
)
from tests.fakes.simulated_room import Room, Shown, played


def test_the_last_minutes_are_forgotten_while_the_room_is_on_air(tmp_path: Path) -> None:
    async def script(room: Room) -> None:
        await room.come()
        await room.pass_time(20)
        room.forget(8)
        assert room.mirror is not None
        assert breaches(room) == []
        still = room.mirror.view.outputs[PUBLIC].still
        assert still is not None
        assert still.jpeg.startswith(b"slate")
        await room.until(lambda: room.shows == {PUBLIC: "programme"}, limit_s=1.0)
        await room.pass_time(9)
        assert breaches(room) == []

    room = checked(played(script, folder=tmp_path))
    assert names(room) == ["main", "slate-first", "main"]
    ((begin, end),) = room.forgotten
    assert 7.9 < (end - begin) / TICKS_PER_S < 8.1
    assert room.mirror is not None
    programme = room.mirror.view.outputs[PROGRAMME_OUTPUT]
    for track in programme.tracks.values():
        listed = list(track.segments.values())
        gaps = [s for s in listed if s.gap]
        assert 4 <= len(gaps) <= 6
        assert gaps[0].start > begin - 2.1 * TICKS_PER_S
        assert [s.msn for s in listed] == list(range(listed[0].msn, listed[-1].msn + 1))
    disk = b"".join(file.read_bytes() for file in tmp_path.rglob("*.m4s"))
    for sample in room.shown(room.top, PROGRAMME_OUTPUT):
        if begin <= sample.start < end:
            assert sample.tag.pack()[1:] not in disk
        elif sample.end < begin - 2.1 * TICKS_PER_S or sample.start > end + 40_000:
            assert sample.tag.pack()[1:] in disk


def test_forgetting_an_earlier_minute_leaves_the_live_edge_alone() -> None:
    async def script(room: Room) -> None:
        await room.come()
        await room.pass_time(4)
        before = room.mirror.view.withdrawn  # type: ignore[union-attr]
        await room.pass_time(20)
        assert room.mirror is not None
        tracks = room.mirror.view.outputs[PUBLIC].tracks
        edges = {name: track.edge for name, track in tracks.items()}
        assert room.mirror.view.withdrawn == before
        room.forget(16, 10)
        assert room.mirror.view.withdrawn > before, "edges are told"
        assert {name: track.edge for name, track in tracks.items()} == edges
        assert 0 < first_msn(room) <= max(edge[0] for edge in edges.values() if edge) - 3
        await room.pass_time(5)

    room = checked(played(script))
    assert names(room) == ["main"]
    assert room.mirror is not None
    kinds = [s.gap for s in room.mirror.view.outputs[PROGRAMME_OUTPUT].tracks[room.top].segments.values()]
    assert kinds[0] is False
    assert kinds[-1] is False
    assert 3 <= sum(kinds) <= 5


def ago_ms(room: Room, seconds: float) -> int:
    assert room.programme.pipeline is not None
    return room.programme.pipeline.broadcast.epoch_ms + room.now // TICKS_PER_MS - int(seconds * 1000)


def seen_after(room: Room, at: int, output: str = PUBLIC) -> list[Shown]:
    """The parts of the camera's programme that the output lists now and that had not ended at tick ``at``."""
    assert room.mirror is not None
    tracks = room.mirror.view.outputs[output].tracks
    listed = {name: track.first.start for name, track in tracks.items() if track.first is not None}
    return [
        shown
        for name, shown in camera_samples(room, output)
        if shown.end > at + SLACK_TICKS and shown.start >= listed.get(name, 1 << 60)
    ]


def test_minutes_that_turn_out_to_be_of_a_closed_session_leave_the_public_window_and_are_kept(tmp_path: Path) -> None:
    began = 0

    async def script(room: Room) -> None:
        nonlocal began
        await room.come()
        await room.pass_time(20)
        began = room.now - 8 * TICKS_PER_S
        late = Withheld(ago_ms(room, 8), None, KEY)
        assert room.mirror is not None
        withdrawn = room.mirror.view.withdrawn
        room.order(public="slate", outputs={KEY: "programme"}, stretch="closed", withheld=(late,))
        assert room.mirror.view.withdrawn > withdrawn, "edges are told"
        await room.pass_time(6)
        assert seen_after(room, began) == []
        assert first_msn(room) > 0
        edge = first_msn(room)
        # Ended, and the next one is public: the same minutes again are no reason to cut anything.
        room.order(public="programme", outputs={}, stretch="", withheld=(Withheld(late.from_ms, ago_ms(room, 0), KEY),))
        await room.pass_time(8)
        assert first_msn(room) == edge

    room = checked(played(script, folder=tmp_path))
    assert room.mirror is not None
    programme = room.mirror.view.outputs[PROGRAMME_OUTPUT]
    assert not any(s.gap for track in programme.tracks.values() for s in track.segments.values())
    disk = b"".join(file.read_bytes() for file in tmp_path.rglob("*.m4s"))
    kept = [s for s in room.shown(room.top, PROGRAMME_OUTPUT) if s.start >= began]
    assert kept
    assert all(sample.tag.pack()[1:] in disk for sample in kept)


def test_a_closed_session_that_was_tapped_in_time_costs_the_public_window_nothing() -> None:
    async def script(room: Room) -> None:
        await room.come()
        await room.pass_time(12)
        room.order(public="slate", outputs={KEY: "programme"}, withheld=(Withheld(ago_ms(room, 0.2), None, KEY),))
        await room.pass_time(6)
        assert first_msn(room) == 0

    assert names(checked(played(script))) == ["main", "slate-first"]


def test_what_is_left_out_of_a_replay_leaves_every_window_and_stays_in_the_programme() -> None:
    async def script(room: Room) -> None:
        await room.come()
        room.order(outputs={KEY: "programme"})
        await room.pass_time(14)
        room.order(outputs={})
        await room.pass_time(1)
        assert room.mirror is not None
        begin, end = ago_ms(room, 9), ago_ms(room, 8.5)
        epoch_ms = room.programme.pipeline.broadcast.epoch_ms  # type: ignore[union-attr]
        span = ((begin - epoch_ms) * TICKS_PER_MS, (end - epoch_ms) * TICKS_PER_MS)
        # So short a piece would stay where only an order came late.
        room.order(withheld=(Withheld(begin, end),))
        assert {listed_in(room, output, span) for output in (PUBLIC, KEY)} == {True}
        room.order(withheld=(Withheld(begin, end, exact=True),))
        assert {listed_in(room, output, span) for output in (PUBLIC, KEY)} == {False}
        assert listed_in(room, PROGRAMME_OUTPUT, span), "the cut can be taken back in the replay"
        edge = first_msn(room)
        assert edge > 0
        room.order(withheld=())
        await room.pass_time(4)
        assert first_msn(room) == edge, "what has left a window does not come back"
        assert room.shows == {PUBLIC: "programme"}

    checked(played(script))


def listed_in(room: Room, output: str, span: tuple[int, int]) -> bool:
    """Whether an output lists something of the stretch, in ticks."""
    assert room.mirror is not None
    tracks = room.mirror.view.outputs[output].tracks.values()
    return any(
        part.start < span[1] and part.start + part.duration > span[0]
        for track in tracks
        for segment in track.segments.values()
        for part in segment.parts
    )


def test_another_closed_session_does_not_go_on_listing_them_either() -> None:
    other = "~b7Qs0"

    async def script(room: Room) -> None:
        await room.come()
        room.order(public="slate", outputs={KEY: "programme"})
        await room.pass_time(14)
        began = room.now - 6 * TICKS_PER_S
        room.order(outputs={other: "programme"}, withheld=(Withheld(ago_ms(room, 6), None, other),))
        await room.pass_time(2)
        assert seen_after(room, began, KEY) == []

    played(script)


def test_minutes_that_must_not_be_recorded_are_gone_from_disk_and_windows(tmp_path: Path) -> None:
    began = tapped = 0

    async def script(room: Room) -> None:
        nonlocal began, tapped
        await room.come()
        await room.pass_time(20)
        began, tapped = room.now - 8 * TICKS_PER_S, room.now
        room.order(record=False, stretch="secret", withheld=(Withheld(ago_ms(room, 8), None, erase=True),))
        await room.pass_time(6)
        room.order(record=True, stretch="", withheld=(Withheld(ago_ms(room, 14), ago_ms(room, 0), erase=True),))
        await room.pass_time(8)

    room = checked(played(script, folder=tmp_path))
    disk = b"".join(file.read_bytes() for file in tmp_path.rglob("*.m4s"))
    secret = [s for s in room.shown(room.top, PROGRAMME_OUTPUT) if began <= s.start < tapped + 6 * TICKS_PER_S]
    assert len(secret) > 100
    assert not any(sample.tag.pack()[1:] in disk for sample in secret)
    before = [s for s in room.shown(room.top, PROGRAMME_OUTPUT) if s.end < began - 2.1 * TICKS_PER_S]
    assert before
    assert all(sample.tag.pack()[1:] in disk for sample in before)


def test_a_room_that_was_away_at_the_late_tap_withholds_them_when_it_is_back() -> None:
    began = 0

    async def script(room: Room) -> None:
        nonlocal began
        await room.come()
        await room.pass_time(20)
        began = room.now - 8 * TICKS_PER_S
        late = Withheld(ago_ms(room, 8), None, KEY)
        room.crash(3.0, orders=RoomOrders(outputs=(OutputOrder(KEY),), record=True, withheld=(late,)))
        await room.come()
        await room.pass_time(5)
        assert seen_after(room, began) == []
        edge = first_msn(room)
        assert edge > 0
        room.crash(3.0)
        await room.come()
        await room.pass_time(5)
        assert first_msn(room) == edge

    played(script)
