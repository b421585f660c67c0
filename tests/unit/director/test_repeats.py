"""Taps that are sent again with their id: over the same database, in this process or the next."""

from __future__ import annotations

import asyncio

import pytest

from streamer.conference import taps
from streamer.conference.rooms import Room
from streamer.conference.sessions import SessionState
from streamer.director.kinds import once_for_undo, once_of
from streamer.errors import StreamerError
from streamer.store.answers import CommandId, Once
from streamer.store.database import StoreUnavailable
from streamer.store.rooms import Rooms
from tests.fakes.directing import MINUTE, NINE, TECHNICIAN, Stage


def asked(command: taps.Command, command_id: str = "t1", *, about: str = "", caller: str = TECHNICIAN.id) -> Once:
    found = once_of(CommandId(caller, command_id), command, about=about)
    assert found is not None
    return found


async def test_minutes_are_added_once_and_the_repeat_names_the_same_action(stage: Stage) -> None:
    s = await stage.plan(0, 30)
    await stage.at(1)
    await stage.director.run("a", taps.StartTap(s), TECHNICIAN)
    extend = taps.Extend(s, 5)
    first = await stage.director.run("a", extend, TECHNICIAN, asked(extend))
    (session,) = first.sessions
    at_once = [stage.director.run("a", extend, TECHNICIAN, asked(extend)) for _ in range(2)]
    assert await asyncio.gather(*at_once) == [first, first]
    await stage.restart()
    assert await stage.director.run("a", extend, TECHNICIAN, asked(extend)) == first
    assert session.extended_until_ms == NINE + 35 * MINUTE
    # Another caller's is another command, and so is one without an id.
    other = await stage.director.run("a", extend, TECHNICIAN, asked(extend, caller="g2"))
    assert other.sessions[0].extended_until_ms == NINE + 40 * MINUTE
    # A repeat tells the session as it is now.
    repeat = await stage.director.run("a", extend, TECHNICIAN, asked(extend))
    assert (repeat.action, repeat.sessions) == (first.action, other.sessions)


async def test_an_id_belongs_to_one_tap(stage: Stage) -> None:
    s = await stage.plan(0, 30)
    await stage.director.run("a", taps.StartTap(s), TECHNICIAN, asked(taps.StartTap(s)))
    for tap, about in ((taps.End(s), ""), (taps.StartTap(s, NINE), ""), (taps.ShowSlate(True), "a")):
        with pytest.raises(StreamerError) as caught:
            await stage.director.run("a", tap, TECHNICIAN, asked(tap, about=about))
        assert (caught.value.status, caught.value.code) == (422, "id_reused")
    assert stage.session(s).state is SessionState.ON_AIR


def test_taps_are_told_apart_by_what_people_said_of_them() -> None:
    different: list[taps.Command] = [
        taps.ConsentAnswer("s", record=False),
        taps.ConsentAnswer("s", stream=False),
        taps.ConsentAnswer("s", record=True),
        taps.SetSource("main", mute=False),
        taps.SetSource("main", gain_db=0.0),
        taps.Gain(0.0),
        taps.Gain(3.0),
        taps.ShowSlate(False),
        taps.ShowSlate(True),
        taps.Delay("s", 5),
        taps.Delay("s", 5, following=True),
        taps.AdHoc("x"),
        taps.AdHoc("x", "A title"),
    ]
    assert len({asked(tap).fingerprint for tap in different}) == len(different)
    assert asked(taps.Gain(3.0, "main")) == asked(taps.Gain(3.0, "spare")), "the source that was on"
    assert asked(taps.AdHoc("x")) == asked(taps.AdHoc("y")), "an id of the server"


async def test_a_tap_that_changed_nothing_changes_nothing_later(stage: Stage) -> None:
    off = taps.ShowSlate(False)
    assert (await stage.director.run("a", off, TECHNICIAN, asked(off, about="a"))).action is None
    await stage.director.run("a", taps.ShowSlate(True), TECHNICIAN)
    assert (await stage.director.run("a", off, TECHNICIAN, asked(off, about="a"))).action is None
    assert stage.director.day("a").slate


async def test_a_refused_tap_is_decided_anew(stage: Stage) -> None:
    s = await stage.plan(0, 30)
    end = taps.End(s)
    with pytest.raises(taps.Refused):
        await stage.director.run("a", end, TECHNICIAN, asked(end))
    await stage.director.run("a", taps.StartTap(s), TECHNICIAN)
    assert (await stage.director.run("a", end, TECHNICIAN, asked(end))).action is not None


async def test_an_undo_and_what_was_done_again_since(stage: Stage) -> None:
    done = await stage.director.run("a", taps.ShowSlate(True), TECHNICIAN)
    assert done.action is not None
    undo = once_for_undo(CommandId(TECHNICIAN.id, "u1"), done.action)
    await stage.director.undo(done.action, TECHNICIAN, undo)
    await stage.director.run("a", taps.ShowSlate(True), TECHNICIAN)
    await stage.director.undo(done.action, TECHNICIAN, undo)
    assert stage.director.day("a").slate


async def test_a_hold_that_broke_off_between_two_rooms_goes_on_where_it_was(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage.database.write() as connection:
        await Rooms(connection).add(Room("b", "Salle B", "paris"))
    await stage.director.refresh()
    hold, rooms = taps.HoldOn("Fire alarm"), ["a", "b"]
    once = asked(hold, about="venue paris")
    repository, writes = stage.director._day_repository, 0
    write = repository.write

    async def fails_second(*args: object) -> tuple[int, int]:
        nonlocal writes
        writes += 1
        if writes == 2:
            raise StoreUnavailable("The disk is full.")
        return await write(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(repository, "write", fails_second)
    with pytest.raises(StoreUnavailable):
        await stage.director.run_all(rooms, hold, TECHNICIAN, once)
    # Somebody ends it in the first room meanwhile.
    await stage.director.run("a", taps.Resume(), TECHNICIAN)
    both = await stage.director.run_all(rooms, hold, TECHNICIAN, once)
    assert all(tapped.action is not None for _, tapped in both)
    assert stage.director.day("a").hold is None
    assert stage.director.day("b").hold is not None
