"""The director between database, media plane and people: what is written, ordered and told, and in which order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from streamer.broadcast.orders import Withheld
from streamer.conference import taps
from streamer.conference.notices import WrongRoom
from streamer.conference.rooms import Room, StartRule
from streamer.conference.sessions import Flag, Kind, MarkKind, SessionState, Visibility
from streamer.conference.spans import output_name
from streamer.conference.taps import Refused
from streamer.director.day_repository import Loaded
from streamer.director.news import AlarmsChanged, RoomChanged, SessionChanged, StretchForgotten
from streamer.errors import Conflict, NotFound, Unavailable
from streamer.store.audit import AuditLog
from streamer.store.database import StoreUnavailable
from streamer.store.marks import Marks
from streamer.store.recordings import Editions, Recording, Recordings, RecordingState, StoredEdition
from streamer.store.rooms import Rooms
from streamer.store.sessions import Sessions
from tests.fakes.directing import MINUTE, NINE, TECHNICIAN, Stage
from tests.fakes.stores import sqlite_store


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    database = sqlite_store(tmp_path)
    await database.start()
    stage = Stage(database, tmp_path)
    await stage.open()
    yield stage
    await database.close()


def _title_told(stage: Stage) -> str | None:
    current = stage.director.public_status("a").current
    return None if current is None else current.session.title


async def test_a_room_stays_that_was_made_while_the_database_was_read(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    day_repository, begun, go_on = stage.director._day_repository, asyncio.Event(), asyncio.Event()
    load = day_repository.load
    known: set[str] = set()
    lost: set[str] = set()

    def look() -> None:
        rooms = {room_state.room.id for room_state in stage.director.room_states}
        lost.update(known - rooms)
        known.update(rooms)

    async def slow(now_ms: int) -> Loaded:
        look()
        loaded = await load(now_ms)
        if not begun.is_set():
            begun.set()
            await go_on.wait()
        return loaded

    monkeypatch.setattr(day_repository, "load", slow)
    before = asyncio.create_task(stage.director.refresh())
    await begun.wait()
    async with stage.database.write() as connection:
        await Rooms(connection).add(Room("new", "Salle B", "paris"))
    after = asyncio.create_task(stage.director.refresh())
    # It may come first, and must not come to nothing.
    await asyncio.wait({after}, timeout=0.3)
    look()
    go_on.set()
    await asyncio.gather(before, after)
    look()
    assert "new" in known
    assert lost == set()


async def test_a_camera_before_the_session_is_a_preview_and_the_tap_puts_it_on_air(stage: Stage) -> None:
    talk = await stage.plan(30, title="Opening")
    await stage.camera()
    await stage.at(1)
    assert stage.ordered().orders.public == "slate"
    await stage.at(25)
    assert stage.session(talk).state is SessionState.ARMED
    done = await stage.director.run("a", taps.StartTap(talk), TECHNICIAN)
    assert done.action is not None
    assert [session.id for session in done.sessions] == [talk]
    assert stage.ordered().orders.public == "programme"
    assert _title_told(stage) == "Opening"
    assert SessionChanged in {type(news) for news in stage.news}


async def test_a_tap_is_in_the_database_when_it_is_answered(stage: Stage) -> None:
    talk = await stage.plan(0)
    await stage.camera()
    await stage.director.run("a", taps.StartTap(talk), TECHNICIAN)
    async with stage.database.read() as connection:
        stored = await Sessions(connection).get(talk)
        audit = (await AuditLog(connection).page(10, None)).items
    assert stored.state is SessionState.ON_AIR
    assert stored.started_ms == NINE
    assert (audit[0].action, audit[0].who, audit[0].label) == ("session.start", "g1", "Anna")


async def test_a_tap_that_cannot_be_written_changes_nothing(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    talk = await stage.plan(0)
    await stage.camera()

    async def full(_change: object, _venue: object = None) -> None:
        raise StoreUnavailable("The disk is full.")

    monkeypatch.setattr(stage.director._day_repository, "write", full)
    with pytest.raises(StoreUnavailable):
        await stage.director.run("a", taps.StartTap(talk), TECHNICIAN)
    assert not stage.session(talk).running
    assert stage.ordered().orders.public == "slate"


async def test_privacy_does_not_wait_for_the_database(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    talk = await stage.plan(0, 60, title="Open")
    board = await stage.plan(30, 30, title="Board", kind=Kind.MEETING, visibility=Visibility.PRIVATE)
    await stage.camera()
    await stage.director.run("a", taps.StartTap(talk), TECHNICIAN)
    await stage.at(29)
    assert stage.ordered().orders.public == "programme"
    write = stage.director._day_repository.write

    async def full(_change: object, _venue: object = None) -> None:
        raise StoreUnavailable("The disk is full.")

    monkeypatch.setattr(stage.director._day_repository, "write", full)
    await stage.at(30)
    orders = stage.ordered().orders
    assert orders.public == "slate"
    assert [output.shows for output in orders.outputs] == ["programme"]
    assert "Board" not in str(orders)
    # A failed write is repeated as soon as possible.
    monkeypatch.setattr(stage.director._day_repository, "write", write)
    await stage.at(31)
    async with stage.database.read() as connection:
        assert (await Sessions(connection).get(board)).state is SessionState.ON_AIR
        assert (await Sessions(connection).get(talk)).ended_ms == NINE + 30 * MINUTE


async def test_a_restart_in_the_middle_of_a_session_finds_everything_again(stage: Stage) -> None:
    talk = await stage.plan(0)
    await stage.camera()
    await stage.director.run("a", taps.StartTap(talk), TECHNICIAN)
    await stage.director.run("a", taps.HoldOn("Fire alarm"), TECHNICIAN)
    before = stage.director.day("a")
    await stage.restart()
    await stage.at(2)
    assert stage.session(talk).state is SessionState.ON_AIR
    assert stage.director.day("a").hold == before.hold
    assert stage.ordered().orders.public == "slate"
    assert stage.ordered().orders.slate.title == "Fire alarm"


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
    assert _title_told(stage) == "Welcome"
    assert done.action is not None
    await stage.director.undo(done.action, TECHNICIAN)
    assert stage.director.find("x1") is None
    async with stage.database.read() as connection:
        assert await Sessions(connection).find("x1") is None


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
    await stage.director.run("a", taps.Slate(True), TECHNICIAN)
    await stage.at(1)
    await stage.director.run("a", taps.StartTap(talk), TECHNICIAN)
    await stage.at(2)
    await stage.director.run("a", taps.Slate(False), TECHNICIAN)
    await stage.at(5)
    await stage.director.run("a", taps.Slate(True), TECHNICIAN)
    await stage.at(6)
    await stage.director.run("a", taps.End(talk, NINE + round(5.5 * MINUTE)), TECHNICIAN)
    async with stage.database.read() as connection:
        marks = await Marks(connection).of_session(talk)
    assert [((mark.at_ms - NINE) / MINUTE, ((mark.until_ms or 0) - NINE) / MINUTE) for mark in marks] == [
        (1, 2),
        (5, 5.5),
    ]


async def test_an_auto_room_with_nothing_planned_goes_on_air_with_its_camera(stage: Stage) -> None:
    async with stage.database.write() as connection:
        await Rooms(connection).save(Room("a", "Salle A", "paris", start=StartRule.AUTO))
    await stage.director.refresh()
    assert stage.director.config("a").orders.public == "programme"
    await stage.camera()
    public = stage.director.public_status("a")
    assert public.current is not None
    assert public.current.session.ad_hoc
    assert _title_told(stage) == "Salle A"


async def test_a_camera_in_an_empty_tap_room_is_a_preview_until_somebody_puts_it_on_air(stage: Stage) -> None:
    assert stage.director.config("a").orders.public == "slate"
    await stage.camera()
    await stage.at(10)
    await stage.restart()
    await stage.at(20)
    assert (stage.ordered().orders.public, stage.director.day("a").sessions) == ("slate", ())
    assert stage.ordered().orders.record, "a late tap finds its minutes"
    await stage.director.run("a", taps.AdHoc("x1"), TECHNICIAN)
    assert stage.ordered().orders.public == "programme"
    assert _title_told(stage) == "Salle A"


async def test_who_opens_a_room_before_its_private_session_gets_orders_for_the_slate(stage: Stage) -> None:
    await stage.plan(5, 30, title="Board", kind=Kind.MEETING, visibility=Visibility.PRIVATE)
    config = stage.director.config("a")
    assert config.orders.public == "slate"
    assert "Board" not in str(config)


async def test_an_auto_room_starts_by_itself_and_the_clock_is_in_the_audit_log(stage: Stage) -> None:
    async with stage.database.write() as connection:
        await Rooms(connection).save(Room("a", "Salle A", "paris", start=StartRule.AUTO))
    await stage.director.refresh()
    talk = await stage.plan(5)
    await stage.camera()
    await stage.at(4.9)
    assert not stage.session(talk).running
    await stage.at(5)
    assert stage.session(talk).running
    async with stage.database.read() as connection:
        entry = (await AuditLog(connection).page(1, None)).items[0]
    assert (entry.who, entry.target_id) == ("clock", talk)


async def test_alarms_ring_are_taken_on_and_forgotten_when_they_stop(stage: Stage) -> None:
    talk = await stage.plan(10)
    await stage.at(6)
    codes = [alarm.code for alarm in stage.director.alarms("a")]
    assert codes == ["nothing_coming_in"]
    alarm = stage.director.alarms("a")[0]
    await stage.director.acknowledge("a", alarm.id, TECHNICIAN)
    assert stage.director.acknowledged("a")[alarm.id].label == "Anna"
    await stage.restart()
    await stage.at(7)
    assert stage.director.acknowledged("a")[alarm.id].label == "Anna"
    await stage.camera()
    assert stage.director.alarms("a") == ()
    assert stage.director.acknowledged("a") == {}
    with pytest.raises(NotFound):
        await stage.director.acknowledge("a", alarm.id, TECHNICIAN)
    await stage.at(14)
    assert [alarm.code for alarm in stage.director.alarms("a")] == ["not_started"]
    await stage.director.run("a", taps.StartTap(talk), TECHNICIAN)
    assert stage.director.alarms("a") == ()
    assert AlarmsChanged in {type(news) for news in stage.news}


async def test_a_key_of_another_room_rings_in_both(stage: Stage) -> None:
    async with stage.database.write() as connection:
        await Rooms(connection).add(Room("b", "Salle B", "paris"))
    await stage.director.refresh()
    stage.notices.wrong_room(WrongRoom("b", "a", None, "g2", "camera of A", "main", stage.now))
    await stage.look()
    for room in ("a", "b"):
        ringing = stage.director.alarms(room)
        assert [alarm.code for alarm in ringing] == ["wrong_room_key"]
        assert ringing[0].details["label"] == "camera of A"


async def test_two_encoders_with_one_link_ring_as_long_as_they_fight(stage: Stage) -> None:
    await stage.camera()
    link = stage.plane.rooms["a"]
    assert link.status is not None
    link.status.duels = {"main": NINE}
    await stage.look()
    (alarm,) = (alarm for alarm in stage.director.alarms("a") if alarm.code == "publication_duel")
    assert (alarm.level, alarm.since_ms, alarm.details) == ("alarm", NINE, {"source": "main"})
    link.status.duels = {}
    await stage.look()
    assert "publication_duel" not in [alarm.code for alarm in stage.director.alarms("a")]


async def test_what_several_viewers_report_rings_until_they_are_quiet(stage: Stage) -> None:
    talk = await stage.plan(0)
    await stage.camera()
    await stage.director.run("a", taps.StartTap(talk), TECHNICIAN)

    async def report(people: int, kind: str = "no_sound") -> None:
        stage.notices.complaint("a", kind, people, stage.now, session=talk, enough=people >= 3)
        await stage.look()

    await report(2)
    assert stage.director.alarms("a") == ()
    await stage.at(0.5)
    await report(3)
    (alarm,) = stage.director.alarms("a")
    assert (alarm.code, alarm.level, alarm.session) == ("viewers_no_sound", "alarm", talk)
    assert (alarm.details, alarm.since_ms) == ({"people": 3}, NINE + MINUTE // 2)
    await stage.director.acknowledge("a", alarm.id, TECHNICIAN)
    # One more keeps it ringing, and whoever has taken it on still has.
    await stage.at(3)
    await report(1)
    await report(3, "stutter")
    assert [(a.code, a.level) for a in stage.director.alarms("a")] == [
        ("viewers_no_sound", "alarm"),
        ("viewers_stutter", "warning"),
    ]
    await stage.at(5.5)
    assert alarm.id in stage.director.acknowledged("a")
    await stage.at(6)
    assert stage.director.alarms("a") == ()
    assert alarm.id not in stage.director.acknowledged("a")
    await report(1)
    assert stage.director.alarms("a") == ()


async def test_less_than_an_hour_of_disk_rings_for_the_operator(stage: Stage) -> None:
    stage.free = 500_000_000
    await stage.restart()
    await stage.camera()
    alarms = {alarm.code: alarm for alarm in stage.director.alarms("a")}
    assert alarms["disk_low"].owner == "operator"


async def test_a_room_that_does_not_answer_is_told_its_orders_when_it_does(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk = await stage.plan(0)
    await stage.camera()
    configure = stage.plane.configure

    async def away(_config: object) -> None:
        raise Unavailable("The room is restarting.")

    monkeypatch.setattr(stage.plane, "configure", away)
    await stage.director.run("a", taps.StartTap(talk), TECHNICIAN)
    assert stage.ordered().orders.public == "slate"
    monkeypatch.setattr(stage.plane, "configure", configure)
    await stage.look()
    assert stage.ordered().orders.public == "programme"


async def test_the_same_orders_are_sent_once(stage: Stage) -> None:
    talk = await stage.plan(0)
    await stage.camera()
    await stage.director.run("a", taps.StartTap(talk), TECHNICIAN)
    sent = len(stage.plane.configured)
    for minute in range(5):
        await stage.at(minute)
    assert len(stage.plane.configured) == sent


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


async def test_what_others_write_is_taken_in(stage: Stage) -> None:
    talk = await stage.plan(60, title="Old")
    async with stage.database.write() as connection:
        sessions = Sessions(connection)
        await sessions.save(replace(await sessions.get(talk), title="New"))
    await stage.director.refresh()
    assert stage.session(talk).title == "New"


async def test_a_change_of_visibility_takes_effect_at_once(stage: Stage) -> None:
    talk = await stage.plan(0, title="Open")
    await stage.camera()
    await stage.director.run("a", taps.StartTap(talk), TECHNICIAN)
    edited = await stage.director.change(talk, {"visibility": Visibility.PRIVATE}, TECHNICIAN)
    assert edited.session.generation == 2
    assert stage.ordered().orders.public == "slate"
    assert _title_told(stage) is None
    assert any(isinstance(news, RoomChanged) for news in stage.news)


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
    assert stage.ordered().orders.withheld == (Withheld(NINE, None, output_name(edited.session)),)
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


async def test_what_has_been_on_air_keeps_its_plan_and_stays(stage: Stage) -> None:
    talk = await stage.plan(0)
    await stage.camera()
    await stage.director.run("a", taps.StartTap(talk), TECHNICIAN)
    with pytest.raises(Conflict):
        await stage.director.remove(talk, TECHNICIAN)
    await stage.director.run("a", taps.End(talk), TECHNICIAN)
    with pytest.raises(Conflict):
        await stage.director.change(talk, {"start_ms": NINE + MINUTE}, TECHNICIAN)
    other = await stage.plan(200)
    await stage.director.remove(other, TECHNICIAN)
    assert stage.director.find(other) is None


async def test_times_that_are_set_by_hand_are_the_plan_and_no_delay_is_left_in_them(stage: Stage) -> None:
    pause = await stage.plan(60, 20, kind=Kind.BREAK)
    talk = await stage.plan(30, 30)
    await stage.director.run("a", taps.Delay(talk, 10, following=True), TECHNICIAN)
    assert (stage.session(pause).delay_ms, stage.session(pause).shortened_ms) == (10 * MINUTE, 10 * MINUTE)
    end_ms = stage.session(pause).end_ms + 5 * MINUTE
    await stage.director.change(pause, {"end_ms": end_ms}, TECHNICIAN)
    assert (stage.session(pause).delay_ms, stage.session(pause).shortened_ms) == (10 * MINUTE, 0)
    await stage.director.change(pause, {"start_ms": NINE + 75 * MINUTE}, TECHNICIAN)
    assert (stage.session(pause).delay_ms, stage.session(pause).shortened_ms) == (0, 0)


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
