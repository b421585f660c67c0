"""A room does what the director orders: who sees what, what is kept, and what is gone."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from streamer.broadcast.media_events import PROGRAMME_OUTPUT, PUBLIC, OutputClosed, OutputGone, StillMade
from streamer.broadcast.orders import SlateOrder
from streamer.broadcast.programme import TICKS_PER_S
from streamer.control.messages import RoomConfig
from streamer.media import programme_outputs
from streamer.media.audio import OPUS_SILENCE
from tests.fakes.ordered import (
    AHEAD_TICKS,
    KEY,
    camera_samples,
    checked,
    first_msn,
    names,
    on_disk,
)
from tests.fakes.simulated_room import SETTINGS, Room, played


def test_before_on_air_nobody_sees_a_sample_and_the_programme_has_all() -> None:
    async def script(room: Room) -> None:
        room.order(public="slate")
        await room.come()
        await room.pass_time(11)
        assert room.shows == {PUBLIC: "slate"}
        assert not list(camera_samples(room, PUBLIC))
        assert not any(isinstance(e, StillMade) and b"main" in e.jpeg for e in room.mirror.events)  # type: ignore[union-attr]
        room.order(public="programme")
        await room.until(lambda: room.shows == {PUBLIC: "programme"}, limit_s=1.0)
        await room.pass_time(6)

    room = checked(played(script))
    assert names(room) == ["slate-first", "main"]
    assert names(room, PROGRAMME_OUTPUT) == ["main"]
    (_, start, end) = room.runs(output=PROGRAMME_OUTPUT)[0]
    assert start == 0
    assert end > 16.5 * TICKS_PER_S
    assert b"main" in room.stills[-1][1]


def test_without_orders_the_public_sees_the_slate_and_nothing_is_written(tmp_path: Path) -> None:
    async def script(room: Room) -> None:
        await room.come()
        await room.pass_time(11)
        assert room.shows == {PUBLIC: "slate"}
        assert not room.programme.aired

    room = checked(played(script, folder=tmp_path, told=RoomConfig(id="room", name="Room").orders))
    assert not list(camera_samples(room, PUBLIC))
    assert not any(mark in file.read_bytes() for file in on_disk(tmp_path) for mark in (b"main|", b"sound|", b"mixed"))


def test_the_same_orders_again_change_nothing() -> None:
    async def script(room: Room) -> None:
        await room.come()
        for changes in ({"public": "slate"}, {"outputs": {KEY: "programme"}}, {"public": "programme", "outputs": {}}):
            room.order(**changes)
            await room.pass_time(2.3)
            assert room.mirror is not None
            told = len(room.mirror.events)
            for _ in range(5):
                room.programme.obey(room.programme.orders)
            assert len(room.mirror.events) == told

    checked(played(script))


def test_a_private_hour_is_the_private_outputs_alone() -> None:
    async def script(room: Room) -> None:
        await room.come()
        await room.pass_time(4)
        room.order(public="slate", outputs={KEY: "programme"}, stretch="closed")
        await room.until(lambda: room.shows == {PUBLIC: "slate", KEY: "programme"}, limit_s=1.0)
        await room.pass_time(7)
        assert room.mirror is not None
        private = room.mirror.view.outputs[KEY]
        assert private.still is not None
        assert b"main" in private.still.jpeg
        room.order(public="programme", outputs={}, stretch="open")
        await room.pass_time(1)
        assert room.mirror.view.outputs[KEY].closed
        await room.pass_time(75)
        assert KEY not in room.mirror.view.outputs

    room = checked(played(script))
    assert names(room) == ["main", "slate-first", "main"]
    assert names(room, KEY) == ["main"]
    assert room.mirror is not None
    ends = [type(e) for e in room.mirror.events if isinstance(e, OutputClosed | OutputGone)]
    assert ends == [OutputClosed, OutputGone]
    (_, start, end) = room.runs(output=KEY)[0]
    assert 6.5 * TICKS_PER_S < end - start < 7.7 * TICKS_PER_S
    keys = {o: {i.key for i in room.mirror.view.outputs[o].intervals.values()} for o in (PUBLIC, PROGRAMME_OUTPUT)}
    assert not keys[PUBLIC] & keys[PROGRAMME_OUTPUT]


@pytest.mark.parametrize("late", [False, True])
def test_the_room_hides_itself_at_the_time_that_it_was_told(late: bool) -> None:
    async def script(room: Room) -> None:
        await room.come()
        await room.pass_time(3)
        from_ms = room.time_ms() + 2_000
        room.order(slate_from_ms=from_ms)
        orders = room.programme.orders
        await room.pass_time(1.9)
        assert room.shows == {PUBLIC: "programme"}
        if late:
            await asyncio.sleep(0.8)  # media that is encoded meanwhile is taken before the next tick
        await room.pass_time(0.2)
        assert room.shows == {PUBLIC: "slate"}
        assert not room.programme.aired
        for _ in range(3):
            room.programme.obey(orders)
            await room.pass_time(1)
        assert room.shows == {PUBLIC: "slate"}, "the same orders again, by a media host or a web process that is back"
        room.order(public="slate", slate_from_ms=None, slate=SlateOrder("Reserved"))
        await room.pass_time(1)
        room.order(public="programme", slate_from_ms=room.time_ms() + 60_000)
        await room.pass_time(3)
        assert room.shows == {PUBLIC: "programme"}

    room = checked(played(script))
    assert names(room) == ["main", "slate-first", "main"]
    (_, _, end) = room.runs()[0]
    assert 4.5 * TICKS_PER_S < end <= 5 * TICKS_PER_S


def test_a_room_that_comes_back_after_that_time_shows_nothing() -> None:
    async def script(room: Room) -> None:
        await room.come()
        await room.pass_time(5)
        room.order(slate_from_ms=room.time_ms() + 1_000)
        await room.pass_time(0.5)
        room.crash(3.0)
        await room.pass_time(4)
        assert room.shows == {PUBLIC: "slate"}

    assert names(checked(played(script))) == ["main", "slate-first"]


def test_a_private_session_that_is_reopened_goes_on_under_its_address() -> None:
    async def script(room: Room) -> None:
        await room.come()
        await room.pass_time(3)
        for _ in range(2):
            room.order(public="slate", outputs={KEY: "programme"})
            await room.pass_time(5)
            room.order(outputs={})
            await room.pass_time(6)
        room.order(outputs={KEY: "slate"})
        await room.pass_time(3)

    room = checked(played(script))
    assert names(room, KEY) == ["main", "slate-first"]
    assert room.mirror is not None
    view = room.mirror.view.outputs[KEY]
    assert [i.index for i in view.intervals.values()] == [0, 1, 2]
    assert not view.closed or room.mirror.view.closed


def test_a_hold_in_a_private_session_is_its_own_slate() -> None:
    async def script(room: Room) -> None:
        await room.come()
        room.order(public="slate", outputs={KEY: "programme"})
        await room.pass_time(4)
        room.order(outputs={KEY: "slate"})
        await room.pass_time(4)
        assert room.shows == {PUBLIC: "slate", KEY: "slate"}
        room.order(outputs={KEY: "programme"})
        await room.pass_time(4)

    room = checked(played(script))
    assert names(room, KEY) == ["main", "slate-first", "main"]
    assert set(names(room)) == {"slate-first"}


def test_between_sessions_pictures_go_on_in_silence() -> None:
    async def script(room: Room) -> None:
        await room.come()
        await room.pass_time(5)
        room.order(public="picture_muted")
        await room.pass_time(6)
        room.order(public="programme")
        await room.pass_time(4)

    room = checked(played(script))
    assert names(room) == ["main"]
    assert room.mirror is not None
    assert sum(e.segment.discontinuity for e in room.mirror.segments.values()) == 0
    (begin, _), (end, _) = room.orders
    sound = room.renditions[-1]
    heard = [s.start for s in room.shown(sound) if s.data.startswith(b"sound|")]
    silent = [s for s in room.shown(sound) if begin < s.start < end]
    assert silent
    assert not any(begin - 1920 <= at < end for at in heard)
    assert any(at >= end and at < end + 4000 for at in heard)
    # Every part of it is the programme's, frame by frame.
    assert [s.start for s in room.shown(sound)] == [s.start for s in room.shown(sound, PROGRAMME_OUTPUT)]
    assert all(packet == OPUS_SILENCE for at, packet in room.relayed_sound if begin + AHEAD_TICKS <= at < end)
    assert sum(begin <= at < end for at, _ in room.relayed_sound) > 250


def test_what_is_not_recorded_is_nowhere_on_disk(tmp_path: Path) -> None:
    async def script(room: Room) -> None:
        await room.come()
        await room.pass_time(6)
        room.order(record=False, stretch="secret")
        assert first_msn(room) > 0, "the window is cut to the live edge"
        secret = first_msn(room)
        await room.pass_time(45)
        assert room.mirror is not None
        assert first_msn(room) > secret
        public = room.mirror.view.outputs[PUBLIC]
        listed = [s for s in public.tracks[room.top].segments.values() if s.parts]
        edge = public.tracks[room.top].end
        assert edge - listed[0].start <= SETTINGS.hls.ring_s * TICKS_PER_S, "all that is listed is in memory"
        assert edge - listed[0].start > 15 * TICKS_PER_S
        held = dict(room.store.ring.items())  # type: ignore[union-attr]
        assert all(part.chunk in held for s in public.tracks[room.top].segments.values() for part in s.parts)
        room.order(record=True, stretch="open")
        assert len(public.tracks[room.top].segments) == 1
        await room.pass_time(40)
        assert all(part.chunk.file for s in public.tracks[room.top].segments.values() for part in s.parts)

    room = checked(played(script, folder=tmp_path))
    (begin, _), (end, _) = room.orders
    disk = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    tags = [s.tag for s in room.shown(room.top, PROGRAMME_OUTPUT)]
    at = {s.tag: s for s in room.shown(room.top, PROGRAMME_OUTPUT)}
    secret = [tag.pack()[1:] for tag in tags if begin <= at[tag].start < end]
    public = [tag.pack()[1:] for tag in tags if at[tag].end < begin - 40_000 or at[tag].start > end + 40_000]
    assert len(secret) > 1300
    assert not any(mark in disk for mark in secret)
    assert all(mark in disk for mark in public)


def test_a_new_stretch_shares_no_file_with_the_one_before(tmp_path: Path) -> None:
    async def script(room: Room) -> None:
        await room.come()
        await room.pass_time(6.5)
        room.order(stretch="two")
        await room.pass_time(8)

    room = checked(played(script, folder=tmp_path))
    ((at, _),) = room.orders
    assert room.mirror is not None
    files: dict[str, set[bool]] = {}
    for (_, _msn), parts in room.mirror.of(PROGRAMME_OUTPUT).parts.items():
        later = parts[0].part.start >= at - 960
        for event in parts:
            files.setdefault(event.part.chunk.file, set()).add(later)
    assert len(files) == 2 * len(room.renditions)
    assert all(len(sides) == 1 for sides in files.values())


def test_the_programme_is_listed_for_a_while_or_as_long_as_a_session_claims(monkeypatch: pytest.MonkeyPatch) -> None:
    assert programme_outputs.KEEP_TICKS == 35 * 60 * TICKS_PER_S
    monkeypatch.setattr(programme_outputs, "KEEP_TICKS", 30 * TICKS_PER_S)

    async def script(room: Room) -> None:
        await room.come()
        await room.pass_time(25)
        assert room.programme.pipeline is not None
        epoch_ms = room.programme.pipeline.broadcast.epoch_ms
        room.order(keep_from_ms=epoch_ms + 12_000)
        await room.pass_time(50)
        assert room.mirror is not None
        programme = room.mirror.view.outputs[PROGRAMME_OUTPUT].tracks[room.top]
        assert programme.first is not None
        assert 9 * TICKS_PER_S < programme.first.start <= 12 * TICKS_PER_S
        assert len([p for s in programme.segments.values() for p in s.parts]) > 2.8 * 60, "parts keep their bounds"
        room.order(keep_from_ms=None)
        await room.pass_time(4)
        assert programme.first is not None
        assert 30 < (room.now - programme.first.start) / TICKS_PER_S < 36

    played(script)


def test_sources_and_what_was_said_first_are_told() -> None:
    async def script(room: Room) -> None:
        presence = room.programme.presence
        assert (presence.up, presence.since_ms, presence.stopped_ms) == (False, None, None)
        camera = await room.come()
        await room.pass_time(3)
        assert room.programme.pipeline is not None
        epoch_ms = room.programme.pipeline.broadcast.epoch_ms
        assert presence.up
        assert presence.since_ms is not None
        assert abs(presence.since_ms - epoch_ms) < 1000
        camera.change(alive=False)
        silenced = room.now
        await room.pass_time(4)
        assert not presence.up
        assert presence.stopped_ms is not None
        assert abs(presence.stopped_ms - epoch_ms - silenced // 90) < 60
        camera.change(alive=True)
        await room.pass_time(2)
        assert presence.up
        assert presence.stopped_ms is None

    played(script)


def test_a_killed_room_takes_its_orders_up_again() -> None:
    async def script(room: Room) -> None:
        await room.come()
        await room.pass_time(3)
        room.order(public="slate", outputs={KEY: "programme"})
        await room.pass_time(6.5)
        room.crash(3.0)
        await room.come()
        await room.pass_time(5)
        assert room.shows == {PUBLIC: "slate", KEY: "programme"}

    room = checked(played(script))
    assert names(room) == ["main", "slate-first"]
    assert names(room, KEY) == ["main", "slate-first", "main"]
    assert names(room, PROGRAMME_OUTPUT) == ["main", "slate-first", "main"]
