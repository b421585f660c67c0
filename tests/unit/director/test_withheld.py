"""Minutes that are not shown: holds, private sessions and what is forgotten."""

from __future__ import annotations

import pytest

from streamer.broadcast.orders import Withheld
from streamer.conference import taps
from streamer.conference.sessions import Flag, Kind, MarkKind, Visibility
from streamer.conference.spans import output_name
from streamer.director.news import StretchForgotten
from streamer.errors import Unavailable
from streamer.store.marks import Marks
from streamer.store.recordings import Editions, Recording, Recordings, RecordingState, StoredEdition
from tests.fakes.directing import MINUTE, NINE, TECHNICIAN, Stage


async def test_a_hold_is_an_incident_of_the_session_that_runs(stage: Stage) -> None:
    talk = await stage.plan(0)
    await stage.camera()
    await stage.director.run("a", taps.StartTap(talk), TECHNICIAN)
    await stage.at(10)
    await stage.director.run_all(["a"], taps.HoldOn("Fire alarm"), TECHNICIAN)
    await stage.at(16)
    await stage.director.run_all(["a"], taps.Resume(shift=True), TECHNICIAN)
    async with stage.database.read() as connection:
        marks = await Marks(connection).of_session(talk)
    assert [(mark.kind, mark.at_ms, mark.until_ms, mark.label) for mark in marks] == [
        (MarkKind.INCIDENT, NINE + 10 * MINUTE, NINE + 16 * MINUTE, "Fire alarm")
    ]


async def test_what_a_technician_covers_is_left_out_of_the_replay_too(stage: Stage) -> None:
    talk = await stage.plan(0)
    await stage.camera()
    await stage.director.run("a", taps.ShowSlate(True), TECHNICIAN)
    await stage.at(1)
    await stage.director.run("a", taps.StartTap(talk), TECHNICIAN)
    await stage.at(2)
    await stage.director.run("a", taps.ShowSlate(False), TECHNICIAN)
    await stage.at(5)
    await stage.director.run("a", taps.ShowSlate(True), TECHNICIAN)
    await stage.at(6)
    await stage.director.run("a", taps.End(talk, NINE + round(5.5 * MINUTE)), TECHNICIAN)
    async with stage.database.read() as connection:
        marks = await Marks(connection).of_session(talk)
    assert [((mark.at_ms - NINE) / MINUTE, ((mark.until_ms or 0) - NINE) / MINUTE) for mark in marks] == [
        (1, 2),
        (5, 5.5),
    ]


async def test_minutes_of_a_closed_session_that_a_late_tap_reveals_are_withheld_now_and_after_restarts(
    stage: Stage,
) -> None:
    talk = await stage.plan(0, 30, title="Open")
    board = await stage.plan(30, 30, title="Board", kind=Kind.MEETING, visibility=Visibility.PRIVATE)
    await stage.camera()
    await stage.director.run("a", taps.StartTap(talk), TECHNICIAN)
    await stage.at(28)
    assert stage.ordered().orders.withheld == ()
    await stage.director.run("a", taps.StartTap(board, NINE + 20 * MINUTE), TECHNICIAN)
    late = Withheld(NINE + 20 * MINUTE, None, output_name(stage.session(board)))
    assert stage.ordered().orders.withheld == (late,)
    # The web process, then the room: each finds the order again, as nothing but the day is asked.
    stage.plane.configured.clear()
    await stage.restart()
    await stage.look()
    assert stage.ordered().orders.withheld == (late,)
    await stage.plane.stop("a")
    assert stage.director.config("a").orders.withheld == (late,)


