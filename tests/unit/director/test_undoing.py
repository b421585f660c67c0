"""Undoing actions, and changing sessions ahead of their day."""

from __future__ import annotations

import pytest

from streamer.conference import taps
from streamer.conference.sessions import SessionState
from streamer.conference.taps import Refused
from streamer.errors import NotFound
from streamer.store.sessions import Sessions
from tests.fakes.directing import MINUTE, NINE, TECHNICIAN, Stage


async def test_every_tap_can_be_taken_back_once(stage: Stage) -> None:
    talk = await stage.plan(0)
    await stage.camera()
    started = await stage.director.run("a", taps.StartTap(talk), TECHNICIAN)
    await stage.at(3)
    ended = await stage.director.run("a", taps.End(talk), TECHNICIAN)
    assert started.action is not None
    assert ended.action is not None
    with pytest.raises(Refused, match="changed again"):
        await stage.director.undo(started.action, TECHNICIAN)
    undone = await stage.director.undo(ended.action, TECHNICIAN)
    assert undone.action is None
    assert stage.session(talk).state is SessionState.ON_AIR
    again = await stage.director.undo(ended.action, TECHNICIAN)
    assert again.sessions == ()
    await stage.restart()
    await stage.director.undo(started.action, TECHNICIAN)
    assert stage.session(talk).started_ms is None
    with pytest.raises(NotFound):
        await stage.director.undo("nothing", TECHNICIAN)


async def test_an_ad_hoc_session_that_is_taken_back_leaves_nothing(stage: Stage) -> None:
    await stage.plan(60)
    await stage.camera()
    done = await stage.director.run("a", taps.AdHoc("x1", "Welcome"), TECHNICIAN)
    assert stage.title_told() == "Welcome"
    assert done.action is not None
    await stage.director.undo(done.action, TECHNICIAN)
    assert stage.director.find("x1") is None
    async with stage.database.read() as connection:
        assert await Sessions(connection).find("x1") is None


async def test_next_weeks_sessions_are_moved_and_cancelled_and_that_is_taken_back(stage: Stage) -> None:
    week = 7 * 24 * 60
    first, second = await stage.plan(week, 45), await stage.plan(week + 60, 45)
    today = await stage.plan(60)
    assert stage.director.find(first) is None

    async def stored(session: str) -> tuple[SessionState, float]:
        async with stage.database.read() as connection:
            found = await Sessions(connection).get(session)
        return found.state, (found.start_ms - NINE) / MINUTE - week

    before = stage.director.day("a")
    delayed = await stage.director.run("a", taps.Delay(first, 15, following=True), TECHNICIAN)
    assert {session.id for session in delayed.sessions} == {first, second}
    cancelled = await stage.director.run("a", taps.Cancel(second), TECHNICIAN)
    assert [await stored(one) for one in (first, second)] == [
        (SessionState.SCHEDULED, 15),
        (SessionState.CANCELLED, 75),
    ]
    assert stage.director.day("a").sessions == before.sessions
    assert [one.undoable for one in await stage.director.recent("a", 9)] == [True, True]
    assert cancelled.action is not None
    assert delayed.action is not None
    await stage.director.undo(cancelled.action, TECHNICIAN)
    await stage.director.undo(delayed.action, TECHNICIAN)
    assert [await stored(one) for one in (first, second)] == [
        (SessionState.SCHEDULED, 0),
        (SessionState.SCHEDULED, 60),
    ]
    with pytest.raises(Refused) as caught:
        await stage.director.run("a", taps.StartTap(first), TECHNICIAN)
    assert caught.value.code == "not_in_view"
    with pytest.raises(Refused) as caught:
        await stage.director.run("a", taps.Cancel("nobody"), TECHNICIAN)
    assert caught.value.code == "unknown_session"
    # One that comes into view by it is there at once.
    await stage.director.run("a", taps.Delay(first, -24 * 60), TECHNICIAN)
    for _ in range(5):
        await stage.director.run("a", taps.Delay(first, -24 * 60), TECHNICIAN)
    assert stage.session(first).start_ms == NINE + 24 * 60 * MINUTE
    assert stage.session(today).state is SessionState.SCHEDULED
