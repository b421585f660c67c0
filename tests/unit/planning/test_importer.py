"""Imports into a database: events, rooms, sessions, the audit log; twice is once."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from streamer.cli.importing import OPERATOR
from streamer.conference.rooms import Room, Venue
from streamer.conference.schedule import Schedule, ScheduleItem, ScheduleRoom
from streamer.conference.sessions import Event, Session, SessionState
from streamer.errors import NotFound, Unprocessable
from streamer.planning.apply import Applied
from streamer.planning.importer import ImportPlan, carry_out, plan
from streamer.schedules.detect import read_schedule
from streamer.schedules.write_json import write_json
from streamer.store import revision
from streamer.store.audit import AuditLog
from streamer.store.database import Database
from streamer.store.events import Events
from streamer.store.rooms import Rooms
from streamer.store.sessions import Sessions
from streamer.store.venues import Venues

NINE = 1_777_878_000_000
HOUR = 3_600_000
NOW = NINE - 24 * HOUR


def schedule(count: int = 3, rooms: int = 2, **fields: Any) -> Schedule:
    names = [f"Salle {n}" for n in range(rooms)]
    items = tuple(
        ScheduleItem(
            title=f"Session {n}",
            start_ms=NINE + n // rooms * HOUR,
            end_ms=NINE + (n // rooms + 1) * HOUR,
            room=names[n % rooms],
            guid=f"00000000-0000-4000-8000-{n:012d}",
            id=str(n + 1),
            speakers=("Ada", "Grace"),
            abstract="What it is about. " * 20,
        )
        for n in range(count)
    )
    values = {"title": "Journées", "acronym": "journees", "rooms": tuple(map(ScheduleRoom, names)), "items": items}
    return Schedule(**{**values, **fields})


async def imported(store: Database, one: Schedule, accept: Any = (), **options: Any) -> tuple[ImportPlan, Applied]:
    async with store.write() as connection:
        planned = await plan(connection, one, now_ms=NOW, **{"holder": OPERATOR, **options})
        done = await carry_out(connection, planned, accept, now_ms=NOW, who="admin", label="test", source="day.json")
    return planned, done


async def all_of(store: Database, event: str) -> list[Session]:
    async with store.read() as connection:
        return sorted(await Sessions(connection).of_event(event), key=lambda session: session.title)


async def revision_of(store: Database) -> int:
    async with store.read() as connection:
        return await revision.current(connection)


async def test_an_import_makes_the_event_the_rooms_and_the_sessions_and_tells_the_audit_log(store: Database) -> None:
    async with store.write() as connection:
        await Venues(connection).add(Venue("nantes", "Nantes"))
    before = await revision_of(store)
    await imported(store, schedule())
    async with store.read() as connection:
        assert [room.id for room in await Rooms(connection).all()] == ["salle-0", "salle-1"]
        assert {room.venue for room in await Rooms(connection).all()} == {"nantes"}
        event = await Events(connection).get("journees")
        (entry,) = (await AuditLog(connection).page(10, None)).items
    assert (event.name, event.venue) == ("Journées", "nantes")
    assert [session.title for session in await all_of(store, "journees")] == ["Session 0", "Session 1", "Session 2"]
    assert (entry.action, entry.target_id, entry.venue, entry.details["added"]) == (
        "schedule.import", "journees", "nantes", 3
    )  # fmt: skip
    assert await revision_of(store) > before


async def test_a_second_import_changes_nothing_not_even_the_revision_or_the_audit_log(store: Database) -> None:
    await imported(store, schedule())
    before, sessions = await revision_of(store), await all_of(store, "journees")
    planned, done = await imported(store, schedule())
    assert not planned.difference.items
    assert planned.difference.unchanged == 3
    assert done == Applied()
    assert (await revision_of(store), await all_of(store, "journees")) == (before, sessions)
    async with store.read() as connection:
        assert len((await AuditLog(connection).page(10, None)).items) == 1


async def test_a_plan_alone_writes_nothing(store: Database) -> None:
    async with store.read() as connection:
        planned = await plan(connection, schedule(), holder=OPERATOR, now_ms=NOW)
    assert (planned.event_is_new, len(planned.new_rooms), len(planned.difference.added)) == (True, 2, 3)
    async with store.read() as connection:
        assert await Rooms(connection).all() == []
        assert await Events(connection).all() == []


async def test_what_is_on_air_waits_for_a_yes(store: Database) -> None:
    await imported(store, schedule())
    running = (await all_of(store, "journees"))[0]
    async with store.write() as connection:
        await Sessions(connection).save_many((replace(running, state=SessionState.ON_AIR, started_ms=NINE),))
    longer = schedule()
    items = (replace(longer.items[0], end_ms=NINE + 2 * HOUR), *longer.items[1:])
    _, done = await imported(store, replace(longer, items=items))
    assert [item.key for item in done.waiting] == [running.id]
    assert (await all_of(store, "journees"))[0].end_ms == NINE + HOUR
    await imported(store, replace(longer, items=items), {running.id})
    kept = (await all_of(store, "journees"))[0]
    assert (kept.end_ms, kept.state, kept.started_ms) == (NINE + 2 * HOUR, SessionState.ON_AIR, NINE)


async def test_the_event_may_be_named_and_two_events_do_not_touch_each_other(store: Database) -> None:
    await imported(store, schedule(), event="My Event")
    await imported(store, schedule())
    async with store.read() as connection:
        assert [event.id for event in await Events(connection).all()] == ["journees", "my-event"]
    assert len(await all_of(store, "my-event")) == len(await all_of(store, "journees")) == 3
    nameless = schedule(title="", acronym="")
    planned, _ = await imported(store, nameless, otherwise="le_fichier")
    assert planned.event.id == "le-fichier"
    with pytest.raises(Unprocessable) as caught:
        await imported(store, nameless, otherwise="")
    assert caught.value.code == "no_event"
    broken = read_schedule(b"<schedule>\n<day>\n<room name='a'>\n</day></schedule>", timezone="UTC", now_ms=NINE)
    with pytest.raises(Unprocessable, match="line 4, column 7") as caught:
        await imported(store, broken)
    assert caught.value.code == "unreadable_schedule"


async def test_known_rooms_are_used_and_sessions_without_a_room_take_the_one_that_is_named(store: Database) -> None:
    async with store.write() as connection:
        for room in (Room("grande", "La grande", aliases=("salle 0",)), Room("cave", "Cave")):
            await Rooms(connection).add(room)
        await Events(connection).add(Event("journees", "Here already"))
    one = schedule()
    one = replace(one, items=(one.items[0], replace(one.items[1], room="")), rooms=one.rooms[:1])
    planned, done = await imported(store, one)
    assert (planned.new_rooms, planned.event_is_new) == ((), False)
    assert [(session.room, session.venue) for session in done.new] == [("grande", None), ("", None)]
    assert done.waiting == ()
    _, done = await imported(store, one, room="cave")
    assert [(session.title, session.room) for session in done.changed] == [("Session 1", "cave")]
    again, _ = await imported(store, one)
    assert not again.difference.items, "a schedule that names no room takes none away"
    for options in ({"room": "none"}, {"venue": "none"}):
        with pytest.raises(NotFound):
            await imported(store, one, **options)


async def test_a_thousand_sessions_are_read_compared_and_written_in_under_two_seconds(store: Database) -> None:
    data = write_json(schedule(1000, 10, timezone="Europe/Paris"))
    begun = time.process_time()
    one = read_schedule(data, timezone="Europe/Paris", now_ms=NOW)
    _, done = await imported(store, one)
    first_s = time.process_time() - begun
    assert len(done.new) == 1000
    planned, _ = await imported(store, read_schedule(data, timezone="Europe/Paris", now_ms=NOW))
    assert planned.difference.unchanged == 1000
    assert not planned.difference.items
    print(f"1,000 sessions: {first_s:.2f} s, again {time.process_time() - begun - first_s:.2f} s")
    assert first_s < 2