async def test_a_room_that_was_away_at_a_late_tap_is_told_when_it_is_back(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk = await stage.plan(0, 30)
    secret = await stage.plan(30, 30, do_not_record=Flag.YES)
    await stage.camera()
    await stage.director.run("a", taps.StartTap(talk), TECHNICIAN)
    await stage.at(29)
    configure = stage.plane.configure

    async def away(_config: object) -> None:
        raise Unavailable("The room is restarting.")

    monkeypatch.setattr(stage.plane, "configure", away)
    await stage.director.run("a", taps.StartTap(secret, NINE + 25 * MINUTE), TECHNICIAN)
    assert stage.ordered().orders.withheld == ()
    monkeypatch.setattr(stage.plane, "configure", configure)
    await stage.look()
    assert stage.ordered().orders.withheld == (Withheld(NINE + 25 * MINUTE, erase=True),)
    assert not stage.ordered().orders.record


async def test_a_running_session_that_becomes_private_takes_its_minutes_along(stage: Stage) -> None:
    talk = await stage.plan(0, title="Open")
    await stage.camera()
    await stage.director.run("a", taps.StartTap(talk), TECHNICIAN)
    await stage.at(10)
    edited = await stage.director.change(talk, {"visibility": Visibility.PRIVATE}, TECHNICIAN)
    assert stage.ordered().orders.withheld == (Withheld(NINE, None, output_name(edited)),)
    await stage.director.change(talk, {"visibility": Visibility.PUBLIC}, TECHNICIAN)
    assert stage.ordered().orders.withheld == ()


async def test_what_is_left_out_of_a_replay_is_withheld_from_the_live_windows(stage: Stage) -> None:
    talk = await stage.plan(0)
    await stage.camera()
    await stage.director.run("a", taps.StartTap(talk), TECHNICIAN)
    await stage.at(10)
    await stage.director.run("a", taps.HoldOn(), TECHNICIAN)
    await stage.at(12)
    await stage.director.run("a", taps.Resume(), TECHNICIAN)
    await stage.at(20)
    await stage.director.run("a", taps.End(talk), TECHNICIAN)
    covered = (NINE + 10 * MINUTE, NINE + 12 * MINUTE)
    cut = (NINE + 5 * MINUTE, NINE + 6 * MINUTE)

    async def edition(name: str, *skips: tuple[int, int]) -> tuple[Withheld, ...]:
        """The orders after the director has seen that there is another edition."""
        known = await stage.director._day_repository.revision()
        async with stage.database.write() as connection:
            recording = Recording(talk, "a", "", "", NINE, end_ms=stage.now, state=RecordingState.READY)
            await Recordings(connection).put(recording)
            made = StoredEdition(name, talk, NINE, NINE + 20 * MINUTE, skips, stage.now + len(name))
            await Editions(connection).add(made)
        assert await stage.director._day_repository.revision() > known
        await stage.director.refresh()
        return stage.ordered().orders.withheld

    assert await edition("e", covered) == (Withheld(*covered),)
    both = (Withheld(*cut, exact=True), Withheld(*covered))
    assert await edition("ee", cut, covered) == both
    stage.plane.configured.clear()
    await stage.restart()
    await stage.look()
    assert stage.ordered().orders.withheld == both
    assert await edition("eee", covered) == (Withheld(*covered),)


async def test_an_unrecorded_session_is_ordered_into_memory_only(stage: Stage) -> None:
    talk = await stage.plan(0, do_not_record=Flag.YES)
    await stage.camera()
    await stage.at(0.1)
    assert not stage.session(talk).running, "a camera alone puts nothing on air"
    assert (stage.ordered().orders.public, stage.ordered().orders.record) == ("slate", False)
    await stage.director.run("a", taps.StartTap(talk), TECHNICIAN)
    orders = stage.ordered().orders
    assert stage.session(talk).running
    assert orders.record is False
    assert orders.stretch == talk


async def test_the_last_minutes_are_forgotten_by_the_room_and_told(stage: Stage) -> None:
    talk = await stage.plan(0)
    link = await stage.camera()
    await stage.director.run("a", taps.StartTap(talk), TECHNICIAN)
    await stage.at(10)
    span = (NINE + 7 * MINUTE, NINE + 10 * MINUTE)
    assert await stage.director.forget("a", *span, TECHNICIAN)
    assert set(link.forgotten) == {span}
    assert StretchForgotten("a", *span) in stage.news
