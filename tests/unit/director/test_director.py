"""The director between database, media plane and people: what is written, ordered and told, and in which order."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace

import pytest

from streamer.conference import taps
from streamer.conference.rooms import Room, StartRule
from streamer.conference.sessions import Kind, SessionState, Visibility
from streamer.director.day_repository import Loaded
from streamer.director.news import RoomChanged, SessionChanged
from streamer.errors import Conflict, Unavailable
from streamer.store.audit import AuditLog
from streamer.store.database import StoreUnavailable
from streamer.store.rooms import Rooms
from streamer.store.sessions import Sessions
from tests.fakes.directing import MINUTE, NINE, TECHNICIAN, Stage
from tests.fakes.waiting import until_answered


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


async def test_a_room_is_known_once_it_is_made_although_others_act_without_pause(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = stage.director._cache
    load = cache._day_repository.load

    async def overtaken(now_ms: int) -> Loaded:
        loaded = await load(now_ms)
        cache._revision = loaded.revision + 1
        return loaded

    monkeypatch.setattr(cache._day_repository, "load", overtaken)
    async with stage.database.write() as connection:
        await Rooms(connection).add(Room("b", "Salle B", "paris"))
    await stage.director.refresh()
    assert stage.director.room("b") is not None


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
    assert stage.title_told() == "Opening"
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


async def test_an_auto_room_with_nothing_planned_goes_on_air_with_its_camera(stage: Stage) -> None:
    async with stage.database.write() as connection:
        await Rooms(connection).save(Room("a", "Salle A", "paris", start=StartRule.AUTO))
    await stage.director.refresh()
    assert stage.director.config("a").orders.public == "programme"
    await stage.camera()
    public = stage.director.public_status("a")
    assert public.current is not None
    assert public.current.session.ad_hoc
    assert stage.title_told() == "Salle A"


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
    assert stage.title_told() == "Salle A"


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


@pytest.mark.parametrize("breaks", [False, True], ids=["hangs", "breaks"])
async def test_a_mark_of_the_clock_is_on_disk_whatever_the_room_does(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, breaks: bool
) -> None:
    async with stage.database.write() as connection:
        await Rooms(connection).save(Room("a", "Salle A", "paris", start=StartRule.AUTO))
    await stage.director.refresh()
    talk = await stage.plan(5)
    await stage.camera()
    asked, answers = asyncio.Event(), asyncio.Event()

    async def away(_config: object) -> None:
        asked.set()
        if breaks:
            raise OSError("broken pipe")
        await answers.wait()

    async def begun() -> bool:
        async with stage.database.read() as connection:
            found = await Sessions(connection).find(talk)
        return found is not None and found.running

    monkeypatch.setattr(stage.plane, "configure", away)
    looking = asyncio.create_task(stage.at(5))
    await asked.wait()
    await until_answered(begun)
    answers.set()
    with contextlib.suppress(OSError):
        await looking


async def test_the_same_orders_are_sent_once(stage: Stage) -> None:
    talk = await stage.plan(0)
    await stage.camera()
    await stage.director.run("a", taps.StartTap(talk), TECHNICIAN)
    sent = len(stage.plane.configured)
    for minute in range(5):
        await stage.at(minute)
    assert len(stage.plane.configured) == sent


async def test_what_others_write_is_taken_in(stage: Stage) -> None:
    talk = await stage.plan(60, title="Old")
    async with stage.database.write() as connection:
        sessions = Sessions(connection)
        await sessions.save_many((replace(await sessions.get(talk), title="New"),))
    await stage.director.refresh()
    assert stage.session(talk).title == "New"


async def test_a_change_of_visibility_takes_effect_at_once(stage: Stage) -> None:
    talk = await stage.plan(0, title="Open")
    await stage.camera()
    await stage.director.run("a", taps.StartTap(talk), TECHNICIAN)
    edited = await stage.director.change(talk, {"visibility": Visibility.PRIVATE}, TECHNICIAN)
    assert edited.generation == 2
    assert stage.ordered().orders.public == "slate"
    assert stage.title_told() is None
    assert any(isinstance(news, RoomChanged) for news in stage.news)


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
